"""One column of a table: its kind, and what its encoding needs."""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sklearn_ssl._table.dates import DatetimeColumn, DurationColumn, learn_dates, learn_durations
from sklearn_ssl._table.hints import warn_of_text
from sklearn_ssl._table.kinds import Kind, holds_names, kind_of, present_cells, types_of
from sklearn_ssl._table.numeric import (
    BinaryColumn,
    NumericColumn,
    as_float,
    learn_numbers,
)
from sklearn_ssl._table.schema import INFREQUENT, MISSING, N_RESERVED
from sklearn_ssl._table.types import Dtype, FloatArray, Name, NumberArray, Values


@dataclass(frozen=True)
class EmptyColumn:
    """A column without a present cell while fitting, of which nothing was learned.

    It is encoded as a number that is always missing, whatever it holds later: the network has no
    use for cells that it has never seen, and their scale is unknown.
    """

    name: Name
    dtype: Dtype | None

    nullable = True
    n_features = 1

    def encode(self, values: Values) -> FloatArray:
        return np.full(len(values), np.nan)

    def decode(self, cells: NumberArray) -> Values:
        if self.dtype is None:
            return np.full(len(cells), np.nan)
        return pd.Series([None] * len(cells), dtype=self.dtype)


@dataclass(frozen=True)
class CategoryColumn:
    """Names, encoded as the reserved codes and then the frequent categories."""

    name: Name
    dtype: Dtype | None
    categories: pd.Index

    @property
    def n_codes(self) -> int:
        return N_RESERVED + len(self.categories)

    def encode(self, values: Values) -> npt.NDArray[np.int32]:
        if isinstance(values, pd.Series) and isinstance(values.dtype, pd.CategoricalDtype):
            known = self._lookup(values.cat.categories)
            # Code -1, a missing cell, picks the last entry.
            known = np.append(known, np.int32(MISSING))
            own_codes = values.cat.codes.to_numpy()
            return known[own_codes]
        return self._lookup(pd.Series(values, copy=False))

    def _lookup(self, values: pd.Series | pd.Index) -> npt.NDArray[np.int32]:
        if values.dtype == np.float16:
            # pandas has no index of half precision.
            values = values.astype(np.float32)
        try:
            # With a dtype, objects stay what they are: neither dates nor several levels.
            sought = pd.Index(values, dtype=values.dtype, tupleize_cols=False)
            codes = self.categories.get_indexer(sought)
        except TypeError as error:
            raise TypeError(
                f"Column {self.name!r} holds a value that cannot be a category: {error}."
            ) from error
        codes = np.where(codes >= 0, codes + N_RESERVED, INFREQUENT)
        return np.where(pd.isna(values), MISSING, codes).astype(np.int32)

    def decode(self, cells: NumberArray) -> Values:
        is_named = cells >= N_RESERVED
        values = np.full(len(cells), None)
        values[is_named] = self.categories.to_numpy()[cells[is_named] - N_RESERVED]
        if self.dtype is None:
            return values
        # NumPy's integers and booleans cannot say that no category has a name.
        is_mute = isinstance(self.dtype, np.dtype) and self.dtype.kind in "biu"
        dtype = object if is_mute and len(self.categories) == 0 else self.dtype
        return pd.Series(values, dtype=dtype)


Column = (
    NumericColumn | BinaryColumn | CategoryColumn | DatetimeColumn | DurationColumn | EmptyColumn
)


def learn_column(
    name: Name,
    values: Values,
    *,
    declared_categorical: bool,
    from_dtype: bool,
    max_categories: int | None,
    min_frequency: int,
) -> Column:
    """Decide what a column is, and learn what its encoding needs."""
    dtype = values.dtype if isinstance(values, pd.Series) else None
    kind = kind_of(values)
    is_deliberate = declared_categorical or isinstance(values.dtype, pd.CategoricalDtype)
    looks_categorical = holds_names(values.dtype) or kind == "text"
    if declared_categorical or (from_dtype and looks_categorical):
        # The user knows what the categories are, whatever type they have.
        if not is_deliberate:
            _reject_unsupported(name, values, kind)
        categories = _frequent(name, values, max_categories, min_frequency)
        if kind == "text" and not is_deliberate:
            warn_of_text(name, values)
        return CategoryColumn(name, dtype, categories)
    if kind == "missing":
        return EmptyColumn(name, dtype)
    _reject_unsupported(name, values, kind)
    if kind == "dates":
        return learn_dates(name, values)
    if kind == "durations":
        return learn_durations(name, values)
    cells = as_float(values, name)
    present = cells[~np.isnan(cells)]
    nullable = len(present) < len(cells)
    if kind == "booleans" or _is_zero_one(present):
        return BinaryColumn(name, dtype, nullable, kind == "booleans")
    return learn_numbers(name, dtype, present, nullable)


def _reject_unsupported(name: Name, values: Values, kind: Kind) -> None:
    """Raise for what is neither numbers, text, dates nor durations."""
    dtype, seen = values.dtype, types_of(values) if kind == "mixed" else []
    if kind == "complex":
        raise ValueError(
            f"Column {name!r} has dtype {dtype}, which is neither numeric, boolean nor "
            "categorical. Split it into its real and imaginary parts, or drop it."
        )
    if seen == ["time"] or (str(dtype).startswith("time") and kind == "names"):
        raise ValueError(
            f"Column {name!r} has dtype {dtype} and holds times of the day without a date. "
            "Convert it to durations, for instance with pandas.to_timedelta(column.astype(str)), "
            "or drop it."
        )
    if kind != "mixed":
        return
    verb = "mixes" if len(seen) > 1 else "holds"
    example, way = "", "with .astype(str)"
    if "str" in seen and set(seen) <= {"float", "int", "str"}:
        # Most often, a text among numbers stands for a missing one.
        text = next(cell for cell in present_cells(values) if isinstance(cell, str))
        example = f", such as the text {text!r}"
        way = (
            "with pandas.to_numeric(column, errors='coerce') if a text stands for a missing "
            "number, otherwise with .astype(str)"
        )
    raise ValueError(
        f"Column {name!r} {verb} values of types {seen}{example}. A column must hold either "
        f"numbers, strings, dates or durations: convert it, for instance {way}, or drop it."
    )


def _frequent(
    name: Name, values: Values, max_categories: int | None, min_frequency: int
) -> pd.Index:
    try:
        counts = _counts(pd.Series(values, copy=False))
    except (TypeError, NotImplementedError) as error:
        raise TypeError(
            f"Column {name!r} holds a value that cannot be a category: {error}."
        ) from error
    # Categories of a dtype can have no row, and a frequency of 0 must not let them in.
    fewest = max(min_frequency, 1)
    frequent = [(cell, count) for cell, count in counts if count >= fewest]
    # Ties are broken by name, since the result must not depend on the order of rows.
    frequent.sort(key=lambda item: (-item[1], str(item[0])))
    names = [cell for cell, _ in frequent[:max_categories]]
    # One by one: a list of tuples or of arrays would become another dimension.
    cells = np.empty(len(names), dtype=object)
    for position, category in enumerate(names):
        cells[position] = category
    return pd.Index(cells, dtype=object, tupleize_cols=False)


def _counts(values: pd.Series) -> list[tuple[Hashable, int]]:
    """Pairs of a category and the number of its rows."""
    if not pd.api.types.is_object_dtype(values.dtype):
        return list(values.value_counts().items())
    # value_counts makes dates of objects, in some versions of pandas.
    codes, cells = pd.factorize(values.to_numpy())
    # A missing cell has code -1.
    present = codes[codes >= 0]
    counts = np.bincount(present, minlength=len(cells))
    return list(zip(cells, counts, strict=True))


def _is_zero_one(present: FloatArray) -> bool:
    if not present.size:
        return False
    is_zero_or_one = (present == 0) | (present == 1)
    # A column of zeros alone may hold any number later.
    return bool(is_zero_or_one.all() and np.ptp(present) > 0)
