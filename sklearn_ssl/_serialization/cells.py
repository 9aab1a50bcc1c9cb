"""Dtypes, indices and single cells of tables as plain JSON, and back.

Everything is rebuilt from names and numbers by a fixed list of constructors.
"""

import datetime
import re
from collections.abc import Callable
from decimal import Decimal
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from sklearn_ssl._serialization.types import JSON

if TYPE_CHECKING:
    import pyarrow as pa

DECIMAL = re.compile(r"decimal(\d+)\((\d+), (-?\d+)\)")
DICTIONARY = re.compile(r"dictionary<values=(.+), indices=(\w+), ordered=([01])>")
ZONED = re.compile(r"timestamp\[(s|ms|us|ns), tz=(.+)\]")
"""Names of types of Arrow that have parameters."""


def arrow_type(pyarrow: ModuleType, name: str) -> "pa.DataType":
    """Return the type of Arrow that a name stands for.

    Raises
    ------
    ValueError
        If the name stands for none of those that a column can have.
    """
    # PyArrow reads the names of plain types; those with parameters are rebuilt from these.
    decimal = DECIMAL.fullmatch(name)
    if decimal is not None:
        width, precision, scale = (int(number) for number in decimal.groups())
        return getattr(pyarrow, f"decimal{width}")(precision, scale)
    dictionary = DICTIONARY.fullmatch(name)
    if dictionary is not None:
        values, indices, is_ordered = dictionary.groups()
        types = [arrow_type(pyarrow, part) for part in (indices, values)]
        return pyarrow.dictionary(*types, is_ordered == "1")
    zoned = ZONED.fullmatch(name)
    if zoned is not None:
        return pyarrow.timestamp(*zoned.groups())
    return pyarrow.type_for_alias(name)


def encode_arrow(dtype: pd.ArrowDtype) -> str | None:
    """Return the name of a dtype of Arrow, or None if it has none to rebuild it by."""
    import pyarrow as pa

    name = str(dtype.pyarrow_dtype)
    # The name of a struct, for instance, does not lead back to its type.
    try:
        return name if arrow_type(pa, name) == dtype.pyarrow_dtype else None
    except (ValueError, AttributeError):
        return None


def decode_arrow(name: str) -> pd.ArrowDtype:
    """Return the dtype of Arrow that a name stands for."""
    # Whoever saved such a column had PyArrow; others do not need it.
    import pyarrow as pa

    return pd.ArrowDtype(arrow_type(pa, name))


TimeUnit: TypeAlias = Literal["s", "ms", "us", "ns"]


def _write_timestamp(cell: pd.Timestamp | datetime.datetime) -> JSON:
    stamp = pd.Timestamp(cell)
    zone = None if stamp.tz is None else str(stamp.tz)
    # A count in UTC has no hour that occurs twice, as local time has when clocks are set back.
    naive = stamp if zone is None else stamp.tz_convert("UTC").tz_localize(None)
    count = naive.to_datetime64().view(np.int64)
    return [int(count), stamp.unit, zone]


def _read_timestamp(content: tuple[int, TimeUnit, str | None]) -> pd.Timestamp:
    count, unit, zone = content
    stamp = pd.Timestamp(np.datetime64(count, unit))
    return stamp if zone is None else stamp.tz_localize("UTC").tz_convert(zone)


def _write_timedelta(cell: pd.Timedelta | datetime.timedelta) -> JSON:
    # The unit is kept: it decides the dtype of a column of such cells.
    elapsed = pd.Timedelta(cell)
    count = elapsed.to_timedelta64().view(np.int64)
    return [int(count), elapsed.unit]


def _read_timedelta(content: tuple[int, TimeUnit]) -> pd.Timedelta:
    count, unit = content
    return pd.Timedelta(np.timedelta64(count, unit))


class Cell(NamedTuple):
    """How cells of one type are written and read.

    ``Any`` stands for the type itself in ``write``, and in ``read`` for what ``write`` returned.
    """

    known: type
    write: Callable[[Any], JSON]
    read: Callable[[Any], object]


CELLS = {
    "nat": Cell(type(pd.NaT), lambda cell: True, lambda content: pd.NaT),
    "timestamp": Cell(pd.Timestamp, _write_timestamp, _read_timestamp),
    "datetime": Cell(
        datetime.datetime,
        _write_timestamp,
        lambda content: _read_timestamp(content).to_pydatetime(),
    ),
    "date": Cell(datetime.date, datetime.date.isoformat, datetime.date.fromisoformat),
    "time": Cell(datetime.time, datetime.time.isoformat, datetime.time.fromisoformat),
    "timedelta": Cell(pd.Timedelta, _write_timedelta, _read_timedelta),
    "duration": Cell(
        datetime.timedelta,
        _write_timedelta,
        lambda content: _read_timedelta(content).to_pytimedelta(),
    ),
    "period": Cell(
        pd.Period,
        lambda cell: [cell.ordinal, cell.freqstr],
        lambda content: pd.Period(ordinal=content[0], freq=content[1]),
    ),
    "decimal": Cell(Decimal, str, Decimal),
    "bytes": Cell(bytes, bytes.hex, bytes.fromhex),
}
"""Types of cells. Subclasses come before their bases, since the first that fits is taken."""
