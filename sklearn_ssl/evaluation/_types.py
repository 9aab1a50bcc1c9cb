"""What the evaluation asks of tables, estimators, splitters and figures.

scikit-learn has no types, and any object with the right methods will do.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt
import pandas as pd

from sklearn_ssl._marks import Labels
from sklearn_ssl._table.types import Array, SparseTable, TableLike, converts_itself

if TYPE_CHECKING:
    import matplotlib.axes

Axes: TypeAlias = "matplotlib.axes.Axes"

GridOfAxes: TypeAlias = "Sequence[Axes] | npt.NDArray[np.object_]"
"""Axes in the order of the panels."""

Look: TypeAlias = tuple[str, str]
"""A color and a marker."""

RowNumbers: TypeAlias = npt.NDArray[np.intp]

Floats: TypeAlias = npt.NDArray[np.float64]

Features: TypeAlias = Array | SparseTable
"""What a transformer made of a table, of shape (n_rows, n_features)."""

Name: TypeAlias = Hashable
"""Name of a column or of a factor."""

RandomState: TypeAlias = int | np.random.RandomState

Scoring: TypeAlias = str | Callable[..., float] | None
"""A scorer of scikit-learn, or its name; None is the model's own."""

Pair: TypeAlias = tuple[npt.ArrayLike, npt.ArrayLike]
"""Row numbers of a training and of a test set."""


class PolarsColumn(Protocol):
    """What is used of a Series of Polars, which need not be installed."""

    dtype: object

    def to_numpy(self) -> npt.NDArray[np.integer]:
        """Return hashes, dates or durations as an array."""

    def to_list(self) -> list[object]:
        """Return the cells as Python objects."""

    def gather(self, indices: RowNumbers) -> Self:
        """Return some cells."""


class PolarsFrame(Protocol):
    """What is used of a DataFrame of Polars, which need not be installed."""

    shape: tuple[int, int]
    columns: list[str]
    dtypes: list[object]

    def __getitem__(self, key: tuple[slice, int], /) -> PolarsColumn:
        """Return a column by its position."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def select(self, columns: list[str]) -> Self:
        """Return some columns, in the order asked for."""

    def with_columns(self, *columns: PolarsColumn) -> Self:
        """Return a copy with some columns replaced."""

    def vstack(self, other: Self) -> Self:
        """Return the rows of both."""

    def hash_rows(self) -> PolarsColumn:
        """Return a number for each row."""


Frame: TypeAlias = pd.DataFrame | PolarsFrame
"""A table of columns, each of a type of its own."""


class Splitter(Protocol):
    """A cross-validation generator."""

    def split(
        self, X: npt.ArrayLike, y: npt.ArrayLike | None, groups: npt.ArrayLike | None
    ) -> Iterator[tuple[RowNumbers, RowNumbers]]:
        """Yield the row numbers of training and test sets."""


Splits: TypeAlias = int | Splitter | Iterable[Pair] | None
"""What users pass as ``cv``."""


class Estimator(Protocol):
    """Parameters that can be read and set."""

    def get_params(self, deep: bool = True) -> dict[str, object]:
        """Return the parameters by name."""

    def set_params(self, **params: object) -> Self:
        """Set some of the parameters."""


class Transformer(Estimator, Protocol):
    """What learns features from a table, without labels."""

    def fit(self, X: TableLike, y: None = None) -> Self:
        """Learn from the rows."""

    def transform(self, X: TableLike) -> TableLike:
        """Return the features of rows."""


class Model(Estimator, Protocol):
    """A classifier or a regressor."""

    def fit(self, X: TableLike, y: npt.ArrayLike) -> Self:
        """Learn from rows with labels."""

    def predict(self, X: TableLike) -> Labels:
        """Return a class or a quantity for each row."""


class ModelWithScore(Model, Protocol):
    """A classifier or a regressor with a score of its own."""

    def score(self, X: TableLike, y: npt.ArrayLike) -> float:
        """Return accuracy, R² or the like; higher is better."""


class Classifier(Model, Protocol):
    """A classifier that predicts probabilities."""

    classes_: Labels

    def predict_proba(self, X: TableLike) -> Floats:
        """Return the probability of each class, of shape (n_rows, n_classes)."""


class ScoringClassifier(Model, Protocol):
    """A classifier that predicts scores."""

    classes_: Labels

    def decision_function(self, X: TableLike) -> Floats:
        """Return scores of shape (n_rows,) for two classes, or (n_rows, n_classes)."""


def predicts_probabilities(model: Model) -> TypeGuard[Classifier]:
    """Whether a model predicts the probabilities of classes."""
    # Pipelines have the method only if their last step has it, which isinstance does not see.
    return hasattr(model, "predict_proba")


def predicts_scores(model: Model) -> TypeGuard[ScoringClassifier]:
    """Whether a model predicts the scores of classes."""
    return hasattr(model, "decision_function")


def is_polars(X: object) -> TypeGuard[PolarsFrame]:
    """Whether a table is a DataFrame of Polars."""
    return hasattr(X, "with_columns") and not isinstance(X, pd.DataFrame)


def is_frame(X: object) -> TypeGuard[Frame]:
    """Whether a table has columns, each of a type of its own."""
    return isinstance(X, pd.DataFrame) or is_polars(X)


def from_arrow(X: TableLike) -> TableLike:
    """A table of Arrow as a DataFrame of pandas; any other table as it is."""
    return X.to_pandas() if converts_itself(X) and not is_polars(X) else X
