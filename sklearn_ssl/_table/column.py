"""One column of a table: its kind, its units, its categories."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from sklearn_ssl._table.schema import INFREQUENT, MISSING, N_RESERVED

FARTHEST = 1e3
"""No cell of a table of a million rows is farther from the mean, in standard deviations."""

HEAVY_TAIL = 10.0
"""Kurtosis from which a column is mapped through its quantiles (3 for a normal distribution)."""

N_KNOTS = 256

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NumericColumn:
    """Numbers, encoded in standard deviations from the mean.

    A heavy-tailed column first passes through its empirical quantiles to a normal distribution,
    interpolated between ``knots`` and ``normal_scores``; both are empty for other columns.
    """

    name: Any
    dtype: Any
    mean: float
    scale: float
    low: float
    high: float
    nullable: bool
    knots: FloatArray
    normal_scores: FloatArray

    def encode(self, values: Any) -> FloatArray:
        cells = as_float(values, self.name)
        if self.knots.size:
            cells = np.interp(cells, self.knots, self.normal_scores)
        return standardize(cells, self.mean, self.scale)

    def decode(self, cells: npt.NDArray) -> Any:
        with np.errstate(over="ignore"):
            values = cells.astype(np.float64) * self.scale + self.mean
        if self.knots.size:
            values = np.interp(values, self.normal_scores, self.knots)
        # A decoded value never leaves the range seen while fitting; where there was none, it is
        # missing.
        return _restore_numbers(np.clip(values, self.low, self.high), self.dtype)


def standardize(cells: FloatArray, mean: Any, scale: Any) -> FloatArray:
    """Cells in standard deviations from the mean, of one column or of the last axis each."""
    with np.errstate(over="ignore"):  # infinity is clipped as any far value is
        return np.clip((cells - mean) / scale, -FARTHEST, FARTHEST)


@dataclass(frozen=True)
class BinaryColumn:
    """Booleans, or numbers that are all 0 or 1; encoded as they are."""

    name: Any
    dtype: Any
    nullable: bool
    holds_booleans: bool

    def encode(self, values: Any) -> FloatArray:
        return np.clip(as_float(values, self.name), -FARTHEST, FARTHEST)

    def decode(self, cells: npt.NDArray) -> Any:
        truth = cells > 0.5
        if self.holds_booleans:
            return truth if self.dtype is None else pd.Series(truth).astype(self.dtype)
        return _restore_numbers(truth.astype(np.float64), self.dtype)


@dataclass(frozen=True)
class CategoryColumn:
    """Names, encoded as the reserved codes and then the frequent categories."""

    name: Any
    dtype: Any
    categories: pd.Index

    @property
    def n_codes(self) -> int:
        return N_RESERVED + len(self.categories)

    def encode(self, values: Any) -> npt.NDArray[np.int32]:
        if isinstance(getattr(values, "dtype", None), pd.CategoricalDtype):
            known = self._lookup(values.cat.categories)
            # Code -1, a missing cell, picks the last entry.
            return np.append(known, np.int32(MISSING))[values.cat.codes.to_numpy()]
        return self._lookup(pd.Series(values, copy=False))

    def _lookup(self, values: Any) -> npt.NDArray[np.int32]:
        try:
            codes = self.categories.get_indexer(values)
        except TypeError as error:
            raise TypeError(
                f"Column {self.name!r} holds a value that cannot be a category: {error}."
            ) from error
        codes = np.where(codes >= 0, codes + N_RESERVED, INFREQUENT)
        return np.where(pd.isna(values), MISSING, codes).astype(np.int32)

    def decode(self, cells: npt.NDArray) -> Any:
        is_named = cells >= N_RESERVED
        values = np.full(len(cells), None)
        values[is_named] = self.categories.to_numpy()[cells[is_named] - N_RESERVED]
        if self.dtype is None:
            return values
        # NumPy's integers and booleans cannot say that no category has a name.
        is_mute = isinstance(self.dtype, np.dtype) and self.dtype.kind in "biu"
        dtype = object if is_mute and len(self.categories) == 0 else self.dtype
        return pd.Series(values, dtype=dtype)


Column = NumericColumn | BinaryColumn | CategoryColumn


def learn_column(
    name: Any,
    values: Any,
    *,
    declared_categorical: bool,
    from_dtype: bool,
    max_categories: int | None,
    min_frequency: int,
) -> Column:
    """Decide what a column is, and learn what its encoding needs."""
    dtype = values.dtype if isinstance(values, pd.Series) else None
    _reject_unsupported(name, values)
    if declared_categorical or (from_dtype and _holds_names(name, values)):
        return CategoryColumn(name, dtype, _frequent(name, values, max_categories, min_frequency))
    cells = as_float(values, name)
    present = cells[~np.isnan(cells)]
    nullable = len(present) < len(cells)
    holds_booleans = _holds_booleans(values)
    if present.size and (holds_booleans or _is_zero_one(present)):
        return BinaryColumn(name, dtype, nullable, holds_booleans)
    return _learn_numbers(name, dtype, present, nullable)


def as_float(values: Any, name: Any) -> FloatArray:
    """Cells as float64, NaN where missing; infinity and text raise."""
    try:
        if isinstance(values, pd.Series):
            cells = values.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            cells = np.asarray(pd.to_numeric(values) if values.dtype.kind == "O" else values)
            cells = cells.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Column {name!r} must hold numbers, but {error}. Declare it in "
            "categorical_features if it names categories."
        ) from error
    if np.isinf(cells).any():
        raise ValueError(
            f"Input X contains infinity or a value too large for dtype('float64') in column "
            f"{name!r}. Replace it by a finite number, or by NaN to mark it as missing."
        )
    return cells


def _reject_unsupported(name: Any, values: Any) -> None:
    dtype = values.dtype
    if dtype.kind == "m":
        remedy = "Convert it to a number first, for instance with .dt.total_seconds()"
    elif types.is_datetime64_any_dtype(dtype) or str(dtype).startswith(("period", "time")):
        remedy = "Derive numbers from it first, such as the year, the weekday or days elapsed"
    elif types.is_complex_dtype(dtype):
        remedy = "Split it into its real and imaginary parts"
    else:
        return
    raise ValueError(
        f"Column {name!r} has dtype {dtype}, which is neither numeric, boolean nor categorical. "
        f"{remedy}, or drop it."
    )


def _holds_names(name: Any, values: Any) -> bool:
    """Whether the dtype, or for objects the cells, are categories."""
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype | pd.StringDtype):
        return True
    if types.is_bool_dtype(dtype) or types.is_numeric_dtype(dtype):
        return False
    if dtype.kind != "O" or not types.is_object_dtype(dtype):
        return True
    kind = types.infer_dtype(values, skipna=True)
    if kind == "string":
        return True
    if kind in {"integer", "floating", "mixed-integer-float", "boolean", "decimal", "empty"}:
        return False
    seen = sorted({type(value).__name__ for value in values if not _is_missing(value)})
    verb = "mixes" if len(seen) > 1 else "holds"
    raise ValueError(
        f"Column {name!r} {verb} values of types {seen}. A column must hold either numbers or "
        "strings: convert it, for instance with .astype(str), or drop it."
    )


def _holds_booleans(values: Any) -> bool:
    if types.is_object_dtype(values.dtype):
        return types.infer_dtype(values, skipna=True) == "boolean"
    return bool(types.is_bool_dtype(values.dtype))


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or value != value


def _frequent(name: Any, values: Any, max_categories: int | None, min_frequency: int) -> pd.Index:
    try:
        counts = pd.Series(values, copy=False).value_counts()
    except (TypeError, NotImplementedError) as error:
        raise TypeError(
            f"Column {name!r} holds a value that cannot be a category: {error}."
        ) from error
    counts = counts[counts >= max(min_frequency, 1)]
    # Ties are broken by name: the result must not depend on the order of rows.
    names = [name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))]
    return pd.Index(np.array([*names, None], dtype=object)[:-1][:max_categories], dtype=object)


def _is_zero_one(present: FloatArray) -> bool:
    return bool(present.size and ((present == 0) | (present == 1)).all() and np.ptp(present) > 0)


def _learn_numbers(name: Any, dtype: Any, present: FloatArray, nullable: bool) -> NumericColumn:
    no_knots = np.empty(0)
    low, high = (float(present.min()), float(present.max())) if present.size else (np.nan, np.nan)
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
    ranks = np.unique(np.linspace(0, len(ordered) - 1, min(N_KNOTS, len(ordered))).astype(int))
    knots = np.unique(ordered[ranks])
    # Equal values share the middle of their ranks, so that an inflated zero stays in the middle.
    below = np.searchsorted(ordered, knots, side="left")
    upto = np.searchsorted(ordered, knots, side="right")
    return knots, ndtri((below + upto) / (2 * len(ordered)))


def _restore_numbers(values: FloatArray, dtype: Any) -> Any:
    """Numbers as a Series of the column's own dtype, or as they are for an array."""
    if dtype is None:
        return values
    if types.is_integer_dtype(dtype) and not np.isnan(values).any():
        kind = dtype.subtype if isinstance(dtype, pd.SparseDtype) else dtype
        kind = getattr(kind, "numpy_dtype", kind)
        # The largest integers round up to a double that their dtype does not hold.
        values = np.rint(np.minimum(values, np.nextafter(float(np.iinfo(kind).max), 0)))
    return pd.Series(values).astype(dtype)
