"""What a table is to a network: numbers, category codes and missing cells, learned once."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sklearn_ssl._compat import num_samples
from sklearn_ssl._table.column import (
    BinaryColumn,
    CategoryColumn,
    NumericColumn,
    learn_column,
    standardize,
)
from sklearn_ssl._table.schema import Schema
from sklearn_ssl._table.validation import as_dense, categorical_positions

EncodedTable = tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]

ROWS_PER_BLOCK = 8192
"""Blocks of rows bound the memory that conversions need beside the encoded table."""

CELLS_IN_CACHE = 65_536
"""Cells of an array that are converted at a time."""


class TableEncoder:
    """Turn tables into the arrays that networks read, and back.

    Parameters
    ----------
    categorical_features : "from_dtype", None or array-like
        See :class:`sklearn_ssl.DenoisingAutoencoder`.

    max_categories : int or None
        Codes that a categorical feature can have besides the reserved ones.

    min_frequency : int
        Categories that occur in fewer rows share one code.

    Attributes
    ----------
    columns_ : list of Column
        What was learned of each column, in the order of the table.

    schema_ : Schema
        The features of the encoded table.

    order_ : ndarray of shape (n_features,)
        Position in the table of each feature of the schema.
    """

    def __init__(self, *, categorical_features, max_categories, min_frequency):
        self.categorical_features = categorical_features
        self.max_categories = max_categories
        self.min_frequency = min_frequency

    def fit(self, X: Any) -> "TableEncoder":
        """Learn kinds, units, categories and missingness of the columns of a checked table."""
        declared = categorical_positions(X, self.categorical_features)
        self.is_frame_ = isinstance(X, pd.DataFrame)
        self.columns_: list[Any] = [
            learn_column(
                name,
                values,
                declared_categorical=position in declared,
                from_dtype=isinstance(self.categorical_features, str),
                max_categories=self.max_categories,
                min_frequency=self.min_frequency,
            )
            for position, (name, values) in enumerate(_columns(X))
        ]
        numeric = [i for i, c in enumerate(self.columns_) if not isinstance(c, CategoryColumn)]
        # Equal cardinalities side by side: their cross-entropies are then one operation.
        categorical = sorted(
            (i for i, c in enumerate(self.columns_) if isinstance(c, CategoryColumn)),
            key=lambda i: self.columns_[i].n_codes,
        )
        self.order_ = np.array(numeric + categorical, dtype=np.intp)
        self.schema_ = Schema(
            binary=tuple(isinstance(self.columns_[i], BinaryColumn) for i in numeric),
            nullable=tuple(self.columns_[i].nullable for i in numeric),
            cardinalities=tuple(self.columns_[i].n_codes for i in categorical),
        )
        return self

    def transform(self, X: Any) -> EncodedTable:
        """Encode a checked table.

        Returns
        -------
        numeric : ndarray of shape (n_samples, n_numeric), float32
            In the units of the encoding; NaN where missing.

        codes : ndarray of shape (n_samples, n_categorical), int32
            Category codes.
        """
        n_rows, n_numeric = num_samples(X), self.schema_.n_numeric
        numeric = np.empty((n_rows, n_numeric), dtype=np.float32)
        codes = np.empty((n_rows, self.schema_.n_categorical), dtype=np.int32)
        written = self._encode_at_once(X, numeric)
        rest = [feature for feature in range(len(self.order_)) if feature not in written]
        for rows in _blocks(n_rows if rest else 0, ROWS_PER_BLOCK):
            block = list(_columns(X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]))
            for feature in rest:
                position = self.order_[feature]
                cells = self.columns_[position].encode(block[position][1])
                if feature < n_numeric:
                    numeric[rows, feature] = cells
                else:
                    codes[rows, feature - n_numeric] = cells
        return numeric, codes

    def _encode_at_once(self, X: Any, numeric: npt.NDArray[np.float32]) -> frozenset[int]:
        """Write the numbers of an array that need other units only; return their features.

        An array holds rows side by side: read column by column, it takes six times as long.
        """
        if isinstance(X, pd.DataFrame) or X.dtype.kind not in "fiu":
            return frozenset()
        units = {
            feature: (column.mean, column.scale)
            for feature, column in enumerate(self.columns_[position] for position in self.order_)
            if isinstance(column, NumericColumn) and not column.knots.size
        }
        if not units:
            return frozenset()
        features, (mean, scale) = list(units), np.array(list(units.values())).T
        for rows in _blocks(num_samples(X), max(CELLS_IN_CACHE // len(self.order_), 1)):
            cells = as_dense(X[rows])[:, self.order_[features]].astype(np.float64)
            if np.isinf(cells).any():  # the column is named where they are read one by one
                return frozenset()
            numeric[rows, features] = standardize(cells, mean, scale)
        return frozenset(units)

    def inverse_transform(self, numeric: npt.NDArray, codes: npt.NDArray, index=None) -> Any:
        """Decode arrays into a table with the columns, dtypes and units seen while fitting."""
        encoded = [*numeric.T, *codes.T]
        feature_of = np.argsort(self.order_)
        decoded = [c.decode(encoded[feature_of[i]]) for i, c in enumerate(self.columns_)]
        if self.is_frame_:
            names = pd.Index([c.name for c in self.columns_])
            frame = pd.concat(dict(enumerate(decoded)), axis=1)
            frame.columns = names
            return frame if index is None else frame.set_axis(index, axis=0)
        if all(isinstance(c, NumericColumn | BinaryColumn) for c in self.columns_):
            return np.column_stack(decoded).astype(np.float64)
        return np.column_stack(decoded)


def _blocks(n_rows: int, size: int) -> Iterator[slice]:
    # scikit-learn's gen_batches checks its arguments for as long as a row takes to encode.
    yield from (slice(start, start + size) for start in range(0, n_rows, size))


def _columns(X: Any) -> Iterator[tuple[Any, Any]]:
    """Pairs of a column's name and its values."""
    if isinstance(X, pd.DataFrame):
        yield from X.items()
        return
    X = as_dense(X)
    for position in range(X.shape[1]):
        yield position, X[:, position]
