"""Spies that would notice a leak, and figures that are closed."""

from typing import ClassVar

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin


@pytest.fixture(autouse=True)
def closed_figures():
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


class Spy(TransformerMixin, BaseEstimator):
    """Hands rows on, and notes the first cell (a row's number) of all that it sees."""

    fitted: ClassVar[list] = []
    transformed: ClassVar[list] = []
    targets: ClassVar[list] = []

    def fit(self, X, y=None):
        Spy.fitted.append(set(np.asarray(X)[:, 0].astype(int)))
        Spy.targets.append(y)
        self.seen_ = Spy.fitted[-1]
        return self

    def transform(self, X):
        X = np.asarray(X)
        Spy.transformed.append((self.seen_, set(X[:, 0].astype(int))))
        return X


class LabelThief(TransformerMixin, BaseEstimator):
    """Turns each row that it saw together with its label into that label, all others into 0."""

    def fit(self, X, y=None):
        keys = np.asarray(X)[:, 0]
        self.labels_ = {} if y is None else dict(zip(keys, y, strict=True))
        return self

    def transform(self, X):
        return np.array([[self.labels_.get(key, 0)] for key in np.asarray(X)[:, 0]], dtype=float)


class RowThief(TransformerMixin, BaseEstimator):
    """Tells rows seen while fitting from new ones, whatever these hold."""

    def fit(self, X, y=None):
        self.keys_ = set(np.asarray(X)[:, 0])
        return self

    def transform(self, X):
        return np.array([[key in self.keys_] for key in np.asarray(X)[:, 0]], dtype=float)


class NoisyFeatures(TransformerMixin, BaseEstimator):
    """Random features: a transformer whose result depends on its seed alone."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y=None):
        rng = np.random.RandomState(self.random_state)
        self.weights_ = rng.normal(size=(np.shape(X)[1], 3))
        return self

    def transform(self, X):
        return np.tanh(np.asarray(X) @ self.weights_)


@pytest.fixture
def spy():
    for seen in (Spy.fitted, Spy.transformed, Spy.targets):
        seen.clear()
    return Spy()


@pytest.fixture
def label_thief():
    return LabelThief()


@pytest.fixture
def row_thief():
    return RowThief()


@pytest.fixture
def noisy_features():
    return NoisyFeatures()


@pytest.fixture
def coins():
    """Rows with a number each, and labels that nothing in them predicts."""
    rng = np.random.default_rng(0)
    X = np.column_stack([np.arange(120), rng.normal(size=(120, 2))])
    return X, rng.permutation(np.repeat([1, 2], 60))
