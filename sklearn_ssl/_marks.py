"""Marks of rows without a label: -1 among classes, and NaN, None or NA in any target.

Whatever reads a target reads its cells here: the estimators, the splitter, and the evaluation.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from numbers import Integral, Real
from typing import Protocol, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from sklearn_ssl._compat import num_samples, warn_user

UNLABELED = -1
"""Class of an unlabeled row, as in :mod:`sklearn.semi_supervised`."""

TEXTS_THAT_MEAN_NOTHING = ("-1", "-1.0", "nan", "<NA>", "")
"""What marks become in an array of texts, and what an empty cell of a file is read as."""

WORDS_FOR_NOTHING = frozenset(
    {"", "?", "n/a", "missing", "null", "unknown", "unlabeled", "unlabelled"}
)
"""Names of classes that make one wonder whether they are classes, in lower case."""

MOST_LOPSIDED = 20
"""Rows for each row of class 1 from which the classes -1 and 1 look like marks."""

Labels: TypeAlias = npt.NDArray[np.generic]
"""Labels of any dtype, of shape (n_rows,) or (n_rows, n_labels)."""

Mask: TypeAlias = npt.NDArray[np.bool_]


class Frame(Protocol):
    """A data frame of any library."""

    columns: Sequence[str]

    def __getitem__(self, name: str) -> npt.ArrayLike: ...


def read_cells(y: npt.ArrayLike) -> tuple[Labels, bool]:
    """Cells of a target as an array, and whether their type says if they are quantities.

    A column of NumPy's integers becomes one of floats as soon as a cell is missing. Types with a
    missing value of their own stay what they are.

    Parameters
    ----------
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        Labels and marks. A list keeps the types of its cells, which an array would turn to texts
        if one of them is a text.

    Returns
    -------
    cells : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Objects if they come from a list, or from a column whose type has a missing value.

    declares_kind : bool
        Whether such a type distinguishes integers from floats.

    Raises
    ------
    ValueError
        If there is a single value instead of one for each row.
    """
    cells, declares_kind = _cells_as_they_are(y)
    return _plain_numbers(cells), declares_kind


def _cells_as_they_are(y: npt.ArrayLike) -> tuple[Labels, bool]:
    """What :func:`read_cells` returns, with decimals among the objects."""
    if isinstance(y, np.ma.MaskedArray):
        cells = y.data.astype(object)
        cells[np.ma.getmaskarray(y)] = None
        return cells, True
    # NumPy would read numbers and NaN beside texts as texts.
    if isinstance(y, (list, tuple)) and all(np.ndim(cell) == 0 for cell in y):
        return _objects(y), False
    if hasattr(y, "columns") and len(y.columns) == 1:
        # A frame as a whole would lose the dtype of its column.
        frame = cast(Frame, y)
        cells, declares_kind = _cells_as_they_are(frame[frame.columns[0]])
        return cells[:, None], declares_kind
    if _has_own_missing_value(y):
        return _objects(list(cast(Iterable[object], y))), True
    cells = np.asarray(y)
    if not cells.ndim:
        remedy = f" Pass the column itself, such as table[{y!r}]." if isinstance(y, str) else ""
        raise ValueError(f"A target has a label for each row; got {y!r}.{remedy}")
    return cells, False


def require_one_per_row(X: object, y: object) -> None:
    """Raise if a target does not have a label or a mark for each row of a table."""
    n_rows, n_labels = num_samples(X), num_samples(y)
    if n_rows != n_labels:
        raise ValueError(
            f"X and y have inconsistent numbers of samples: {n_rows} and {n_labels}. Pass all rows "
            "in X, and in y a label or a mark for each of them: NaN or None marks a row without a "
            "label, and so does -1 among classes."
        )


def _plain_numbers(cells: Labels) -> Labels:
    """Turn decimals, which databases return, to numbers that scikit-learn knows as such.

    Decimals without decimal places are integers, as the database declares them.
    """
    if cells.dtype.kind != "O":
        return cells
    is_decimal = np.array([isinstance(cell, Decimal) for cell in cells.ravel()], dtype=bool)
    if not is_decimal.any():
        return cells
    # A copy, since the cells may be those of the user.
    numbers = cells.flatten()
    decimals: list[Decimal] = numbers[is_decimal].tolist()
    is_whole = all(number.same_quantum(Decimal(1)) for number in decimals)
    numbers[is_decimal] = _objects([int(d) if is_whole else float(d) for d in decimals])
    return numbers.reshape(cells.shape)


def missing_cells(cells: Labels) -> Mask:
    """Which cells are NaN, None, NaT or NA."""
    return np.asarray(pd.isna(cells), dtype=bool)


def narrow(values: Labels) -> Labels:
    """Objects as booleans, integers or floats if all of them are such numbers."""
    if values.dtype.kind != "O" or not values.size:
        return values
    # Each kind includes those above it: to Python, booleans are integers, and integers are real.
    kinds: list[tuple[type | tuple[type, ...], type]] = [
        ((bool, np.bool_), bool),
        (Integral, np.int64),
        (Real, np.float64),
    ]
    for kind, dtype in kinds:
        if all(isinstance(value, kind) for value in values.ravel()):
            return values.astype(dtype)
    return values


def is_minus_one(values: Labels) -> Mask:
    """Which values are the number -1."""
    if values.dtype.kind in "if":
        return np.asarray(values == UNLABELED)
    # Booleans, unsigned integers and strings cannot hold -1.
    if values.dtype.kind != "O":
        return np.zeros(values.shape, dtype=bool)
    flat = [isinstance(value, Real) and value == UNLABELED for value in values.ravel()]
    return np.array(flat, dtype=bool).reshape(values.shape)


def marked_classes(values: Labels, name: str, *, has_gaps: bool) -> Mask:
    """Which classes are the mark -1; of two classes -1 and 1, -1 is one.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Classes of which none is missing.

    name : str
        Name of the parameter in errors.

    has_gaps : bool
        Whether other rows have a missing value instead of a class.

    Raises
    ------
    ValueError
        If -1 and missing values could both mark rows.
    """
    is_mark = is_minus_one(values)
    others = values[~is_mark]
    is_class_beside_one = len(others) and np.all(others == 1)
    if not is_mark.any() or is_class_beside_one:
        warn_if_lopsided(is_mark)
        return np.zeros_like(is_mark)
    if has_gaps:
        raise ValueError(
            f"{name} holds both -1 and missing values among its classes, and either could mark the "
            f"unlabeled rows. If both do, pass {name}.fillna(-1); if -1 is a class, give it "
            "another name."
        )
    return is_mark


def warn_if_lopsided(is_minus_one_class: Mask) -> None:
    """Warn if -1 and 1 are taken for two classes although -1 probably marks unlabeled rows."""
    n_minus_ones = int(is_minus_one_class.sum())
    n_ones = len(is_minus_one_class) - n_minus_ones
    # -1 and 1 are customary names of two classes. Only if hardly any row is a 1 does -1 look like
    # a mark.
    if n_minus_ones and len(is_minus_one_class) > MOST_LOPSIDED * n_ones:
        warn_user(
            f"y holds nothing but -1 and 1, which are taken for two classes: {n_ones} rows of "
            f"class 1 against {n_minus_ones} of class -1. If -1 marks rows without a class, all "
            "labels are of one class, and a classifier needs two.",
            UserWarning,
        )


def warn_if_mostly_one_negative(numbers: npt.NDArray[np.floating]) -> None:
    """Warn if a number such as -1 or -99 is taken for one although it probably marks rows."""
    negative = numbers[numbers < 0]
    if 2 * len(negative) > numbers.size and np.all(negative == negative[0]):
        mark = f"{negative[0]:g}"
        warn_user(
            f"{len(negative)} of {numbers.size} targets are {mark}, the only negative value, and "
            f"are taken for numbers. If {mark} marks unlabeled rows, write NaN instead: "
            f"np.where(y == {mark}, np.nan, y).",
            UserWarning,
        )


def warn_of_class_like_a_mark(classes: Labels) -> None:
    """Warn if most rows have a class such as -99 or "unknown", which probably marks them.

    Parameters
    ----------
    classes : ndarray of shape (n_values,) or (n_values, n_labels)
        Classes without missing values, among which -1 is a class if it is there. Several labels
        of a row are zeros and ones.
    """
    if classes.ndim != 1 or not len(classes):
        return
    counts = Counter(classes.tolist())
    (mark, n_marks), *_ = counts.most_common(1)
    if 2 * n_marks > len(classes) and _looks_like_a_mark(mark, others=counts.keys() - {mark}):
        warn_user(
            f"y has the class {mark!r} in {n_marks} of {len(classes)} rows. If it marks unlabeled "
            f"rows, write None instead: pd.Series(y).replace({mark!r}, None).",
            UserWarning,
        )


def _looks_like_a_mark(label: object, others: Iterable[object]) -> bool:
    """Whether a class is a word for nothing, or the only negative number."""
    if isinstance(label, str):
        return label.strip().casefold() in WORDS_FOR_NOTHING
    # -1 is left to those who know whether it is a mark.
    if not isinstance(label, Real) or float(label) >= UNLABELED:
        return False
    return not any(isinstance(other, Real) and float(other) < 0 for other in others)


def refuse_texts_that_mean_nothing(values: Labels, name: str) -> None:
    """Raise if a text would be a class that looks like a mark."""
    # These are the kinds of objects and of NumPy's strings of fixed and of variable length.
    if values.dtype.kind not in "OUT":
        return
    for text in TEXTS_THAT_MEAN_NOTHING:
        count = sum(isinstance(value, str) and value == text for value in values.ravel())
        if count:
            raise ValueError(
                f"{name} holds the text {text!r} in {count} rows. If it marks unlabeled rows, "
                f"write None instead: pd.Series({name}).replace({text!r}, None). If it is a class, "
                "give it another name."
            )


def refuse_objects_that_are_no_labels(values: Labels, name: str) -> None:
    """Raise if an object is neither a number nor a text, such as an interval or a date."""
    if values.dtype.kind != "O":
        return
    for value in values.ravel():
        # Of bytes, scikit-learn says what to do.
        if not isinstance(value, Real | np.bool_ | str | bytes):
            raise ValueError(
                f"{name} holds {value!r}, which is neither a number nor a text. Pass numbers, such "
                "as days instead of dates and middles instead of intervals, or texts for classes: "
                f"pd.Series({name}).map(str, na_action='ignore')."
            )


def _has_own_missing_value(y: object) -> bool:
    """Whether cells are pandas' nullable or categorical ones, or a series of another library."""
    if isinstance(y, (pd.Series, pd.Index)) or not hasattr(y, "to_list"):
        return isinstance(getattr(y, "dtype", None), pd.api.extensions.ExtensionDtype)
    return True


def _objects(cells: Sequence[object]) -> Labels:
    array = np.empty(len(cells), dtype=object)
    # Filled like this, an array keeps texts, numbers and None side by side.
    array[:] = cells
    return array
