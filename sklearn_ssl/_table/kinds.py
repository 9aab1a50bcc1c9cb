"""What the cells of a column are, whatever dtype holds them."""

import datetime
import math
from decimal import Decimal
from numbers import Number
from types import UnionType
from typing import Literal

import numpy as np
import pandas as pd
from pandas.api import types

from sklearn_ssl._table.types import Dtype, Mask, Values

Kind = Literal[
    "missing", "numbers", "booleans", "text", "names", "dates", "durations", "complex", "mixed"
]
"""``names`` are the cells of dtypes that hold nothing but categories, such as intervals."""

IN_WORDS: dict[Kind, str] = {
    "missing": "no value",
    "numbers": "numbers",
    "booleans": "booleans",
    "text": "text",
    "names": "categories",
    "dates": "dates",
    "durations": "durations",
    "complex": "complex numbers",
    "mixed": "values of several types",
}
"""Kinds as errors and warnings name them."""

INFERRED: dict[str, Kind] = {
    "string": "text",
    "integer": "numbers",
    "floating": "numbers",
    "mixed-integer-float": "numbers",
    "decimal": "numbers",
    "boolean": "booleans",
    "datetime": "dates",
    "datetime64": "dates",
    "date": "dates",
    "period": "dates",
    "timedelta": "durations",
    "timedelta64": "durations",
    "complex": "complex",
    "empty": "missing",
}
"""Kinds of what :func:`pandas.api.types.infer_dtype` finds in objects."""

KIND_OF_TYPE: tuple[tuple[type | UnionType, Kind], ...] = (
    # The order counts: the first type wins that a cell is an instance of. Booleans are integers
    # to Python, and datetimes are dates.
    (str, "text"),
    (bool | np.bool_, "booleans"),
    (datetime.date | np.datetime64 | pd.Period, "dates"),
    (datetime.timedelta | np.timedelta64, "durations"),
    (complex | np.complexfloating, "complex"),
    (Number | Decimal, "numbers"),
)
"""Kinds of single objects; NumPy's timedelta64 is also an integer, so that it comes before."""


LOOKED_AT = 64
"""Cells that are looked at before all others."""


def kind_of(values: Values) -> Kind:
    """Kind of the present cells of a column; ``missing`` if there are none."""
    by_dtype = kind_of_dtype(values.dtype)
    if by_dtype is not None:
        return "missing" if _lacks_cells(values) else by_dtype
    if isinstance(values.dtype, pd.CategoricalDtype):
        # Far fewer than cells, and never missing.
        return kind_of(pd.Series(values.cat.categories))
    return _kind_of_objects(values)


def kind_of_dtype(dtype: Dtype) -> Kind | None:
    """Kind that a dtype states; None if only the cells show it."""
    # Categories can be of any type.
    if isinstance(dtype, pd.CategoricalDtype):
        return None
    if isinstance(dtype, pd.StringDtype) or dtype.kind in "US":
        return "text"
    if isinstance(dtype, pd.PeriodDtype) or dtype.kind == "M":
        return "dates"
    if dtype.kind == "m":
        return "durations"
    # Booleans and complex numbers are numeric, too, and have to be recognized before.
    if types.is_bool_dtype(dtype):
        return "booleans"
    if types.is_complex_dtype(dtype):
        return "complex"
    if types.is_numeric_dtype(dtype):
        return "numbers"
    if types.is_object_dtype(dtype):
        return None
    return "missing" if str(dtype) == "null[pyarrow]" else "names"


def holds_names(dtype: Dtype) -> bool:
    """Whether a dtype holds categories by design, be there cells or not."""
    return isinstance(dtype, pd.CategoricalDtype) or kind_of_dtype(dtype) in {"text", "names"}


def is_missing(values: Values) -> Mask:
    """Which cells are missing; cells that are arrays are not."""
    return np.asarray(pd.isna(pd.Series(values, copy=False)), dtype=bool)


def present_cells(values: Values) -> list[object]:
    """The present cells of a column as Python objects."""
    return pd.Series(values, copy=False)[~is_missing(values)].tolist()


def types_of(values: Values) -> list[str]:
    """Names of the types that the present cells have."""
    return sorted({type(cell).__name__ for cell in present_cells(values)})


def example_of(values: Values) -> str:
    """The first present cell, as an error shows it."""
    return shown(pd.Series(values, copy=False)[~is_missing(values)].iloc[0])


def shown(cell: object) -> str:
    """A cell as an error shows it: dates and durations as people write them."""
    if isinstance(cell, datetime.date | datetime.timedelta | pd.Period):
        return str(cell)
    if isinstance(cell, np.datetime64 | np.timedelta64 | Decimal):
        return str(cell)
    if isinstance(cell, np.generic):
        return repr(cell.item())
    return repr(cell)


def spelled(cell: object) -> str:
    """A cell as a file of text would have it.

    Whole numbers have no decimal point, midnights no time; the type of a cell does not show.
    """
    if isinstance(cell, datetime.timedelta | np.timedelta64):
        return str(pd.Timedelta(cell))
    if isinstance(cell, datetime.date | np.datetime64):
        stamp = pd.Timestamp(cell)
        is_day = stamp == stamp.normalize() and stamp.tz is None
        return stamp.date().isoformat() if is_day else str(stamp)
    if isinstance(cell, float | np.floating):
        is_whole = math.isfinite(cell) and cell == int(cell)
        return str(int(cell)) if is_whole else str(cell)
    return str(cell)


def _lacks_cells(values: Values) -> bool:
    """Whether no cell is present; the first ones nearly always show that one is."""
    first = values.iloc[:LOOKED_AT] if isinstance(values, pd.Series) else values[:LOOKED_AT]
    if not is_missing(first).all():
        return False
    return bool(is_missing(values).all())


def _kind_of_objects(values: Values) -> Kind:
    # Compiled code looks at all cells, and nearly always knows; the loop below is for the rest.
    inferred = INFERRED.get(types.infer_dtype(values, skipna=True))
    # Missing numbers and missing dates beside each other are inferred as dates.
    if inferred in {"dates", "durations"} and _lacks_cells(values):
        return "missing"
    if inferred is not None:
        return inferred
    cells = present_cells(values)
    kinds = {_kind_of_object(cell) for cell in cells}
    if not kinds:
        return "missing"
    return kinds.pop() if len(kinds) == 1 else "mixed"


def _kind_of_object(cell: object) -> Kind:
    for known, kind in KIND_OF_TYPE:
        if isinstance(cell, known):
            return kind
    return "mixed"
