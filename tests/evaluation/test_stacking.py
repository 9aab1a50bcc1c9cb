"""Unlabeled rows behind labeled ones: columns keep their meaning, or it is said why not."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from sklearn_ssl.evaluation._stacking import row_keys, stack_rows

COLUMN = {
    "int": pd.Series([1, 2, 3]),
    "float": pd.Series([1.0, np.nan, 3.0]),
    "bool": pd.Series([True, False, True]),
    "object": pd.Series(["a", None, "b"], dtype=object),
    "string": pd.Series(["a", None, "b"], dtype="string"),
    "category": pd.Series(["a", None, "b"], dtype="category"),
    "Int64": pd.Series([1, None, 3], dtype="Int64"),
    "boolean": pd.Series([True, None, False], dtype="boolean"),
    "date": pd.to_datetime(pd.Series(["2020-01-01", None, "2021-01-01"])),
}
NUMBERS, FLAGS, TEXTS = {"int", "float", "Int64"}, {"bool", "boolean"}, {"object", "string"}


@pytest.mark.parametrize("second", COLUMN)
@pytest.mark.parametrize("first", COLUMN)
def test_columns_of_two_types_are_stacked_or_refused(first, second):
    tables = [pd.DataFrame({"x": COLUMN[name]}) for name in (first, second)]
    alike = [NUMBERS, FLAGS, TEXTS | {"category"}]
    takes_anything = first == "category"
    if first == second or takes_anything or any({first, second} <= kind for kind in alike):
        whole = stack_rows(*tables)["x"]
        expected = [*COLUMN[first].tolist(), *COLUMN[second].tolist()]
        assert whole.notna().tolist() == pd.notna(pd.Series(expected, dtype=object)).tolist()
        assert whole.dropna().tolist() == [value for value in expected if pd.notna(value)]
    else:
        with pytest.raises(ValueError, match=r"X_unlabeled has column 'x' of type .*same types"):
            stack_rows(*tables)


@pytest.mark.parametrize("first", COLUMN)
def test_a_column_without_a_cell_fits_any_type(first):
    empty = pd.DataFrame({"x": [None, None]}, dtype=object)
    whole = stack_rows(pd.DataFrame({"x": COLUMN[first]}), empty)["x"]
    assert whole.tail(2).isna().all()
    assert whole.dropna().tolist() == COLUMN[first].dropna().tolist()


def test_columns_are_matched_by_name():
    X = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    assert stack_rows(X, X[["b", "a"]]).to_numpy().tolist() == [[1, 3], [2, 4]] * 2


@pytest.mark.parametrize(
    ("X_unlabeled", "message"),
    [
        (np.zeros((2, 2)), "must be a table of the kind of X, a pandas DataFrame; got an array"),
        (pd.DataFrame({"a": [1]}), "got 2 and 1 of them"),
        (pd.DataFrame({"a": [1], "c": [1]}), "not in both: b, c"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), r"X_unlabeled has duplicate.*\['a'\]"),
    ],
)
def test_tables_that_do_not_match(X_unlabeled, message):
    with pytest.raises(ValueError, match=message):
        stack_rows(pd.DataFrame({"a": [1, 2], "b": [3, 4]}), X_unlabeled)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array, pd.DataFrame])
def test_equal_rows_have_equal_keys(make):
    keys = row_keys(make(np.array([[0.0, 1.0], [2.0, 0.0], [0.0, 1.0]])))
    assert keys[0] == keys[2] != keys[1]


def test_zeros_that_a_sparse_matrix_stores_are_zeros():
    stored = sparse.csr_array(np.array([[9.0, 1.0], [2.0, 9.0]]))
    stored.data[stored.data == 9.0] = 0.0
    plain = sparse.csr_array(np.array([[0.0, 1.0], [2.0, 0.0]]))
    assert (row_keys(stored) == row_keys(plain)).all()
    assert stored.nnz == 4


PRECISIONS = {
    "array": lambda X, dtype: X.astype(dtype),
    "sparse": lambda X, dtype: sparse.csr_array(X.astype(dtype)),
    "frame": lambda X, dtype: pd.DataFrame(X.astype(dtype), columns=["a", "b"]),
    "nullable": lambda X, dtype: pd.DataFrame(X).astype(dtype.capitalize()),
    "polars": lambda X, dtype: pl.DataFrame(X.astype(dtype), schema=["a", "b"]),
}


@pytest.mark.parametrize("kind", PRECISIONS)
def test_numbers_of_different_precision_are_refused(kind):
    # Rounded, test rows would no longer be recognized among the unlabeled ones.
    X = np.array([[0.1, 0.2], [0.3, 0.4]])
    single, double = (PRECISIONS[kind](X, dtype) for dtype in ("float32", "float64"))
    assert stack_rows(single, single).shape == (4, 2)
    for tables in ((single, double), (double, single)):
        with pytest.raises(ValueError, match=r"X_unlabeled .*of type .*loat.*same types"):
            stack_rows(*tables)
