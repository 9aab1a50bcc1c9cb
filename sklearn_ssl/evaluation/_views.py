"""Disturbed copies of rows, made in the table itself so that any transformer can be asked."""

from typing import Any

import numpy as np
import pandas as pd


def swap_cells(X: Any, rate: float, rng: np.random.RandomState) -> Any:
    """Replace a share of the cells by those of the same column in other rows.

    Columns keep their type, and each its distribution but for chance.
    """
    donors = np.argsort(rng.random_sample(np.shape(X)), axis=0)
    own = np.arange(len(donors))[:, None]
    source = np.where(rng.random_sample(donors.shape) < rate, donors, own)
    if hasattr(X, "iloc"):
        columns = [
            X.iloc[:, j].take(source[:, j]).set_axis(X.index) for j in range(source.shape[1])
        ]
        return pd.concat(columns, axis=1)
    if hasattr(X, "with_columns"):
        return X.with_columns(*(X[:, j].gather(source[:, j]) for j in range(source.shape[1])))
    return np.take_along_axis(np.asarray(X), source, axis=0)
