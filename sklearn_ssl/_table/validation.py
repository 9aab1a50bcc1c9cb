"""The checks of a table at every entrance."""

from typing import Protocol, overload

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import check_array

from sklearn_ssl._compat import validate_data
from sklearn_ssl._table.kinds import kind_of
from sklearn_ssl._table.types import (
    Array,
    SparseTable,
    Table,
    TableLike,
    array_of,
    column_names,
    converts_itself,
    to_pandas,
)


class Conforming(Protocol):
    """What a fitted :class:`TableEncoder` knows of the columns."""

    is_frame_: bool

    def conform(self, X: Table) -> Table:
        """Convert columns of another kind than while fitting."""


def check_rows(
    estimator: object,
    X: TableLike,
    categorical_features: npt.ArrayLike | None,
    *,
    reset: bool,
    encoder: Conforming | None = None,
) -> Table:
    """Check a table, and its columns against those that an estimator was fitted on.

    Parameters
    ----------
    estimator : estimator
        Remembers the columns, and is named in the errors.

    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        The table that the user passed.

    categorical_features : "from_dtype", None or array-like
        Columns that are declared categorical.

    reset : bool
        Whether the columns are those to remember, or to be compared.

    encoder : TableEncoder or None, default=None
        Says what the columns held while fitting; None if that is still to be learned.

    Returns
    -------
    X : {DataFrame, ndarray, csr_matrix} of shape (n_samples, n_features)
        The table; columns of another kind than while fitting are converted.
    """
    declares = not (categorical_features is None or isinstance(categorical_features, str))
    # After a fit on a frame, an array of objects can hold text and dates, too.
    has_objects = declares or (encoder is not None and encoder.is_frame_)
    X = check_table(X, has_categories=has_objects, estimator=estimator)
    X = validate_data(estimator, X, reset=reset, skip_check_array=True)
    return X if encoder is None else encoder.conform(X)


def check_table(X: TableLike, *, has_categories: bool, estimator: object) -> Table:
    """Return ``X`` as a DataFrame, a 2-d array or a CSR matrix, checked as scikit-learn does.

    A DataFrame keeps its column types, which :func:`sklearn.utils.check_array` would merge.

    Parameters
    ----------
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        The table that the user passed.

    has_categories : bool
        Whether some columns were declared categorical. Arrays of strings are taken as numbers
        otherwise, and so are objects that are neither dates nor durations.

    estimator : estimator
        Named in the errors.

    Returns
    -------
    X : {DataFrame, ndarray, csr_matrix} of shape (n_samples, n_features)
        The same table, not copied if that can be avoided.
    """
    X = _to_memory(X)
    if not isinstance(X, pd.DataFrame):
        # Missing cells are welcome; infinite ones are found where the column has a name.
        X = check_array(
            X, dtype=None, accept_sparse="csr", ensure_all_finite=False, estimator=estimator
        )
        # Bytes of one width are unknown to pandas.
        X = X.astype(object) if X.dtype.kind == "S" else X
        if X.dtype.kind not in "biuf" and not has_categories:
            X = _check_objects(X) if X.dtype.kind == "O" else _check_numbers(X)
        return X
    # pandas compares attributes when it joins columns, and arrays have no one answer.
    if X.attrs:
        X = X.copy(deep=False)
        X.attrs = {}
    name = type(estimator).__name__
    for count, what in zip(X.shape, ("sample", "feature"), strict=True):
        if count == 0:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={X.shape}) while a minimum of 1 is "
                f"required by {name}."
            )
    duplicated = X.columns[X.columns.duplicated()].unique().tolist()
    if duplicated:
        raise ValueError(
            f"{name} distinguishes columns by their names, but X has duplicate column names: "
            f"{duplicated}. Rename or drop them."
        )
    return X


def _to_memory(X: TableLike) -> TableLike:
    """Tables of other libraries as a DataFrame of pandas, and lists of rows as an array."""
    if isinstance(X, pd.DataFrame):
        return X
    if isinstance(X, list | tuple):
        return array_of(X)
    if converts_itself(X):
        return to_pandas(X)
    compute = getattr(X, "compute", None)
    if hasattr(X, "partitions") and compute is not None:  # Dask, whose arrays lose dtypes
        computed: pd.DataFrame = compute()
        return computed
    if type(X).__name__ == "LazyFrame":
        raise TypeError("X is a LazyFrame, which holds no rows yet. Pass X.collect() instead.")
    return X


def _check_objects(X: Array) -> Array | SparseTable:
    """Objects as numbers, but columns of dates and of durations as they are."""
    kinds = [kind_of(X[:, column]) for column in range(X.shape[1])]
    is_time = np.array([kind in {"dates", "durations"} for kind in kinds])
    if is_time.all():
        return X
    numbers = _check_numbers(X[:, ~is_time])
    if not is_time.any():
        return numbers
    X = X.copy()
    X[:, ~is_time] = np.asarray(numbers)
    return X


def _check_numbers(X: Array | SparseTable) -> Array | SparseTable:
    if isinstance(X, np.ndarray) and X.dtype.kind == "O":
        # NumPy reads neither NA nor NaT as a number.
        X = np.where(pd.isna(X), np.nan, X)
    try:
        numbers: Array | SparseTable = check_array(X, dtype="numeric", ensure_all_finite=False)
    except ValueError as error:
        raise ValueError(
            f"{str(error).rstrip('.')}. In an array, columns of strings are to be named in "
            "categorical_features; in a DataFrame they are recognized. If a text stands for a "
            "missing cell, write NaN instead."
        ) from error
    return numbers


def categorical_positions(X: Table, categorical_features: npt.ArrayLike | None) -> frozenset[int]:
    """Resolve ``categorical_features`` to the positions of the columns that it declares."""
    if categorical_features is None or isinstance(categorical_features, str):
        return frozenset()
    requested = np.asarray(categorical_features)
    n_features = X.shape[1]
    if requested.ndim != 1:
        raise ValueError(
            "categorical_features must be 'from_dtype', None, or a 1-d array-like of names, "
            f"indices or a boolean mask; got an array of shape {requested.shape}."
        )
    if requested.size == 0:
        return frozenset()
    if requested.dtype.kind == "b":
        if len(requested) != n_features:
            raise ValueError(
                "categorical_features set as a boolean mask must have shape (n_features,); "
                f"got {requested.shape} for {n_features} features."
            )
        return frozenset(np.flatnonzero(requested).tolist())
    if requested.dtype.kind in "iu":
        outside = requested[(requested < 0) | (requested >= n_features)]
        if outside.size:
            raise ValueError(
                "categorical_features set as integer indices must be in "
                f"[0, n_features - 1] = [0, {n_features - 1}]; got {outside.tolist()}."
            )
        return frozenset(requested.tolist())
    names = column_names(X) or []
    # As objects: names beside numbers would all become text.
    declared = np.asarray(categorical_features, dtype=object).tolist()
    unknown = [name for name in declared if name not in names]
    if unknown:
        raise ValueError(
            f"categorical_features names columns that X does not have: {unknown}. "
            f"The columns of X are {names}."
        )
    return frozenset(names.index(name) for name in declared)


@overload
def as_dense(X: pd.DataFrame) -> pd.DataFrame: ...


@overload
def as_dense(X: Array | SparseTable) -> Array: ...


def as_dense(X: Table) -> pd.DataFrame | Array:
    """A sparse matrix written out; any other table as it is."""
    return X if isinstance(X, pd.DataFrame | np.ndarray) else X.toarray()
