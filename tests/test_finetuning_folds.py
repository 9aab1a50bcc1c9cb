"""Which labeled rows are held out to choose a penalty and a number of epochs."""

import numpy as np
import pytest
import torch
from embedders import UNSEEDED
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from sklearn_ssl import DenoisingAutoencoder, FineTunedClassifier
from sklearn_ssl._finetuning.problem import draw_folds
from sklearn_ssl._labels import Target, index_classes
from sklearn_ssl._pretext.losses import squared_losses

FRACTION = 0.2


def folds_of(target):
    folds = draw_folds(target, FRACTION, np.random.RandomState(0))
    return [(kept.numpy(), held_out.numpy()) for kept, held_out in folds]


@given(
    y=st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=40).filter(
        lambda y: len(set(y)) > 1
    )
)
def test_no_class_is_predicted_that_a_fold_has_not_seen(y):
    y = np.array(y)
    target, _ = index_classes(y, np.ones(len(y)), "Classifier")
    for kept, held_out in folds_of(target):
        assert len(held_out)
        assert set(y[held_out]) <= set(y[kept])
        # Every row is on one side.
        assert sorted([*kept, *held_out]) == list(range(len(y)))


def test_rows_of_classes_with_enough_rows_are_all_held_out_once():
    y = np.repeat(["a", "b", "c"], [10, 20, 30])
    target, _ = index_classes(y, np.ones(len(y)), "Classifier")
    held_out = np.concatenate([held_out for _, held_out in folds_of(target)])
    assert sorted(held_out) == list(range(len(y)))


def test_the_only_row_of_a_class_is_kept_in_every_fold():
    y = np.array(["a"] * 10 + ["b"] * 10 + ["rare"])
    target, _ = index_classes(y, np.ones(len(y)), "Classifier")
    assert all(20 in kept for kept, _ in folds_of(target))


def test_without_two_rows_of_any_class_there_are_no_folds():
    target, _ = index_classes(np.arange(6), np.ones(6), "Classifier")
    assert folds_of(target) == []


@pytest.mark.parametrize("kind", ["numbers", "several numbers", "labels"])
def test_numbers_and_sets_of_labels_are_held_out_although_they_occur_once(kind):
    values = torch.arange(12.0)
    if kind == "several numbers":
        values = torch.stack([values, -values], dim=1)
    target = Target(values, np.ones(12), squared_losses, values.reshape(12, -1).shape[1])
    if kind == "labels":
        indicators = (np.arange(12)[:, None] >> np.arange(4)) % 2
        target, _ = index_classes(indicators, np.ones(12), "Classifier")
    held_out = np.concatenate([held_out for _, held_out in folds_of(target)])
    assert sorted(held_out) == list(range(12))


@pytest.mark.parametrize(
    ("parameters", "n_epochs"),
    [({}, 0), ({"mode": "full"}, 3), ({"early_stopping": False}, 3), ({"mode": "frozen"}, 0)],
)
def test_a_row_for_each_class_is_enough_to_fit(parameters, n_epochs):
    X = np.random.default_rng(0).normal(size=(40, 4))
    y = np.where(np.arange(40) < 3, np.arange(40), -1)
    transformer = DenoisingAutoencoder(**UNSEEDED, random_state=0)
    model = FineTunedClassifier(transformer, max_iter=3, random_state=0, **parameters).fit(X, y)
    assert model.best_iter_ == n_epochs
    # Something was learned: a head of zeros makes all classes equally probable.
    assert model.predict_proba(X).std(axis=1).max() > 1e-6


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.slow
def test_few_rows_of_many_classes_do_not_choose_the_strongest_penalty(seed):
    # Ten digits on four sides each: forty classes, of which most have one or two labeled rows.
    X, digits = load_digits(return_X_y=True)
    side = 2 * (X[:, :32].sum(axis=1) > X[:, 32:].sum(axis=1)) + (X[:, ::2].sum(axis=1) > 150)
    y = 4 * digits + side
    labeled = np.random.RandomState(seed).permutation(len(y))[:70]
    transformer = DenoisingAutoencoder(max_iter=3, random_state=0).fit(X)
    model = FineTunedClassifier(transformer, mode="frozen", random_state=0)
    model.fit(X[labeled], y[labeled])
    assert model.C_ > 1e-4
    known = np.isin(y, model.classes_)
    assert model.score(X[known], y[known]) > 0.4
