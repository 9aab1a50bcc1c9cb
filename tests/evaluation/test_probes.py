"""Probes: nothing leaks, results do not depend on n_jobs, errors are scikit-learn's."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_ssl.evaluation import probe_score, transfer_score
from sklearn_ssl.evaluation._linear_probe import LogisticProbe


@pytest.fixture
def iris():
    return load_iris(return_X_y=True)


def test_the_transformer_sees_training_rows_and_no_label(spy, coins):
    X, y = coins
    cv = StratifiedKFold(4, shuffle=True, random_state=0)
    probe_score(spy, X, y, cv=cv)
    expected = [set(train) for train, _ in cv.split(X, y)]
    assert spy.fitted == expected
    assert spy.targets == [None] * 4


def test_stolen_labels_would_show(label_thief, coins):
    X, y = coins
    stolen = label_thief.fit(X, y).transform(X)
    assert cross_val_score(LogisticRegression(), stolen, y).mean() == 1.0
    assert probe_score(label_thief, X, y).mean() == pytest.approx(0.5)


def test_test_rows_are_new_to_the_transformer(spy, coins):
    X, y = coins
    probe_score(spy, X, y, cv=3)
    for fitted, transformed in spy.transformed:
        assert transformed == fitted or not transformed & fitted


@pytest.mark.parametrize("probe", ["linear", "knn"])
def test_a_supervised_transformer_gets_no_labels(iris, probe):
    with pytest.raises((TypeError, ValueError), match=r"argument: 'y'|the target y is None"):
        probe_score(LinearDiscriminantAnalysis(), *iris, probe=probe)


def test_overlapping_splits_are_refused(iris):
    with pytest.raises(ValueError, match=r"split 0 does so with 10 rows, such as row 90"):
        probe_score(PCA(), *iris, cv=[(np.arange(100), np.arange(90, 150))])


def test_groups_stay_together(spy, coins):
    X, y = coins
    groups = np.arange(120) // 10
    probe_score(spy, X, y, cv=GroupKFold(3), groups=groups)
    for seen in spy.fitted:
        assert {groups[row] for row in seen}.isdisjoint(groups[list(set(range(120)) - seen)])


@pytest.mark.parametrize("probe", ["linear", "knn"])
def test_probes_agree_with_pipelines_on_transformers_without_labels(iris, probe):
    scores = probe_score(PCA(2), *iris, probe=probe)
    assert scores.shape == (5,)
    assert scores.mean() > 0.9


def test_the_linear_probe_is_a_pipeline_of_known_parts(iris):
    steps = (PCA(2), StandardScaler(), LogisticProbe())
    expected = cross_val_score(make_pipeline(*steps), *iris, cv=3)
    np.testing.assert_allclose(probe_score(PCA(2), *iris, cv=3), expected)


def test_quantities_are_regressed_even_when_rounded():
    X, y = load_diabetes(return_X_y=True)
    for probe in ["linear", "knn"]:
        assert 0.2 < probe_score(PCA(), X, y, probe=probe).mean() < 0.6


def test_a_frozen_transformer_is_probed_as_it_was_fitted(spy, coins, iris):
    X, y = coins
    spy.fit(X[:30])
    probe_score(FrozenEstimator(spy), X[30:], y[30:], cv=3)
    assert spy.fitted == [set(range(30))]
    pca = PCA(2).fit(iris[0])
    assert probe_score(FrozenEstimator(make_pipeline(pca)), *iris, cv=2).mean() > 0.9


@pytest.mark.slow
def test_scores_do_not_depend_on_n_jobs(noisy_features, iris):
    model = RandomForestClassifier(5)
    one, two = (
        probe_score(noisy_features, *iris, probe=model, random_state=0, n_jobs=n) for n in (1, 2)
    )
    np.testing.assert_array_equal(one, two)
    other = probe_score(noisy_features, *iris, probe=model, random_state=1)
    assert (one != other).any()


def test_the_estimator_and_global_randomness_stay_as_they_were(noisy_features, iris):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    probe_score(noisy_features, *iris, cv=2, random_state=0)
    assert noisy_features.random_state is None
    assert not hasattr(noisy_features, "weights_")
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_a_seed_set_by_the_user_is_kept(noisy_features, iris):
    noisy_features.set_params(random_state=3)
    np.testing.assert_array_equal(
        *(probe_score(noisy_features, *iris, cv=2, random_state=seed) for seed in (0, 1))
    )


@pytest.mark.parametrize("probe", ["linear", "knn"])
@pytest.mark.slow
def test_sparse_tables_and_sparse_features(iris, probe):
    X, y = iris
    for transformer in (TruncatedSVD(2, random_state=0), FunctionTransformer(accept_sparse=True)):
        assert probe_score(transformer, sparse.csr_array(X), y, probe=probe).mean() > 0.8


def test_frames_and_labels_of_strings(iris):
    X, y = load_iris(return_X_y=True, as_frame=True)
    named = y.map({0: "setosa", 1: "versicolor", 2: "virginica"})
    expected = probe_score(PCA(2), *iris, cv=2)
    np.testing.assert_array_equal(probe_score(PCA(2), X, named, cv=2), expected)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"estimator": TSNE()}, "'estimator' parameter of probe_score must be an object implement"),
        ({"probe": "cubic"}, "'probe' parameter of probe_score must be a str among"),
        ({"scoring": "beauty"}, "'scoring' parameter of probe_score"),
        ({"n_jobs": 0.5}, "'n_jobs' parameter of probe_score"),
        ({"random_state": "now"}, "'random_state' parameter of probe_score"),
        ({"y": np.zeros(3)}, "inconsistent numbers of samples"),
        ({"y": np.r_[np.nan, np.zeros(149)]}, "labels of one class only"),
        ({"y": [0, 1, None, -1, 2] * 30}, "both -1 and missing values"),
        ({"X_unlabeled": np.zeros((5, 3))}, "got 4 and 3 of them"),
        ({"y": np.zeros((150, 2))}, "y should be a 1d array"),
    ],
)
def test_bad_arguments(iris, bad, message):
    X, y = iris
    with pytest.raises((ValueError, TypeError), match=message):
        probe_score(**{"estimator": PCA(), "X": X, "y": y} | bad)


@pytest.mark.parametrize("returned", [{"a": 0.5}, [0.5], np.zeros(2), None, "0.5"], ids=str)
def test_a_scoring_that_returns_no_number_is_named(iris, returned):
    with pytest.raises(ValueError, match=r"scoring must return a number; got .*one at a time"):
        probe_score(PCA(2), *iris, cv=2, scoring=lambda model, X, y: returned)


@pytest.mark.parametrize("returned", [1, True, np.float32(0.5), np.array([0.5])], ids=repr)
def test_a_scoring_may_return_any_number(iris, returned):
    scores = probe_score(PCA(2), *iris, cv=2, scoring=lambda model, X, y: returned)
    assert scores.tolist() == [returned] * 2


def test_transfer_pretrains_on_the_source_alone(spy, coins):
    X, y = coins
    transfer_score(spy, X[:50], X[50:], y[50:], cv=2)
    assert spy.fitted[0] == set(range(50))
    assert all(seen <= set(range(50, 120)) and len(seen) == 35 for seen in spy.fitted[1:])
    assert spy.targets == [None] * 3


def test_transfer_between_the_halves_of_a_table():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    scores = transfer_score(PCA(5), X[::2], X[1::2], y[1::2], cv=2)
    assert scores.columns.tolist() == ["transfer", "within", "raw features"]
    assert scores.shape == (2, 3)
    assert (scores > 0.85).all(axis=None)


def test_transfer_distinguishes_a_wrong_source_from_a_right_one():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=200)
    X = np.column_stack([3 * y + rng.normal(size=200), rng.normal(size=200)])
    # In the source, the column that distinguishes the classes is the one that hardly varies.
    misleading = rng.normal(size=(200, 2)) * [0.01, 10]
    scores = transfer_score(PCA(1), misleading, X, y, cv=2).mean()
    assert scores["within"] > 0.85
    assert scores["transfer"] < 0.65


@pytest.mark.slow
def test_transfer_does_not_depend_on_n_jobs(noisy_features, iris):
    X, y = iris
    one, two = (
        transfer_score(noisy_features, X[::2], X[1::2], y[1::2], random_state=0, n_jobs=n)
        for n in (1, 2)
    )
    pd.testing.assert_frame_equal(one, two)


def test_transfer_needs_the_same_columns():
    X, y = load_iris(return_X_y=True, as_frame=True)
    renamed = X.rename(columns={"petal width (cm)": "weight (g)"})
    with pytest.raises(ValueError, match=r"not in both: petal width \(cm\), weight \(g\)"):
        transfer_score(PCA(), renamed, X, y)
    with pytest.raises(ValueError, match="in the same order"):
        transfer_score(PCA(), X[X.columns[::-1]], X, y)
    with pytest.raises(ValueError, match="got 3 and 4 of them"):
        transfer_score(PCA(), X.to_numpy()[:, :3], X, y)
