"""EmbeddingDisplay projects, colors and explains."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_ssl.evaluation import EmbeddingDisplay


@pytest.fixture
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture
def scaler(iris):
    return StandardScaler().fit(iris[0])


def test_it_shows_principal_components(iris, scaler):
    X, y = iris
    display = EmbeddingDisplay.from_estimator(scaler, X, y)
    expected = PCA(2).fit_transform(scaler.transform(X))
    np.testing.assert_allclose(np.abs(display.points), np.abs(expected), atol=1e-6)
    assert display.ax_.get_xlabel() == "First principal component (73 % of the variance)"
    assert display.ax_.get_title() == "StandardScaler: 150 rows"


def test_classes_differ_in_color_and_marker(iris, scaler):
    display = EmbeddingDisplay.from_estimator(scaler, *iris)
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["0", "1", "2"]
    colors = {tuple(points.get_facecolor()[0]) for points in display.ax_.collections}
    assert len(colors) == 3


def test_quantities_get_a_color_bar(iris, scaler):
    X, _ = iris
    display = EmbeddingDisplay.from_estimator(scaler, X, X[:, 0])
    assert display.ax_.get_legend() is None
    assert display.figure_.axes[-1].get_ylabel() == "Target"


def test_without_a_target(iris, scaler):
    display = EmbeddingDisplay.from_estimator(scaler, iris[0], name="iris")
    assert display.ax_.get_legend() is None
    assert display.ax_.get_title() == "iris: 150 rows"


def test_two_features_are_shown_as_they_are(iris):
    X, y = iris
    display = EmbeddingDisplay.from_predictions(X[:, :2], y)
    np.testing.assert_array_equal(display.points, X[:, :2])
    assert display.ax_.get_xlabel() == "First feature"


def test_a_sample_keeps_rows_and_target_together():
    Z = np.c_[np.arange(150), np.zeros(150)]
    display = EmbeddingDisplay.from_predictions(Z, np.arange(150), max_samples=30, random_state=0)
    np.testing.assert_array_equal(display.points[:, 0], display.y)
    assert len(display.points) == 30


def test_sparse_features(iris):
    identity = FunctionTransformer(accept_sparse=True).fit(sparse.csr_array(iris[0]))
    display = EmbeddingDisplay.from_estimator(identity, sparse.csr_array(iris[0]))
    assert display.points.shape == (150, 2)


def test_umap_is_used_if_it_is_installed(iris, monkeypatch):
    class UMAP:
        def __init__(self, random_state, n_jobs):
            assert isinstance(random_state, int)

        def fit_transform(self, Z):
            return Z[:, 2:4]

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=UMAP))
    display = EmbeddingDisplay.from_predictions(iris[0], method="umap")
    np.testing.assert_array_equal(display.points, iris[0][:, 2:4])
    assert display.ax_.get_ylabel() == "UMAP, second dimension"


def test_umap_that_is_not_installed(iris, monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match=r"requires umap-learn\. You can install it"):
        EmbeddingDisplay.from_predictions(iris[0], method="umap")


def test_bad_arguments(iris, scaler):
    X, y = iris
    with pytest.raises(NotFittedError):
        EmbeddingDisplay.from_estimator(StandardScaler(), X)
    with pytest.raises(ValueError, match="'method' parameter of EmbeddingDisplay"):
        EmbeddingDisplay.from_estimator(scaler, X, method="tsne")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        EmbeddingDisplay.from_estimator(scaler, X, y[:10])
    with pytest.raises(ValueError, match="a minimum of 2 is required"):
        EmbeddingDisplay.from_predictions(X[:, :1])
