"""Disturbed copies of rows keep the columns' values and types."""

import numpy as np
import pandas as pd
import pytest

from sklearn_ssl.evaluation._views import swap_cells


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "number": np.arange(200.0),
            "whole": np.arange(200),
            "color": pd.Categorical(["red", "blue"] * 100),
            "nullable": pd.array([1, None] * 100, dtype="Int64"),
        },
        index=np.arange(200) + 7,
    )


def test_frames_keep_names_types_index_and_values(frame):
    view = swap_cells(frame, 0.4, np.random.RandomState(0))
    pd.testing.assert_series_equal(view.dtypes, frame.dtypes)
    pd.testing.assert_index_equal(view.index, frame.index)
    assert view["number"].isin(frame["number"]).all()
    assert set(view["color"]) == {"red", "blue"}
    assert 0.3 < (view["number"] != frame["number"]).mean() < 0.5


def test_columns_of_the_same_name(frame):
    frame.columns = ["x", "x", "y", "y"]
    assert swap_cells(frame, 0.5, np.random.RandomState(0)).columns.tolist() == ["x", "x", "y", "y"]


def test_polars_frames(frame):
    polars = pytest.importorskip("polars")
    X = polars.DataFrame({"a": np.arange(50.0), "b": ["x", "y"] * 25})
    view = swap_cells(X, 0.5, np.random.RandomState(0))
    assert view.schema == X.schema
    assert (view["a"] != X["a"]).any()


@pytest.mark.parametrize("rate", [0, 1])
def test_none_or_all(rate):
    X = np.arange(100.0).reshape(50, 2)
    view = swap_cells(X, rate, np.random.RandomState(0))
    np.testing.assert_array_equal(np.sort(view, axis=0), X)
    assert np.array_equal(view, X) == (rate == 0)
