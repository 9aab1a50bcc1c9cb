"""Warnings of columns that become categories, and that their owner may see as something else."""

import re
import warnings

import pandas as pd

from sklearn_ssl._table.kinds import is_missing
from sklearn_ssl._table.types import Name, Values

MARKERS = frozenset(
    {"", "?", ".", "-", "--", "*", "n/a", "na", "nan", "none", "null", "missing", "unknown"}
)
"""Texts, in lower case, by which files mark a missing cell."""

FEWEST_NUMBERS = 10
"""Fewer different numbers as text can well be codes, such as grades."""

FEWEST_ROWS = 30
"""In fewer rows every value can differ by chance."""

MOST_EXAMINED = 1000
"""Different values that are looked at."""

USUAL_SHARE = 0.9
"""Share of the different values that has to look like a number or a date."""

# Patterns are matched against whole cells: "12 Main Street" is neither a number nor a date.
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
CODE = re.compile(r"[-+]?0\d+")
"""A number with a leading zero, such as a postal code, is a name."""

WRITTEN_NUMBER = re.compile(r"\(?[-+]?\s*[$€£¥]?\s*[-+]?(\d{1,3}(,\d{3})+|\d+)?(\.\d+)?\s*[%€]?\)?")
DATE = re.compile(r"(\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[/.]\d{1,2}[/.]\d{2,4})([T ]\d{1,2}:\d{2}.*)?")


def warn_of_text(name: Name, values: Values) -> None:
    """Warn of text that looks like numbers, like dates, or like a name for every row."""
    present = pd.Series(values, copy=False)[~is_missing(values)]
    different = present.unique()
    advice = _advice(name, [str(cell).strip() for cell in different[:MOST_EXAMINED]])
    has_enough_rows = len(present) >= FEWEST_ROWS
    differs_by_row = len(different) > USUAL_SHARE * len(present)
    # Numbers and dates as text differ by row, too, and have a remedy of their own.
    if advice is None and has_enough_rows and differs_by_row:
        advice = (
            f"has {len(different)} different values in {len(present)} rows, such as "
            f"{different[0]!r}, of which a model learns nothing. Drop it if it identifies rows, or "
            "encode it first if it is free text, for instance with skrub"
        )
    if advice is not None:
        warnings.warn(
            f"Column {name!r} becomes categories, but it {advice}. If it does hold categories, "
            "say so in categorical_features or by the dtype 'category'.",
            UserWarning,
            stacklevel=2,
        )


def _advice(name: Name, cells: list[str]) -> str | None:
    """What a column of text looks like, with an example and the remedy."""
    # Markers of missing cells say nothing of the rest, and are why a reader of files left
    # numbers as text.
    others = [cell for cell in cells if cell.lower() not in MARKERS]
    if not others:
        return None
    marker = next((cell for cell in cells if cell.lower() in MARKERS), None)
    dates = [cell for cell in others if DATE.fullmatch(cell)]
    if len(dates) >= USUAL_SHARE * len(others):
        return (
            f"holds dates as text, such as {dates[0]!r}. Convert it first: "
            f"X[{name!r}] = pandas.to_datetime(X[{name!r}])"
        )
    plain = [cell for cell in others if NUMBER.fullmatch(cell) and not CODE.fullmatch(cell)]
    # A marker beside nothing but numbers leaves no doubt, however few these are.
    is_marked = marker is not None and len(plain) == len(others) > 1
    if is_marked or len(plain) >= max(USUAL_SHARE * len(others), FEWEST_NUMBERS):
        odd = next((cell for cell in cells if cell not in plain), None)
        beside = "" if odd is None else f" beside {odd!r}"
        return (
            f"holds numbers as text, such as {plain[0]!r}{beside}. Convert it first: "
            f"X[{name!r}] = pandas.to_numeric(X[{name!r}], errors='coerce')"
        )
    written = [cell for cell in others if WRITTEN_NUMBER.fullmatch(cell) and _is_signed(cell)]
    n_numbers = len(written) + len(plain)
    if written and n_numbers >= max(USUAL_SHARE * len(others), FEWEST_NUMBERS):
        return (
            f"holds numbers as text, such as {written[0]!r}. Remove all but digits, signs and "
            f"points first: X[{name!r}] = X[{name!r}].str.replace(r'[^0-9.+-]', '', "
            "regex=True).astype(float)"
        )
    return None


def _is_signed(cell: str) -> bool:
    """Whether digits stand beside a currency, a percent sign or separators of thousands."""
    has_sign = any(sign in cell for sign in "$€£¥%,")
    return has_sign and any(character.isdigit() for character in cell)
