"""Columns of dates and of durations: numbers that a network can use, and the way back.

A date becomes its elapsed time, which alone is decoded again, and the sine and cosine of those
cycles that vary while fitting: the time of day, the weekday and the day of the year. The choice of
parts follows skrub's ``DatetimeEncoder``.
"""

import datetime
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sklearn_ssl._table.kinds import IN_WORDS, Kind, example_of, is_missing, kind_of
from sklearn_ssl._table.numeric import NumericColumn, learn_numbers
from sklearn_ssl._table.types import Dtype, FloatArray, Mask, Name, NumberArray, Values

SECOND = 1_000_000
DAY = 86_400 * SECOND
"""Times are counted in microseconds."""

STEPS = (DAY, 3600 * SECOND, 60 * SECOND, SECOND)
"""Steps that decoded times are rounded to if all times seen while fitting were multiples."""

CYCLES = ("time of day", "weekday", "day of year")

# The least 64-bit integer stands for NaT, which is why the lower limit is one more.
LIMITS = {"ns": (-(2**63) // 1000 + 1, (2**63 - 1) // 1000)}
"""Microseconds that a unit can hold, if they are fewer than an integer can."""

UNITS = ("s", "ms", "us", "ns")
"""Units of the times of pandas."""

WIDEST = (-(2**62), 2**62)
"""Limits of the other units, so far from the ends of the integers that rounding cannot overflow."""


@dataclass(frozen=True)
class DatetimeColumn:
    """Dates: the elapsed time in standard deviations from its mean, and cyclic parts.

    ``stamp_dtype`` is the dtype in which all cells are read; it has the time zone, if there is
    one. ``step`` is the largest of ``STEPS`` that divides all times seen, or 1. ``holds_dates``
    says whether the cells were :class:`datetime.date` objects.
    """

    name: Name
    dtype: Dtype
    stamp_dtype: Dtype
    elapsed: NumericColumn
    cycles: tuple[str, ...]
    step: int
    holds_dates: bool

    @property
    def nullable(self) -> bool:
        return self.elapsed.nullable

    @property
    def n_features(self) -> int:
        return 1 + 2 * len(self.cycles)

    def encode(self, values: Values) -> FloatArray:
        """Return an array of shape (n_rows, n_features), NaN if missing."""
        stamps = read_stamps(values, self.name, self.stamp_dtype)
        # Elapsed time is counted in UTC. Cycles follow the local clock, because people do, who
        # have lunch at noon wherever they are.
        features = [self._encode_elapsed(_seconds(stamps))]
        wall = _wall_clock(stamps)
        for cycle in self.cycles:
            angle = 2 * np.pi * _phase(cycle, wall)  # (n_rows,)
            # The factor gives a variance of 1 over a whole cycle, as other numbers have.
            features.append(np.sqrt(2) * np.sin(angle))
            features.append(np.sqrt(2) * np.cos(angle))
        return np.column_stack(features)

    def _encode_elapsed(self, seconds: FloatArray) -> FloatArray:
        """Elapsed time, whose distance from the range of ``fit`` counts by its logarithm.

        Time goes on: new rows are later than all that were seen, and a network must not take them
        for extremes.
        """
        cells = self.elapsed.encode(seconds)
        ends = np.array([self.elapsed.low, self.elapsed.high])
        low, high = self.elapsed.encode(ends)
        inside = np.clip(cells, low, high)
        return inside + _by_logarithm(cells - inside)

    def excess(self, values: Values) -> FloatArray:
        """How far dates lie outside the range seen while fitting, by the logarithm; (n_rows,)."""
        seconds = _seconds(read_stamps(values, self.name, self.stamp_dtype))
        return _by_logarithm(self.elapsed.excess(seconds))

    def decode(self, cells: NumberArray) -> pd.Series:
        """Return dates from the elapsed time alone, of shape (n_rows,)."""
        seconds = np.asarray(self.elapsed.decode(cells), dtype=np.float64)
        times = _microseconds(seconds, self.dtype)
        stamps = pd.Series(times.astype("datetime64[us]"))
        timezone = getattr(self.stamp_dtype, "tz", None)
        if timezone is not None:
            stamps = stamps.dt.tz_localize("UTC").dt.tz_convert(timezone)
        return self._restore(_rounded(stamps, self.step))

    def _restore(self, stamps: pd.Series) -> pd.Series:
        """Dates in the dtype of the column."""
        if isinstance(self.dtype, pd.PeriodDtype):
            periods: pd.Series = stamps.dt.to_period(self.dtype.freq).astype(self.dtype)
            return periods
        if self.holds_dates:
            dates: pd.Series = stamps.dt.date.astype(object)
            return dates
        return _in_dtype(stamps, self.dtype)


@dataclass(frozen=True)
class DurationColumn:
    """Durations, encoded as their seconds in standard deviations from the mean."""

    name: Name
    dtype: Dtype
    elapsed: NumericColumn
    step: int

    n_features = 1

    @property
    def nullable(self) -> bool:
        return self.elapsed.nullable

    def encode(self, values: Values) -> FloatArray:
        return self.elapsed.encode(_seconds(read_durations(values, self.name)))

    def excess(self, values: Values) -> FloatArray:
        """How far durations lie outside the range seen while fitting, of shape (n_rows,)."""
        return self.elapsed.excess(_seconds(read_durations(values, self.name)))

    def decode(self, cells: NumberArray) -> pd.Series:
        seconds = np.asarray(self.elapsed.decode(cells))
        times = _microseconds(seconds, self.dtype)
        # NaT is an integer, too, which rounding would turn into a duration.
        rounded = np.where(_is_nat(times), times, _nearest(times, self.step))
        durations = pd.Series(rounded.astype("timedelta64[us]"))
        return _in_dtype(durations, self.dtype)


def learn_dates(name: Name, values: Values) -> DatetimeColumn:
    """Learn the units, the cycles and the step of a column with at least one date."""
    values = _with_dtype_of_periods(values)
    stamps = read_stamps(values, name, None)
    wall = _wall_clock(stamps)
    present = wall[~_is_nat(wall)]
    starts = present
    if isinstance(values.dtype, pd.PeriodDtype):
        # Periods are encoded by their middle, and the middles of months differ in their hour,
        # which says nothing.
        starts = _wall_clock(values.dropna().dt.start_time)
    # A cycle in which all dates agree, such as the time of day of midnights, is left out.
    cycles = tuple(cycle for cycle in CYCLES if np.ptp(_phase(cycle, starts)) > 0)
    # pandas has no dtype of datetime.date objects: infer_dtype looks at the first of them.
    is_object = pd.api.types.is_object_dtype(values.dtype)
    holds_dates = is_object and pd.api.types.infer_dtype(values, skipna=True) == "date"
    elapsed = _learn_elapsed(name, stamps)
    step = _step_of(present)
    return DatetimeColumn(
        name, values.dtype, stamps.dtype, elapsed, cycles, step, bool(holds_dates)
    )


def learn_durations(name: Name, values: Values) -> DurationColumn:
    """Learn the units and the step of a column with at least one duration."""
    durations = read_durations(values, name)
    times = _counted(durations)
    step = _step_of(times[~_is_nat(times)])
    return DurationColumn(name, values.dtype, _learn_elapsed(name, durations), step)


def read_stamps(values: Values, name: Name, dtype: Dtype | None) -> pd.Series:
    """Dates of any type as timestamps; those of a time zone in the one of ``dtype``.

    Raises
    ------
    ValueError
        If dates have a time zone and ``dtype`` has none, or the other way round; or if they are
        out of bounds.
    """
    kind = kind_of(values)
    if kind == "missing":
        return pd.Series(pd.NaT, index=range(len(values)), dtype=dtype or "datetime64[us]")
    _require("dates", kind, name, values)
    try:
        stamps = _to_stamps(pd.Series(values, copy=False))
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(
            f"Column {name!r} holds dates that cannot be read together: {error}. Convert it first, "
            "for instance with pandas.to_datetime(..., utc=True)."
        ) from error
    stamps = stamps.reset_index(drop=True)
    if dtype is None:
        return stamps
    zone = getattr(stamps.dtype, "tz", None)
    expected_zone = getattr(dtype, "tz", None)
    # Without its zone, a date may be hours away from what it seems to be.
    if (zone is None) != (expected_zone is None):
        argument = repr(str(expected_zone)) if expected_zone else None
        raise ValueError(
            f"Column {name!r} held dates with {_zone_in_words(expected_zone)} while fitting and "
            f"now holds dates with {_zone_in_words(zone)}. Convert it first, for instance with "
            f".dt.tz_localize({argument})."
        )
    return stamps if expected_zone is None else stamps.dt.tz_convert(expected_zone)


def _zone_in_words(zone: datetime.tzinfo | None) -> str:
    return f"the time zone {zone}" if zone else "no time zone"


def read_durations(values: Values, name: Name) -> pd.Series:
    """Durations of any type as timedeltas."""
    kind = kind_of(values)
    if kind == "missing":
        return pd.Series(pd.NaT, index=range(len(values)), dtype="timedelta64[us]")
    _require("durations", kind, name, values)
    durations = pd.Series(values, copy=False).reset_index(drop=True)
    try:
        if durations.dtype.kind == "m":
            return durations.astype("timedelta64[us]")
        return pd.to_timedelta(durations.astype(object))
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(
            f"Column {name!r} holds durations that cannot be read: {error}."
        ) from error


def _require(expected: Kind, kind: Kind, name: Name, values: Values) -> None:
    # pandas would read numbers as nanoseconds.
    if kind != expected:
        raise ValueError(
            f"Column {name!r} must hold {expected}, but it holds {IN_WORDS[kind]}, such as "
            f"{example_of(values)}."
        )


def _to_stamps(values: pd.Series) -> pd.Series:
    values = pd.Series(_with_dtype_of_periods(values), copy=False)
    dtype = values.dtype
    if isinstance(dtype, pd.PeriodDtype):
        # A start would become the end of the period before it by the least rounding.
        start, end = values.dt.start_time, values.dt.end_time
        middle: pd.Series = start + (end - start) / 2
        return middle
    if isinstance(dtype, pd.CategoricalDtype):
        return _to_stamps(values.astype(dtype.categories.dtype))
    is_of_numpy = isinstance(dtype, np.dtype) and dtype.kind == "M"
    if is_of_numpy or isinstance(dtype, pd.DatetimeTZDtype):
        return values
    if isinstance(dtype, pd.ArrowDtype) and dtype.kind == "M":
        # Arrow also has dates without a time of day, whose type has no zone.
        timezone = getattr(dtype.pyarrow_dtype, "tz", None)
        return values.astype(pd.DatetimeTZDtype("us", timezone) if timezone else "datetime64[us]")
    try:
        return pd.to_datetime(values)
    except pd.errors.OutOfBoundsDatetime:
        # Older versions of pandas read nanoseconds, which end in the year 2262.
        cells = values.astype(object).mask(is_missing(values), None)
        return pd.Series(np.array(cells.tolist(), dtype="datetime64[us]"))


def _with_dtype_of_periods(values: Values) -> Values:
    """Objects that are periods as a column of periods; anything else as it is."""
    if not pd.api.types.is_object_dtype(values.dtype):
        return values
    inferred = pd.Series(values, copy=False).infer_objects()
    return inferred if isinstance(inferred.dtype, pd.PeriodDtype) else values


def _wall_clock(stamps: pd.Series) -> npt.NDArray[np.int64]:
    """Microseconds since the epoch that clocks on the wall show."""
    return _counted(stamps.dt.tz_localize(None))


def _seconds(times: pd.Series) -> FloatArray:
    """Seconds of durations, or of dates since the epoch; NaN if missing."""
    if getattr(times.dtype, "tz", None) is not None:
        times = times.dt.tz_convert(None)
    counted = _counted(times)
    seconds = counted / SECOND
    return np.where(_is_nat(counted), np.nan, seconds)


def _counted(times: pd.Series) -> npt.NDArray[np.int64]:
    """Microseconds of dates without a time zone, or of durations; NaT as the least integer."""
    cells = times.to_numpy()
    if _unit(cells.dtype) != "ns":
        kind = "datetime" if cells.dtype.kind == "M" else "timedelta"
        return cells.astype(f"{kind}64[us]").view(np.int64)
    # NumPy's conversion of the least nanoseconds overflows.
    nanoseconds = cells.view(np.int64)
    return np.where(_is_nat(nanoseconds), nanoseconds, nanoseconds // 1000)


def _microseconds(seconds: FloatArray, dtype: Dtype) -> npt.NDArray[np.int64]:
    """Integers of microseconds that a dtype can hold; NaT, the least integer, if missing."""
    unit = getattr(dtype, "unit", None) or _unit(dtype)
    low, high = LIMITS.get(unit, WIDEST)
    counted = np.nan_to_num(seconds) * SECOND
    whole = np.rint(np.clip(counted, low, high)).astype(np.int64)
    # The limits round to doubles that lie beyond them.
    whole = np.clip(whole, low, high)
    is_missing_time = np.isnan(seconds)
    return np.where(is_missing_time, np.iinfo(np.int64).min, whole)


def times_as(values: pd.Series, dtype: Dtype) -> pd.Series:
    """Dates or durations of any type in a dtype of times, which may know fewer of their digits."""
    if dtype.kind == "m":
        times = read_durations(values, values.name)
    else:
        times = read_stamps(values, values.name, None)
    return times.astype(dtype).set_axis(values.index)


def _in_dtype(times: pd.Series, dtype: Dtype) -> pd.Series:
    """Times in a dtype, or as they are if it is one of NumPy's that pandas does not have."""
    # NumPy also counts in years, months, weeks, days, hours, minutes and parts of nanoseconds.
    return times if _unit(dtype) not in {"", *UNITS} else times.astype(dtype)


def _unit(dtype: Dtype) -> str:
    if isinstance(dtype, np.dtype) and dtype.kind in "mM":
        return np.datetime_data(dtype.str)[0]
    return ""


def _is_nat(times: npt.NDArray[np.int64]) -> Mask:
    is_missing_time: Mask = times == np.iinfo(np.int64).min
    return is_missing_time


def _phase(cycle: str, wall: npt.NDArray[np.int64]) -> FloatArray:
    """Share of a cycle that has passed, in [0, 1); NaN if missing."""
    days = wall // DAY
    if cycle == "time of day":
        phase = (wall - days * DAY) / DAY
    elif cycle == "weekday":
        phase = (days + 3) % 7 / 7  # the epoch began on a Thursday
    else:
        dates = days.astype("datetime64[D]")
        first = dates.astype("datetime64[Y]").astype("datetime64[D]")
        # A leap year has 366 days. With this divisor the phase stays below 1 in every year.
        phase = (dates - first).astype(np.int64) / 366
    return np.where(_is_nat(wall), np.nan, phase)


def _learn_elapsed(name: Name, times: pd.Series) -> NumericColumn:
    seconds = _seconds(times)
    present = seconds[~np.isnan(seconds)]
    return learn_numbers(name, None, present, len(present) < len(seconds))


def _by_logarithm(excess: FloatArray) -> FloatArray:
    # Nothing jumps at the end of a range, and farther away is always larger.
    return np.sign(excess) * np.log1p(np.abs(excess))


def _step_of(times: npt.NDArray[np.int64]) -> int:
    for step in STEPS:
        if not (times % step).any():
            return step
    return 1


def _nearest(times: npt.NDArray[np.int64], step: int) -> npt.NDArray[np.int64]:
    return (times + step // 2) // step * step


def _rounded(stamps: pd.Series, step: int) -> pd.Series:
    """Dates rounded to a multiple of the step on the clock of their time zone."""
    if step == 1:
        return stamps
    wall = _wall_clock(stamps)
    counted = np.where(_is_nat(wall), wall, _nearest(wall, step))
    rounded = pd.Series(counted.astype("datetime64[us]"))
    timezone = getattr(stamps.dtype, "tz", None)
    if timezone is None:
        return rounded
    # An hour that occurs twice is taken for its second time, in winter; one that is skipped, for
    # the next one that there is. pandas would raise for both.
    is_summer = np.zeros(len(rounded), dtype=bool)
    return rounded.dt.tz_localize(timezone, ambiguous=is_summer, nonexistent="shift_forward")
