"""Targets: labels as the user has them, and what a head has to predict."""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy.sparse import issparse
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_array, column_or_1d, indexable
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from torch import Tensor

from sklearn_ssl._compat import num_samples, safe_indexing, warn_user
from sklearn_ssl._pretext.losses import Losses, class_losses, label_losses, squared_losses
from sklearn_ssl._table.types import TableLike
from sklearn_ssl._table.validation import as_dense

UNLABELED = -1
"""Class of an unlabeled row, as in :mod:`sklearn.semi_supervised`."""

MOST_LOPSIDED = 20
"""Rows for each row of class 1 from which the classes -1 and 1 look like marks."""


Labels: TypeAlias = npt.NDArray[np.generic]
"""Labels of any dtype, of shape (n_rows,) or (n_rows, n_labels)."""

Mask: TypeAlias = npt.NDArray[np.bool_]
FloatArray: TypeAlias = npt.NDArray[np.float64]


class HasSupervisionWeight(Protocol):
    """A transformer that uses labels during pretraining."""

    supervision_weight: float


@dataclass(frozen=True)
class Target:
    """What a head has to predict for each row.

    Attributes
    ----------
    values : Tensor of shape (n_rows,) or (n_rows, n_outputs)
        Indices of classes; zeros and ones for two classes and for labels; standardized numbers.

    weight : ndarray of shape (n_rows,)
        Weights of the rows in the labeled loss; 0 for unlabeled rows.

    losses : callable
        Loss of each row from outputs and values.

    n_outputs : int
        Outputs of the head.
    """

    values: Tensor
    weight: FloatArray
    losses: Losses
    n_outputs: int

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Values, and weights with a mean of 1 over the labeled rows."""
        # A mean of 1 keeps the size of the loss, and with it that of the steps.
        mean = self.weight[self.weight > 0].mean()
        return self.values, torch.from_numpy(self.weight / mean).float()


def require_target(y: npt.ArrayLike | None, name: str) -> None:
    """Raise if ``fit`` was called without a target."""
    if y is None:
        raise ValueError(f"{name} requires y to be passed, but the target y is None.")


def read_target(y: npt.ArrayLike | None, transformer: HasSupervisionWeight) -> Target:
    """The target of a transformer that uses labels in pretraining; errors name its parameter.

    Classes and numbers are distinguished as :func:`sklearn.utils.multiclass.type_of_target` does.
    """
    weight = transformer.supervision_weight
    name = f"{type(transformer).__name__} with supervision_weight={weight:g}"
    require_target(y, name)
    options = {"ensure_2d": False, "ensure_all_finite": "allow-nan", "accept_sparse": "csr"}
    values = as_dense(check_array(y, dtype=None, input_name="y", **options))
    # Floats can be classes or numbers.
    if values.dtype.kind == "f":
        known = values[~np.isnan(values)]
        if not len(known) or type_of_target(known) == "continuous":
            values, is_labeled = check_numbers(values, name)
            return scale_numbers(values, is_labeled.astype(np.float64), name)[0]
        # NaN among classes is ambiguous: it could as well be a class of its own.
        if len(known) < values.size:
            raise ValueError(
                f"{name} takes whole numbers for classes, and y holds NaN beside them. Mark "
                "unlabeled rows of classes by y=-1."
            )
    values, is_labeled = check_classes(values, name)
    return index_classes(values, is_labeled.astype(np.float64), name)[0]


def check_classes(y: npt.ArrayLike, name: str) -> tuple[Labels, Mask]:
    """Classes as an array, and which rows have one; -1, NaN, None and NA mark the others."""
    require_target(y, name)
    is_missing = missing_targets(y)
    if not is_missing.any():
        return _check_marked_classes(y, name)
    rows = np.flatnonzero(~is_missing)
    if not len(rows):
        raise ValueError(f"{name} needs labeled rows, but y is missing in all of them.")
    known, is_labeled = _check_marked_classes(plain_labels(safe_indexing(y, rows)), name)
    if not is_labeled.all():
        raise ValueError(
            f"y marks rows without a class in two ways, by {UNLABELED} and as missing. Use one of "
            f"them: y.fillna({UNLABELED})."
        )
    # The value of an unlabeled row is never read; any one of the right dtype will do.
    classes = np.full((len(is_missing), *known.shape[1:]), known[0], dtype=known.dtype)
    classes[rows] = known
    return classes, ~is_missing


def missing_targets(y: npt.ArrayLike) -> Mask:
    """Which rows have NaN, None or NA as their class, or among their labels."""
    if issparse(y):
        return np.zeros(num_samples(y), dtype=bool)
    values = y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
    is_missing = np.asarray(pd.isna(values)).reshape(len(values), -1)
    is_unlabeled: Mask = np.any(is_missing, axis=1)
    return is_unlabeled


def _check_marked_classes(y: npt.ArrayLike, name: str) -> tuple[Labels, Mask]:
    """Classes of which none is missing, and which of them are not -1."""
    options = {"ensure_2d": False, "accept_sparse": "csr", "input_name": "y"}
    classes: Labels = as_dense(check_array(y, dtype=None, **options))
    if classes.ndim == 2 and classes.shape[1] == 1:
        classes = column_or_1d(classes, warn=True)
    if classes.dtype.kind not in "biuf" and np.any(classes == str(UNLABELED)):
        raise ValueError(
            f"y holds the string '{UNLABELED}', which {name} would treat as a class. Mark rows "
            f"without a class by the integer: np.where(y == '{UNLABELED}', {UNLABELED}, "
            "y.astype(object))."
        )
    is_labeled = _are_not_marked(classes, name)
    if not is_labeled.any():
        raise ValueError(f"{name} needs labeled rows, but y=-1 in all of them.")
    check_classification_targets(classes[is_labeled])
    if classes.ndim == 2 and type_of_target(classes[is_labeled]) != "multilabel-indicator":
        raise ValueError(
            f"{name} takes classes of shape (n_samples,), or a matrix of zeros and ones that "
            f"indicates labels; got y of shape {classes.shape} with other values."
        )
    return classes, is_labeled


def _are_not_marked(classes: Labels, name: str) -> Mask:
    """Which rows have another class than the one that marks unlabeled rows."""
    if classes.dtype.kind not in "biufO":
        # An array of strings holds no -1.
        return np.ones(len(classes), dtype=bool)
    is_labeled: Mask = np.any((classes != UNLABELED).reshape(len(classes), -1), axis=1)
    is_plain = classes.ndim == 1 and classes.dtype.kind != "O"
    if is_plain and set(np.unique(classes)) == {UNLABELED, 1}:
        # By convention these are two classes, and every row has one.
        _warn_if_lopsided(is_labeled, name)
        is_labeled[:] = True
    return is_labeled


def _warn_if_lopsided(is_one: Mask, name: str) -> None:
    """Warn if -1 and 1 are taken for two classes although -1 probably marks unlabeled rows."""
    n_ones = int(is_one.sum())
    if len(is_one) > MOST_LOPSIDED * n_ones:
        warn_user(
            f"y holds nothing but -1 and 1, which {name} treats as two classes: {n_ones} rows of "
            f"class 1 against {len(is_one) - n_ones} of class -1. If -1 marks rows without a "
            "class, all labels are of one class, and a classifier needs two.",
            UserWarning,
        )


def index_classes(y: Labels, weight: FloatArray, name: str) -> tuple[Target, Labels]:
    """Checked classes as a target, and the classes of rows with a weight."""
    if y.ndim == 2:
        labels = torch.from_numpy(y.astype(np.float32))
        return Target(labels, weight, label_losses, y.shape[1]), np.arange(y.shape[1])
    is_used = weight > 0
    encoder = LabelEncoder().fit(y[is_used])
    classes = encoder.classes_
    if len(classes) < 2:
        raise ValueError(
            f"{name} needs labeled rows of at least 2 classes, but y has 1 class: "
            f"{classes.tolist()}. Rows with y=-1 are unlabeled."
        )
    # Rows without a weight get class 0, which their weight makes irrelevant.
    indices = torch.zeros(len(y), dtype=torch.int64)
    indices[torch.from_numpy(is_used)] = torch.from_numpy(encoder.transform(y[is_used]))
    if len(classes) > 2:
        return Target(indices, weight, class_losses, len(classes)), classes
    # Two classes need a single output.
    return Target(indices[:, None].float(), weight, label_losses, 1), classes


def check_numbers(y: npt.ArrayLike, name: str) -> tuple[FloatArray, Mask]:
    """Numbers as an array, and which rows have one."""
    require_target(y, name)
    options = {"ensure_2d": False, "ensure_all_finite": "allow-nan", "input_name": "y"}
    numbers: FloatArray = check_array(y, dtype=np.float64, **options)
    if numbers.ndim == 2 and numbers.shape[1] == 1:
        numbers = column_or_1d(numbers, warn=True)
    is_labeled: Mask = np.logical_not(np.isnan(numbers.reshape(len(numbers), -1)).all(axis=1))
    return numbers, is_labeled


def scale_numbers(
    y: FloatArray, weight: FloatArray, name: str
) -> tuple[Target, FloatArray, FloatArray]:
    """Checked numbers as a standardized target, with the center and the scale."""
    numbers = y.reshape(len(y), -1)
    used = numbers[weight > 0]
    if np.isnan(used).all(axis=0).any():
        raise ValueError(
            f"{name} needs labeled rows for each target, but y has targets of NaN only. Rows "
            "with y=NaN are unlabeled."
        )
    center, scale = np.nanmean(used, axis=0), np.nanstd(used, axis=0)
    # A constant target is all center; its rounding errors must not be scaled up.
    scale[scale <= 1e-12 * np.abs(center)] = 1.0
    scaled = torch.from_numpy(((numbers - center) / scale).astype(np.float32))
    return Target(scaled, weight, squared_losses, scaled.shape[1]), center, scale


def labeled_rows(y: npt.ArrayLike, *, is_mark: bool | None = None) -> Mask:
    """Find the rows with a label, by the marks that the estimators of this library know.

    Parameters
    ----------
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        Classes or numbers. NaN, None and NA always mark unlabeled rows.

    is_mark : bool or None, default=None
        Whether -1 marks unlabeled rows, too. With None, it does unless ``y`` has missing values,
        fractions or other negative numbers, or consists of -1 and 1 alone.

    Returns
    -------
    is_labeled : ndarray of shape (n_rows,)
        A row is unlabeled if all of its outputs are.
    """
    if issparse(y):
        return np.ones(num_samples(y), dtype=bool)
    values = y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
    is_missing = np.asarray(pd.isna(values))
    if is_mark is None:
        is_mark = not is_missing.any() and _can_mark(values)
    is_unlabeled = is_missing | (values == UNLABELED) if is_mark else is_missing
    has_label: Mask = np.any(~is_unlabeled.reshape(len(values), -1), axis=1)
    return has_label


def _can_mark(values: Labels) -> bool:
    """Whether -1 can be a mark among values of which none is missing."""
    if values.dtype.kind not in "ifO":
        return False
    distinct = set(values.ravel().tolist())
    numbers = [float(value) for value in distinct if isinstance(value, (int, float))]
    is_whole = all(number.is_integer() for number in numbers)
    return is_whole and min(numbers, default=0) >= UNLABELED and set(numbers) != {-1, 1}


def rows_to_score(
    X: TableLike,
    y: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None,
    classes: npt.ArrayLike | None,
    name: str,
) -> tuple[TableLike, npt.ArrayLike, npt.ArrayLike | None]:
    """Leave out the rows without a label, which would count as wrong in a score.

    ``classes`` are those that an estimator has learned, or None for numbers. A search scores
    training rows, too, so unlabeled rows are an error only if there are no others.
    """
    X, y, sample_weight = indexable(X, y, sample_weight)
    known = [UNLABELED] if classes is None else np.asarray(classes).tolist()
    is_labeled = labeled_rows(y, is_mark=UNLABELED not in known)
    rows = np.flatnonzero(is_labeled)
    if is_labeled.all():
        return X, y, sample_weight
    if not len(rows):
        raise ValueError(
            f"{name} cannot be scored without labels, and all {len(is_labeled)} rows are marked "
            "by -1, NaN or None. In cross-validation, pass cv=LabeledFold() of "
            "sklearn_ssl.model_selection, which tests on labeled rows alone."
        )
    weight = None if sample_weight is None else safe_indexing(sample_weight, rows)
    return safe_indexing(X, rows), plain_labels(safe_indexing(y, rows)), weight


def plain_labels(labels: npt.ArrayLike) -> Labels:
    """Labels of labeled rows, without the dtype that only marks of other rows had required."""
    values = labels.to_numpy() if hasattr(labels, "to_numpy") else np.asarray(labels)
    return values if values.ndim > 1 else pd.Series(values).infer_objects().to_numpy()
