"""Targets: labels as the user has them, and what a head has to predict."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import torch
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import assert_all_finite, check_array, column_or_1d, indexable
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from torch import Tensor

from sklearn_ssl._compat import num_samples, safe_indexing
from sklearn_ssl._marks import (
    UNLABELED,
    Labels,
    Mask,
    is_minus_one,
    marked_classes,
    missing_cells,
    narrow,
    read_cells,
    refuse_objects_that_are_no_labels,
    refuse_texts_that_mean_nothing,
    require_one_per_row,
    warn_if_lopsided,
    warn_if_mostly_one_negative,
    warn_of_class_like_a_mark,
)
from sklearn_ssl._pretext.losses import Losses, class_losses, label_losses, squared_losses
from sklearn_ssl._pretext.supervised import HasSupervisionWeight
from sklearn_ssl._table.types import FloatArray, TableLike, is_sparse
from sklearn_ssl._table.validation import as_dense


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


def require_target(y: npt.ArrayLike | None, name: str) -> npt.ArrayLike:
    """The target, or an error if ``fit`` was called without one."""
    if y is None:
        raise ValueError(f"{name} requires y to be passed, but the target y is None.")
    return y


def read_target(y: npt.ArrayLike | None, transformer: HasSupervisionWeight) -> Target:
    """The target of a transformer that uses labels in pretraining; errors name its parameter.

    Classes and numbers are distinguished as :func:`sklearn.utils.multiclass.type_of_target` does.
    """
    weight = transformer.supervision_weight
    name = f"{type(transformer).__name__} with supervision_weight={weight:g}"
    y = require_target(y, name)
    cells, declares_kind = _cells(y)
    known = narrow(cells[~missing_cells(cells)])
    _refuse_times(known, f"{name} predicts classes or numbers")
    # Floats can be classes or numbers.
    if known.dtype.kind == "f":
        assert_all_finite(known, input_name="y")
        if not len(known) or type_of_target(known) == "continuous":
            values, is_labeled = check_numbers(y, name)
            return scale_numbers(values, is_labeled.astype(np.float64), name)[0]
        # NaN among classes is ambiguous: it could as well be a class of its own.
        if known.size < cells.size and not declares_kind:
            raise ValueError(
                f"{name} takes whole numbers for classes, and y holds NaN beside them. Mark "
                "unlabeled rows of classes by y=-1."
            )
    classes, is_labeled = check_classes(y, name)
    return index_classes(classes, is_labeled.astype(np.float64), name)[0]


def check_classes(y: npt.ArrayLike | None, name: str) -> tuple[Labels, Mask]:
    """Classes as an array, and which rows have one; -1, NaN, None and NA mark the others."""
    cells, _ = _cells(require_target(y, name))
    is_missing = ~_all_of_row(~missing_cells(cells))
    values = cells[~is_missing]
    if len(cells) and not len(values):
        raise ValueError(f"{name} needs labeled rows, but y is missing in all of them.")
    refuse_texts_that_mean_nothing(values, "y")
    refuse_objects_that_are_no_labels(values, "y")
    is_mark = _marked_rows(values, has_gaps=bool(is_missing.any()))
    if len(cells) and is_mark.all():
        raise ValueError(f"{name} needs labeled rows, but y=-1 in all of them.")
    known = _check_known_classes(narrow(values[~is_mark]), name)
    warn_of_class_like_a_mark(known)
    is_labeled = ~is_missing
    is_labeled[is_labeled] = ~is_mark
    # The value of an unlabeled row is never read; any one of the right dtype will do.
    shape = (len(cells), *known.shape[1:])
    classes = np.full(shape, known[0], dtype=known.dtype)
    classes[is_labeled] = known
    return classes, is_labeled


def _cells(y: npt.ArrayLike) -> tuple[Labels, bool]:
    """Cells of a target, which may be a sparse matrix; a column becomes a row of cells."""
    if is_sparse(y):
        # The zeros of a sparse matrix are labels, and no cell of it can be missing.
        cells, declares_kind = as_dense(y), True
    else:
        cells, declares_kind = read_cells(y)
    if cells.ndim == 2 and cells.shape[1] == 1:
        cells = column_or_1d(cells, warn=True)
    return cells, declares_kind


def _marked_rows(values: Labels, *, has_gaps: bool) -> Mask:
    """Which rows have -1 as their class, or as all of their labels."""
    if values.ndim == 1:
        return marked_classes(values, "y", has_gaps=has_gaps)
    return _all_of_row(is_minus_one(values))


def _all_of_row(is_so: Mask) -> Mask:
    """Which rows have all of their cells in a mask."""
    return is_so if is_so.ndim == 1 else np.all(is_so, axis=1)


def _check_known_classes(classes: Labels, name: str) -> Labels:
    """Classes of labeled rows, or an error if they are none."""
    known: Labels = check_array(classes, dtype=None, ensure_2d=False, input_name="y")
    check_classification_targets(known)
    if known.ndim == 2 and type_of_target(known) != "multilabel-indicator":
        raise ValueError(
            f"{name} takes classes of shape (n_samples,), or a matrix of zeros and ones that "
            f"indicates labels; got y of shape {known.shape} with other values."
        )
    return known


def index_classes(y: Labels, weight: FloatArray, name: str) -> tuple[Target, Labels]:
    """Checked classes as a target, and the classes of rows with a weight."""
    if y.ndim == 2:
        labels = torch.from_numpy(y.astype(np.float32))  # (n_rows, n_labels)
        n_labels = y.shape[1]
        return Target(labels, weight, label_losses, n_labels), np.arange(n_labels)
    is_used = weight > 0
    encoder = LabelEncoder().fit(y[is_used])
    classes = encoder.classes_
    if len(classes) < 2:
        n_classes = "1 class" if len(classes) else "0 classes"
        raise ValueError(
            f"{name} needs labeled rows of at least 2 classes, but y has {n_classes}: "
            f"{classes.tolist()}. Rows with y=-1 or a weight of 0 are unlabeled."
        )
    # Rows without a weight get class 0, which their weight makes irrelevant.
    indices = torch.zeros(len(y), dtype=torch.int64)
    known = encoder.transform(y[is_used])
    indices[torch.from_numpy(is_used)] = torch.from_numpy(known)
    if len(classes) > 2:
        return Target(indices, weight, class_losses, len(classes)), classes
    # Two classes need a single output.
    return Target(indices[:, None].float(), weight, label_losses, 1), classes


def check_numbers(y: npt.ArrayLike | None, name: str) -> tuple[FloatArray, Mask]:
    """Numbers as an array, and which rows have one."""
    cells, _ = _cells(require_target(y, name))
    _refuse_times(cells, f"{name} predicts numbers")
    refuse_texts_that_mean_nothing(cells, "y")
    numbers = as_numbers(cells)
    warn_if_mostly_one_negative(numbers)
    return numbers, ~_all_of_row(np.isnan(numbers))


def _refuse_times(cells: Labels, what: str) -> None:
    """Refuse dates and durations, each of which would be a class or a huge number."""
    if cells.dtype.kind in "mM":
        raise ValueError(
            f"{what}, and y holds dates or durations. Pass numbers, such as days: "
            "(y - y.min()) / np.timedelta64(1, 'D')."
        )


def as_numbers(cells: Labels) -> FloatArray:
    """Cells of a target as finite numbers, and NaN for the missing ones."""
    if cells.dtype.kind == "O":
        cells = np.where(missing_cells(cells), np.nan, cells)
    _require_numbers(cells)
    options = {"ensure_2d": False, "ensure_all_finite": "allow-nan", "input_name": "y"}
    numbers: FloatArray = check_array(cells, dtype=np.float64, **options)
    return numbers


def _require_numbers(cells: Labels) -> None:
    """Raise if a cell is neither a number nor spelled like one."""
    # These are the kinds of objects and of NumPy's strings of fixed and of variable length.
    if cells.dtype.kind not in "OUT":
        return
    for cell in cells.ravel().tolist():
        try:
            float(cell)
        except (TypeError, ValueError):
            raise ValueError(
                f"y must hold numbers, but it holds {cell!r}. If y holds classes, use a "
                "classifier. If this cell marks unlabeled rows, write NaN instead: "
                "pd.to_numeric(y, errors='coerce')."
            ) from None


def scale_numbers(
    y: FloatArray, weight: FloatArray, name: str
) -> tuple[Target, FloatArray, FloatArray]:
    """Checked numbers as a standardized target, with the center and the scale."""
    numbers = y.reshape(len(y), -1)
    used = numbers[weight > 0]
    if np.isnan(used).all(axis=0).any():
        raise ValueError(
            f"{name} needs labeled rows for each target, but y has targets of NaN only. Rows "
            "with y=NaN or a weight of 0 are unlabeled."
        )
    # Only rows that are learned from count, each target by itself: (n_targets,).
    # Squares of huge numbers overflow. Powers of two as units change no digit.
    _, exponent = np.frexp(np.nanmax(np.abs(used), axis=0))
    in_units = np.ldexp(used, -exponent)
    center = np.ldexp(np.nanmean(in_units, axis=0), exponent)
    scale = np.ldexp(np.nanstd(in_units, axis=0), exponent)
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
    if is_sparse(y):
        return np.ones(num_samples(y), dtype=bool)
    cells, _ = read_cells(y)
    is_missing = missing_cells(cells)
    refuse_texts_that_mean_nothing(cells[~is_missing], "y")
    if is_mark is None:
        known = narrow(cells[~is_missing])
        is_mark = not is_missing.any() and _can_mark(known)
        _warn_of_marks_among_labels(known, is_mark=is_mark)
    is_unlabeled = is_missing | is_minus_one(cells) if is_mark else is_missing
    return ~_all_of_row(is_unlabeled)


def _can_mark(values: Labels) -> bool:
    """Whether -1 can be a mark among values of which none is missing."""
    distinct = set(values.ravel().tolist())
    numbers = {float(value) for value in distinct if isinstance(value, Real)}
    is_whole = all(number.is_integer() for number in numbers)
    # Among smaller numbers, -1 is a number like others. Beside 1 alone, it is a class.
    is_lowest = min(numbers, default=0) >= UNLABELED
    return is_whole and is_lowest and distinct != {UNLABELED, 1}


def _warn_of_marks_among_labels(known: Labels, *, is_mark: bool) -> None:
    """Warn if a class or a number probably marks unlabeled rows; ``is_mark``: whether -1 does."""
    is_number = is_minus_one(known)
    others = known[~is_number]
    if not is_mark and known.ndim == 1 and np.all(others == 1):
        warn_if_lopsided(is_number)
    elif known.dtype.kind == "f" and np.any(known != np.rint(known.astype(np.float64))):
        # Among fractions, -1 is a number and no mark.
        warn_if_mostly_one_negative(known.astype(np.float64))
    elif known.ndim == 1:
        # If -1 is a class, another negative number may be one, too.
        warn_of_class_like_a_mark(others if is_mark else known)


def rows_to_score(
    X: TableLike,
    y: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None,
    classes: npt.ArrayLike | Sequence[npt.ArrayLike] | None,
    name: str,
) -> tuple[TableLike, npt.ArrayLike, npt.ArrayLike | None]:
    """Leave out the rows without a label, which would count as wrong in a score.

    ``classes`` are those that an estimator has learned, or None for numbers. A search scores
    training rows, too, so unlabeled rows are an error only if there are no others.
    """
    require_one_per_row(X, y)
    X, y, sample_weight = indexable(X, y, sample_weight)
    is_labeled = labeled_rows(y, is_mark=classes is not None and not _has_minus_one(classes))
    if classes is not None and not is_sparse(y):
        # As in a fit, a row of labels of which one is missing is unlabeled.
        is_labeled &= _all_of_row(~missing_cells(read_cells(y)[0]))
    rows = np.flatnonzero(is_labeled)
    if is_labeled.all():
        return X, y if sp.issparse(y) else plain_labels(y), sample_weight
    if not len(rows):
        raise ValueError(
            f"{name} cannot be scored without labels, and all {len(is_labeled)} rows are marked "
            "by -1, NaN or None. In cross-validation, pass cv=LabeledFold() of "
            "sklearn_ssl.model_selection, which tests on labeled rows alone."
        )
    weight = None if sample_weight is None else safe_indexing(sample_weight, rows)
    return safe_indexing(X, rows), plain_labels(safe_indexing(y, rows)), weight


def _has_minus_one(classes: npt.ArrayLike | Sequence[npt.ArrayLike]) -> bool:
    """Whether -1 is among the classes, of which several outputs have an array each."""
    parts = classes if isinstance(classes, Sequence) else [classes]
    return any(UNLABELED in np.ravel(part).tolist() for part in parts)


def plain_labels(labels: npt.ArrayLike) -> Labels:
    """Labels of labeled rows, without the dtype that only marks of other rows had required."""
    return narrow(as_dense(labels) if is_sparse(labels) else read_cells(labels)[0])
