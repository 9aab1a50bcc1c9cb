"""A table that comes in parts, regrouped into parts of another size."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from pandas.api.types import union_categoricals

from sklearn_ssl._compat import num_samples


def buffers(tables: Iterable[Any], size: int) -> Iterator[Any]:
    """Regroup the rows of tables into tables of ``size`` rows and a last one of at most as many."""
    held: list[Any] = []
    n_held = 0
    for table in tables:
        start, n_rows = 0, num_samples(table)
        while start < n_rows:
            part = _slice(table, start, min(size - n_held, n_rows - start))
            held.append(part)
            start, n_held = start + num_samples(part), n_held + num_samples(part)
            if n_held == size:
                yield _concatenate(held)
                held, n_held = [], 0
    if held:
        yield _concatenate(held)


def _slice(table: Any, start: int, n_rows: int) -> Any:
    """Some rows of a table; of Arrow and Polars only these are converted to pandas."""
    rows = slice(start, start + n_rows)
    if isinstance(table, pd.DataFrame):
        return table.iloc[rows]
    if hasattr(table, "to_pandas"):
        return table.slice(start, n_rows).to_pandas()
    return table.tocsr()[rows] if hasattr(table, "tocsr") else np.asarray(table)[rows]


def _concatenate(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    if not isinstance(parts[0], pd.DataFrame):
        return sp.vstack(parts, format="csr") if sp.issparse(parts[0]) else np.concatenate(parts)
    frame = pd.concat(parts, ignore_index=True)
    for name in frame.columns:
        columns = [part[name] for part in parts if name in part]
        is_category = all(isinstance(c.dtype, pd.CategoricalDtype) for c in columns)
        # Categories that differ from part to part would be merged into numbers or objects.
        if is_category and not isinstance(frame[name].dtype, pd.CategoricalDtype):
            frame[name] = union_categoricals(columns, ignore_order=True)
    return frame
