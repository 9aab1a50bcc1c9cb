"""The raw features of any table, and seeds."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline

from sklearn_ssl.evaluation._estimators import raw_features, seeded_clone

COLUMNS = {
    "number": [1.0, 2.0, np.nan, 4.0],
    "flag": [True, False, True, False],
    "nullable": pd.array([1, None, 3, 4], dtype="Int64"),
    "color": ["red", None, "blue", "red"],
    "kind": pd.Categorical(["a", "b", "a", "a"]),
}


@pytest.mark.parametrize("names", [["number"], ["flag"], ["nullable"], ["color"], list(COLUMNS)])
def test_raw_features_of_columns_of_any_type(names):
    X = pd.DataFrame({name: COLUMNS[name] for name in names})
    Z = raw_features(X).fit(X).transform(X)
    assert Z.dtype.kind == "f"
    assert np.isfinite(Z).all()


def test_raw_features_of_polars_frames():
    polars = pytest.importorskip("polars")
    X = polars.DataFrame({"a": [1.0, None, 3.0], "b": [True, False, True], "c": ["x", "y", "x"]})
    assert raw_features(X).fit(X).transform(X).shape == (3, 2 + 1 + 2)


def test_raw_features_take_categories_not_seen_before():
    X = pd.DataFrame({"color": ["red", "blue"]})
    assert raw_features(X).fit(X[:1]).transform(X).tolist() == [[1], [0]]


def test_raw_features_of_sparse_tables_stay_sparse():
    X = sparse.random(20, 5, density=0.3, random_state=0, format="csr")
    assert sparse.issparse(raw_features(X).fit(X).transform(X))


def test_seeds_fill_what_is_left_at_none_at_any_depth():
    pipeline = make_pipeline(PCA(random_state=3), RandomForestClassifier())
    one, again, other = (seeded_clone(pipeline, seed) for seed in (0, 0, 1))
    assert one[0].random_state == 3
    assert one[1].random_state == again[1].random_state != other[1].random_state
    assert pipeline[1].random_state is None
