"""Cells of a table replaced by others: which ones, and in which dtype."""

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

import numpy as np
import pandas as pd

from sklearn_ssl._table.dates import times_as
from sklearn_ssl._table.kinds import kind_of, kind_of_dtype
from sklearn_ssl._table.numeric import as_float
from sklearn_ssl._table.types import Array, Dtype, Mask, Table, TableLike, converts_itself

Frame = TypeVar("Frame", pd.Series, pd.DataFrame)

UNFIT = (ArithmeticError, NotImplementedError, TypeError, ValueError)
"""What conversions raise if a dtype cannot hold the cells; Arrow's errors are among these."""


def check_mask(mask: TableLike, X: Table) -> Mask:
    """Return a mask of the cells of ``X`` as an array.

    Parameters
    ----------
    mask : array-like of bool of shape (n_samples, n_features)
        The columns of a DataFrame are matched by name if ``X`` is one, too.

    X : {DataFrame, ndarray, csr_matrix} of shape (n_samples, n_features)
        The checked table.

    Raises
    ------
    ValueError
        If the shapes, the columns or the indices differ, or if the mask is not boolean.
    """
    has_index = isinstance(mask, pd.DataFrame)
    if converts_itself(mask):
        mask = mask.to_pandas()
    if isinstance(mask, pd.DataFrame) and isinstance(X, pd.DataFrame):
        mask = _aligned(mask, X, has_index)
    cells = np.asarray(mask)
    if cells.dtype.kind == "O":
        # Nullable booleans become objects, even if none is missing.
        are_booleans = all(isinstance(cell, bool | np.bool_) for cell in cells.flat)
        cells = cells.astype(bool) if are_booleans else cells
    if cells.shape != X.shape or cells.dtype != bool:
        raise ValueError(
            f"mask must be a boolean array of the shape of X, {X.shape}; got shape "
            f"{cells.shape} and dtype {cells.dtype}."
        )
    return cells


def _aligned(mask: pd.DataFrame, X: pd.DataFrame, has_index: bool) -> pd.DataFrame:
    is_numbered = mask.columns.equals(pd.RangeIndex(X.shape[1]))
    # The names of a frame made from an array are its positions.
    if is_numbered and not X.columns.isin(mask.columns).any():
        mask = mask.set_axis(X.columns, axis=1)
    missing = X.columns.difference(mask.columns)
    unknown = mask.columns.difference(X.columns)
    if len(missing) or len(unknown) or mask.columns.has_duplicates:
        raise ValueError(
            "mask must have the columns of X, each once. It lacks "
            f"{missing.tolist()} and has {unknown.tolist()} besides."
        )
    if has_index and len(mask) == len(X) and not mask.index.equals(X.index):
        raise ValueError(
            "mask must have the index of X. If its rows are in the order of those of X, pass "
            "mask.set_axis(X.index)."
        )
    return mask[X.columns]


def fill(values: pd.Series, mask: Mask, others: pd.Series) -> pd.Series:
    """Replace masked cells by those of another column, in the dtype of ``values`` if possible.

    Parameters
    ----------
    values : Series of shape (n_rows,)
        The column, whose other cells stay.

    mask : ndarray of shape (n_rows,), bool
        Cells to replace.

    others : Series of shape (n_rows,)
        The replacements, of the dtype that the column had while fitting.

    Returns
    -------
    filled : Series of shape (n_rows,)
        Categories that ``values`` lacks are added. A dtype that cannot hold the replacements
        gives way to theirs, or to objects.
    """
    if not mask.any():
        return values
    # If nothing is known of the cells, no dtype has to give way to it.
    if others[mask].isna().all():
        return values.mask(mask & values.notna())
    if any(pd.api.types.is_object_dtype(column.dtype) for column in (values, others)):
        others = _of_one_type(others, mask, values)
    if values.dtype == others.dtype:
        return values.where(~mask, others)
    if isinstance(values.dtype, pd.CategoricalDtype):
        return _fill_categories(values, mask, others)
    if values.dtype.kind == "f" and pd.api.types.is_numeric_dtype(others.dtype):
        doubles = pd.Series(as_float(others, values.name), index=values.index)
        numbers = _narrowed(doubles, values.dtype, mask)
        return values.astype(numbers.dtype).where(~mask, numbers)
    kind = kind_of_dtype(values.dtype)
    if kind in {"dates", "durations"} and kind == kind_of(others):
        # Of a date and a time, a column of dates or of months gets what it can hold.
        return values.where(~mask, times_as(others, values.dtype))
    # The first dtype wins that holds the cells of both without a change: 3.0 fits into integers
    # and 2.5 does not.
    present = values[~mask]
    for dtype in (values.dtype, others.dtype):
        try:
            # Numbers that overflow are found by the comparison below.
            with np.errstate(over="ignore", invalid="ignore"):
                kept = present.astype(dtype)
                new = others[mask].astype(dtype)
            filled = _joined(kept, new, values, mask).astype(dtype)
        except UNFIT:
            # Arrow's dictionaries, for instance, are not made from objects.
            continue
        if _are_same(kept, present) and _are_same(new, others[mask]):
            return filled
    others = _of_one_type(others, mask, values.astype(object))
    return _joined(present, others[mask], values, mask)


def fill_array(cells: Array, mask: Mask, others: Array) -> Array:
    """Replace masked cells of an array, which has one dtype for all of them.

    Parameters
    ----------
    cells, others : ndarray of shape (n_rows, n_columns)
        The table and the replacements.

    mask : ndarray of shape (n_rows, n_columns), bool
        Cells to replace.

    Returns
    -------
    filled : ndarray of shape (n_rows, n_columns)
        In the dtype of ``cells`` if no cell is replaced, or if it is one of times, or one of floats
        that can hold the replacements.
    """
    if not mask.any():
        return cells.copy()
    if cells.dtype.kind == others.dtype.kind == "f":
        columns = pd.DataFrame(others)
        others = _narrowed(columns, cells.dtype, mask).to_numpy()
    elif cells.dtype.kind == others.dtype.kind and cells.dtype.kind in "mM":
        others = others.astype(cells.dtype)
    return np.where(mask, others, cells)


def _narrowed(others: Frame, dtype: Dtype, mask: Mask) -> Frame:
    """Numbers in a dtype of floats, unless one of those in the mask is beyond its range."""
    # Infinity is looked for below, so that NumPy need not warn of it.
    with np.errstate(over="ignore"):
        narrowed = others.astype(dtype)
    is_beyond = np.isinf(narrowed.to_numpy(dtype=np.float64, na_value=np.nan)[mask])
    return others if is_beyond.any() else narrowed


def _of_one_type(others: pd.Series, mask: Mask, values: pd.Series) -> pd.Series:
    """Replacements for cells of objects, of the type that these have."""
    # pandas neither adds a float to a Decimal nor compares a date with a timestamp.
    convert = OF_ONE_TYPE.get(pd.api.types.infer_dtype(values[~mask], skipna=True))
    if convert is None:
        return others
    converted = others.astype(object)
    converted[mask] = [cell if pd.isna(cell) else convert(cell) for cell in converted[mask]]
    return converted


def _as_boolean(cell: object) -> object:
    return cell > 0.5 if isinstance(cell, float) and 0 <= cell <= 1 else cell


def _as_date(cell: object) -> object:
    stamp = _as_datetime(cell)
    return stamp.date() if isinstance(stamp, datetime.datetime) else cell


def _as_datetime(cell: object) -> object:
    if isinstance(cell, pd.Period):
        return cell.start_time
    return pd.Timestamp(cell) if type(cell) is datetime.date else cell


def _as_decimal(cell: object) -> object:
    return Decimal(str(cell)) if isinstance(cell, float) else cell


def _as_double(cell: object) -> object:
    return float(cell) if isinstance(cell, Decimal) else cell


OF_ONE_TYPE: dict[str, Callable[[object], object]] = {
    "boolean": _as_boolean,
    "date": _as_date,
    "datetime": _as_datetime,
    "datetime64": _as_datetime,
    "decimal": _as_decimal,
    "floating": _as_double,
}
"""Conversions to the types that :func:`pandas.api.types.infer_dtype` finds in objects."""


def _are_in_order(categories: pd.Index, dtype: Dtype) -> bool:
    """Whether an ordered dtype has these categories, among others, in this order."""
    if not isinstance(dtype, pd.CategoricalDtype) or not dtype.ordered:
        return False
    places = dtype.categories.get_indexer(categories)
    return bool((places >= 0).all() and (np.diff(places) > 0).all())


def _joined(kept: pd.Series, new: pd.Series, values: pd.Series, mask: Mask) -> pd.Series:
    """Both parts of a column in their places, as objects."""
    # pandas would look for a dtype that holds both parts, and turn integers into floats.
    cells = np.empty(len(values), dtype=object)
    joined = pd.Series(cells, index=values.index, name=values.name)
    joined[~mask] = kept.astype(object)
    joined[mask] = new.astype(object)
    return joined


def _are_same(converted: pd.Series, original: pd.Series) -> bool:
    """Whether a conversion has kept all cells."""
    try:
        return converted.tolist() == original.tolist()
    except (TypeError, ValueError):
        return False


def _fill_categories(values: pd.Series, mask: Mask, others: pd.Series) -> pd.Series:
    known = values.cat.categories
    if values.cat.ordered and _are_in_order(known, others.dtype):
        return values.astype(others.dtype).where(~mask, others)
    others = others.astype(object)
    replacements = others[mask].dropna().unique()
    new = [category for category in replacements if category not in known]
    # New categories may be of a type that the dtype of the others does not hold.
    dtype = None if new else known.dtype
    # Tuples are categories, too, and not several levels.
    categories = pd.Index([*known, *new], dtype=dtype, tupleize_cols=False)
    filled = values.astype(object).where(~mask, others)
    return filled.astype(pd.CategoricalDtype(categories, ordered=values.cat.ordered))
