"""What a table may be: at an entrance, and once it is checked."""

import re
from collections.abc import Hashable, Sequence
from typing import Protocol, Self, TypeAlias, TypeGuard, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from pandas.api.extensions import ExtensionDtype

Array: TypeAlias = npt.NDArray[np.generic]
"""An array whose dtype is the user's."""

FloatArray: TypeAlias = npt.NDArray[np.float64]

NumberArray: TypeAlias = npt.NDArray[np.number]
"""Encoded cells, which are numbers or category codes."""

Mask: TypeAlias = npt.NDArray[np.bool_]


class DataFrameLike(Protocol):
    """A table of Polars or Arrow, which converts itself."""

    @property
    def shape(self) -> tuple[int, int]:
        """Return the number of rows and columns."""

    @property
    def columns(self) -> Sequence[object]:
        """Names of the columns, or the columns themselves."""

    def slice(self, offset: int, length: int) -> Self:
        """Return some rows."""

    def to_pandas(self) -> pd.DataFrame:
        """Return the table as a DataFrame of pandas."""


class ArrowColumn(Protocol):
    """What is used of a column of Arrow."""

    type: object

    def to_pandas(self, *, integer_object_nulls: bool) -> pd.Series:
        """Return the column as a Series, integers beside missing cells as objects."""


class SparseTable(Protocol):
    """What is used of :class:`scipy.sparse.csr_matrix`, since SciPy has no types."""

    shape: tuple[int, int]
    dtype: np.dtype[np.generic]
    data: FloatArray
    indices: npt.NDArray[np.int32]

    def __getitem__(self, key: object, /) -> Self:
        """Return some rows or columns."""

    def multiply(self, other: Self) -> Self:
        """Return the products of cells."""

    def sum(self) -> float:
        """Return the sum of all cells."""

    def tocsr(self) -> Self:
        """Return the matrix with its cells in the order of the rows."""

    def toarray(self) -> Array:
        """Return the matrix with its zeros written out."""


TableLike: TypeAlias = pd.DataFrame | DataFrameLike | npt.ArrayLike | sp.spmatrix | sp.sparray
"""What users pass as ``X``."""

Table: TypeAlias = pd.DataFrame | Array | SparseTable
"""A checked table: it keeps the column types that it came with."""

Values: TypeAlias = pd.Series | Array
"""Cells of one column."""

Name: TypeAlias = Hashable
"""Name of a column, or its position in a table without names."""

INTEGERS = re.compile(r"u?int\d+")
"""Names of Arrow's types of integers."""

Dtype: TypeAlias = np.dtype[np.generic] | ExtensionDtype


def is_sparse(X: object) -> TypeGuard[SparseTable]:
    """Whether a checked table is a sparse matrix."""
    return bool(sp.issparse(X))


def converts_itself(X: object) -> TypeGuard[DataFrameLike]:
    """Whether a table is one of Polars or Arrow."""
    return hasattr(X, "to_pandas") and not isinstance(X, pd.DataFrame)


def column_names(X: object) -> list[Name] | None:
    """Names of the columns of a table; None if they have none."""
    if isinstance(X, pd.DataFrame):
        # One of its columns can have the name of an attribute below.
        return list(X.columns)
    # The columns of Arrow are arrays, those of Polars are names.
    names = getattr(X, "column_names", getattr(X, "columns", None))
    return None if names is None else list(names)


def to_pandas(table: DataFrameLike) -> pd.DataFrame:
    """A table of Polars or Arrow as one of pandas, whose integers keep all their digits."""
    frame = table.to_pandas()
    # Tables of Arrow have columns by position, those of Polars have series.
    column_at = getattr(table, "column", None) or getattr(table, "to_series", None)
    for position, dtype in enumerate(frame.dtypes):
        # By themselves, tables turn integers with missing cells into doubles.
        if dtype == np.float64 and callable(column_at):
            integers = _integers_of(column_at(position))
            if integers is not None:
                frame.isetitem(position, integers.array)
    return frame


def _integers_of(column: object) -> pd.Series | None:
    """Integers of a column of Polars or Arrow; None if it holds something else."""
    cells = column.to_arrow() if hasattr(column, "to_arrow") else column
    kind = str(getattr(cells, "type", ""))
    if not INTEGERS.fullmatch(kind):
        return None
    integers = cast(ArrowColumn, cells).to_pandas(integer_object_nulls=True)
    nullable = kind.replace("uint", "UInt").replace("int", "Int")
    return integers.astype(pd.api.types.pandas_dtype(nullable))


def array_of(rows: Sequence[object]) -> Array:
    """A list of rows as an array, whose cells keep their types."""
    array: Array = np.asarray(rows)
    # NumPy reads all cells as text if one of them is text, and missing ones as "nan".
    return np.asarray(rows, dtype=object) if array.dtype.kind in "US" else array
