"""Targets: what ``y`` holds, and which rows have a label."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

from sklearn_ssl._marks import (
    Labels,
    Mask,
    is_minus_one,
    marked_classes,
    missing_cells,
    narrow,
    read_cells,
    refuse_objects_that_are_no_labels,
    refuse_texts_that_mean_nothing,
    warn_if_mostly_one_negative,
    warn_of_class_like_a_mark,
)
from sklearn_ssl.evaluation._types import RowNumbers

MOST_CLASSES_OF_FLOATS = 20
"""Whole floats of more distinct values are quantities for sure, such as counts."""


@dataclass(frozen=True)
class Target:
    """A target, whether its values are classes, and which rows have one.

    Attributes
    ----------
    values : ndarray of shape (n_rows,)
        Labels. What stands at the unlabeled rows has no meaning: ask :meth:`of` for labels.

    has_classes : bool
        Whether the labels are classes; they are quantities otherwise.

    is_labeled : ndarray of shape (n_rows,), bool
        Rows with a label.
    """

    values: Labels
    has_classes: bool
    is_labeled: Mask

    @property
    def labeled_rows(self) -> RowNumbers:
        """Row numbers with a label."""
        return np.flatnonzero(self.is_labeled)

    @property
    def known(self) -> Labels:
        """Labels of the labeled rows."""
        return self.values[self.is_labeled]

    def of(self, rows: RowNumbers) -> Labels:
        """Labels of some rows, all of which must have one."""
        if not self.is_labeled[rows].all():
            raise AssertionError("Unlabeled rows were asked for their labels.")
        return self.values[rows]

    def followed_by_unlabeled(self, n_rows: int) -> "Target":
        """The same target for a table with more rows, which have no label."""
        # Any value that the array can hold will do, because nobody reads these labels.
        fillers = np.repeat(self.values[:1], n_rows)
        values = np.concatenate([self.values, fillers])
        is_labeled = np.concatenate([self.is_labeled, np.zeros(n_rows, dtype=bool)])
        return Target(values, self.has_classes, is_labeled)


def read_target(y: npt.ArrayLike, *, name: str = "y", minus_one_marks: bool = True) -> Target:
    """Read a target that may have rows without a label.

    NaN, None, NaT and ``pd.NA`` mark such rows, and -1 does among classes, as for
    :class:`~sklearn_ssl.FineTunedClassifier`; of two classes -1 and 1, -1 is one. Floats with more
    than two distinct values are quantities, which rules out that a quantity that happens to be
    rounded, such as the target of the diabetes data, is taken for classes.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
        Labels and marks.

    name : str, default="y"
        Name of the parameter in errors.

    minus_one_marks : bool, default=True
        Whether -1 can mark a row without a label.

    Returns
    -------
    target : Target
        Labels, their kind, and the rows that have one.

    Raises
    ------
    ValueError
        If a mark could also be a label, or no row has a label.
    """
    cells, declares_kind = read_cells(y)
    cells = column_or_1d(cells)
    is_labeled = ~missing_cells(cells)
    values = cells[is_labeled]
    is_category = isinstance(getattr(y, "dtype", None), pd.CategoricalDtype)
    has_classes = is_category or not _are_quantities(narrow(values))
    if minus_one_marks:
        has_gaps = not is_labeled.all()
        if has_gaps and not declares_kind:
            _refuse_floats_of_unknown_kind(narrow(values), name)
        refuse_texts_that_mean_nothing(values, name)
        is_mark = _marks(values, has_classes, has_gaps, name)
        is_labeled[np.flatnonzero(is_labeled)[is_mark]] = False
        values = values[~is_mark]
    # Without its marks, an array of objects may be one of booleans.
    values = narrow(values)
    if not len(values):
        raise ValueError(
            f"{name} has no row with a label: all {len(cells)} are -1 or missing. Pass at least "
            "the labels that the scores are to be measured by."
        )
    if not is_category:
        refuse_objects_that_are_no_labels(values, name)
    kind = type_of_target(values, input_name=name)
    if has_classes and kind not in {"binary", "multiclass"} and not is_category:
        raise ValueError(f"Unknown label type: {kind}. {name} must hold classes or numbers.")
    if minus_one_marks and has_classes:
        warn_of_class_like_a_mark(values)
    elif minus_one_marks:
        warn_if_mostly_one_negative(values.astype(np.float64))
    # The first label fills the gaps, as any array can hold it; nobody asks for what stands there.
    filled = np.full(len(cells), values[0], dtype=values.dtype)
    filled[is_labeled] = values
    return Target(filled, has_classes, is_labeled)


def require_predictable_classes(classes: Labels, name: str = "y") -> None:
    """Refuse what a figure can color by, but no classifier predicts.

    Parameters
    ----------
    classes : ndarray of shape (n_rows,)
        Labels that are no quantities.

    name : str, default="y"
        Name of the parameter in errors.

    Raises
    ------
    ValueError
        If there are fewer than two classes, or they are dates, intervals or fractions.
    """
    if len(pd.unique(classes)) < 2:
        raise ValueError(
            f"{name} has labels of one class only, {classes.tolist()[0]!r}, in {len(classes)} "
            "labeled rows. Scores need two classes; rows with -1 or a missing value are unlabeled."
        )
    refuse_objects_that_are_no_labels(classes, name)
    if classes.dtype.kind in "mM":
        raise ValueError(
            f"{name} holds dates or durations, such as {classes[0]}, which are neither classes nor "
            f"numbers. Pass numbers, such as days: ({name} - {name}.min()) / "
            "np.timedelta64(1, 'D')."
        )
    if classes.dtype.kind == "f" and not _are_whole(classes):
        raise ValueError(
            f"{name} holds categories that are fractions, such as {classes[0]:g}. For classes, "
            f"pass texts: pd.Series({name}).map(str, na_action='ignore'). For quantities, pass "
            f"floats: {name}.astype(float)."
        )


def _are_quantities(values: Labels) -> bool:
    if values.dtype.kind != "f":
        return False
    # Floats of one or two whole values are classes.
    return not _are_whole(values) or len(np.unique(values)) > 2


def _are_whole(values: Labels) -> bool:
    numbers = np.asarray(values, dtype=np.float64)
    return bool(np.all(numbers == np.rint(numbers)))


def _marks(values: Labels, has_classes: bool, has_gaps: bool, name: str) -> Mask:
    """Which of the values say that a row has no label."""
    if has_classes:
        return marked_classes(values, name, has_gaps=has_gaps)
    is_number = is_minus_one(values)
    if is_number.any():
        _refuse_minus_one_among_quantities(narrow(values[~is_number]), int(is_number.sum()), name)
    return np.zeros_like(is_number)


def _refuse_minus_one_among_quantities(others: Labels, n_marks: int, name: str) -> None:
    # A single -1 may well be a quantity, and so may several beside other negative ones.
    if n_marks < 2 or (len(others) and others.min() < 0):
        return
    raise ValueError(
        f"{name} holds quantities, and {n_marks} of them are -1, the only negative value. If it "
        "marks unlabeled rows, write NaN instead: np.where(y == -1, np.nan, y). For classes, pass "
        "integers: y.astype(int). If -1 is a quantity, pass y + 1, whose R² is the same."
    )


def _refuse_floats_of_unknown_kind(values: Labels, name: str) -> None:
    if values.dtype.kind != "f" or not _are_whole(values):
        return
    distinct = np.unique(values)
    if not 2 < len(distinct) <= MOST_CLASSES_OF_FLOATS:
        return
    examples = ", ".join(f"{value:g}" for value in distinct[:3])
    raise ValueError(
        f"{name} holds missing values and whole floats ({examples}, ...), which may be classes or "
        f"quantities. Pass pd.Series({name}).astype('Int64') for classes, or .astype('Float64') "
        "for quantities."
    )
