"""Names of what an encoded table holds, in the words of the table."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from sklearn_ssl._table.column import CategoryColumn
from sklearn_ssl._table.dates import DatetimeColumn
from sklearn_ssl._table.encoder import TableEncoder


def written_names(encoder: TableEncoder, most_codes: int) -> list[str]:
    """Names of the columns of a row written out: numbers, missingness, one-hot categories.

    Parameters
    ----------
    encoder : TableEncoder
        Fitted.

    most_codes : int
        Categorical features with more codes are not written out.

    Returns
    -------
    names : list of str
        ``age``, ``age missing``, ``occupation=Sales``.
    """
    schema, names = encoder.schema_, feature_names(encoder)
    numbers = names[: schema.n_numeric]
    missing = [
        f"{name} missing"
        for name, nullable in zip(numbers, schema.nullable, strict=True)
        if nullable
    ]
    one_hot = []
    # Names and order have one entry per feature; numeric ones are passed over.
    for name, position in zip(names, encoder.order_, strict=True):
        column = encoder.columns_[position]
        if isinstance(column, CategoryColumn) and column.n_codes <= most_codes:
            one_hot += [f"{name}{code}" for code in _code_names(column)]
    return [*numbers, *missing, *one_hot]


def bin_names(encoder: TableEncoder, features: Iterable[int], starts: Iterable[float]) -> list[str]:
    """Names of the quantile bins that begin at encoded numbers, such as ``age>37``."""
    names = feature_names(encoder)
    return [
        f"{names[feature]}>{_in_own_scale(encoder, feature, start)}"
        for feature, start in zip(features, starts, strict=True)
    ]


def feature_names(encoder: TableEncoder) -> list[str]:
    """Names of the features of the schema; columns of arrays are called ``x0``, ``x1``, ..."""
    # The features of a column stand side by side, so each column is named once, in their order.
    positions = dict.fromkeys(encoder.order_.tolist())
    return [name for position in positions for name in _names_of(encoder, position)]


def _names_of(encoder: TableEncoder, position: int) -> list[str]:
    """Names of the features of a column; those of a date are its cyclic parts."""
    column = encoder.columns_[position]
    name = str(column.name) if encoder.is_frame_ else f"x{column.name}"
    names = [name]
    if isinstance(column, DatetimeColumn):
        for cycle in column.cycles:
            names += [f"{name} {cycle} sin", f"{name} {cycle} cos"]
    return names


def _code_names(column: CategoryColumn) -> list[str]:
    return [" missing", " infrequent", *(f"={category}" for category in column.categories)]


def _in_own_scale(encoder: TableEncoder, feature: int, start: float) -> str:
    """An encoded number as the column has it; cyclic parts have no other scale."""
    position = encoder.order_[feature]
    is_first = feature == 0 or encoder.order_[feature - 1] != position
    if not is_first:
        return f"{start:.4g}"
    column = encoder.columns_[position]
    (value,) = pd.Series(column.decode(np.array([start])))
    return f"{value:.6g}" if isinstance(value, float) else str(value)
