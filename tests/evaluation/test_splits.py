"""Splits, and which rows show their labels."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, StratifiedKFold

from sklearn_ssl.evaluation._splits import (
    Split,
    hide_labels,
    labeled_order,
    make_splits,
    read_table,
    repeat_splits,
    resolve_train_sizes,
)
from sklearn_ssl.evaluation._targets import read_target


@given(
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=5),
    seed=st.integers(0, 1000),
    share=st.floats(0, 1),
)
@settings(max_examples=50, deadline=None)
def test_every_draw_of_labels_is_stratified(counts, seed, share):
    y = np.repeat(np.arange(len(counts)), counts)
    order = labeled_order(y, True, np.random.RandomState(seed))
    assert sorted(order) == list(range(len(y)))
    size = max(len(counts), round(share * len(y)))
    drawn = np.bincount(y[order[:size]], minlength=len(counts))
    assert (drawn >= 1).all()
    # One row per class is due to each of them before the proportions are.
    expected = size * np.array(counts) / len(y)
    assert (drawn <= np.maximum(1, np.ceil(expected) + 1)).all()


def test_draws_differ_with_the_seed():
    y = np.repeat([0, 1], 50)
    one, again, other = (labeled_order(y, True, np.random.RandomState(s)) for s in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


@pytest.mark.parametrize(
    ("y", "expected"), [([0, 1] * 10, StratifiedKFold), ([0.1, 2] * 10, KFold)]
)
def test_splits_are_those_of_scikit_learn(y, expected):
    splits = make_splits(read_table(np.zeros((20, 1)), y), 4, None)
    for ours, theirs in zip(splits, expected(4).split(np.zeros(20), y), strict=True):
        np.testing.assert_array_equal(ours.train, theirs[0])
        np.testing.assert_array_equal(ours.test, theirs[1])


def test_sizes_of_uneven_splits_fit_the_smallest():
    splits = [Split(np.arange(n), np.arange(n), np.arange(n, 20)) for n in (10, 15)]
    target = read_target([0, 1] * 10)
    assert resolve_train_sizes([1.0, 0.5, 0.5], splits, target).tolist() == [5, 10]
    assert resolve_train_sizes([8, 2], splits, target).tolist() == [2, 8]


@given(
    labels=st.lists(st.sampled_from([0, 1, None]), min_size=30, max_size=60),
    n_more=st.integers(0, 20),
    seed=st.integers(0, 100),
)
@settings(max_examples=60, deadline=None)
def test_no_row_is_learned_from_and_tested_on(labels, n_more, seed):
    y = [0] * 5 + [1] * 5 + labels
    X = np.random.default_rng(seed).normal(size=(len(y) + n_more, 2))
    table = read_table(X[: len(y)], y, X[len(y) :] if n_more else None)
    is_labeled = table.target.is_labeled
    for split in make_splits(table, StratifiedKFold(3, shuffle=True, random_state=seed), None):
        assert not set(split.test) & (set(split.pretrain) | set(split.train))
        assert set(split.pretrain) == set(split.train) | set(np.flatnonzero(~is_labeled))
        assert is_labeled[split.train].all()
        assert is_labeled[split.test].all()


def test_unlabeled_rows_of_a_test_group_are_left_out():
    groups = np.repeat(np.arange(6), 10)
    y = np.where(np.arange(60) % 2, -1, np.arange(60) % 4)
    for split in make_splits(read_table(np.zeros((60, 1)), y), GroupKFold(3), groups):
        assert not set(groups[split.pretrain]) & set(groups[split.test])
        assert len(split.pretrain) == 40


@pytest.mark.parametrize("kind", ["array", "frame", "polars", "sparse"])
def test_rows_of_x_unlabeled_that_are_test_rows_are_left_out(kind):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(50, 3)).round(2)
    make = {
        "array": np.asarray,
        "frame": lambda X: pd.DataFrame(X, columns=["a", "b", "c"]),
        "sparse": sparse.csr_array,
    }
    if kind == "polars":
        polars = pytest.importorskip("polars")
        make["polars"] = lambda X: polars.DataFrame(X, schema=["a", "b", "c"])
    # Whoever passes all rows there are passes the labeled ones once more.
    table = read_table(make[kind](rows[:30]), [0, 1] * 15, make[kind](rows))
    for split in make_splits(table, 3, None):
        twins = split.test + 30
        assert not set(split.pretrain) & (set(split.test) | set(twins))
        assert len(split.pretrain) == 80 - 2 * len(split.test)


def test_pairs_of_row_numbers_count_all_rows():
    y = [0, 1, -1, 0, 1, -1, 0, 1]
    pairs = [([0, 1, 3, 4], [5, 6, 7])]
    (split,) = make_splits(read_table(np.zeros((8, 1)), y), pairs, None)
    assert split.train.tolist() == [0, 1, 3, 4]
    assert split.test.tolist() == [6, 7]
    # Row 5 is unlabeled, but was set aside for testing.
    assert split.pretrain.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        ([([0, 1], [9])], r"row 9 in split 0, but there are 8 rows in X\. Number the rows"),
        ([([0, 1], [2]), ([0, 7], [-1])], r"row -1 in split 1, but there are 8 rows in X"),
        ([([0, 1], [2, 5])], "split 0 without labeled test rows"),
        ([([2], [0, 1])], "split 0 without labeled training rows"),
        ([([0, 1], [1, 3])], "split 0 does so with 1 rows, such as row 1"),
        ([(np.arange(8) < 4, np.arange(8) >= 4)], r"yields bool.*np\.flatnonzero"),
        ([([0.0, 1.0], [3.0])], "yields float64"),
        ([([0, 1], [])], "split 0 without labeled test rows"),
        (iter([]), "cv yields no splits.*pass a list"),
    ],
)
def test_pairs_that_cannot_be_used(cv, message):
    table = read_table(np.zeros((8, 1)), [0, 1, -1, 0, 1, -1, 0, 1])
    with pytest.raises(ValueError, match=message):
        make_splits(table, cv, None)


def test_repeats_are_stratified_and_differ():
    table = read_table(np.zeros((30, 1)), [0] * 20 + [1] * 10)
    splits = make_splits(table, repeat_splits(5, 2, True, 0), None)
    assert len(splits) == 10
    assert {tuple(np.bincount(table.target.of(split.test))) for split in splits} == {(4, 2)}
    assert len({tuple(split.test) for split in splits}) == 10
    cv = ShuffleSplit(3)
    assert repeat_splits(cv, 2, True, 0) is cv


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="labels of one class only, 1, in 2 labeled rows"):
        read_table(np.zeros((3, 1)), [1, 1, None])


@pytest.mark.parametrize("y", [[3, 5, 3], ["a", "b", "a"], [True, False, True], [1.0, 0.0, 1.0]])
def test_hidden_classes_are_minus_one(y):
    hidden = hide_labels(read_target(y), np.arange(3), np.array([1]))
    assert hidden.tolist() == [-1, y[1], -1]


def test_rows_without_a_label_stay_hidden():
    target = read_target(["a", None, "b", "a"])
    hidden = hide_labels(target, np.array([0, 1, 2]), np.array([0, 2]))
    assert hidden.tolist() == ["a", -1, "b"]


def test_hidden_quantities_are_nan_and_a_class_of_that_name_is_refused():
    hidden = hide_labels(read_target([0.5, 1.5]), np.arange(2), np.array([0]))
    assert hidden[0] == 0.5
    assert np.isnan(hidden[1])
    with pytest.raises(ValueError, match="y has a class -1, which marks unlabeled rows"):
        hide_labels(read_target([-1, 1]), np.arange(2), np.array([0]))


def test_counts_without_a_sign_have_room_for_hidden_ones():
    target = read_target(np.array([3, 5], dtype=np.uint8))
    assert hide_labels(target, np.arange(2), np.array([0])).tolist() == [3, -1]
