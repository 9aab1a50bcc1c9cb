"""Dtypes, indices and single cells of tables as plain JSON, and back.

Everything is rebuilt from names and numbers by a fixed list of constructors.
"""

import datetime
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

DECIMAL = re.compile(r"decimal(\d+)\((\d+), (-?\d+)\)")
DICTIONARY = re.compile(r"dictionary<values=(.+), indices=(\w+), ordered=([01])>")
ZONED = re.compile(r"timestamp\[(s|ms|us|ns), tz=(.+)\]")
"""Names of types of Arrow that have parameters."""


def arrow_type(pa: Any, name: str) -> Any:
    """Return the type of Arrow that a name stands for.

    Raises
    ------
    ValueError
        If the name stands for none of those that a column can have.
    """
    decimal = DECIMAL.fullmatch(name)
    if decimal is not None:
        width, precision, scale = (int(number) for number in decimal.groups())
        return getattr(pa, f"decimal{width}")(precision, scale)
    dictionary = DICTIONARY.fullmatch(name)
    if dictionary is not None:
        values, indices, is_ordered = dictionary.groups()
        return pa.dictionary(arrow_type(pa, indices), arrow_type(pa, values), is_ordered == "1")
    zoned = ZONED.fullmatch(name)
    if zoned is not None:
        return pa.timestamp(*zoned.groups())
    return pa.type_for_alias(name)


def encode_arrow(dtype: Any) -> str | None:
    """Return the name of a dtype of Arrow, or None if it has none to rebuild it by."""
    import pyarrow as pa

    name = str(dtype.pyarrow_dtype)
    try:
        return name if arrow_type(pa, name) == dtype.pyarrow_dtype else None
    except (ValueError, AttributeError):
        return None


def decode_arrow(name: str) -> Any:
    import pyarrow as pa

    return pd.ArrowDtype(arrow_type(pa, name))


def _write_timestamp(cell: Any) -> list[Any]:
    stamp = pd.Timestamp(cell)
    zone = None if stamp.tz is None else str(stamp.tz)
    naive = stamp if zone is None else stamp.tz_convert("UTC").tz_localize(None)
    return [int(naive.to_datetime64().view(np.int64)), stamp.unit, zone]


def _read_timestamp(content: Any) -> pd.Timestamp:
    count, unit, zone = content
    stamp = pd.Timestamp(np.datetime64(count, unit))
    return stamp if zone is None else stamp.tz_localize("UTC").tz_convert(zone)


def _write_timedelta(cell: Any) -> list[Any]:
    elapsed = pd.Timedelta(cell)
    return [int(elapsed.to_timedelta64().view(np.int64)), elapsed.unit]


def _read_timedelta(content: Any) -> pd.Timedelta:
    count, unit = content
    return pd.Timedelta(np.timedelta64(count, unit))


CELLS: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "nat": (type(pd.NaT), lambda cell: True, lambda content: pd.NaT),
    "timestamp": (pd.Timestamp, _write_timestamp, _read_timestamp),
    "datetime": (
        datetime.datetime,
        _write_timestamp,
        lambda content: _read_timestamp(content).to_pydatetime(),
    ),
    "date": (datetime.date, datetime.date.isoformat, datetime.date.fromisoformat),
    "time": (datetime.time, datetime.time.isoformat, datetime.time.fromisoformat),
    "timedelta": (pd.Timedelta, _write_timedelta, _read_timedelta),
    "duration": (
        datetime.timedelta,
        _write_timedelta,
        lambda content: _read_timedelta(content).to_pytimedelta(),
    ),
    "period": (
        pd.Period,
        lambda cell: [cell.ordinal, cell.freqstr],
        lambda content: pd.Period(ordinal=content[0], freq=content[1]),
    ),
    "decimal": (Decimal, str, Decimal),
    "bytes": (bytes, bytes.hex, bytes.fromhex),
}
"""Types of cells, from the special to the general: how to write them, and how to read them."""
