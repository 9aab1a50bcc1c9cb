"""Rows: how a table is split, and which training rows get to show their labels."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import check_cv
from sklearn.utils import indexable
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

from sklearn_ssl._compat import num_samples

UNLABELLED = -1


class Target(NamedTuple):
    """A target and whether its values are classes."""

    values: np.ndarray
    has_classes: bool


class Split(NamedTuple):
    """Row numbers of one split of a table."""

    train: np.ndarray
    test: np.ndarray


def check_target(y: Any) -> Target:
    """Check a target without missing values and say of what kind it is.

    Floats with more than two distinct values are quantities, which rules out that a quantity that
    happens to be rounded, such as the target of the diabetes data, is taken for classes.
    """
    values = column_or_1d(y)
    if pd.isna(values).any():
        raise ValueError("Input y contains NaN. Drop the rows without a label from X and y.")
    kind = type_of_target(values, input_name="y")
    is_quantity = values.dtype.kind == "f" and kind != "binary"
    if not is_quantity and kind not in {"binary", "multiclass"}:
        raise ValueError(f"Unknown label type: {kind}. y must hold classes or numbers.")
    return Target(values, has_classes=not is_quantity)


def check_table_and_target(X: Any, y: Any) -> tuple[Any, Target]:
    """Check that a table and its target have the same number of rows."""
    X, y = indexable(X, y)
    return X, check_target(y)


def make_splits(X: Any, target: Target, cv: Any, groups: Any) -> list[Split]:
    """All splits, drawn at once so that tasks in any order see the same ones."""
    splitter = check_cv(cv, target.values, classifier=target.has_classes)
    # Splitters look at the number of rows only; tables of strings would not pass all of them.
    rows = np.zeros(num_samples(X))
    splits = [Split(*pair) for pair in splitter.split(rows, target.values, groups)]
    for number, split in enumerate(splits):
        shared = np.intersect1d(split.train, split.test)
        if shared.size:
            raise ValueError(
                "cv must not put a row into the training and the test set of the same split; "
                f"split {number} does so with {shared.size} rows, such as row {shared[0]}."
            )
    return splits


def draw_rows(n_rows: int, max_samples: int | None, rng: np.random.RandomState) -> np.ndarray:
    """Row numbers in their order: all of them, or as many as are asked for, drawn at random."""
    if max_samples is None or n_rows <= max_samples:
        return np.arange(n_rows)
    return np.sort(rng.choice(n_rows, max_samples, replace=False))


def labeled_order(y: np.ndarray, has_classes: bool, rng: np.random.RandomState) -> np.ndarray:
    """Order rows at random so that the first n are a stratified draw of n, for every n.

    One row of each class comes first; then the classes alternate in their proportions. Draws of
    different sizes are nested, which takes noise out of a curve.
    """
    order = rng.permutation(len(y))
    if not has_classes:
        return order
    _, codes = np.unique(y[order], return_inverse=True)
    place_in_class = pd.Series(codes).groupby(codes).cumcount().to_numpy()
    is_later = place_in_class > 0
    progress = (place_in_class + 0.5) / np.bincount(codes)[codes]
    return order[np.lexsort((progress, is_later))]


def resolve_train_sizes(train_sizes: Any, splits: list[Split], target: Target) -> np.ndarray:
    """Numbers of labels, increasing and unique, from numbers or fractions of the training rows."""
    sizes = column_or_1d(train_sizes)
    most = min(len(split.train) for split in splits)
    fewest = len(np.unique(target.values)) if target.has_classes else 2
    if sizes.size == 0 or sizes.dtype.kind not in "iuf":
        raise ValueError(f"train_sizes must hold numbers; got {train_sizes!r}.")
    if sizes.dtype.kind == "f":
        if sizes.min() <= 0 or sizes.max() > 1:
            raise ValueError(
                "train_sizes has been interpreted as fractions of the training rows and must be "
                f"within (0, 1], but is within [{sizes.min():g}, {sizes.max():g}]."
            )
        # A fraction asks for no exact number, so that it may be rounded up to one row per class.
        return np.unique(np.clip(np.rint(sizes * most).astype(int), fewest, most))
    if sizes.min() < fewest or sizes.max() > most:
        raise ValueError(
            "train_sizes has been interpreted as numbers of labels and must be within "
            f"[{fewest}, {most}], from one row per class (or two rows) to the smallest training "
            f"set, but is within [{sizes.min()}, {sizes.max()}]."
        )
    return np.unique(sizes)


def hide_labels(y: np.ndarray, labeled: np.ndarray, has_classes: bool) -> np.ndarray:
    """Copy a target with -1 (classes) or NaN (quantities) in all rows but the labeled ones."""
    if not has_classes:
        hidden = np.full(len(y), np.nan)
    else:
        # Neither text nor flags nor counts without a sign have room for -1.
        kind = y.dtype if y.dtype.kind in "if" else int if y.dtype.kind == "u" else object
        hidden = np.full(len(y), UNLABELLED, dtype=kind)
        if UNLABELLED in y.tolist():
            raise ValueError(
                f"y has a class {UNLABELLED}, which marks unlabeled rows for semi-supervised "
                "estimators. Give that class another name."
            )
    hidden[labeled] = y[labeled]
    return hidden
