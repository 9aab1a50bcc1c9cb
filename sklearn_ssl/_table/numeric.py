"""Columns of numbers: their scale, their quantiles, and the way back."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api import types

from sklearn_ssl._table.kinds import IN_WORDS, example_of, is_missing, kind_of
from sklearn_ssl._table.types import Dtype, FloatArray, Name, NumberArray, Values

FARTHEST = 1e3
"""No cell of a table of a million rows is farther from the mean, in standard deviations."""

HEAVY_TAIL = 10.0
"""Kurtosis from which a column is mapped through its quantiles (3 for a normal distribution)."""

N_KNOTS = 256


@dataclass(frozen=True)
class NumericColumn:
    """Numbers, encoded in standard deviations from the mean.

    A heavy-tailed column is first mapped through its empirical quantiles to a normal distribution,
    interpolated between ``knots`` and ``normal_scores``; both are empty for other columns.
    """

    name: Name
    dtype: Dtype | None
    mean: float
    scale: float
    low: float
    high: float
    nullable: bool
    knots: FloatArray
    normal_scores: FloatArray

    n_features = 1

    def encode(self, values: Values) -> FloatArray:
        cells = as_float(values, self.name)
        if self.knots.size:
            cells = np.interp(cells, self.knots, self.normal_scores)
        return standardize(cells, self.mean, self.scale)

    def decode(self, cells: NumberArray) -> Values:
        with np.errstate(over="ignore"):
            values = cells.astype(np.float64) * self.scale + self.mean
        if self.knots.size:
            values = np.interp(values, self.normal_scores, self.knots)
        # A decoded value never leaves the range seen while fitting.
        return _restore_numbers(np.clip(values, self.low, self.high), self.dtype)

    def excess(self, values: Values) -> FloatArray:
        """How far numbers lie outside the range seen while fitting; 0 inside and if missing.

        The unit is the standard deviation. For a heavy-tailed column it is the width of the range:
        its deviation says little, and a new extreme a little beyond the last one is usual.
        """
        cells = as_float(values, self.name)
        unit = self.high - self.low if self.knots.size else self.scale
        with np.errstate(over="ignore"):  # infinity is clipped as any far value is
            nearest = np.clip(cells, self.low, self.high)
            distance = (cells - nearest) / unit
        return np.clip(np.nan_to_num(distance), -FARTHEST, FARTHEST)


def standardize(
    cells: FloatArray, mean: float | FloatArray, scale: float | FloatArray
) -> FloatArray:
    """Cells in standard deviations from the mean, of one column or of the last axis each."""
    with np.errstate(over="ignore"):  # infinity is clipped as any far value is
        return np.clip((cells - mean) / scale, -FARTHEST, FARTHEST)


@dataclass(frozen=True)
class BinaryColumn:
    """Booleans, or numbers that are all 0 or 1; encoded as they are."""

    name: Name
    dtype: Dtype | None
    nullable: bool
    holds_booleans: bool

    n_features = 1

    def encode(self, values: Values) -> FloatArray:
        return np.clip(as_float(values, self.name), -FARTHEST, FARTHEST)

    def decode(self, cells: NumberArray) -> Values:
        truth = cells > 0.5
        if self.holds_booleans:
            return truth if self.dtype is None else pd.Series(truth).astype(self.dtype)
        return _restore_numbers(truth.astype(np.float64), self.dtype)


def as_float(values: Values, name: Name) -> FloatArray:
    """Cells as float64, NaN if missing.

    Raises
    ------
    ValueError
        If a cell is infinite, or is no number.
    """
    # The bits of times would be read as numbers, NaT as a very small one.
    kind = kind_of(values) if _may_hold_times(values.dtype) else "numbers"
    if kind in {"dates", "durations", "complex", "missing"}:
        return _as_missing(values, name)
    try:
        cells = _to_float(values)
    except OverflowError as error:
        raise _out_of_range(name) from error
    except (TypeError, ValueError) as error:
        if kind_of(values) in {"dates", "durations", "complex"}:
            return _as_missing(values, name)
        raise ValueError(
            f"Column {name!r} must hold numbers, but {error}. If a text stands for a missing cell, "
            "write NaN instead, for instance with pandas.to_numeric(column, errors='coerce'). "
            "Declare it in categorical_features if it names categories."
        ) from error
    if np.isinf(cells).any():
        raise _out_of_range(name)
    return cells


def _may_hold_times(dtype: Dtype) -> bool:
    return dtype.kind in "mMc" or isinstance(dtype, pd.CategoricalDtype | pd.PeriodDtype)


def _to_float(values: Values) -> FloatArray:
    if not types.is_object_dtype(values.dtype):
        if isinstance(values, pd.Series):
            return values.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.asarray(values).astype(np.float64, copy=False)
    cells = np.asarray(values)
    missing = is_missing(cells)
    numbers = np.full(len(cells), np.nan)
    # float() reads decimals, integers of any size and text; a missing cell can be of any type.
    numbers[~missing] = [float(cell) for cell in cells[~missing]]
    return numbers


def _as_missing(values: Values, name: Name) -> FloatArray:
    """NaN for cells that are no numbers, which is right only if none is present."""
    kind = kind_of(values)
    if kind == "missing":
        return np.full(len(values), np.nan)
    raise ValueError(
        f"Column {name!r} must hold numbers, but it holds {IN_WORDS[kind]}, such as "
        f"{example_of(values)}. Convert it to numbers, or fit again on such a column."
    )


def _out_of_range(name: Name) -> ValueError:
    return ValueError(
        f"Input X contains infinity or a value too large for dtype('float64') in column "
        f"{name!r}. Replace it by a finite number, or by NaN to mark it as missing."
    )


def learn_numbers(
    name: Name, dtype: Dtype | None, present: FloatArray, nullable: bool
) -> NumericColumn:
    no_knots = np.empty(0)
    low = high = np.nan
    if present.size:
        low, high = float(present.min()), float(present.max())
    mean, scale, kurtosis = _moments(present)
    if kurtosis <= HEAVY_TAIL:
        return NumericColumn(name, dtype, mean, scale, low, high, nullable, no_knots, no_knots)
    knots, scores = _normal_quantiles(present)
    mean, scale, _ = _moments(np.interp(present, knots, scores))
    return NumericColumn(name, dtype, mean, scale, low, high, nullable, knots, scores)


def _moments(present: FloatArray) -> tuple[float, float, float]:
    """Mean, standard deviation and kurtosis; a constant column has scale 1 and no tails."""
    if not present.size:
        return 0.0, 1.0, 0.0
    largest = float(np.abs(present).max()) or 1.0
    unit = present / largest  # squares of large numbers would overflow
    mean = float(unit.mean())
    squares = (unit - mean) ** 2
    variance = float(np.mean(squares))
    scale = float(np.sqrt(variance)) * largest
    # Rounding alone gives a column a variance of the order of this.
    if variance <= (10 * np.finfo(np.float64).eps) ** 2 or scale == 0:
        return mean * largest, 1.0, 0.0
    kurtosis = float(np.mean((squares / variance) ** 2))  # a fourth power takes eight times as long
    return mean * largest, scale, kurtosis


def _normal_quantiles(present: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Knots of the map from a column's quantiles to those of a normal distribution."""
    from scipy.special import ndtri

    ordered = np.sort(present)
    n_knots = min(N_KNOTS, len(ordered))
    ranks = np.linspace(0, len(ordered) - 1, n_knots).astype(int)
    ranks = np.unique(ranks)
    knots = np.unique(ordered[ranks])
    # Equal values share the middle of their ranks, so that an inflated zero stays in the middle.
    below = np.searchsorted(ordered, knots, side="left")
    upto = np.searchsorted(ordered, knots, side="right")
    shares = (below + upto) / (2 * len(ordered))
    return knots, ndtri(shares)


def _restore_numbers(values: FloatArray, dtype: Dtype | None) -> Values:
    """Numbers as a Series of the column's own dtype, or as they are for an array."""
    if dtype is None:
        return values
    if types.is_integer_dtype(dtype) and not np.isnan(values).any():
        values = np.rint(np.clip(values, *range_of_integers(dtype)))
    return pd.Series(values).astype(dtype)


def range_of_integers(dtype: Dtype) -> tuple[float, float]:
    """The least and the largest double that a dtype of integers holds."""
    kind = dtype.subtype if isinstance(dtype, pd.SparseDtype) else dtype
    limits = np.iinfo(getattr(kind, "numpy_dtype", kind))
    largest = float(limits.max)
    # The largest integers of 64 bits round up to a double that their dtype does not hold.
    holds_largest = int(largest) <= limits.max
    return float(limits.min), largest if holds_largest else float(np.nextafter(largest, 0))
