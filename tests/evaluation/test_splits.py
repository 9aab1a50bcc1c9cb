"""Splits, and which rows show their labels."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, StratifiedKFold

from sklearn_ssl.evaluation._splits import (
    Split,
    check_target,
    hide_labels,
    labeled_order,
    make_splits,
    resolve_train_sizes,
)


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
    ("y", "has_classes"),
    [
        ([0, 1, 2], True),
        ([0.0, 1.0, 0.0], True),
        ([0.0, 1.0, 2.0], False),
        ([0.5, 1.0, 0.5], False),
        (["a", "b", "a"], True),
        ([True, False, True], True),
        (pd.Series(["a", "b", "a"], dtype="category"), True),
    ],
)
def test_kinds_of_targets(y, has_classes):
    assert check_target(y).has_classes == has_classes


@pytest.mark.parametrize("y", [[0, None, 1], [np.nan, 0.5, 1.0], ["a", None, "b"]])
def test_targets_with_gaps(y):
    with pytest.raises(ValueError, match="Input y contains NaN"):
        check_target(y)


def test_targets_of_neither_kind():
    with pytest.raises(ValueError, match=r"Unknown label type: unknown\. y must hold classes or"):
        check_target(np.array([{}, [], ()], dtype=object))


@pytest.mark.parametrize(
    ("y", "expected"), [([0, 1] * 10, StratifiedKFold), ([0.1, 2] * 10, KFold)]
)
def test_splits_are_those_of_scikit_learn(y, expected):
    splits = make_splits(np.zeros((20, 1)), check_target(y), 4, None)
    for ours, theirs in zip(splits, expected(4).split(np.zeros(20), y), strict=True):
        np.testing.assert_array_equal(ours.train, theirs[0])
        np.testing.assert_array_equal(ours.test, theirs[1])


def test_sizes_of_uneven_splits_fit_the_smallest():
    splits = [Split(np.arange(n), np.arange(n, 20)) for n in (10, 15)]
    target = check_target([0, 1] * 10)
    assert resolve_train_sizes([1.0, 0.5, 0.5], splits, target).tolist() == [5, 10]
    assert resolve_train_sizes([8, 2], splits, target).tolist() == [2, 8]


@pytest.mark.parametrize("y", [[3, 5, 3], ["a", "b", "a"], [True, False, True], [1.0, 0.0, 1.0]])
def test_hidden_classes_are_minus_one(y):
    y = np.array(y)
    hidden = hide_labels(y, np.array([1]), has_classes=True)
    assert hidden.tolist() == [-1, y[1], -1]


def test_hidden_quantities_are_nan_and_a_class_of_that_name_is_refused():
    hidden = hide_labels(np.array([0.5, 1.5]), np.array([0]), has_classes=False)
    assert hidden[0] == 0.5
    assert np.isnan(hidden[1])
    with pytest.raises(ValueError, match="y has a class -1, which marks unlabeled rows"):
        hide_labels(np.array([-1, 1]), np.array([0]), has_classes=True)


def test_counts_without_a_sign_have_room_for_hidden_ones():
    y = np.array([3, 5], dtype=np.uint8)
    assert hide_labels(y, np.array([0]), has_classes=True).tolist() == [3, -1]
