"""Label-efficiency curves: pretraining sees all training rows, and neither test rows nor labels."""

import inspect
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from sklearn.datasets import load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.model_selection import StratifiedKFold
from sklearn.semi_supervised import SelfTrainingClassifier

from sklearn_ssl import DenoisingAutoencoder, FineTunedRegressor
from sklearn_ssl.evaluation import (
    LabelEfficiencyDisplay,
    label_efficiency_curve,
    labels_saved,
    make_factors_table,
)
from sklearn_ssl.evaluation._labels_saved import describe_saving


@pytest.fixture
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture
def curve():
    return pd.DataFrame(
        {
            "estimator": ["raw features"] * 6 + ["good"] * 3 + ["bad"] * 3,
            "n_labels": [10, 10, 100, 100, 1000, 1000] + [10, 100, 1000] * 2,
            "score": [0.5, 0.7, 0.6, 0.8, 0.8, 1.0, 0.7, 0.9, 0.95, 0.5, 0.6, 0.7],
        }
    )


def test_pretraining_sees_all_training_rows_and_nothing_else(spy, coins):
    X, y = coins
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    label_efficiency_curve(spy, X, y, train_sizes=[2, 10], n_repeats=4, cv=cv, baseline=False)
    assert spy.fitted == [set(train) for train, _ in cv.split(X, y)]
    assert spy.targets == [None] * 3
    assert all(rows == fitted or not rows & fitted for fitted, rows in spy.transformed)


def test_labels_that_leaked_would_show(label_thief, coins):
    X, y = coins
    curve = label_efficiency_curve(label_thief, X, y, train_sizes=[80], cv=3, baseline=False)
    assert curve["score"].mean() == pytest.approx(0.5)


def test_a_supervised_baseline_sees_the_labeled_rows_alone(coins):
    X, y = coins

    class Recorder(RandomForestClassifier):
        seen = []

        def fit(self, X, y):
            Recorder.seen.append(X[:, 0].astype(int))
            return super().fit(X, y)

    label_efficiency_curve(
        Recorder(3), X, y, train_sizes=[2, 8, 80], n_repeats=2, cv=3, baseline=False
    )
    assert [len(rows) for rows in Recorder.seen] == [2, 8, 80] * 6
    for small, large in zip(Recorder.seen[::3], Recorder.seen[1::3], strict=True):
        assert set(small) < set(large)
        np.testing.assert_array_equal(np.bincount(y[large])[1:], [4, 4])


def test_a_semi_supervised_estimator_sees_all_training_rows_and_the_drawn_labels(coins):
    X, y = coins
    seen = []

    class Recorder(SelfTrainingClassifier):
        def fit(self, X, y):
            seen.append((set(X[:, 0].astype(int)), y))
            return super().fit(X, y)

    cv = StratifiedKFold(2, shuffle=True, random_state=0)
    label_efficiency_curve(
        {"self": Recorder(LogisticRegression())},
        X,
        y,
        train_sizes=[4, 20],
        n_repeats=2,
        semi_supervised=["self"],
        cv=cv,
    )
    trains = [set(train) for train, _ in cv.split(X, y)]
    assert [rows for rows, _ in seen] == [trains[0]] * 4 + [trains[1]] * 4
    assert [(labels != -1).sum() for _, labels in seen] == [4, 20] * 4


def test_semi_supervised_estimators_are_among_the_supervised_ones(iris):
    with pytest.raises(ValueError, match=r"which are \['forest'\]; got 'PCA'"):
        label_efficiency_curve(
            {"PCA": PCA(), "forest": RandomForestClassifier()}, *iris, semi_supervised=["PCA"]
        )


@pytest.mark.slow
def test_fine_tuning_is_compared_with_probes():
    table = make_factors_table(90, n_factors=2, columns_per_factor=3, random_state=0)
    estimator = FineTunedRegressor(
        DenoisingAutoencoder(
            n_components=4, bottleneck_size=4, hidden_layer_sizes=(8,), max_iter=2
        ),
        max_iter=2,
    )
    curve = label_efficiency_curve(
        {"fine-tuned": estimator},
        table.data,
        table.factors["factor0"],
        train_sizes=[30],
        n_repeats=1,
        semi_supervised=["fine-tuned"],
        cv=2,
        random_state=0,
    )
    assert np.isfinite(curve["score"]).all()


@pytest.mark.slow
def test_every_class_is_among_the_labeled_rows(iris):
    X, y = iris
    rare = np.r_[0:50, 50:100, 100:104]
    scores = label_efficiency_curve(
        PCA(2), X[rare], y[rare], train_sizes=[3, 10], cv=2, scoring="roc_auc_ovr"
    )
    assert scores["score"].between(0, 1).all()


@pytest.mark.slow
def test_scores_are_tidy_and_named(iris):
    estimators = {"PCA": PCA(2), "forest": RandomForestClassifier(5)}
    curve = label_efficiency_curve(estimators, *iris, train_sizes=[6, 30], n_repeats=3, cv=3)
    assert list(curve) == ["estimator", "n_labels", "split", "repeat", "score", "test_ratio"]
    assert list(curve["estimator"].unique()) == ["PCA", "forest", "raw features"]
    assert len(curve) == 3 * 2 * 3 * 3
    assert not curve.duplicated(["estimator", "n_labels", "split", "repeat"]).any()


@pytest.mark.slow
def test_the_curve_does_not_depend_on_n_jobs(noisy_features, iris):
    options = {"train_sizes": [3, 30], "cv": 2, "n_repeats": 2, "random_state": 0}
    estimators = {"noise": noisy_features, "forest": RandomForestClassifier(3)}
    one, two = (label_efficiency_curve(estimators, *iris, n_jobs=n, **options) for n in (1, 2))
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.slow
def test_an_estimator_scores_the_same_in_any_company(noisy_features, iris):
    options = {"train_sizes": [3, 30], "cv": 2, "random_state": 0}
    alone = label_efficiency_curve({"b": noisy_features}, *iris, baseline=False, **options)
    both = label_efficiency_curve({"a": PCA(2), "b": noisy_features}, *iris, **options)
    pd.testing.assert_frame_equal(alone, both[both["estimator"] == "b"].reset_index(drop=True))


@pytest.mark.slow
def test_fractions_are_rounded_up_to_one_row_per_class(iris):
    curve = label_efficiency_curve(PCA(2), *iris, train_sizes=[0.001, 0.5, 1.0], cv=5, n_repeats=1)
    assert list(curve["n_labels"].unique()) == [3, 60, 120]


def test_quantities():
    X, y = load_diabetes(return_X_y=True)
    curve = label_efficiency_curve(PCA(), X, y, train_sizes=[20, 290], cv=3, random_state=0)
    means = curve.groupby(["estimator", "n_labels"])["score"].mean()
    assert means["PCA", 20] < means["PCA", 290]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"train_sizes": [2]}, r"must be within \[3, 120\].* is within \[2, 2\]"),
        ({"train_sizes": [10, 121]}, r"must be within \[3, 120\].* is within \[10, 121\]"),
        ({"train_sizes": [0.0, 0.5]}, r"fractions .* must be within \(0, 1\]"),
        ({"train_sizes": ["ten"]}, "train_sizes must hold numbers"),
        ({"n_repeats": 0}, "'n_repeats' parameter of label_efficiency_curve must be an int"),
        ({"estimators": {}}, "at least one estimator; got an empty dict"),
        ({"estimators": {"t": TSNE()}}, "'t' must implement 'fit' and 'transform'"),
        ({"estimators": {"p": "PCA"}}, "'p' must implement 'fit'; got 'PCA'"),
        ({"estimators": {"raw features": PCA()}}, "the name of a baseline.*or set baseline=False"),
        ({"estimators": [PCA()]}, "'estimators' parameter of label_efficiency_curve"),
    ],
)
def test_bad_arguments(iris, bad, message):
    X, y = iris
    with pytest.raises((ValueError, TypeError), match=message):
        label_efficiency_curve(**{"estimators": PCA(), "X": X, "y": y} | bad)


def test_labels_saved_by_hand(curve):
    saved = labels_saved(curve).set_index(["estimator", "n_labels"])
    # The baseline means are 0.6, 0.7 and 0.9 at 10, 100 and 1000 labels.
    assert saved.loc[("good", 10), "baseline_labels"] == pytest.approx(100)
    assert saved.loc[("good", 10), "saved"] == pytest.approx(90)
    assert saved.loc[("good", 100), "saved"] == pytest.approx(900)
    assert saved.loc[("bad", 1000), "saved"] == pytest.approx(-900)
    assert saved.loc[("bad", 100), "baseline_labels"] == pytest.approx(10)
    assert saved["bound"].to_dict() == {
        ("good", 10): "equal",
        ("good", 100): "equal",
        ("good", 1000): "at least",
        ("bad", 10): "at most",
        ("bad", 100): "equal",
        ("bad", 1000): "equal",
    }


def test_a_plateau_of_the_baseline_counts_from_its_start():
    curve = pd.DataFrame(
        {
            "estimator": ["a"] + ["base"] * 4,
            "n_labels": [10, 10, 100, 1000, 10_000],
            "score": [0.8, 0.7, 0.8, 0.75, 0.8],
        }
    )
    assert labels_saved(curve, baseline="base")["baseline_labels"].item() == pytest.approx(100)


def test_labels_saved_needs_a_known_baseline(curve):
    with pytest.raises(ValueError, match=r"must be one of \['raw features', 'good', 'bad'\]"):
        labels_saved(curve, baseline="PCA")


def test_display_shows_means_and_bands(curve):
    display = LabelEfficiencyDisplay.from_predictions(curve, score_name="Accuracy")
    assert list(display.lines_) == ["raw features", "good", "bad"]
    line = display.lines_["raw features"]
    np.testing.assert_allclose(line.get_ydata(), [0.6, 0.7, 0.9])
    assert display.ax_.get_xscale() == "log"
    assert [tick.get_text() for tick in display.ax_.get_xticklabels()] == ["10", "100", "1,000"]
    assert display.ax_.get_ylabel() == "Accuracy (higher is better)"
    assert len(display.ax_.get_legend().get_texts()) == 3
    assert display.plot(ax=display.ax_, band=False).bands_ == {}


def test_display_takes_the_parameters_of_the_curve():
    taken = inspect.signature(LabelEfficiencyDisplay.from_estimator).parameters
    for name, parameter in inspect.signature(label_efficiency_curve).parameters.items():
        assert taken[name].default == parameter.default


@pytest.mark.slow
def test_display_computes_the_curve(iris):
    display = LabelEfficiencyDisplay.from_estimator(
        PCA(2), *iris, train_sizes=[10, 50], cv=2, random_state=0
    )
    expected = label_efficiency_curve(PCA(2), *iris, train_sizes=[10, 50], cv=2, random_state=0)
    pd.testing.assert_frame_equal(display.curve, expected)
    assert display.ax_.get_ylabel() == "Accuracy (higher is better)"


@pytest.fixture
def measured():
    """Two estimators in four splits; one needs half the labels of the other."""
    rows = [
        (name, n_labels, split, repeat, np.log(factor * n_labels) + shift + jitter, 1 / 3)
        for name, factor in (("half", 2.0), ("raw features", 1.0))
        for n_labels in (10, 20, 40, 80)
        for split, shift in enumerate((0.0, 0.3, -0.2, 0.1))
        for repeat, jitter in enumerate((0.02 * split * (factor == 2), -0.01))
    ]
    columns = ["estimator", "n_labels", "split", "repeat", "score", "test_ratio"]
    return pd.DataFrame(rows, columns=columns)


def test_the_interval_of_labels_saved_holds_the_truth(measured):
    saved = labels_saved(measured).set_index("n_labels")
    assert saved.loc[20, "low"] <= 40 <= saved.loc[20, "high"]
    assert saved.loc[20, "low"] > 30
    assert saved.loc[20, "high"] < 50
    # The baseline was not measured beyond 80 labels.
    assert saved.loc[80, "bound"] == "at least"
    assert np.isinf(saved.loc[80, "high"])
    assert saved["baseline_labels"].dtype.kind == "i"


def test_differences_that_all_splits_share_are_found_beside_larger_ones_between_them(measured):
    wider = measured.assign(score=measured["score"] + 5 * measured["split"])
    columns = ["low", "high"]
    pd.testing.assert_frame_equal(labels_saved(wider)[columns], labels_saved(measured)[columns])


def test_a_curve_without_splits_has_no_interval(curve):
    assert labels_saved(curve)[["low", "high"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            (100, 201, "equal", 150, 260),
            "With 100 labels, PCA is as good as raw features with 201 (90 % interval 150 to 260).",
        ),
        (
            (100, 110, "equal", 80, 140),
            "With 100 labels, PCA is as good as raw features with 110 (90 % interval 80 to 140). "
            "Whether labels are saved cannot be decided.",
        ),
        (
            (100, 400, "equal", 300, np.inf),
            "With 100 labels, PCA is as good as raw features with 400 (90 % interval 300 to "
            "more than the 500 measured).",
        ),
        (
            (100, 500, "at least", 300, np.inf),
            "With 100 labels, PCA is ahead of raw features with 500, the largest number measured "
            "(90 % interval 300 to more than the 500 measured).",
        ),
        (
            (500, 500, "at least", 500, np.inf),
            "With 500 labels, PCA is ahead of raw features with 500, the largest number measured.",
        ),
        (
            (100, 10, "at most", 0, 10),
            "With 100 labels, PCA is behind raw features with 10, the smallest number measured.",
        ),
        (
            (100, 10, "at most", 0, 20),
            "With 100 labels, PCA is behind raw features with 10, the smallest number measured "
            "(90 % interval fewer than the 10 measured to 20).",
        ),
        (
            (1000, 2000, "equal", np.nan, np.nan),
            "With 1,000 labels, PCA is as good as raw features with 2,000.",
        ),
    ],
)
def test_savings_in_words(row, sentence):
    values = dict(zip(("n_labels", "baseline_labels", "bound", "low", "high"), row, strict=True))
    saving = SimpleNamespace(estimator="PCA", **values)
    assert describe_saving(saving, "raw features", [10, 500]) == sentence


def test_a_saving_is_drawn_as_an_arrow_at_equal_score(measured):
    display = LabelEfficiencyDisplay(measured, score_name="Accuracy").plot_saving()
    (start, height), (end, same) = display.arrow_.xyann, display.arrow_.xy
    assert height == same
    assert (start, end) == (20, labels_saved(measured).set_index("n_labels")["baseline_labels"][20])
    assert list(display.lines_) == list(display.bands_) == ["half", "raw features"]
    title = display.ax_.get_title(loc="left").replace("\n", " ")
    assert title.startswith("With 20 labels, half is as good as raw features with 4")
    assert "higher is better" in display.ax_.get_ylabel()


@pytest.mark.slow
def test_other_savings_can_be_drawn(measured):
    display = LabelEfficiencyDisplay(measured)
    assert "80 labels" in display.plot_saving(n_labels=80).ax_.get_title(loc="left")
    assert display.plot_saving("half", 40, ax=display.ax_).arrow_.xyann[0] == 40
    reverse = display.plot_saving("raw features", baseline="half").ax_.get_title(loc="left")
    assert reverse.startswith("With 80 labels, raw features are as good as half with 39")
    with pytest.raises(ValueError, match=r"estimator must be one of \['half'\]; got 'PCA'"):
        display.plot_saving("PCA")
    with pytest.raises(ValueError, match=r"n_labels must be one of \[10, 20, 40, 80\]"):
        display.plot_saving(n_labels=30)


def test_many_estimators_get_bars_instead_of_bands(measured):
    others = [measured.assign(estimator=f"copy {i}") for i in range(3)]
    display = LabelEfficiencyDisplay(pd.concat([measured, *others])).plot()
    assert len(display.bands_) == 5
    assert not any(isinstance(bars, PolyCollection) for bars in display.bands_.values())


def test_a_display_is_short_in_a_console_and_a_table_in_a_notebook(measured):
    display = LabelEfficiencyDisplay(measured, score_name="Accuracy")
    assert repr(display) == "<LabelEfficiencyDisplay: 2 estimators, 10 to 80 labels, 64 runs>"
    html = display._repr_html_()
    assert "<table" in html
    assert "With 20 labels, half is as good as raw features with" in html


@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_save_no_labels(measured, score):
    curve = measured.assign(score=np.where(measured["split"] == 0, score, measured["score"]))
    with pytest.raises(ValueError, match=r"curve has .* scores that are NaN or infinite"):
        labels_saved(curve)
    display = LabelEfficiencyDisplay(curve)
    assert display.describe() == []
    assert "<table" in display._repr_html_()


def test_fractions_that_are_nan_are_refused(iris):
    with pytest.raises(ValueError, match=r"must be within \(0, 1\], but is within \[nan, nan\]"):
        label_efficiency_curve(PCA(2), *iris, train_sizes=[0.5, np.nan])
