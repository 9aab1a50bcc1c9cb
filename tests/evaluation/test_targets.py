"""Targets: their kind, and what marks a row without a label."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from sklearn_ssl.evaluation import probe_score
from sklearn_ssl.evaluation._targets import read_target

MISSING = [None, np.nan, pd.NA, pd.NaT]


@pytest.mark.parametrize(
    ("y", "has_classes"),
    [
        ([0, 1, 2], True),
        ([0.0, 1.0, 0.0], True),
        ([0.0, 1.0, 2.0], False),
        ([0.5, 1.0, 0.5], False),
        (["a", "b", "a"], True),
        ([True, False, True], True),
        (pd.Series(["a", "b", "a"], dtype="category"), True),
        (pd.Series([0.0, 1.0, 2.0], dtype="category"), True),
        (pd.Series([0, 1, 2], dtype="Int64"), True),
        (pd.Series([0, 1, 2], dtype="Float64"), False),
        (pd.Series([True, False, True], dtype="boolean"), True),
        (pd.Series(["a", "b", "a"], dtype="string"), True),
        ([Decimal(0), Decimal(1), Decimal(2)], True),
        ([Decimal("0.50"), Decimal("1.00"), Decimal("2.00")], False),
    ],
)
def test_kinds_of_targets(y, has_classes):
    target = read_target(y)
    assert target.has_classes == has_classes
    assert target.is_labeled.all()
    assert target.of(np.arange(3)).tolist() == list(y)


@pytest.mark.parametrize("missing", MISSING, ids=str)
@pytest.mark.parametrize(
    ("labels", "has_classes"),
    [
        ([0, 1, 2], True),
        ([0, 1, 0], True),
        ([0.5, 1.5, 2.5], False),
        (["a", "b", "a"], True),
        ([True, False, True], True),
    ],
)
def test_missing_values_mark_rows_whatever_the_labels(labels, has_classes, missing):
    target = read_target([*labels, missing])
    assert target.has_classes == has_classes
    assert target.is_labeled.tolist() == [True, True, True, False]
    assert target.known.tolist() == labels


@pytest.mark.parametrize(
    ("dtype", "labels"),
    [
        ("Int64", [0, 1, 2]),
        ("Float64", [0.0, 1.0, 2.0]),
        ("boolean", [True, False, True]),
        ("string", ["a", "b", "a"]),
        ("category", ["a", "b", "a"]),
        ("category", [0, 1, 2]),
        ("int64[pyarrow]", [0, 1, 2]),
        ("string[pyarrow]", ["a", "b", "a"]),
        ("bool[pyarrow]", [True, False, True]),
    ],
)
def test_nullable_types_keep_their_kind(dtype, labels):
    target = read_target(pd.Series([*labels, None], dtype=dtype))
    assert target.has_classes == (dtype != "Float64")
    assert target.is_labeled.tolist() == [True, True, True, False]
    assert target.known.tolist() == labels


def test_polars_keeps_the_kind_of_missing_labels():
    polars = pytest.importorskip("polars")
    series = polars.Series("y", [0, 1, 2, None])
    for y in (series, series.to_frame()):
        target = read_target(y)
        assert target.has_classes
        assert target.known.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("y", "known"),
    [
        ([0, 1, -1, 2], [0, 1, 2]),
        (np.array([0, 1, -1], dtype=np.int8), [0, 1]),
        (["a", "b", -1], ["a", "b"]),
        ([True, False, -1], [True, False]),
        (pd.Series([0, -1, 1], dtype="Int64"), [0, 1]),
        # Two classes of which one is -1, as FineTunedClassifier reads them.
        ([-1, 1, -1, 1], [-1, 1, -1, 1]),
        ([-1.0, 1.0, None], [-1.0, 1.0]),
        (np.array([3, 255], dtype=np.uint8), [3, 255]),
        ([-1.0, 0.5, -2.0, -1.0], [-1.0, 0.5, -2.0, -1.0]),
    ],
)
def test_minus_one_marks_rows_among_classes(y, known):
    target = read_target(y)
    assert target.known.tolist() == known
    assert not isinstance(known[0], bool) or target.known.dtype == bool


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 1, -1, None, 2], r"both -1 and missing values.*y\.fillna\(-1\)"),
        ([0.5, 1.5, -1.0, -1.0], r"2 of them are -1, the only negative.*np\.where"),
        (np.array([0.0, 1.0, 2.0, np.nan]), r"whole floats \(0, 1, 2, \.\.\.\).*'Int64'"),
        (["a", "b", "-1"], r"the text '-1' in 1 rows.*write None instead"),
        (np.array(["a", "b", np.nan]), "the text 'nan' in 1 rows"),
        ([-1, -1], "no row with a label: all 2"),
        ([None, np.nan], "no row with a label: all 2"),
        ([], "no row with a label"),
    ],
)
def test_marks_that_could_be_labels_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        read_target(y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array([{}, [], ()], dtype=object), r"y holds \{\}, which is neither a number nor"),
        (pd.Series(pd.date_range("2020", periods=3, tz="UTC")), r"y holds Timestamp\(.*days"),
        (pd.Series(pd.period_range("2020", periods=3)), r"y holds Period\(.*map\(str"),
        (pd.Series(pd.IntervalIndex.from_breaks(range(4))), r"y holds Interval\(.*middles"),
    ],
)
def test_targets_of_neither_kind(y, message):
    with pytest.raises(ValueError, match=message):
        read_target(y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (pd.cut(np.arange(6), 2), r"y holds Interval\(.*texts for classes: pd\.Series\(y\)"),
        (pd.Categorical([0.5, 1.5] * 3), r"fractions, such as 0\.5.*y\.astype\(float\)"),
        (pd.date_range("2020", periods=6), r"y holds dates or durations, such as 2020.*as days"),
        (pd.to_timedelta([1, 2] * 3, unit="D"), "y holds dates or durations"),
    ],
)
def test_classes_that_no_classifier_predicts_have_a_remedy(y, message):
    # A figure colors by them all the same.
    assert read_target(y).has_classes
    with pytest.raises(ValueError, match=message):
        probe_score(PCA(1), np.arange(12.0).reshape(6, 2), y, cv=2)


def test_unlabeled_rows_give_no_label():
    with pytest.raises(AssertionError, match="asked for their labels"):
        read_target([0, 1, None]).of(np.array([1, 2]))


def test_factors_may_be_minus_one():
    target = read_target([-1, 0, 1, None], minus_one_marks=False)
    assert target.known.tolist() == [-1, 0, 1]
