"""compare_objectives: one table and one figure, from training rows without labels."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.model_selection import StratifiedKFold

from sklearn_ssl.evaluation import (
    ObjectiveComparison,
    compare_objectives,
    make_factors_table,
    probe_score,
)

SMALL = {"bottleneck_size": 4, "n_components": 4, "hidden_layer_sizes": (8,), "max_iter": 2}
TIMES = ["fit_seconds", "transform_seconds"]


@pytest.fixture
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture
def comparison(iris):
    return compare_objectives(*iris, estimators={"PCA": PCA(2)}, random_state=0)


def test_transformers_see_training_rows_and_no_label(spy, coins):
    X, y = coins
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    compare_objectives(X, y, estimators={"spy": spy}, cv=cv)
    assert spy.fitted == [set(train) for train, _ in cv.split(X, y)]
    assert spy.targets == [None] * 3


def test_labels_that_leaked_would_show(label_thief, coins):
    table = compare_objectives(*coins, estimators={"thief": label_thief}).table
    assert table.loc["thief", "linear"] == pytest.approx(0.5)


def test_scores_are_those_of_the_probes(comparison, iris):
    for probe in ("linear", "knn"):
        expected = probe_score(PCA(2), *iris, probe=probe, cv=3)
        measured = comparison.runs.query("estimator == 'PCA'")[probe]
        np.testing.assert_allclose(measured, expected)
        assert comparison.table.loc["PCA", f"{probe}_std"] == pytest.approx(expected.std())


def test_the_default_objectives_on_columns_of_all_kinds():
    table = make_factors_table(90, n_factors=3, n_categorical=3, random_state=0)
    y = (table.factors["factor0"] > 0).map({True: "high", False: "low"})
    comparison = compare_objectives(table.data, y, params=SMALL, cv=2, random_state=0)
    assert comparison.table.index.tolist() == [
        "DenoisingAutoencoder",
        "ContrastiveEmbedder",
        "MaskedFeaturePredictor",
        "plain autoencoder",
        "raw features",
    ]
    assert np.isfinite(comparison.table).all(axis=None)


def test_quantities_and_other_scores(iris):
    X, _ = iris
    comparison = compare_objectives(
        X[:, :3],
        X[:, 3],
        estimators={"PCA": PCA(2)},
        scoring="neg_mean_absolute_error",
        cv=OneSplit(),
    )
    assert comparison.score_name == "Negative mean absolute error"
    assert (comparison.table["linear"] < 0).all()


class OneSplit:
    """The smallest thing that scikit-learn takes for a splitter."""

    def split(self, X, y=None, groups=None):
        rows = np.random.default_rng(0).permutation(len(X))
        yield rows[:100], rows[100:]

    def get_n_splits(self, X=None, y=None, groups=None):
        return 1


def test_nothing_but_times_depends_on_n_jobs(noisy_features, iris):
    estimators = {"noise": noisy_features, "PCA": PCA(2)}
    one, two = (
        compare_objectives(*iris, estimators=estimators, random_state=0, n_jobs=n).runs
        for n in (1, 2)
    )
    pd.testing.assert_frame_equal(one.drop(columns=TIMES), two.drop(columns=TIMES))


def test_it_prints_the_table(comparison):
    text = str(comparison)
    assert text.startswith("Accuracy of probes")
    assert all(name in text for name in [*comparison.table.columns, "PCA", "raw features"])


def test_it_plots_six_panels_with_titles_and_units(comparison):
    display = comparison.plot()
    assert len(display.axes_) == 6
    assert all(ax.get_title() and ax.get_xlabel() for ax in display.axes_)
    names = [tick.get_text() for tick in display.axes_[0].get_yticklabels()]
    assert names == ["PCA", "raw features"]
    with pytest.raises(ValueError, match="ax must hold 6 axes"):
        comparison.plot(ax=display.axes_[:2])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"estimators": {"PCA": PCA()}, "params": {}}, "set them on the ones in estimators"),
        ({"estimators": {"t": TSNE()}}, "'t' must implement 'fit' and 'transform'"),
        ({"params": {"max_iterations": 1}}, "max_iterations"),
        ({"cv": "five"}, "'cv' parameter of compare_objectives"),
    ],
)
def test_bad_arguments(iris, bad, message):
    with pytest.raises((ValueError, TypeError), match=message):
        compare_objectives(*iris, **bad)


def test_the_first_fit_of_a_process_does_not_count_as_slow(comparison):
    runs = comparison.runs.assign(fit_seconds=[9.0, 9.0, 1.0, 1.0, 2.0, 2.0])
    assert ObjectiveComparison(runs).table["fit_seconds"].tolist() == [2, 2]
