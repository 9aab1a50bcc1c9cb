"""What a table is to a network: numbers, category codes and missing cells, learned once."""

from collections.abc import Iterator
from typing import TypeGuard

import numpy as np
import numpy.typing as npt
import pandas as pd

from sklearn_ssl._compat import num_samples
from sklearn_ssl._table.column import CategoryColumn, Column, EmptyColumn, learn_column
from sklearn_ssl._table.conform import conform, is_settled
from sklearn_ssl._table.dates import DatetimeColumn, DurationColumn
from sklearn_ssl._table.numeric import BinaryColumn, NumericColumn, standardize
from sklearn_ssl._table.schema import Schema
from sklearn_ssl._table.types import (
    Array,
    FloatArray,
    Name,
    NumberArray,
    SparseTable,
    Table,
    Values,
    is_sparse,
)
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
        Position in the table of each feature of the schema. Dates have several features, which
        stand side by side.
    """

    def __init__(
        self,
        *,
        categorical_features: npt.ArrayLike | None,
        max_categories: int | None,
        min_frequency: int,
    ) -> None:
        self.categorical_features = categorical_features
        self.max_categories = max_categories
        self.min_frequency = min_frequency

    def fit(self, X: Table) -> "TableEncoder":
        """Learn kinds, units, categories and missingness of the columns of a checked table."""
        declared = categorical_positions(X, self.categorical_features)
        self.is_frame_ = isinstance(X, pd.DataFrame)
        self.columns_: list[Column] = [
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
        numeric = {
            position: column
            for position, column in enumerate(self.columns_)
            if not isinstance(column, CategoryColumn)
        }
        # Equal cardinalities side by side: their cross-entropies are then one operation.
        categorical = sorted(
            (column.n_codes, position)
            for position, column in enumerate(self.columns_)
            if isinstance(column, CategoryColumn)
        )
        widths = [column.n_features for column in numeric.values()]
        positions = np.repeat(list(numeric), widths).tolist()
        positions += [position for _, position in categorical]
        self.order_ = np.array(positions, dtype=np.intp)  # (n_features,)
        leads: list[int] = []
        # Only dates have several features. All others are their own leads, which goes without
        # saying: corruptions need not gather anything then.
        if len(self.order_) > len(self.columns_):
            leads = self._first_features()[self.order_].tolist()
        is_binary = [isinstance(column, BinaryColumn) for column in numeric.values()]
        is_nullable = [column.nullable for column in numeric.values()]
        self.schema_ = Schema(
            binary=_by_feature(widths, is_binary),
            nullable=_by_feature(widths, is_nullable),
            cardinalities=tuple(n_codes for n_codes, _ in categorical),
            leads=tuple(leads),
        )
        return self

    def transform(self, X: Table) -> EncodedTable:
        """Encode a checked table.

        Returns
        -------
        numeric : ndarray of shape (n_samples, n_numeric), float32
            In the units of the encoding; NaN if missing.

        codes : ndarray of shape (n_samples, n_categorical), int32
            Category codes.
        """
        n_rows = num_samples(X)
        n_numeric = self.schema_.n_numeric
        numeric = np.empty((n_rows, n_numeric), dtype=np.float32)
        codes = np.empty((n_rows, self.schema_.n_categorical), dtype=np.int32)
        written = self._encode_at_once(X, numeric)
        rest = [
            (position, feature)
            for position, feature in enumerate(self._first_features())
            if feature not in written
        ]
        if not rest:
            return numeric, codes
        for rows in _blocks(n_rows, ROWS_PER_BLOCK):
            block = X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]
            columns = [values for _, values in _columns(block)]
            for position, feature in rest:
                column = self.columns_[position]
                cells = column.encode(columns[position])
                if isinstance(column, CategoryColumn):
                    codes[rows, feature - n_numeric] = cells
                else:
                    features = slice(feature, feature + column.n_features)
                    # Dates come with an axis of features, all others without.
                    numeric[rows, features] = cells.reshape(len(cells), -1)
        return numeric, codes

    def excess(self, X: Table, numeric: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """How far the numbers of a table lie outside the ranges seen while fitting.

        Parameters
        ----------
        X : {DataFrame, ndarray, csr_matrix} of shape (n_samples, n_features)
            A checked table.

        numeric : ndarray of shape (n_samples, n_numeric), float32
            What ``transform`` returned for it.

        Returns
        -------
        excess : ndarray of shape (n_samples, n_numeric), float32
            Negative below a range, positive above it, 0 within it and if missing.
        """
        low, high = self.ranges()  # (n_numeric,) each
        excess = np.nan_to_num(numeric - np.clip(numeric, low, high))
        first = self._first_features()
        for position, column in enumerate(self.columns_):
            # The quantiles of a heavy-tailed column end at its extremes: only its cells show.
            if _is_heavy_tailed(column):
                excess[:, first[position]] = column.excess(_column(X, position))
        return excess

    def ranges(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Least and largest encoded number seen while fitting, of shape (n_numeric,) each.

        The cyclic parts of a date, and columns of which nothing was learned, have no limits.
        """
        low = np.full(self.schema_.n_numeric, -np.inf, dtype=np.float32)
        high = -low
        # Of a date, only the first feature, its elapsed time, gets limits.
        for feature, column in zip(self._first_features(), self.columns_, strict=True):
            if isinstance(column, BinaryColumn):
                low[feature], high[feature] = 0, 1
            elif (numbers := _numbers_of(column)) is not None:
                ends = np.array([numbers.low, numbers.high])
                low[feature], high[feature] = numbers.encode(ends)
        return low, high

    def _first_features(self) -> npt.NDArray[np.intp]:
        """First feature of each column of the table."""
        # np.unique returns positions in ascending order, which is the order of the table.
        return np.unique(self.order_, return_index=True)[1]

    def _encode_at_once(self, X: Table, numeric: npt.NDArray[np.float32]) -> frozenset[int]:
        """Write the numbers of an array that need other units only; return their features.

        An array holds rows side by side: read column by column, it takes six times as long.
        """
        if isinstance(X, pd.DataFrame) or X.dtype.kind not in "fiu":
            return frozenset()
        features, means, scales = [], [], []
        for feature, position in enumerate(self.order_):
            column = self.columns_[position]
            # Heavy-tailed columns need an interpolation of their own.
            if isinstance(column, NumericColumn) and not column.knots.size:
                features.append(feature)
                means.append(column.mean)
                scales.append(column.scale)
        if not features:
            return frozenset()
        positions = self.order_[features]
        mean, scale = np.array(means), np.array(scales)
        rows_per_block = max(CELLS_IN_CACHE // len(self.order_), 1)
        for rows in _blocks(num_samples(X), rows_per_block):
            cells = as_dense(X[rows])[:, positions].astype(np.float64)
            # An error is to name the column: reading one column at a time does.
            if np.isinf(cells).any():
                return frozenset()
            numeric[rows, features] = standardize(cells, mean, scale)
        return frozenset(features)

    def inverse_transform(
        self, numeric: NumberArray, codes: NumberArray, index: pd.Index | None = None
    ) -> Table:
        """Decode arrays into a table with the columns, dtypes and units seen while fitting."""
        # In the order of the schema, an array of shape (n_samples,) each.
        encoded = [*numeric.T, *codes.T]
        # The first feature of a column says what it holds; others of a date follow from it.
        decoded = [
            column.decode(encoded[feature])
            for column, feature in zip(self.columns_, self._first_features(), strict=True)
        ]
        if self.is_frame_:
            series = {i: pd.Series(values, copy=False) for i, values in enumerate(decoded)}
            frame = pd.concat(series, axis=1)
            # Only now: concat would turn names that are tuples into levels.
            frame.columns = pd.Index([column.name for column in self.columns_])
            return frame if index is None else frame.set_axis(index, axis=0)
        are_numbers = all(
            isinstance(column, NumericColumn | BinaryColumn | EmptyColumn)
            for column in self.columns_
        )
        if are_numbers:
            numbers: FloatArray = np.column_stack(decoded).astype(np.float64)
            return numbers
        kinds = {np.asarray(values).dtype.kind for values in decoded}
        # NumPy would read dates beside anything else as integers.
        if len(kinds) > 1:
            decoded = [np.asarray(values, dtype=object) for values in decoded]
        return np.column_stack(decoded)

    def conform(self, X: Table) -> Table:
        """Check that a later table holds what the table of ``fit`` did, column by column.

        Returns
        -------
        X : {DataFrame, ndarray, csr_matrix} of shape (n_samples, n_features)
            The same table, or a copy in which columns of another kind were converted, which is
            warned of.

        Raises
        ------
        ValueError
            If a column holds what cannot be converted.
        """
        converted = {}
        for position in self._unsettled(X):
            values = _column(X, position)
            conformed = conform(self.columns_[position], values)
            if conformed is not values:
                converted[position] = conformed
        return _replaced(X, converted) if converted else X

    def _unsettled(self, X: Table) -> list[int]:
        """Positions of the columns whose kind only the cells show, not the dtype."""
        if isinstance(X, pd.DataFrame):
            columns = enumerate(zip(self.columns_, X.dtypes, strict=True))
            return [
                position for position, (column, dtype) in columns if not is_settled(column, dtype)
            ]
        if X.dtype.kind not in "biuf":
            return list(range(len(self.columns_)))
        # An array has one dtype, so all that is left to see is whether zeros and ones stayed so.
        outside = _outside_zero_one(X, self.columns_)
        return [
            position
            for position, column in enumerate(self.columns_)
            if position in outside or not isinstance(column, NumericColumn | BinaryColumn)
        ]


def _numbers_of(column: Column) -> NumericColumn | None:
    """The numbers that a column is encoded by, unless they are zeros and ones."""
    if isinstance(column, DatetimeColumn | DurationColumn):
        return column.elapsed
    return column if isinstance(column, NumericColumn) else None


def _is_heavy_tailed(
    column: Column,
) -> TypeGuard[NumericColumn | DatetimeColumn | DurationColumn]:
    numbers = _numbers_of(column)
    return numbers is not None and numbers.knots.size > 0


def _by_feature(widths: list[int], flags: list[bool]) -> tuple[bool, ...]:
    """What is so of a column is so of its first feature only."""
    return tuple(
        flag and not feature
        for width, flag in zip(widths, flags, strict=True)
        for feature in range(width)
    )


def _outside_zero_one(X: Array | SparseTable, columns: list[Column]) -> set[int]:
    """Positions of columns of 0 and 1 with other cells in a table of numbers."""
    positions = [i for i, column in enumerate(columns) if isinstance(column, BinaryColumn)]
    if not positions:
        return set()
    if is_sparse(X):
        # Cells that are not stored are zeros.
        is_outside = (X.data < 0) | (X.data > 1)
        return set(positions) & set(X.indices[is_outside].tolist())
    numbers: NumberArray = np.asarray(X)
    outside = np.zeros(len(positions), dtype=bool)
    for rows in _blocks(len(numbers), ROWS_PER_BLOCK):
        cells = numbers[rows]
        # Picking columns copies the block.
        if len(positions) < X.shape[1]:
            cells = cells[:, positions]
        is_outside = (cells < 0) | (cells > 1)
        if is_outside.any():
            outside |= is_outside.any(axis=0)
    return set(np.array(positions)[outside].tolist())


def _replaced(X: Table, columns: dict[int, Values]) -> Table:
    """A copy of a table with some of its columns replaced."""
    if isinstance(X, pd.DataFrame):
        X = X.copy(deep=False)
        for position, values in columns.items():
            # Without its index: that of a converted column need not be the table's.
            X.isetitem(position, values.array if isinstance(values, pd.Series) else values)
        return X
    X = as_dense(X).astype(object)
    for position, values in columns.items():
        X[:, position] = np.asarray(values, dtype=object)
    return X


def _column(X: Table, position: int) -> Values:
    if isinstance(X, pd.DataFrame):
        return X.iloc[:, position]
    return as_dense(X[:, [position]])[:, 0]


def _blocks(n_rows: int, size: int) -> Iterator[slice]:
    # scikit-learn's gen_batches checks its arguments for as long as a row takes to encode.
    yield from (slice(start, start + size) for start in range(0, n_rows, size))


def _columns(X: Table) -> Iterator[tuple[Name, Values]]:
    """Pairs of a column's name and its values."""
    if isinstance(X, pd.DataFrame):
        yield from X.items()
        return
    X = as_dense(X)
    for position in range(X.shape[1]):
        yield position, X[:, position]
