"""Targets: labels as the user has them, and what a head has to predict."""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy.sparse import issparse
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from torch import Tensor

from sklearn_ssl._pretext.losses import Losses, class_losses, label_losses, squared_losses
from sklearn_ssl._table.kinds import kind_of
from sklearn_ssl._table.validation import as_dense

UNLABELED = -1
"""Class of an unlabeled row, as in :mod:`sklearn.semi_supervised`."""


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
        Of the rows in the labeled loss; 0 for unlabeled ones.

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
        mean = self.weight[self.weight > 0].mean()
        return self.values, torch.from_numpy(self.weight / mean).float()


def require_target(y: npt.ArrayLike | None, name: str) -> npt.ArrayLike:
    """Return ``y``, or raise if ``fit`` was called as that of a transformer."""
    if y is None:
        raise ValueError(f"{name} requires y to be passed, but the target y is None.")
    return y


def read_target(y: npt.ArrayLike | None, transformer: HasSupervisionWeight) -> Target:
    """What ``y`` asks of a transformer that is shown labels; errors say that it is.

    Classes and numbers are distinguished as :func:`sklearn.utils.multiclass.type_of_target` does.
    """
    weight = transformer.supervision_weight
    name = f"{type(transformer).__name__} with supervision_weight={weight:g}"
    y = require_target(y, name)
    options = {"ensure_2d": False, "ensure_all_finite": "allow-nan", "accept_sparse": "csr"}
    values = as_dense(check_array(y, dtype=None, input_name="y", **options))
    # Floats can be classes or numbers, and only numbers mark unlabeled rows by NaN.
    if values.dtype.kind == "f":
        known = values[~np.isnan(values)]
        if not len(known) or type_of_target(known) == "continuous":
            values, is_labeled = check_numbers(values, name)
            return scale_numbers(values, is_labeled.astype(np.float64), name)[0]
        if len(known) < values.size:
            raise ValueError(
                f"{name} takes whole numbers for classes, and y holds NaN beside them. Mark "
                "unlabeled rows of classes by y=-1."
            )
    values, is_labeled = check_classes(values, name)
    return index_classes(values, is_labeled.astype(np.float64), name)[0]


def check_classes(y: npt.ArrayLike | None, name: str) -> tuple[Labels, Mask]:
    """Labels as an array, and which rows have one."""
    y = require_target(y, name)
    # The types of pandas know fewer tables than its functions take.
    if not issparse(y) and np.any(pd.isna(y)):  # type: ignore[arg-type]
        # What helps depends on the dtype: booleans and categories cannot hold -1.
        is_text = kind_of(pd.Series(np.ravel(y))) in {"text", "mixed"}
        series = "y" if hasattr(y, "fillna") else "pandas.Series(y)"
        of_text = "astype(object).fillna(-1)"
        of_numbers = 'astype("Int64").fillna(-1).astype("int64")'
        way = of_text if is_text else of_numbers
        raise ValueError(
            f"Input y contains NaN. {name} takes -1 for rows without a class: {series}.{way}."
        )
    options = {"ensure_2d": False, "accept_sparse": "csr", "input_name": "y"}
    labels = as_dense(check_array(y, dtype=None, **options))
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = column_or_1d(labels, warn=True)
    is_labeled = _have_label(labels)
    if not is_labeled.any():
        raise ValueError(f"{name} needs labeled rows, but y=-1 in all of them.")
    check_classification_targets(labels[is_labeled])
    if labels.ndim == 2 and type_of_target(labels[is_labeled]) != "multilabel-indicator":
        raise ValueError(
            f"{name} takes classes of shape (n_samples,), or a matrix of zeros and ones that "
            f"indicates labels; got y of shape {labels.shape} with other values."
        )
    return labels, is_labeled


def _have_label(labels: Labels) -> Mask:
    """Which rows have a label that is not the one of unlabeled rows."""
    if labels.dtype.kind not in "biufO":
        # An array of strings holds no -1.
        return np.ones(len(labels), dtype=bool)
    is_labeled: Mask = np.any((labels != UNLABELED).reshape(len(labels), -1), axis=1)
    # Classes -1 and 1 are those of two classes all labeled, as scikit-learn's checks have them.
    if labels.ndim == 1 and labels.dtype.kind != "O" and set(np.unique(labels)) == {-1, 1}:
        is_labeled[:] = True
    return is_labeled


def index_classes(y: Labels, weight: FloatArray, name: str) -> tuple[Target, Labels]:
    """The target that stands for checked classes, and the classes of rows with a weight."""
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


def check_numbers(y: npt.ArrayLike | None, name: str) -> tuple[FloatArray, Mask]:
    """Numbers as an array, and which rows have one."""
    y = require_target(y, name)
    options = {"ensure_2d": False, "ensure_all_finite": "allow-nan", "input_name": "y"}
    numbers: FloatArray = check_array(y, dtype=np.float64, **options)
    if numbers.ndim == 2 and numbers.shape[1] == 1:
        numbers = column_or_1d(numbers, warn=True)
    is_labeled: Mask = np.logical_not(np.isnan(numbers.reshape(len(numbers), -1)).all(axis=1))
    return numbers, is_labeled


def scale_numbers(
    y: FloatArray, weight: FloatArray, name: str
) -> tuple[Target, FloatArray, FloatArray]:
    """The target that stands for checked numbers, and the center and scale that it was given."""
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
    units = torch.from_numpy(((numbers - center) / scale).astype(np.float32))
    return Target(units, weight, squared_losses, units.shape[1]), center, scale
