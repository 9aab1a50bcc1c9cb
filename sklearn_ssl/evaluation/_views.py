"""Disturbed copies of rows, made in the table itself so that any transformer can be asked."""

import numpy as np
import pandas as pd

from sklearn_ssl._table.types import TableLike
from sklearn_ssl.evaluation._types import is_polars


def swap_cells(X: TableLike, rate: float, rng: np.random.RandomState) -> TableLike:
    """Replace a share of the cells by those of the same column in other rows.

    Columns keep their type, and each its distribution but for chance.
    """
    # Sorted random numbers are a permutation of the rows for each column.
    donors = np.argsort(rng.random_sample(np.shape(X)), axis=0)
    own = np.arange(len(donors))[:, None]
    is_swapped = rng.random_sample(donors.shape) < rate
    source = np.where(is_swapped, donors, own)
    if isinstance(X, pd.DataFrame):
        columns = []
        for place, rows in enumerate(source.T):
            taken = X.iloc[:, place].take(rows)
            columns.append(taken.set_axis(X.index))
        return pd.concat(columns, axis=1)
    if is_polars(X):
        swapped = []
        for place, rows in enumerate(source.T):
            swapped.append(X[:, place].gather(rows))
        return X.with_columns(*swapped)
    return np.take_along_axis(np.asarray(X), source, axis=0)
