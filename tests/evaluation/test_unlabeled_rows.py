"""Every function that takes labels takes rows without one: to learn from, never to score on."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from sklearn_ssl import DenoisingAutoencoder, FineTunedClassifier
from sklearn_ssl.evaluation import (
    EmbeddingDisplay,
    LabelEfficiencyDisplay,
    RepresentationReport,
    compare_objectives,
    label_efficiency_curve,
    probe_score,
    transfer_score,
)

SMALL = {"n_components": 4, "hidden_layer_sizes": (8,), "max_iter": 2}


def by_probe(estimator, X, y, **options):
    return probe_score(estimator, X, y, **options)


def by_transfer(estimator, X, y, **options):
    # The source has the numbers of no row of the target.
    source = X[:7].copy()
    source.iloc[:, 0] = 10_000 + np.arange(7)
    return transfer_score(estimator, source, X, y, **options)


def by_comparison(estimator, X, y, **options):
    return compare_objectives(X, y, estimators={"it": estimator}, n_repeats=1, **options).table


def by_curve(estimator, X, y, **options):
    return label_efficiency_curve(estimator, X, y, train_sizes=[4, 8], n_repeats=2, **options)


def by_display(estimator, X, y, **options):
    return LabelEfficiencyDisplay.from_estimator(
        estimator, X, y, train_sizes=[4, 8], n_repeats=1, **options
    )


every_function = pytest.mark.parametrize(
    "function", [by_probe, by_transfer, by_comparison, by_curve, by_display]
)


@pytest.fixture
def table():
    """Rows with a number each; a class that the next column shows, and few labels."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat([0, 1], 60))
    X = pd.DataFrame(
        {"number": np.arange(120), "a": labels + rng.normal(size=120), "b": rng.normal(size=120)}
    )
    return X, labels


def mark(labels, kind):
    """Labels of every third row, with the marks of a kind in the others."""
    is_hidden = np.arange(len(labels)) % 3 > 0
    if kind == "-1":
        return np.where(is_hidden, -1, labels)
    if kind == "NaN":
        return np.where(is_hidden, np.nan, labels)
    if kind == "None":
        return [
            None if hidden else f"class {y}" for hidden, y in zip(is_hidden, labels, strict=True)
        ]
    nullable = pd.Series(labels, dtype="Int64")
    nullable[is_hidden] = pd.NA
    return nullable


@every_function
@pytest.mark.parametrize("kind", ["-1", "NaN", "None", "pd.NA"])
@pytest.mark.slow
def test_unlabeled_rows_are_learned_from_and_test_rows_are_not(function, kind, spy, table):
    X, labels = table
    cv = StratifiedKFold(4, shuffle=True, random_state=0)
    function(spy, X, mark(labels, kind), cv=cv)
    labeled = np.arange(0, 120, 3)
    unlabeled = set(range(120)) - set(labeled)
    expected = [set(labeled[train]) | unlabeled for train, _ in cv.split(labeled, labels[labeled])]
    learned = [seen for seen in spy.fitted if 10_000 not in seen]
    assert learned == expected
    assert set(map(type, spy.targets)) == {type(None)}


@every_function
@pytest.mark.slow
def test_rows_of_x_unlabeled_are_learned_from(function, spy, table):
    X, labels = table
    more = X.assign(number=X["number"] + 1000)
    function(spy, X, labels, X_unlabeled=more, cv=4)
    learned = [seen for seen in spy.fitted if 10_000 not in seen]
    assert all(set(range(1000, 1120)) <= seen for seen in learned)
    assert [len(seen) for seen in learned] == [90 + 120] * 4


@every_function
@pytest.mark.slow
def test_labeled_rows_in_x_unlabeled_do_not_leak(function, spy, table):
    X, labels = table
    function(spy, X[:40], labels[:40], X_unlabeled=X, cv=4)
    learned = [seen for seen in spy.fitted if 10_000 not in seen]
    # Ten of the forty labeled rows are tested on, whichever table they are in.
    assert [len(seen) for seen in learned] == [110] * 4


@every_function
@pytest.mark.slow
def test_stolen_labels_would_show(function, label_thief, table):
    X, _ = table
    # As many labeled rows of one class as of the other.
    labels = np.tile([0, 0, 0, 1, 1, 1], 20)
    result = function(label_thief, X, mark(labels, "-1"), cv=4)
    scores = {
        by_probe: lambda: result,
        by_transfer: lambda: result["within"],
        by_comparison: lambda: result.loc["it", "score"],
        by_curve: lambda: result.query("estimator == 'LabelThief'")["score"],
        by_display: lambda: result.curve.query("estimator == 'LabelThief'")["score"],
    }[function]()
    assert np.mean(scores) == pytest.approx(0.5)


def test_marks_change_nothing_but_the_rows(table):
    X, labels = table
    scores = [
        probe_score(PCA(2), X, mark(labels, kind), cv=3, random_state=0)
        for kind in ("-1", "NaN", "None", "pd.NA")
    ]
    for other in scores[1:]:
        np.testing.assert_array_equal(scores[0], other)


def test_quantities_with_missing_labels(table):
    X, _ = table
    y = np.where(np.arange(120) % 3, np.nan, X["a"] / 7)
    assert probe_score(StandardScaler(), X, y, cv=4).mean() > 0.9


@pytest.mark.slow
def test_estimators_of_the_library_with_few_labels(table):
    X, labels = table
    comparison = compare_objectives(
        X,
        mark(labels, "-1"),
        estimators={
            "denoising": DenoisingAutoencoder(**SMALL),
            "fine-tuned": FineTunedClassifier(DenoisingAutoencoder(**SMALL), max_iter=2),
        },
        semi_supervised=["fine-tuned"],
        cv=2,
        n_repeats=1,
        random_state=0,
    )
    assert comparison.table["score"].between(0, 1).all()
    assert "(40)" in comparison.verdict or "ahead" in comparison.verdict


def test_an_embedding_shows_unlabeled_rows_in_gray():
    X, y = load_iris(return_X_y=True)
    display = EmbeddingDisplay.from_predictions(X, np.where(np.arange(150) % 2, -1, y))
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names == ["no label", "0", "1", "2"]
    assert len(display.ax_.collections[0].get_offsets()) == 75


@pytest.mark.parametrize("container", ["pandas", "polars"])
@pytest.mark.slow
def test_frames_as_output_change_nothing(container, table):
    if container == "polars":
        pytest.importorskip("polars")
    X, labels = table
    X = X.assign(color=np.where(labels, "red", "blue")).astype({"color": "string"})
    X.loc[::5, "color"] = pd.NA
    numbers = X[["number", "a", "b"]]
    y = pd.Series(labels).map({0: "no", 1: "yes"}).astype("string").where(np.arange(120) % 3 > 0)

    def results():
        embedder = DenoisingAutoencoder(**SMALL, random_state=0)
        report = RepresentationReport.from_estimator(embedder.fit(X), X, random_state=0)
        display = EmbeddingDisplay.from_estimator(embedder, X, y, random_state=0)
        return [
            probe_score(embedder, X, y, cv=2, random_state=0),
            probe_score(PCA(2), numbers, y, cv=2, probe="knn", random_state=0),
            transfer_score(embedder, X[:50], X[50:], y[50:], cv=2, random_state=0).to_numpy(),
            compare_objectives(
                X, y, estimators={"it": embedder}, cv=2, n_repeats=1, random_state=0
            ).runs["score"],
            label_efficiency_curve(embedder, X, y, train_sizes=[8], cv=2, random_state=0)["score"],
            report.measures.to_numpy(),
            display.points,
        ]

    plain = results()
    with config_context(transform_output=container):
        for one, other in zip(plain, results(), strict=True):
            np.testing.assert_allclose(one, other)


@pytest.mark.parametrize("n_labels", [4, 6])
@pytest.mark.parametrize("kind", ["classes", "quantities"])
@pytest.mark.parametrize("function", [by_probe, by_comparison])
@pytest.mark.parametrize("probe", ["linear", "knn"])
def test_a_handful_of_labels_is_enough(function, probe, kind, n_labels):
    X, y = load_iris(return_X_y=True)
    labels = y if kind == "classes" else X[:, 3] + 0.05
    is_labeled = np.isin(np.arange(150), np.linspace(0, 149, n_labels).astype(int))
    few = np.where(is_labeled, labels, -1 if kind == "classes" else np.nan)
    cv = [(rows[::2], rows[1::2]) for rows in [np.flatnonzero(is_labeled)]]
    measured = function(PCA(2), pd.DataFrame(X), few, probe=probe, cv=cv)
    scores = measured if function is by_probe else measured[["score", "knn"]].iloc[:2]
    assert np.isfinite(scores).all(axis=None)


def test_three_labels_of_class_1_are_reported():
    X, _ = load_iris(return_X_y=True)
    few = np.where(np.arange(150) % 50 == 0, 1, -1)
    with pytest.warns(UserWarning, match="3 rows of class 1 against 147 of class -1"):
        probe_score(PCA(2), X, few, cv=2)


@pytest.mark.parametrize("function", [by_probe, by_transfer, by_comparison, by_curve])
def test_tables_of_arrow_are_read(function, table):
    arrow = pytest.importorskip("pyarrow").Table
    X, y = table
    X = X.assign(text=np.where(y == 1, "one", "other"))
    embedder = DenoisingAutoencoder(**SMALL, random_state=0)
    options = {"cv": 2, "random_state": 0}
    if function is by_transfer:
        in_arrow = transfer_score(
            embedder, arrow.from_pandas(X[:7]), arrow.from_pandas(X), y, **options
        )
        in_pandas = transfer_score(embedder, X[:7], X, y, **options)
    else:
        more = arrow.from_pandas(X[:3])
        in_arrow = function(embedder, arrow.from_pandas(X), y, X_unlabeled=more, **options)
        in_pandas = function(embedder, X, y, X_unlabeled=X[:3], **options)
    names = ["score"] if "score" in getattr(in_pandas, "columns", ()) else slice(None)
    np.testing.assert_array_equal(in_arrow[names], in_pandas[names])
