"""RepresentationReport: agrees with the single measures, and shows them all."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler

from sklearn_ssl.evaluation import (
    RepresentationReport,
    alignment,
    effective_rank,
    linear_cka,
    neighborhood_preservation,
    uniformity,
)


@pytest.fixture
def X():
    return load_iris().data


@pytest.fixture
def report(X):
    return RepresentationReport.from_estimator({"PCA": PCA(2).fit(X)}, X, random_state=0)


def test_the_report_agrees_with_the_single_measures(report, X):
    Z, raw = PCA(2).fit_transform(X), StandardScaler().fit_transform(X)
    row = report.measures.loc["PCA"]
    assert row["width"] == 2
    assert row["effective_rank"] == pytest.approx(effective_rank(Z))
    assert row["uniformity"] == pytest.approx(uniformity(Z))
    assert row["neighbors_kept"] == pytest.approx(neighborhood_preservation(raw, Z))
    assert row["cka_with_raw"] == pytest.approx(linear_cka(raw, Z))
    assert 0 < row["alignment"] < 4


def test_raw_features_are_the_reference(report):
    raw = report.measures.loc["raw features"]
    assert raw["neighbors_kept"] == 1
    assert raw["cka_with_raw"] == pytest.approx(1)


def test_without_a_disturbance_all_is_aligned(X):
    report = RepresentationReport.from_estimator(PCA(2).fit(X), X, swap_rate=0)
    assert report.measures["alignment"].to_numpy() == pytest.approx(0)


def test_transformers_are_used_as_they_were_fitted(spy, coins):
    X, _ = coins
    spy.fit(X[:50])
    RepresentationReport.from_estimator(spy, X[50:])
    assert spy.fitted == [set(range(50))]
    assert spy.transformed[0] == (set(range(50)), set(range(50, 120)))


def test_a_sample_of_a_large_table(X):
    options = {"max_samples": 40, "random_state": 0}
    first, again = (
        RepresentationReport.from_estimator(PCA(2).fit(X), X, **options) for _ in range(2)
    )
    assert first.n_rows == 40
    pd.testing.assert_frame_equal(first.measures, again.measures)


def test_frames_with_categories():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"size": rng.normal(size=40), "color": rng.choice(["red", "blue"], 40)})

    class Sizes(PCA):
        def transform(self, X):
            assert X["color"].isin(["red", "blue"]).all()
            return X[["size"]].to_numpy()

    report = RepresentationReport.from_estimator(Sizes().fit(X[["size"]]), X, random_state=0)
    assert report.measures.loc["raw features", "width"] == 3


def test_polars_frames(X):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(X, schema=["a", "b", "c", "d"])
    fitted = StandardScaler().fit(frame)
    report = RepresentationReport.from_estimator(fitted, frame, random_state=0)
    assert report.measures.loc["StandardScaler", "cka_with_raw"] == pytest.approx(1)


def test_sparse_tables(X):
    report = RepresentationReport.from_estimator(
        TruncatedSVD(2, random_state=0).fit(X), sparse.csr_array(X), random_state=0
    )
    assert report.measures.notna().all(axis=None)


def test_embeddings_that_are_there_already(X):
    layers = {"first": X, "second": X[:, :2]}
    views = {name: Z[::-1] for name, Z in layers.items()}
    report = RepresentationReport.from_predictions(layers, views=views)
    assert report.measures.loc["second", "alignment"] == pytest.approx(
        alignment(X[:, :2], X[::-1, :2])
    )
    assert report.neighbors["first"].eq(1).all()
    assert report.measures["cka_with_raw"].isna().all()
    assert RepresentationReport.from_predictions(layers).measures["alignment"].isna().all()


def test_few_rows():
    report = RepresentationReport.from_predictions({"Z": np.eye(3)})
    assert report.neighbors.index.tolist() == [1]
    assert report.measures.loc["Z", "effective_rank"] == pytest.approx(3)


def test_it_prints_all_measures(report):
    text = str(report)
    assert text.startswith("Geometry of 2 representations on 150 rows")
    assert all(column in text for column in report.measures)
    assert "PCA" in text


def test_it_plots_four_panels_with_titles_and_units(report):
    display = report.plot()
    assert len(display.axes_) == 4
    assert all(ax.get_title() for ax in display.axes_)
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in display.axes_[:3])
    assert [text.get_text() for text in display.axes_[0].get_legend().get_texts()][1].endswith(
        "of 2"
    )


def test_it_plots_on_axes_given(report):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4)
    assert report.plot(ax=axes).figure_ is figure
    with pytest.raises(ValueError, match="ax must hold 4 axes, one for each panel; got 3"):
        report.plot(ax=axes[:3])


def test_bad_arguments(X):
    fitted = PCA().fit(X)
    with pytest.raises(NotFittedError):
        RepresentationReport.from_estimator(PCA(), X)
    with pytest.raises(ValueError, match="'swap_rate' parameter of RepresentationReport"):
        RepresentationReport.from_estimator(fitted, X, swap_rate=2)
    with pytest.raises(ValueError, match="'estimators' parameter of RepresentationReport"):
        RepresentationReport.from_estimator(TSNE(), X)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        RepresentationReport.from_predictions({"a": X, "b": X[:10]})
    with pytest.raises(ValueError, match="at least one embedding"):
        RepresentationReport.from_predictions({})
