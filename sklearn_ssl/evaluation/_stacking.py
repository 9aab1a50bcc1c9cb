"""Unlabeled rows behind labeled ones, in one table of the same columns."""

from collections import Counter
from collections.abc import Hashable
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import (
    is_bool_dtype,
    is_float_dtype,
    is_numeric_dtype,
    is_string_dtype,
)
from scipy import sparse

from sklearn_ssl._table.types import Dtype, SparseTable, TableLike, column_names, is_sparse
from sklearn_ssl.evaluation._types import is_polars

REMEDY = "Give both tables the same columns of the same types."


def stack_rows(X: TableLike, X_unlabeled: TableLike) -> TableLike:
    """Put the rows of ``X_unlabeled`` behind those of ``X``.

    Parameters
    ----------
    X, X_unlabeled : {array-like, sparse matrix, DataFrame} of shape (n_rows, n_features)
        Tables of the same kind, with the same columns in any order.

    Returns
    -------
    whole : {ndarray, csr_matrix, DataFrame}
        Rows of both. Columns keep the type that they have in ``X``, if it holds the others.

    Raises
    ------
    ValueError
        If the tables are of different kinds, or have columns of different names or types.
    """
    kinds = [_kind(table) for table in (X, X_unlabeled)]
    if kinds[0] != kinds[1]:
        raise ValueError(
            f"X_unlabeled must be a table of the kind of X, {kinds[0]}; got {kinds[1]}. {REMEDY}"
        )
    check_same_columns(X, X_unlabeled, ("X", "X_unlabeled"), in_order=False)
    if isinstance(X, pd.DataFrame) and isinstance(X_unlabeled, pd.DataFrame):
        return _stack_pandas(X, X_unlabeled)
    if is_polars(X) and is_polars(X_unlabeled):
        more = X_unlabeled.select(X.columns)
        for name, own, other in zip(X.columns, X.dtypes, more.dtypes, strict=True):
            if own != other:
                raise _other_type(name, own, other)
        return X.vstack(more)
    if is_sparse(X) and is_sparse(X_unlabeled):
        _check_precision(X.dtype, X_unlabeled.dtype)
        whole: SparseTable = sparse.vstack([X, X_unlabeled], format="csr")
        return whole
    arrays = np.asarray(X), np.asarray(X_unlabeled)
    _check_precision(*(array.dtype for array in arrays))
    return np.concatenate(arrays)


def _check_precision(first: Dtype, second: Dtype) -> None:
    """Refuse floats of different precision: rounded, a row no longer equals itself."""
    if first != second and {first.kind, second.kind} == {"f"}:
        raise ValueError(f"X_unlabeled is of type {second}, and X is of type {first}. {REMEDY}")


def _other_type(name: Hashable, own: object, other: object) -> ValueError:
    return ValueError(
        f"X_unlabeled has column {name!r} of type {other}, and X has it of type {own}. {REMEDY}"
    )


def check_same_columns(
    one: TableLike, other: TableLike, names: tuple[str, str], *, in_order: bool
) -> None:
    """Raise unless two tables have the same columns, in the same order if that is asked for."""
    both = " and ".join(names)
    width, other_width = _width(one), _width(other)
    if width != other_width:
        raise ValueError(
            f"{both} must have the same columns; got {width} and {other_width} of them."
        )
    columns = _column_names(one)
    other_columns = _column_names(other)
    # Arrays have no names to compare.
    if not columns or not other_columns:
        return
    for name, table_columns in zip(names, (columns, other_columns), strict=True):
        duplicated = [each for each, count in Counter(table_columns).items() if count > 1]
        if duplicated:
            raise ValueError(f"{name} has duplicate column names: {duplicated}. Rename them.")
    differing = sorted(set(columns) ^ set(other_columns))
    if differing:
        raise ValueError(f"{both} must have the same columns; not in both: {', '.join(differing)}.")
    if in_order and columns != other_columns:
        raise ValueError(f"{both} must have the same columns, in the same order.")


def _column_names(X: TableLike) -> list[str]:
    return [str(name) for name in column_names(X) or []]


def _width(X: TableLike) -> int:
    shape = np.shape(X)
    return shape[1] if len(shape) == 2 else len(shape)


def row_keys(X: TableLike) -> npt.NDArray[np.integer]:
    """A number for each row, the same for equal rows."""
    if is_polars(X):
        hashes: npt.NDArray[np.integer] = X.hash_rows().to_numpy()
        return hashes
    if is_sparse(X):
        rows = sparse.csr_array(X, copy=True)
        # One row can be stored in several ways, of which this leaves one.
        rows.sum_duplicates()
        rows.eliminate_zeros()
        n_rows = rows.shape[0]
        return np.array([hash(_bytes_of_row(rows, row)) for row in range(n_rows)])
    frame = X if isinstance(X, pd.DataFrame) else pd.DataFrame(np.asarray(X))
    hashed = pd.util.hash_pandas_object(frame, index=False)
    keys: npt.NDArray[np.integer] = hashed.to_numpy()
    return keys


def _bytes_of_row(rows: sparse.csr_array, i: int) -> bytes:
    cells = slice(rows.indptr[i], rows.indptr[i + 1])
    return bytes(rows.indices[cells].tobytes() + rows.data[cells].tobytes())


def _kind(table: TableLike) -> str:
    if isinstance(table, pd.DataFrame):
        return "a pandas DataFrame"
    if is_polars(table):
        return "a polars DataFrame"
    return "a sparse matrix" if is_sparse(table) else "an array"


def _stack_pandas(X: pd.DataFrame, X_unlabeled: pd.DataFrame) -> pd.DataFrame:
    # Names are compared as text, so that 1 and "1" are the same column.
    others = {str(name): X_unlabeled[name] for name in X_unlabeled.columns}
    columns = {}
    for name in X.columns:
        columns[name] = _stack_column(X[name], others[str(name)], name)
    return pd.DataFrame(columns)


def _stack_column(first: pd.Series, second: pd.Series, name: Hashable) -> pd.Series:
    dtypes = first.dtype, second.dtype
    if second.isna().all() and dtypes[0] != dtypes[1]:
        # A column without a cell has whatever type its reader gave it.
        nothing = pd.Series([None] * len(second))
        second = nothing.astype(_with_gaps(dtypes[0]))
    elif isinstance(dtypes[0], pd.CategoricalDtype):
        second = second.astype(object)
        known = first.cat.categories
        values = pd.unique(second.dropna())
        unseen = [value for value in values if value not in known]
        first = first.cat.add_categories(unseen)
        second = second.astype(first.dtype)
    elif is_string_dtype(dtypes[0]) and isinstance(dtypes[1], pd.CategoricalDtype):
        second = second.astype(dtypes[1].categories.dtype)
    if not _fit_together(first.dtype, second.dtype):
        raise _other_type(name, *dtypes)
    return pd.concat([first, second], ignore_index=True)


def _with_gaps(dtype: Dtype) -> Dtype:
    """The type itself, or one with room for missing cells if it has none."""
    if not isinstance(dtype, np.dtype) or dtype.kind not in "biu":
        return dtype
    return pd.BooleanDtype() if dtype.kind == "b" else np.dtype(np.float64)


def _fit_together(first: Dtype, second: Dtype) -> bool:
    if first == second:
        return True
    if is_bool_dtype(first) or is_bool_dtype(second):
        return is_bool_dtype(first) and is_bool_dtype(second)
    are_numbers = is_numeric_dtype(first) and is_numeric_dtype(second)
    if are_numbers and is_float_dtype(first) and is_float_dtype(second):
        # Rounded to another precision, a row no longer equals itself.
        return _bytes_of_float(first) == _bytes_of_float(second)
    return are_numbers or (is_string_dtype(first) and is_string_dtype(second))


def _bytes_of_float(dtype: Dtype) -> int:
    # A sparse type holds the type of its cells.
    of_cells = cast(np.dtype[np.floating], getattr(dtype, "subtype", dtype))
    return of_cells.itemsize
