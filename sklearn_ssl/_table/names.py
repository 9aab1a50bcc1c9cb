"""Names of what an encoded table holds, in the words of the table."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from sklearn_ssl._table.column import CategoryColumn
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
    one_hot = [
        f"{name}{code}"
        for name, position in zip(names, encoder.order_, strict=True)
        if isinstance(column := encoder.columns_[position], CategoryColumn)
        if column.n_codes <= most_codes
        for code in _code_names(column)
    ]
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
    columns = [encoder.columns_[position] for position in encoder.order_]
    return [f"x{c.name}" if not encoder.is_frame_ else str(c.name) for c in columns]


def _code_names(column: CategoryColumn) -> list[str]:
    return [" missing", " infrequent", *(f"={category}" for category in column.categories)]


def _in_own_scale(encoder: TableEncoder, feature: int, start: float) -> str:
    column = encoder.columns_[encoder.order_[feature]]
    (value,) = pd.Series(column.decode(np.array([start])))
    return f"{value:.6g}" if isinstance(value, float) else str(value)
