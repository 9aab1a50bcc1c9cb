"""Rows: how a table is split, and which training rows get to show their labels."""

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold, check_cv
from sklearn.utils import check_consistent_length, indexable
from sklearn.utils.validation import column_or_1d

from sklearn_ssl._compat import num_samples
from sklearn_ssl._marks import UNLABELED, Labels, require_one_per_row
from sklearn_ssl._stratified import alternating
from sklearn_ssl._table.types import TableLike
from sklearn_ssl.evaluation._stacking import row_keys, stack_rows
from sklearn_ssl.evaluation._targets import Target, read_target, require_predictable_classes
from sklearn_ssl.evaluation._types import RowNumbers, Splits, Splitter, from_arrow


@dataclass(frozen=True)
class LabeledTable:
    """All rows that may be learned from, and the labels of some of them.

    Attributes
    ----------
    X : {array-like, sparse matrix, DataFrame} of shape (n_rows, n_features)
        The user's rows, followed by those of ``X_unlabeled``.

    target : Target
        Of these rows.

    n_own : int
        Rows that come from ``X``.
    """

    X: TableLike
    target: Target
    n_own: int


@dataclass(frozen=True)
class Split:
    """Row numbers of one split, by what may be done with them.

    Attributes
    ----------
    pretrain : ndarray
        Rows to pretrain on, without labels: the unlabeled ones and those of ``train``.

    train : ndarray
        Rows to learn from with their labels.

    test : ndarray
        Labeled rows to score on. Nothing is fitted on them.
    """

    pretrain: RowNumbers
    train: RowNumbers
    test: RowNumbers

    @property
    def test_ratio(self) -> float:
        """Number of test rows divided by that of labeled training rows."""
        return len(self.test) / len(self.train)


def read_table(
    X: TableLike, y: npt.ArrayLike, X_unlabeled: TableLike | None = None
) -> LabeledTable:
    """Read rows and labels, and put the rows of ``X_unlabeled`` behind them.

    Raises
    ------
    ValueError
        If ``X`` and ``y`` have different numbers of rows, the two tables do not match, a mark is
        ambiguous, or there is one class alone.
    """
    X = from_arrow(X)
    require_one_per_row(X, y)
    X, y = indexable(X, y)
    target = read_target(y)
    if target.has_classes:
        require_predictable_classes(target.known)
    if X_unlabeled is None:
        return LabeledTable(X, target, num_samples(X))
    X_unlabeled = from_arrow(X_unlabeled)
    whole = stack_rows(X, X_unlabeled)
    return LabeledTable(
        whole, target.followed_by_unlabeled(num_samples(X_unlabeled)), num_samples(X)
    )


def make_splits(table: LabeledTable, cv: Splits, groups: npt.ArrayLike | None) -> list[Split]:
    """All splits, drawn at once so that tasks in any order see the same ones.

    This is the one place that decides what is done with a row. A row that a split tests on, or
    sets aside for testing, is never one that it learns from. Unlabeled rows are pretrained on,
    except those of a test row's group, and those of ``X_unlabeled`` that equal a test row: they
    are that row, if ``X_unlabeled`` was meant to hold all rows that there are.
    """
    if groups is not None:
        check_consistent_length(np.empty(table.n_own), groups)
    group_of = None if groups is None else np.asarray(groups)
    # Only tables with X_unlabeled need to know which of their rows are equal.
    has_extra = num_samples(table.X) > table.n_own
    keys = row_keys(table.X) if has_extra else None
    return [
        _make_split(table, keys, group_of, *pair, number)
        for number, pair in enumerate(_pairs(table.target, cv, group_of, table.n_own))
    ]


def repeat_splits(cv: Splits, n_repeats: int, has_classes: bool, seed: int) -> Splits:
    """A splitter for an int: shuffled folds, repeated. Any other ``cv`` is handed on."""
    if not isinstance(cv, Integral):
        return cv
    kind = RepeatedStratifiedKFold if has_classes else RepeatedKFold
    splitter: Splitter = kind(n_splits=int(cv), n_repeats=n_repeats, random_state=seed)
    return splitter


def _pairs(
    target: Target, cv: Splits, groups: Labels | None, n_own: int
) -> list[tuple[RowNumbers, RowNumbers]]:
    """Row numbers of training and test sets, as ``cv`` gives them."""
    labeled = target.labeled_rows
    if isinstance(cv, Iterable) and not hasattr(cv, "split"):
        pairs = [(_row_numbers(train), _row_numbers(test)) for train, test in cv]
        _check_row_numbers(pairs, n_own, "X", "Number the rows of X from 0.")
        return pairs
    # Splitters look at the number of rows only; tables of strings would not pass all of them.
    splitter: Splitter = check_cv(cv, target.known, classifier=target.has_classes)
    known_groups = None if groups is None else groups[labeled]
    pairs = list(splitter.split(np.zeros(len(labeled)), target.known, known_groups))
    _check_row_numbers(
        pairs,
        len(labeled),
        "the labeled rows, which are what a splitter splits",
        "For splits of all rows pass pairs of row numbers: cv=list(splitter.split(X, y)).",
    )
    return [(labeled[train], labeled[test]) for train, test in pairs]


def _row_numbers(rows: npt.ArrayLike) -> RowNumbers:
    numbers = np.asarray(rows)
    # An empty list is an array of floats to NumPy.
    if numbers.size and numbers.dtype.kind not in "iu":
        raise ValueError(
            f"cv must yield row numbers, and yields {numbers.dtype}. Of a mask, pass "
            "np.flatnonzero(mask)."
        )
    return numbers.astype(np.intp)


def _check_row_numbers(
    pairs: list[tuple[RowNumbers, RowNumbers]], n_rows: int, what: str, remedy: str
) -> None:
    if not pairs:
        raise ValueError(
            "cv yields no splits. A generator can be read once; pass a list of what it yields."
        )
    for number, pair in enumerate(pairs):
        rows = np.concatenate(pair)
        outside = rows[(rows < 0) | (rows >= n_rows)]
        if outside.size:
            raise ValueError(
                f"cv has row {outside[0]} in split {number}, but there are {n_rows} rows in "
                f"{what}. {remedy}"
            )


def _make_split(
    table: LabeledTable,
    keys: npt.NDArray[np.integer] | None,
    groups: Labels | None,
    train: RowNumbers,
    test: RowNumbers,
    number: int,
) -> Split:
    shared = np.intersect1d(train, test)
    if shared.size:
        raise ValueError(
            "cv must not put a row into the training and the test set of the same split; "
            f"split {number} does so with {shared.size} rows, such as row {shared[0]}."
        )
    is_labeled = table.target.is_labeled
    # Rows without a label are pretrained on, unless they are test rows or too close to one.
    is_open = ~is_labeled
    is_open[test] = False
    if groups is not None:
        is_open[: table.n_own] &= ~np.isin(groups, groups[test])
    if keys is not None:
        is_test_row = np.isin(keys[table.n_own :], keys[test])
        is_open[table.n_own :] &= ~is_test_row
    train = train[is_labeled[train]]
    test = test[is_labeled[test]]
    for rows, what in ((train, "training"), (test, "test")):
        if not rows.size:
            raise ValueError(
                f"cv leaves split {number} without labeled {what} rows. Label more rows, or use "
                "fewer folds."
            )
    return Split(np.union1d(train, np.flatnonzero(is_open)), train, test)


def draw_rows(n_rows: int, max_samples: int | None, rng: np.random.RandomState) -> RowNumbers:
    """Row numbers in their order: all of them, or as many as are asked for, drawn at random."""
    if max_samples is None or n_rows <= max_samples:
        return np.arange(n_rows)
    return np.sort(rng.choice(n_rows, max_samples, replace=False))


def labeled_order(y: Labels, has_classes: bool, rng: np.random.RandomState) -> RowNumbers:
    """Order rows at random so that the first n are a stratified draw of n, for every n.

    One row of each class comes first; then the classes alternate in their proportions. Draws of
    different sizes are nested, which takes noise out of a curve.
    """
    order = rng.permutation(len(y))
    if not has_classes:
        return order
    return order[alternating(y[order])]


def resolve_train_sizes(
    train_sizes: npt.ArrayLike, splits: list[Split], target: Target
) -> RowNumbers:
    """Numbers of labels, increasing and unique, from numbers or fractions of the training rows."""
    sizes = column_or_1d(train_sizes)
    most = min(len(split.train) for split in splits)
    fewest = len(pd.unique(target.known)) if target.has_classes else 2
    if sizes.size == 0 or sizes.dtype.kind not in "iuf":
        raise ValueError(f"train_sizes must hold numbers; got {train_sizes!r}.")
    if sizes.dtype.kind == "f":
        # Of NaN, no comparison is true.
        if not (sizes.min() > 0 and sizes.max() <= 1):
            raise ValueError(
                "train_sizes has been interpreted as fractions of the labeled training rows and "
                f"must be within (0, 1], but is within [{sizes.min():g}, {sizes.max():g}]."
            )
        # A fraction asks for no exact number, so that it may be rounded up to one row per class.
        numbers = np.rint(sizes * most).astype(int)
        return np.unique(np.clip(numbers, fewest, most))
    if sizes.min() < fewest or sizes.max() > most:
        raise ValueError(
            "train_sizes has been interpreted as numbers of labels and must be within "
            f"[{fewest}, {most}], from one row per class (or two rows) to the smallest set of "
            f"labeled training rows, but is within [{sizes.min()}, {sizes.max()}]. A larger cv "
            "leaves more labels for training."
        )
    return np.unique(sizes)


def hide_labels(target: Target, rows: RowNumbers, labeled: RowNumbers) -> Labels:
    """Targets of some rows, with -1 (classes) or NaN (quantities) in all but the labeled ones.

    Parameters
    ----------
    target : Target
        Of all rows.

    rows : ndarray of shape (n_chosen,)
        Row numbers.

    labeled : ndarray
        Row numbers, among them, of which the label may be known.

    Returns
    -------
    y : ndarray of shape (n_chosen,)
        What a semi-supervised estimator is fitted on.
    """
    is_shown = np.isin(rows, labeled)
    shown = target.of(rows[is_shown])
    if not target.has_classes:
        hidden = np.full(len(rows), np.nan)
    else:
        # Neither text nor flags nor counts without a sign have room for -1.
        kind = shown.dtype.kind
        dtype = shown.dtype if kind in "if" else int if kind == "u" else object
        hidden = np.full(len(rows), UNLABELED, dtype=dtype)
        if UNLABELED in shown.tolist():
            raise ValueError(
                f"y has a class {UNLABELED}, which marks unlabeled rows for semi-supervised "
                "estimators. Give that class another name."
            )
    hidden[is_shown] = shown
    return hidden
