"""The default probe: a penalty that suits the features, from a few labels to many."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from sklearn_ssl.evaluation._linear_probe import LogisticProbe, StandardDeviations, assign_folds
from sklearn_ssl.evaluation._measures import log_loss_of, roc_auc_of


@pytest.mark.parametrize("counts", [[1, 1], [1, 5], [2, 2, 2], [30, 3, 1]])
def test_each_training_part_has_all_classes(counts):
    y = np.repeat(np.arange(len(counts)), counts)
    folds = assign_folds(y)
    for fold in set(folds) - {-1}:
        assert set(y[folds != fold]) == set(y)
    assert (folds[np.array(counts)[y] == 1] == -1).all()


@pytest.mark.parametrize("width", [5, 400])
def test_it_solves_the_problem_that_scikit_learn_solves(width):
    X, y = make_classification(
        90, width, n_informative=3, n_redundant=1, n_classes=3, random_state=0
    )
    probe = LogisticProbe().fit(X, y)
    reference = LogisticRegression(C=probe.C_, max_iter=5000, tol=1e-6).fit(X, y)
    np.testing.assert_allclose(probe.predict_proba(X), reference.predict_proba(X), atol=5e-3)
    np.testing.assert_array_equal(
        probe.predict(X), probe.classes_[probe.predict_proba(X).argmax(1)]
    )


def test_a_penalty_is_chosen_that_noise_asks_for():
    rng = np.random.default_rng(0)
    noise, y = rng.normal(size=(60, 300)), rng.integers(2, size=60)
    chosen = LogisticProbe().fit(noise[:40], y[:40]).predict_proba(noise[40:])
    fixed = LogisticRegression().fit(noise[:40], y[:40]).predict_proba(noise[40:])
    assert log_loss(y[40:], chosen) < log_loss(y[40:], fixed)


@pytest.mark.parametrize("labels", [["b", "a"], [0, 1], [2.0, 1.0], [True, False]])
def test_one_row_of_each_class_is_enough(labels):
    probe = LogisticProbe().fit([[0.0, 1.0], [1.0, 0.0]], labels)
    assert probe.predict([[0.0, 2.0], [2.0, 0.0]]).tolist() == labels


def test_features_that_are_all_zero():
    probe = LogisticProbe().fit(np.zeros((6, 3)), [0, 1] * 3)
    np.testing.assert_allclose(probe.predict_proba(np.zeros((1, 3))), 0.5)


def test_sparse_features_stay_sparse_and_count_the_same():
    X, y = load_iris(return_X_y=True)
    scaled = StandardDeviations().fit(sparse.csr_array(X)).transform(sparse.csr_array(X))
    assert sparse.issparse(scaled)
    np.testing.assert_allclose(scaled.toarray(), X / X.std(axis=0))
    one, other = (LogisticProbe().fit(rows, y) for rows in (scaled, scaled.toarray()))
    assert pytest.approx(other.C_) == one.C_
    np.testing.assert_allclose(one.predict_proba(scaled), other.predict_proba(scaled), atol=1e-6)


def test_it_is_no_worse_than_a_default_model():
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    probe, default = LogisticProbe().fit(X[::5], y[::5]), LogisticRegression().fit(X[::5], y[::5])
    assert probe.score(X, y) >= default.score(X, y) - 0.02


def test_classes_that_a_model_does_not_know_cost_their_loss():
    probabilities = np.array([[0.5, 0.5], [0.5, 0.5]])
    assert log_loss_of(np.array([0, 1]), probabilities, np.array([0, 1])) == pytest.approx(
        np.log(2)
    )
    assert log_loss_of(np.array([0, 7]), probabilities, np.array([0, 1])) > 15


def test_the_area_leaves_out_classes_without_test_rows():
    scores = np.array([[0.1, 0.9, 0.0], [0.8, 0.2, 0.0], [0.7, 0.3, 0.0]])
    assert roc_auc_of(np.array([1, 0, 0]), scores, np.array([0, 1, 2])) == 1
    assert np.isnan(roc_auc_of(np.array([1, 1, 1]), scores, np.array([0, 1, 2])))
