"""Which rows to label first: representatives, in an order that does not depend on how many."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_ssl import MaskedFeaturePredictor, _row_selection, select_rows

X, y = load_iris(return_X_y=True)
FRAME = load_iris(as_frame=True).data
MASKED = MaskedFeaturePredictor(4, hidden_layer_sizes=(16,), max_iter=2, random_state=0)


@pytest.mark.parametrize("table", [X, FRAME, sp.csr_array(X), sp.coo_array(X), X.tolist()])
@pytest.mark.parametrize("n_rows", [1, 6, 150])
def test_rows_are_chosen_once_each(table, n_rows):
    transformer = StandardScaler(with_mean=False) if isinstance(table, list) else MASKED
    rows = select_rows(transformer, table, n_rows, random_state=0)
    assert rows.shape == (n_rows,)
    assert rows.dtype.kind == "i"
    assert set(rows) <= set(range(150))
    assert len(set(rows)) == n_rows


@pytest.mark.parametrize("most", [20, 1000])
@pytest.mark.parametrize("n_candidates", [60, 20_000])
def test_the_first_rows_are_the_same_however_many_are_asked_for(most, n_candidates, monkeypatch):
    monkeypatch.setattr(_row_selection, "MOST_REPRESENTATIVES", most)
    monkeypatch.setattr(_row_selection, "MOST_CANDIDATES", n_candidates)
    scaler = StandardScaler().fit(X)
    longest = select_rows(scaler, X, 150, random_state=0)
    assert sorted(longest) == list(range(150))
    for n_rows in (1, 10, 40, 100):
        assert (select_rows(scaler, X, n_rows, random_state=0) == longest[:n_rows]).all()


def test_every_cluster_is_represented_before_any_is_twice():
    centers = 100 * np.random.default_rng(0).normal(size=(8, 5))
    clusters = np.repeat(np.arange(8), [400, 200, 100, 50, 20, 10, 10, 10])
    points = centers[clusters] + np.random.default_rng(1).normal(size=(800, 5))
    for seed in range(5):
        rows = select_rows(PCA(5).fit(points), points, 8, random_state=seed)
        assert sorted(clusters[rows]) == list(range(8))


def test_rows_that_are_all_alike_are_chosen_once_each():
    copies = np.repeat(X[:3], 20, axis=0)
    rows = select_rows(StandardScaler().fit(X), copies, 50, random_state=0)
    assert len(set(rows)) == 50
    assert len(np.unique(copies[rows[:3]], axis=0)) == 3


def test_an_unfitted_transformer_is_cloned_and_a_fitted_one_used():
    unfitted = MASKED
    chosen = select_rows(unfitted, FRAME, 10, random_state=0)
    assert not hasattr(unfitted, "n_features_in_")
    fitted = MaskedFeaturePredictor(**MASKED.get_params()).fit(FRAME)
    for transformer in (fitted, FrozenEstimator(fitted)):
        assert (select_rows(transformer, FRAME, 10, random_state=0) == chosen).all()


def test_same_seed_same_rows_and_global_state_untouched():
    scaler = StandardScaler().fit(X)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = select_rows(scaler, X, 10, random_state=np.random.RandomState(3))
    assert (select_rows(scaler, X, 10, random_state=3) == first).all()
    assert (select_rows(scaler, X, 10, random_state=4) != first).any()
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_sparse_embeddings_are_understood():
    names = pd.DataFrame({"name": list("abcdefgh") * 5})
    rows = select_rows(OneHotEncoder(), names, 8, random_state=0)
    assert sorted(names["name"].iloc[rows]) == list("abcdefgh")


BAD = {
    "none": (X, 0, "n_rows must be a whole number of at least 1; got 0"),
    "a boolean": (X, True, "n_rows must be a whole number of at least 1; got True"),
    "labels": (
        X,
        np.zeros(150),
        "n_rows must be a whole number of at least 1; got an object of type ndarray",
    ),
    "a share": (X, 0.5, "n_rows must be a whole number of at least 1; got 0.5"),
    "too many": (X, 151, "n_rows=151 asks for more rows than X has, which is 150"),
    "no rows": (X[:0], 1, "n_rows=1 asks for more rows than X has, which is 0"),
    "a column missing": (
        FRAME.drop(columns="petal width (cm)"),
        5,
        r"X lacks columns that MaskedFeaturePredictor was fitted on: \['petal width \(cm\)'\]",
    ),
}


@pytest.mark.parametrize(("table", "n_rows", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_done_is_one_sentence(table, n_rows, message):
    fitted = MaskedFeaturePredictor(**MASKED.get_params())
    fitted.fit(FRAME if isinstance(table, pd.DataFrame) else X)
    with pytest.raises(ValueError, match=message):
        select_rows(fitted, table, n_rows)


def test_only_candidates_are_embedded(monkeypatch):
    monkeypatch.setattr(_row_selection, "MOST_CANDIDATES", 50)
    monkeypatch.setattr(_row_selection, "ROWS_PER_BLOCK", 20)
    sizes = []

    class Counting(StandardScaler):
        def transform(self, X):
            sizes.append(len(X))
            return super().transform(X)

    select_rows(Counting().fit(X), X, 5, random_state=0)
    assert sizes == [20, 20, 10]


def test_tables_of_arrow_have_names():
    arrow = pytest.importorskip("pyarrow").Table.from_pandas(FRAME)
    fitted = clone(MASKED).fit(FRAME)
    rows = select_rows(fitted, arrow, 5, random_state=0)
    assert (rows == select_rows(fitted, FRAME, 5, random_state=0)).all()
    with pytest.raises(ValueError, match=r"X lacks columns.*'petal width \(cm\)'"):
        select_rows(fitted, arrow.drop_columns("petal width (cm)"), 5)


NO_TRANSFORMERS = {
    "a classifier": (LogisticRegression(), TypeError, r"'fit' and 'transform'.*got LogisticReg"),
    "no transform": (TSNE(), TypeError, r"'fit' and 'transform'.*got TSNE\(\)"),
    "frozen and not fitted": (FrozenEstimator(MASKED), NotFittedError, "MaskedFeaturePredictor"),
}


@pytest.mark.parametrize(
    ("transformer", "error", "message"), NO_TRANSFORMERS.values(), ids=NO_TRANSFORMERS
)
def test_what_embeds_no_rows_is_one_sentence(transformer, error, message):
    with pytest.raises(error, match=message):
        select_rows(transformer, X, 5)
