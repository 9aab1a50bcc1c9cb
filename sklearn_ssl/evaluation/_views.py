"""Disturbed copies of rows, made in the table itself so that any transformer can be asked."""

import numpy as np
import pandas as pd

from sklearn_ssl._table.types import TableLike
from sklearn_ssl.evaluation._types import is_polars


def swap_cells(X: TableLike, rate: float, rng: np.random.RandomState) -> TableLike:
    """Replace a share of the cells by those of the same column in other rows.

    Columns keep their type, and each its distribution but for chance.
    """
    donors = np.argsort(rng.random_sample(np.shape(X)), axis=0)
    own = np.arange(len(donors))[:, None]
    source = np.where(rng.random_sample(donors.shape) < rate, donors, own)
    if isinstance(X, pd.DataFrame):
        columns = [
            X.iloc[:, j].take(source[:, j]).set_axis(X.index) for j in range(source.shape[1])
        ]
        return pd.concat(columns, axis=1)
    if is_polars(X):
        swapped = [X[:, j].gather(source[:, j]) for j in range(source.shape[1])]
        return X.with_columns(*swapped)
    return np.take_along_axis(np.asarray(X), source, axis=0)
