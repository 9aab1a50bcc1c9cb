"""Columns of later tables against what they were while fitting.

A column of the same kind is left alone. One of another kind is converted with a warning if its
values can be, and raises otherwise; nothing is taken for what it is not.
"""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from pandas.api import types
from sklearn.exceptions import DataConversionWarning

from sklearn_ssl._compat import warn_user
from sklearn_ssl._table.column import CategoryColumn, Column, EmptyColumn
from sklearn_ssl._table.dates import DatetimeColumn, DurationColumn
from sklearn_ssl._table.kinds import (
    IN_WORDS,
    Kind,
    example_of,
    is_missing,
    kind_of,
    kind_of_dtype,
    shown,
    spelled,
    types_of,
)
from sklearn_ssl._table.numeric import BinaryColumn, as_float
from sklearn_ssl._table.types import Dtype, Name, Values

ALIKE: tuple[frozenset[Kind], ...] = (
    frozenset({"numbers", "booleans"}),
    frozenset({"text", "names"}),
)
"""Kinds whose cells are equal if their values are."""


SHARE_OF_OTHER_NUMBERS = 0.02
"""Share of other numbers from which a column of zeros and ones was probably learned wrongly."""


def is_settled(column: Column, dtype: Dtype) -> bool:
    """Whether a dtype alone says that cells are of the kind that they were while fitting."""
    if isinstance(column, EmptyColumn) or types.is_object_dtype(dtype):
        return False
    return dtype == column.dtype and not _may_leave_range(column, dtype)


def _may_leave_range(column: Column, dtype: Dtype) -> bool:
    return isinstance(column, BinaryColumn) and not types.is_bool_dtype(dtype)


def conform(column: Column, values: Values) -> Values:
    """Cells of a later table as ``column`` can encode them.

    Parameters
    ----------
    column : Column
        What was learned while fitting.

    values : Series or ndarray of shape (n_rows,)
        The column of the later table.

    Returns
    -------
    values : Series or ndarray of shape (n_rows,)
        The same object if nothing was to be converted.

    Raises
    ------
    ValueError
        If the cells are of a kind that cannot be converted.
    """
    if isinstance(column, EmptyColumn):
        return _warn_of_lost_cells(column, values)
    if isinstance(column, CategoryColumn):
        return _conform_categories(column, values)
    if isinstance(column, DatetimeColumn):
        return _conform_times(column, values, "dates", _read_dates)
    if isinstance(column, DurationColumn):
        return _conform_times(column, values, "durations", _read_durations)
    values = _conform_numbers(column, values)
    if isinstance(column, BinaryColumn) and _may_leave_range(column, values.dtype):
        _warn_of_range(column, values)
    return values


def _warn_of_lost_cells(column: EmptyColumn, values: Values) -> Values:
    if not is_missing(values).all():
        warnings.warn(
            f"Column {column.name!r} held no value while fitting, so that its values, such as "
            f"{example_of(values)}, are ignored. Fit on rows in which it is present, or drop it.",
            UserWarning,
            stacklevel=2,
        )
    return values


def _conform_numbers(column: Column, values: Values) -> Values:
    if kind_of_dtype(values.dtype) in {"numbers", "booleans"}:
        return values
    kind = kind_of(values)
    # Text that was read as numbers while fitting needs no warning now.
    is_text = column.dtype is not None and kind_of_dtype(column.dtype) == "text"
    # Other kinds raise when their cells are read.
    if kind not in {"text", "mixed"} or is_text:
        return values
    numbers = as_float(pd.Series(values, copy=False).astype(object), column.name)
    _warn_of_conversion(column.name, "numbers", kind, example_of(values), "numbers")
    return numbers


def _warn_of_range(column: BinaryColumn, values: Values) -> None:
    cells = as_float(values, column.name)
    present = cells[~np.isnan(cells)]
    outside = present[(present < 0) | (present > 1)]
    # A rare cell beyond the range seen is a new extreme, as other numbers have them, too.
    if outside.size > SHARE_OF_OTHER_NUMBERS * present.size:
        warn_user(
            f"Column {column.name!r} held only 0 and 1 while fitting and was learned as such; "
            f"it now holds other numbers, such as {spelled(outside[0])}. Fit again on typical "
            "rows; fit_stream and partial_fit learn what a column is from the first ones.",
            UserWarning,
        )


def _conform_times(
    column: DatetimeColumn | DurationColumn,
    values: Values,
    kind: Kind,
    read: Callable[[pd.Series], pd.Series],
) -> Values:
    now = kind_of(values)
    if now in {kind, "missing"}:
        return values
    function = "to_datetime" if kind == "dates" else "to_timedelta"
    remedy = f"Convert it first, for instance with pandas.{function}"
    if now == "text":
        try:
            times = read(pd.Series(values, copy=False).astype(object))
        except (TypeError, ValueError, OverflowError) as error:
            raise _other_kind(column.name, kind, "text", values, remedy) from error
        _warn_of_conversion(column.name, kind, "text", example_of(values), kind)
        return times
    raise _other_kind(column.name, kind, now, values, remedy)


def _read_dates(values: pd.Series) -> pd.Series:
    """ISO dates only: whether 1/2 is in January cannot be known."""
    return pd.to_datetime(values, format="ISO8601")


def _read_durations(values: pd.Series) -> pd.Series:
    """Durations with their units only: numbers without one could be of any."""
    if values.astype(str).str.fullmatch(r"[-+\d.eE]+").any():
        raise ValueError("a duration needs a unit")
    return pd.to_timedelta(values)


def _conform_categories(column: CategoryColumn, values: Values) -> Values:
    """Categories that are spelled alike, such as 10 and "10", are the same."""
    now = kind_of(values)
    then = kind_of(pd.Series(column.categories, dtype=object))
    is_same = now == then or any({now, then} <= alike for alike in ALIKE)
    # Dates of one type are not found among those of another one, others are.
    is_found = is_same and now not in {"dates", "durations"}
    if is_found or "missing" in {now, then}:
        return values
    # Tuples, intervals and the like are of one dtype now and were objects before.
    if then == "mixed" and now == "names":
        return values
    category_of = {spelled(category): category for category in column.categories}
    cells = pd.Series(values, copy=False).astype(object)
    try:
        found = cells.map(lambda cell: category_of.get(spelled(cell), cell), na_action="ignore")
        n_known = int(found.isin(column.categories).sum())
        others = cells[~cells.isin(column.categories)]
    except TypeError as error:
        raise TypeError(
            f"Column {column.name!r} holds a value that cannot be a category: {error}."
        ) from error
    # All cells are categories as they are.
    if others.isna().all():
        return values
    if is_same:
        return found
    # Not one cell is known even by its spelling: this is another column.
    if not n_known:
        remedy = "Convert it first, for instance with .astype(...)"
        raise _other_kind(column.name, then, now, values, remedy, column.categories)
    alike = "the categories that are spelled alike"
    _warn_of_conversion(column.name, then, now, example_of(others), alike)
    return found


def _warn_of_conversion(name: Name, then: Kind, now: Kind, example: str, target: str) -> None:
    warnings.warn(
        f"Column {name!r} held {IN_WORDS[then]} while fitting and now holds {IN_WORDS[now]}, such "
        f"as {example}, which are read as {target}. Convert the column first, to be sure.",
        DataConversionWarning,
        stacklevel=2,
    )


def _other_kind(
    name: Name,
    then: Kind,
    now: Kind,
    values: Values,
    remedy: str,
    categories: Sequence[object] | pd.Index = (),
) -> ValueError:
    seen = f", such as {shown(categories[0])}," if len(categories) else ""
    held = f"values of types {types_of(values)}" if now == "mixed" else IN_WORDS[now]
    return ValueError(
        f"Column {name!r} held {IN_WORDS[then]}{seen} while fitting and now holds {held}, such as "
        f"{example_of(values)}. {remedy}, or fit again."
    )
