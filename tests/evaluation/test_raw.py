"""The raw table in numbers, for columns of any type."""

from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import config_context

from sklearn_ssl.evaluation._raw import models_on_raw_columns, raw_features

COLUMNS = {
    "number": [1.0, 2.0, np.nan, 4.0],
    "flag": [True, False, True, False],
    "nullable": pd.array([1, None, 3, 4], dtype="Int64"),
    "color": ["red", None, "blue", "red"],
    "kind": pd.Categorical(["a", "b", "a", "a"]),
    "string": pd.array(["a", None, "b", "a"], dtype="string"),
    "boolean": pd.array([True, None, False, True], dtype="boolean"),
    "mixed": [1, "a", None, 2.5],
    "tuple": [(1, 2), (3,), None, (1, 2)],
    "date": pd.to_datetime(["2020-01-01", None, "2021-05-05", "2022-01-01"]),
    "zoned": pd.to_datetime(["2020-01-01", None, "2021-05-05", "2022-01-01"], utc=True),
    "duration": pd.to_timedelta([1, None, 3, 4], unit="h"),
    "period": pd.PeriodIndex(["2020-01", None, "2021-05", "2022-01"], freq="M"),
    "empty": [None] * 4,
}


@pytest.mark.parametrize("names", [*([name] for name in COLUMNS), list(COLUMNS)])
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


def test_raw_features_of_arrow_columns():
    pytest.importorskip("pyarrow")
    X = pd.DataFrame({name: COLUMNS[name] for name in ("number", "flag", "string", "date")})
    arrow = X.convert_dtypes(dtype_backend="pyarrow")
    np.testing.assert_allclose(
        raw_features(arrow).fit(arrow).transform(arrow), raw_features(X).fit(X).transform(X)
    )


def test_many_categories_stay_sparse():
    X = pd.DataFrame({"text": [f"text {i % 4000}" for i in range(6000)], "number": np.arange(6000)})
    Z = raw_features(X).fit(X).transform(X)
    assert sparse.issparse(Z)
    assert Z.shape == (6000, 4001)
    assert Z.nnz <= 2 * 6000


def test_raw_features_and_trees_ignore_the_output_that_is_set():
    X = pd.DataFrame({name: COLUMNS[name] for name in ("number", "color")})
    y = [0, 1, 0, 1]
    with config_context(transform_output="pandas"):
        Z = raw_features(X).fit(X).transform(X)
        models = models_on_raw_columns(X, has_classes=True)
        assert all(model.fit(X, y).predict(X).shape == (4,) for model in models.values())
    assert isinstance(Z, np.ndarray)


@pytest.mark.parametrize("has_classes", [True, False])
@pytest.mark.parametrize("container", [pd.DataFrame, np.asarray, sparse.csr_array])
def test_models_on_raw_columns_of_any_table(container, has_classes):
    if container is pd.DataFrame:
        X = pd.DataFrame({name: COLUMNS[name] * 5 for name in ("number", "color", "mixed")})
    else:
        X = container(np.arange(40.0).reshape(20, 2))
    models = models_on_raw_columns(X, has_classes)
    assert len(models) == 1 + (container is not sparse.csr_array)
    for model in models.values():
        assert model.fit(X, [0, 1] * 10).predict(X).shape == (20,)


def test_trees_take_more_categories_than_they_can_distinguish():
    X = pd.DataFrame({"text": [f"text {i % 400}" for i in range(800)]})
    for model in models_on_raw_columns(X, has_classes=True).values():
        assert model.fit(X, np.arange(800) % 2).predict(X).shape == (800,)


OBJECTS = {
    "numbers": [1.5, None, pd.NA, 4],
    "dates": [datetime(2020, 1, day) for day in (1, 2, 3, 4)],
    "text": ["a", None, "b", "a"],
}


@pytest.mark.parametrize("name", OBJECTS)
def test_arrays_of_objects_are_read_as_frames_are(name):
    frame = pd.DataFrame({"number": [4.0, 3.0, 1.0, 2.0], name: OBJECTS[name]})
    array = frame.to_numpy(dtype=object)
    expected = raw_features(frame).fit(frame).transform(frame)
    np.testing.assert_allclose(raw_features(array).fit(array).transform(array), expected)
    for model in models_on_raw_columns(array, has_classes=True).values():
        assert model.fit(array, [0, 0, 1, 1]).predict(array).shape == (4,)


@pytest.mark.parametrize("empty", [[None] * 4, pd.Categorical([None] * 4), [np.nan] * 4])
def test_models_on_columns_without_a_cell(empty):
    X = pd.DataFrame({"number": [4.0, 3.0, 1.0, 2.0], "empty": empty})
    later = X.assign(empty=["a", "b", "a", "b"] if X["empty"].dtype == "object" else empty)
    for model in models_on_raw_columns(X, has_classes=True).values():
        assert model.fit(X, [0, 0, 1, 1]).predict(later).shape == (4,)
