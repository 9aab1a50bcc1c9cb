"""A table that comes in parts, regrouped into parts of another size."""

from collections.abc import Iterable, Iterator
from typing import TypeAlias, TypeGuard

import numpy as np
import pandas as pd
import scipy.sparse as sp
from pandas.api.types import union_categoricals

from sklearn_ssl._compat import num_samples
from sklearn_ssl._table.types import (
    Array,
    DataFrameLike,
    Name,
    SparseTable,
    Table,
    TableLike,
    array_of,
    column_names,
    converts_itself,
    is_sparse,
    to_pandas,
)

Part: TypeAlias = pd.DataFrame | DataFrameLike | Array | SparseTable
"""A table of a stream."""


def buffers(tables: Iterable[TableLike], size: int) -> Iterator[Table]:
    """Regroup the rows of tables into tables of ``size`` rows and a last one of at most as many.

    Raises
    ------
    TypeError
        If ``tables`` is a table, or holds something else.

    ValueError
        If a table has other columns than the first one.
    """
    if _is_table(tables):
        raise TypeError(
            "A stream must be an iterable of tables, and it is a single table, of type "
            f"{type(tables).__name__}. Use fit, or pass [X]."
        )
    if not isinstance(tables, Iterable):
        raise TypeError(
            "A callable that opens a stream must return an iterable of tables; got "
            f"{type(tables).__name__}. Does it return or yield the tables?"
        )
    held: list[Table] = []
    n_held = 0
    first: list[Name] | int | None = None
    for number, table in enumerate(tables, start=1):
        table = array_of(table) if isinstance(table, list | tuple) else table
        if not _is_table(table):
            raise TypeError(
                f"Part {number} of the stream must be a DataFrame, an array, a sparse matrix or a "
                f"record batch with rows and columns; got {type(table).__name__}. To read a file, "
                "pass a callable that opens it: lambda: pandas.read_csv(path, chunksize=10_000)."
            )
        names = _columns_of(table)
        first = names if first is None else first
        _check_same(first, names, number)
        # A table larger than what is lacking is cut into several parts.
        start = 0
        n_rows = num_samples(table)
        while start < n_rows:
            n_new = min(size - n_held, n_rows - start)
            held.append(_slice(table, start, n_new))
            start += n_new
            n_held += n_new
            if n_held == size:
                yield _concatenate(held)
                held = []
                n_held = 0
    if held:
        yield _concatenate(held)


def _is_table(part: object) -> TypeGuard[Part]:
    return hasattr(part, "to_pandas") or len(getattr(part, "shape", ())) == 2


def _columns_of(table: Part) -> list[Name] | int:
    """Names of the columns, or their number if they have none."""
    names = column_names(table)
    return table.shape[1] if names is None else names


def _check_same(first: list[Name] | int, names: list[Name] | int, number: int) -> None:
    """Parts joined in spite of other columns would be half empty."""
    if names == first:
        return
    if isinstance(first, int) or isinstance(names, int):
        raise ValueError(
            f"Part {number} of the stream has {_described(names)}, and the first part has "
            f"{_described(first)}. All parts must have the same columns."
        )
    missing = [name for name in first if name not in names]
    unseen = [name for name in names if name not in first]
    how = (
        f"it lacks {missing} and has {unseen} besides" if missing or unseen else "in another order"
    )
    raise ValueError(
        f"The feature names of part {number} of the stream should match those of the first part: "
        f"{how}. Rename the columns, or choose them by part[{first}]."
    )


def _described(names: list[Name] | int) -> str:
    return f"{names} columns without names" if isinstance(names, int) else f"the columns {names}"


def _slice(table: Part, start: int, n_rows: int) -> Table:
    """Some rows of a table; of Arrow and Polars only these are converted to pandas."""
    rows = slice(start, start + n_rows)
    if isinstance(table, pd.DataFrame):
        return table.iloc[rows]
    if converts_itself(table):
        return to_pandas(table.slice(start, n_rows))
    # Of the sparse formats, not all can be sliced by rows.
    return table.tocsr()[rows] if is_sparse(table) else np.asarray(table)[rows]


def _concatenate(parts: list[Table]) -> Table:
    if len(parts) == 1:
        return parts[0]
    if _are_frames(parts):
        return _concatenate_frames(parts)
    if is_sparse(parts[0]):
        stacked: SparseTable = sp.vstack(parts, format="csr")
        return stacked
    return np.concatenate([np.asarray(part) for part in parts])


def _are_frames(parts: list[Table]) -> TypeGuard[list[pd.DataFrame]]:
    return all(isinstance(part, pd.DataFrame) for part in parts)


def _concatenate_frames(frames: list[pd.DataFrame]) -> pd.DataFrame:
    # pandas compares attributes, of which arrays have no one answer.
    parts = [part if not part.attrs else _without_attributes(part) for part in frames]
    frame = pd.concat(parts, ignore_index=True)
    for name in frame.columns:
        columns = [part[name] for part in parts if name in part]
        is_category = all(isinstance(c.dtype, pd.CategoricalDtype) for c in columns)
        # Categories that differ from part to part would be merged into numbers or objects.
        if is_category and not isinstance(frame[name].dtype, pd.CategoricalDtype):
            frame[name] = union_categoricals(columns, ignore_order=True)
    return frame


def _without_attributes(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy(deep=False)
    frame.attrs = {}
    return frame
