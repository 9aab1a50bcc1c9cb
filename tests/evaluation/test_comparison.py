"""compare_objectives: one table and one figure, from training rows without labels."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.semi_supervised import SelfTrainingClassifier

from sklearn_ssl.evaluation import (
    ObjectiveComparison,
    compare_objectives,
    make_factors_table,
    probe_score,
)

SMALL = {"bottleneck_size": 4, "n_components": 4, "hidden_layer_sizes": (8,), "max_iter": 2}
SHUFFLED = StratifiedKFold(3, shuffle=True, random_state=0)
TIMES = ["fit_seconds", "transform_seconds"]


@pytest.fixture
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture
def comparison(iris):
    return compare_objectives(*iris, estimators={"PCA": PCA(2)}, cv=SHUFFLED, random_state=0)


@pytest.mark.slow
def test_transformers_see_training_rows_and_no_label(spy, coins):
    X, y = coins
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    compare_objectives(X, y, estimators={"spy": spy}, cv=cv)
    assert spy.fitted == [set(train) for train, _ in cv.split(X, y)]
    assert spy.targets == [None] * 3


@pytest.mark.slow
def test_labels_that_leaked_would_show(label_thief, coins):
    table = compare_objectives(*coins, estimators={"thief": label_thief}).table
    assert table.loc["thief", "score"] == pytest.approx(0.5)


@pytest.mark.slow
def test_scores_are_those_of_the_probes(comparison, iris):
    for probe in ("linear", "knn"):
        expected = probe_score(PCA(2), *iris, probe=probe, cv=SHUFFLED)
        column = "score" if probe == "linear" else "knn"
        measured = comparison.runs.query("estimator == 'PCA'")[column]
        np.testing.assert_allclose(measured, expected)
        assert comparison.table.loc["PCA", f"{column}_std"] == pytest.approx(expected.std())


@pytest.mark.slow
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
        "random forest",
        "gradient boosting",
    ]
    features = comparison.table.iloc[:5]
    assert np.isfinite(features).all(axis=None)
    assert np.isfinite(comparison.table[["score", "roc_auc", "log_loss"]]).all(axis=None)


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
    assert (comparison.table["score"] < 0).all()


class OneSplit:
    """The smallest thing that scikit-learn takes for a splitter."""

    def split(self, X, y=None, groups=None):
        rows = np.random.default_rng(0).permutation(len(X))
        yield rows[:100], rows[100:]

    def get_n_splits(self, X=None, y=None, groups=None):
        return 1


@pytest.mark.slow
def test_nothing_but_times_depends_on_n_jobs(noisy_features, iris):
    estimators = {"noise": noisy_features, "PCA": PCA(2)}
    one, two = (
        compare_objectives(
            *iris, estimators=estimators, n_repeats=1, cv=2, random_state=0, n_jobs=n
        ).runs
        for n in (1, 2)
    )
    pd.testing.assert_frame_equal(one.drop(columns=TIMES), two.drop(columns=TIMES))


@pytest.mark.slow
def test_it_prints_the_table(comparison):
    text = str(comparison)
    assert text.startswith("PCA against ")
    assert "Accuracy of probes" in text
    assert all(name in text for name in [*comparison.table.columns, "PCA", "raw features"])


@pytest.mark.slow
def test_it_plots_six_panels_with_titles_and_units(comparison):
    display = comparison.plot()
    assert len(display.axes_) == 6
    assert all(ax.get_title() and ax.get_xlabel() for ax in display.axes_)
    names = [tick.get_text() for tick in display.axes_[0].get_yticklabels()]
    assert names == ["PCA", "raw features", "random forest", "gradient boosting"]
    with pytest.raises(ValueError, match="ax must hold 6 axes"):
        comparison.plot(ax=display.axes_[:2])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"estimators": {"PCA": PCA()}, "params": {}}, "set them on the ones in estimators"),
        ({"estimators": {"t": TSNE()}}, "'t' must implement 'fit' and 'transform'"),
        ({"params": {"max_iterations": 1}}, "params must be.*has none named max_iterations"),
        ({"params": {"noise_level": 0.1}}, "params must be.*ContrastiveEmbedder has none named"),
        ({"cv": "five"}, "'cv' parameter of compare_objectives"),
        ({"n_repeats": 0}, "'n_repeats' parameter of compare_objectives"),
        ({"y": [0, 1, None, -1, 2] * 30}, "both -1 and missing values"),
        ({"estimators": {"raw features": PCA()}}, "'raw features', which is the name of a base"),
        ({"estimators": {"random forest": PCA()}}, "'random forest', which is the name of a base"),
        ({"estimators": {"p": PCA()}, "semi_supervised": ["p"]}, "among the estimators"),
    ],
)
def test_bad_arguments(iris, bad, message):
    with pytest.raises((ValueError, TypeError), match=message):
        compare_objectives(**{"X": iris[0], "y": iris[1]} | bad)


@pytest.mark.slow
def test_the_first_fit_of_a_process_does_not_count_as_slow(comparison):
    runs = comparison.runs.assign(fit_seconds=np.repeat([9.0, 1.0, 2.0], 4))
    assert ObjectiveComparison(runs).table["fit_seconds"].tolist() == [2] * 4


@pytest.mark.slow
def test_the_verdict_is_that_of_the_corrected_test(comparison):
    differences = comparison.differences()
    runs = comparison.runs.pivot_table(index="split", columns="estimator", values="score")
    baseline = differences.loc["PCA", "baseline"]
    assert runs[baseline].mean() == runs.drop(columns="PCA").mean().max()
    paired = runs["PCA"] - runs[baseline]
    error = np.sqrt((1 / 3 + 1 / 2) * paired.var())
    assert differences.loc["PCA", "difference"] == pytest.approx(paired.mean())
    assert differences.loc["PCA", "high"] == pytest.approx(paired.mean() + t.ppf(0.95, 2) * error)


@pytest.mark.parametrize(
    ("shift", "verdict"),
    [(0.5, "ahead"), (-0.5, "behind"), (0.0, "cannot be decided with this many labels")],
)
@pytest.mark.slow
def test_verdicts_in_words(comparison, shift, verdict):
    baseline = comparison.differences().loc["PCA", "baseline"]
    runs = comparison.runs.copy()
    own, reference = (runs["estimator"] == name for name in ("PCA", baseline))
    noise = np.array([-0.01, 0.0, 0.01])
    runs.loc[own, "score"] = runs.loc[reference, "score"].to_numpy() + shift + noise
    shifted = ObjectiveComparison(runs)
    assert shifted.differences().loc["PCA", "verdict"] == verdict
    assert verdict in shifted.verdict
    # A log loss is better if it is lower.
    runs.loc[own, "log_loss"] = runs.loc[own, "log_loss"].to_numpy() - shift
    losses = ObjectiveComparison(runs).differences("log_loss")
    assert losses.loc["PCA", "verdict"] == verdict or not shift


def test_one_split_decides_nothing(iris):
    comparison = compare_objectives(*iris, estimators={"PCA": PCA(1)}, cv=OneSplit())
    assert "cannot be decided with this many labels (150); there is one split" in comparison.verdict
    assert comparison.plot().axes_.size == 6


@pytest.mark.parametrize(
    ("of_first_split", "reason"),
    [(np.nan, "a score is not defined in some splits"), (0.5, "all splits have the same")],
)
def test_splits_that_decide_nothing_are_described(comparison, of_first_split, reason):
    runs = comparison.runs.assign(score=0.5)
    runs.loc[runs["estimator"] == "PCA", "score"] = [of_first_split - 0.1, 0.4, 0.4]
    assert reason in ObjectiveComparison(runs).verdict


@pytest.mark.slow
def test_differences_name_the_measures(comparison):
    with pytest.raises(
        ValueError, match=r"measure must be one of \['n_labels', 'score', .*'beauty'"
    ):
        comparison.differences("beauty")


@pytest.mark.slow
def test_it_is_short_in_a_console_and_a_table_in_a_notebook(comparison):
    assert repr(comparison).startswith("<ObjectiveComparison: 4 estimators, 3 splits, 150 labels;")
    assert len(repr(comparison)) < 120
    html = comparison._repr_html_()
    assert "<table" in html
    assert "PCA against" in html


@pytest.mark.slow
def test_a_probe_of_the_user_is_used(iris):
    comparison = compare_objectives(
        *iris, estimators={"PCA": PCA(2)}, probe=GaussianNB(), cv=SHUFFLED
    )
    expected = probe_score(PCA(2), *iris, probe=GaussianNB(), cv=SHUFFLED)
    assert comparison.table.loc["PCA", "score"] == pytest.approx(expected.mean())


def test_classifiers_predict_by_themselves(iris):
    X, y = iris
    y = np.where(np.arange(150) % 3, -1, y)
    seen = []

    class Recorder(SelfTrainingClassifier):
        def fit(self, X, y):
            seen.append(y)
            return super().fit(X, y)

    compare_objectives(
        X,
        y,
        estimators={"self": Recorder(GaussianNB()), "bayes": GaussianNB()},
        semi_supervised=["self"],
        cv=2,
        n_repeats=1,
    )
    # All unlabeled rows, and the labeled ones of the other fold.
    assert [len(labels) for labels in seen] == [125, 125]
    assert [np.count_nonzero(labels != -1) for labels in seen] == [25, 25]
