"""Outliers of mixed tables: rows that are extreme, and rows whose cells do not fit together."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Self, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sklearn_ssl._compat import (
    HasMethods,
    Interval,
    StrOptions,
    fit_context,
    num_samples,
    validate_data,
)
from sklearn_ssl._masked_feature_predictor import MaskedFeaturePredictor
from sklearn_ssl._model import cell_task
from sklearn_ssl._network.custom import CustomEncoder
from sklearn_ssl._network.layers import Batch, positions, write_row
from sklearn_ssl._outlier_scores import (
    FloatArray,
    category_rarity,
    combine,
    ellipsoid_distances,
    forest_scores,
    learn_ellipsoid,
    learn_spread,
    learn_tails,
    surprises,
    write_forest,
)
from sklearn_ssl._pretext.losses import features_per_cell, losses_beyond_range
from sklearn_ssl._pretext.tasks import CellTask
from sklearn_ssl._table.column import Column
from sklearn_ssl._table.encoder import ROWS_PER_BLOCK
from sklearn_ssl._table.kinds import is_missing
from sklearn_ssl._table.numeric import BinaryColumn, NumericColumn, as_float
from sklearn_ssl._table.schema import Schema
from sklearn_ssl._table.types import Table, TableLike
from sklearn_ssl._table.validation import as_dense, check_rows
from sklearn_ssl._threads import one_thread
from sklearn_ssl._training.safety import draw_seed, safe_fit

N_ROWS_OF_STATISTICS = 20_000
"""Training rows from which typical losses, tails and directions are learned."""

FENCE = 1.5
"""Interquartile ranges above the third quartile at which a score is outside (Tukey, 1977)."""

LARGEST = float(np.finfo(np.float32).max)

MISFIT, RARE, MISSING = "does not fit the row", "rare in its column", "missing"


@dataclass(frozen=True)
class CellModel:
    """What the detector reads of a fitted transformer that predicts cells.

    ``order`` holds the position in the table of each feature of the encoded table, and ``within``
    what :meth:`TableModel.within_range` returns. ``losses`` takes that.
    """

    columns: list[Column]
    order: npt.NDArray[np.intp]
    schema: Schema
    encode: Callable[[Table], Batch]
    within: Callable[[Batch, Table], tuple[Batch, Tensor]]
    losses: Callable[[Batch, Tensor], FloatArray]


def cell_model(transformer: MaskedFeaturePredictor) -> CellModel:
    """What a fitted transformer has learned of the cells of its table."""
    model = transformer.model_
    # In single precision, a row's score would depend on how many rows are scored with it.
    task = cell_task(copy.deepcopy(model.task).double())

    def losses(table: Batch, excess: Tensor) -> FloatArray:
        # All cells are visible. Training has replaced some of them, so that the network does not
        # believe a cell that the others contradict.
        batch = table[0].double(), table[1]
        with torch.no_grad(), _naming_the_encoder(task):
            output = task.decode(task.encoder(*batch))
            losses = losses_beyond_range(output, batch, excess.double(), model.schema)
        # Ranks would distinguish rounding errors of double precision, which equal rows may have.
        return losses.float().double().numpy()

    encoder = model.table_encoder
    return CellModel(
        encoder.columns_, encoder.order_, encoder.schema_, model.encode, model.within_range, losses
    )


@contextmanager
def _naming_the_encoder(task: CellTask) -> Iterator[None]:
    """Raise a TypeError if a module of the user's cannot compute in double precision."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(task.encoder, CustomEncoder):
            raise
        name = type(task.encoder.module).__name__
        raise TypeError(
            f"Rows are scored in double precision, and encoder={name} cannot read them: {error}. "
            "Let its method layers create tensors in the dtype of numeric, for instance by "
            ".to(numeric.dtype) in place of .float()."
        ) from error


class OutlierDetector(OutlierMixin, BaseEstimator):
    """Find outliers of a table of numbers and categories, and state which cells are unusual.

    A row can be extreme, or its cells can be ordinary one by one and not fit together. How extreme
    it is, is measured by how few random cuts isolate it (an
    :class:`~sklearn.ensemble.IsolationForest` on the numbers and on how rare each category is). How
    badly its cells fit together is measured by how badly a :class:`MaskedFeaturePredictor` rebuilds
    them, and, with a quarter of the weight, by how far the row lies from the center along the
    directions of the table (a Mahalanobis distance with shrunken covariance). Each measure is
    counted in interquartile ranges from its median over the training rows, and beyond eight of them
    on a logarithmic scale. The score of a row is nine tenths of the larger of the two, and one
    tenth of the smaller.

    Parameters
    ----------
    transformer : MaskedFeaturePredictor or None, default=None
        Predicts the cells of a row. A fitted one, which may be frozen, is used as it is; another
        one is cloned and fitted. None stands for ``MaskedFeaturePredictor()``.

    contamination : "auto" or float, default="auto"
        Share of outliers in the training rows, in (0, 0.5], which sets ``offset_``. With "auto", an
        outlier's score lies more than 1.5 interquartile ranges above the third quartile of the
        training rows, as in a box plot.

    n_estimators : int, default=100
        Trees of the isolation forest.

    random_state : int, RandomState instance or None, default=None
        Source of the forest's draws, and of the transformer's if it has no ``random_state``.

    Attributes
    ----------
    transformer_ : MaskedFeaturePredictor
        The fitted transformer.

    offset_ : float
        ``decision_function`` is ``score_samples`` less this number.

    decision_scores_ : ndarray of shape (n_samples,)
        Scores of the training rows, larger for outliers, as in PyOD.

    labels_ : ndarray of shape (n_samples,)
        1 for outliers among the training rows and 0 for the others, as in PyOD.

    n_features_in_ : int
        Number of columns seen while fitting.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns; only if all are strings.

    See Also
    --------
    sklearn.ensemble.IsolationForest : Faster, and as good if outliers are extreme rows.

    Notes
    -----
    ``fit_predict``, ``predict`` and ``score_samples`` follow scikit-learn: 1 is an inlier, -1 an
    outlier, and larger scores are more normal. Rows are scored in blocks, so that the memory needed
    does not grow with their number.

    References
    ----------
    .. [1] F. T. Liu, K. M. Ting, Z.-H. Zhou, "Isolation forest", ICDM (2008).

    .. [2] O. Ledoit, M. Wolf, "A well-conditioned estimator for large-dimensional covariance
       matrices", Journal of Multivariate Analysis (2004).

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn_ssl import OutlierDetector
    >>> rng = np.random.default_rng(0)
    >>> height = rng.normal(170, 10, size=500)
    >>> X = pd.DataFrame({"height": height, "weight": height - 100 + rng.normal(size=500)})
    >>> X.loc[7] = [185.0, 55.0]
    >>> detector = OutlierDetector(random_state=0).fit(X)
    >>> int(detector.score_samples(X).argmin())
    7
    """

    _parameter_constraints: dict[str, list[object]] = {
        "transformer": [HasMethods("fit"), None],
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        transformer: MaskedFeaturePredictor | FrozenEstimator | None = None,
        *,
        contamination: str | float = "auto",
        n_estimators: int = 100,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.transformer = transformer
        self.contamination = contamination
        self.n_estimators = n_estimators
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: TableLike, y: None = None) -> Self:
        """Learn what is normal from rows that may hold outliers.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows; missing cells are allowed, infinite ones are not.

        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        TypeError
            If ``transformer`` does not predict cells, or has an ``encoder`` that cannot compute in
            double precision.

        ValueError
            If the table cannot be read, or has other columns than a fitted ``transformer``; the
            detector remains as it was.
        """
        with safe_fit(self):
            rng = check_random_state(self.random_state)
            transformer = self._fitted_transformer(X, rng)
            encoder, declared = transformer.model_.table_encoder, transformer.categorical_features
            # A transformer that was fitted before may know other columns.
            X = check_rows(transformer, X, declared, reset=False, encoder=encoder)
            X = validate_data(self, X, reset=True, skip_check_array=True)
            self.transformer_ = transformer
            self._learn_rows(_some_rows(X, rng), rng)
            scores = np.empty((num_samples(X), 3))
            for rows, of_block in self._row_scores(X):
                scores[rows] = of_block
            self._spread = learn_spread(scores)
            self.decision_scores_ = combine(scores, self._spread)
            self.offset_ = self._choose_offset(-self.decision_scores_)
            self.labels_ = (-self.decision_scores_ < self.offset_).astype(int)
        return self

    @one_thread()
    def score_samples(self, X: TableLike) -> FloatArray:
        """Score rows; the lower, the more unusual.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows with the columns seen while fitting.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            About 0 for a typical row, in interquartile ranges of the training rows' scores.
        """
        X = self._checked(X)
        scores = np.empty(num_samples(X))
        for rows, of_block in self._row_scores(X):
            scores[rows] = -combine(of_block, self._spread)
        return scores

    def decision_function(self, X: TableLike) -> FloatArray:
        """Score rows relative to the threshold; negative for outliers.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows with the columns seen while fitting.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            ``score_samples(X) - offset_``.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: TableLike) -> npt.NDArray[np.int_]:
        """Decide which rows are outliers.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows with the columns seen while fitting.

        Returns
        -------
        is_inlier : ndarray of shape (n_samples,)
            -1 for outliers, 1 for the others.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def score_cells(self, X: TableLike) -> pd.DataFrame:
        """Score every cell; the higher, the more unusual.

        A cell is unusual if it does not fit the others of its row, or if its value is rare in its
        column; it gets the larger of both scores.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows with the columns seen while fitting.

        Returns
        -------
        scores : DataFrame of shape (n_samples, n_features)
            Negative decimal logarithm of the share of training rows whose cell in this column is as
            unusual: 3 stands for one row in a thousand. A cell more unusual than all of them scores
            higher than one row in so many, and the higher, the farther it is from them.
        """
        X = self._checked(X)
        parts = []
        for _, block in _blocks(X):
            misfit, rarity = self._cell_scores(block)
            parts.append(np.maximum(misfit, rarity))
        scores = np.concatenate(parts)
        return pd.DataFrame(scores, index=_index_of(X), columns=self._names())

    def explain(self, X: TableLike, n_cells: int = 3) -> pd.DataFrame:
        """Name the most unusual cells of each row, and what was expected there.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows with the columns seen while fitting.

        n_cells : int, default=3
            Cells to name for each row, the most unusual one first.

        Returns
        -------
        cells : DataFrame of shape (n_samples * n_cells, 6)
            A row for each cell: ``row`` is the label of its row in ``X``, ``column`` its name,
            ``value`` what stands there, ``expected`` what the transformer predicts from the other
            cells of the row, ``score`` as in :meth:`score_cells`, and ``reason`` whether
            the cell does not fit the row or is rare in its column.

        Raises
        ------
        ValueError
            If ``n_cells`` is not an integer of at least 1.
        """
        if not isinstance(n_cells, Integral) or n_cells < 1:
            raise ValueError(f"n_cells must be an integer of at least 1; got {n_cells!r}.")
        X = self._checked(X)
        index = _index_of(X)
        parts = [
            self._explain_block(block, index[rows], int(n_cells)) for rows, block in _blocks(X)
        ]
        return pd.concat(parts, ignore_index=True)

    def _explain_block(self, X: Table, index: pd.Index, n_cells: int) -> pd.DataFrame:
        misfit, rarity = self._cell_scores(X)
        scores = np.maximum(misfit, rarity)
        chosen = np.argsort(-scores, axis=1, kind="stable")[:, :n_cells]
        row = np.repeat(np.arange(len(scores)), chosen.shape[1])
        column = chosen.ravel()
        # One after the other: the more cells are hidden, the less there is to expect from.
        expected = [self._expected(X, cell) for cell in chosen.T]
        reason = np.where(misfit[row, column] >= rarity[row, column], MISFIT, RARE)
        values = _cells_at(X, row, column)
        return pd.DataFrame(
            {
                "row": index[row],
                "column": self._names()[column],
                "value": values,
                "expected": [cell for cells in zip(*expected, strict=True) for cell in cells],
                "score": scores[row, column],
                "reason": np.where(is_missing(pd.Series(values, dtype=object)), MISSING, reason),
            }
        )

    def _expected(self, X: Table, column: npt.NDArray[np.intp]) -> list[object]:
        """What the transformer predicts in one column of each row from the row's other cells."""
        row = np.arange(len(column))
        hidden = np.zeros((len(column), self.n_features_in_), dtype=bool)
        hidden[row, column] = True
        return _cells_at(self.transformer_.predict_masked(X, hidden), row, column)

    def _fitted_transformer(
        self, X: TableLike, rng: np.random.RandomState
    ) -> MaskedFeaturePredictor:
        """A copy of a fitted transformer, or a clone that is fitted on the rows."""
        given = MaskedFeaturePredictor() if self.transformer is None else self.transformer
        if isinstance(given, FrozenEstimator):
            check_is_fitted(given.estimator)
            given = given.estimator
        if not isinstance(given, MaskedFeaturePredictor):
            raise TypeError(
                f"The transformer of {type(self).__name__} must be a MaskedFeaturePredictor, which "
                f"predicts cells from the others of their row; got {given!r}."
            )
        if hasattr(given, "model_"):
            return copy.deepcopy(given)
        transformer = clone(given)
        if transformer.random_state is None:
            transformer.set_params(random_state=draw_seed(rng))
        return cast(MaskedFeaturePredictor, transformer.fit(X))

    def _checked(self, X: TableLike) -> Table:
        check_is_fitted(self)
        encoder = self.transformer_.model_.table_encoder
        declared = self.transformer_.categorical_features
        return check_rows(self, X, declared, reset=False, encoder=encoder)

    def _names(self) -> pd.Index:
        names = [column.name for column in cell_model(self.transformer_).columns]
        index: pd.Index = pd.Index(names)
        return index

    def _learn_rows(self, X: Table, rng: np.random.RandomState) -> None:
        """Learn from some rows what is typical of each column, and the shape of the table."""
        model = cell_model(self.transformer_)
        table = model.encode(X)
        n_codes = model.schema.cardinalities
        self._rarity = [
            category_rarity(codes, size)
            for codes, size in zip(table[1].numpy().T, n_codes, strict=True)
        ]
        self._loss_tails = learn_tails(model.losses(*model.within(table, X)))
        self._high_tails = learn_tails(self._cells(table))
        self._low_tails = learn_tails(-table[0].double().numpy())
        self._ellipsoid = learn_ellipsoid(_written(model, table))
        self._median = _medians(model, X)
        forest = IsolationForest(n_estimators=self.n_estimators, random_state=draw_seed(rng))
        self._forest = write_forest(forest.fit(self._forest_input(model, X, table)))

    def _row_scores(self, X: Table) -> Iterator[tuple[slice, FloatArray]]:
        """Blocks of rows, and their three scores, (n_rows, 3); larger for outliers."""
        model = cell_model(self.transformer_)
        share_of_row = 1 / np.array(features_per_cell(model.schema)) / len(model.columns)
        for rows, block in _blocks(X):
            table = model.encode(block)
            forest = forest_scores(self._forest_input(model, block, table), self._forest)
            distance = ellipsoid_distances(_written(model, table), self._ellipsoid)
            losses = model.losses(*model.within(table, block))
            # A date has several features; each counts for a part of its cell.
            misfit = surprises(losses, self._loss_tails) @ share_of_row
            scores = np.column_stack([forest, distance, misfit])
            # The last bits of products of matrices depend on the number of rows.
            yield rows, scores.astype(np.float32).astype(np.float64)

    @one_thread()
    def _cell_scores(self, X: Table) -> tuple[FloatArray, FloatArray]:
        """How badly each cell fits its row, and how rare it is in its column, in table order."""
        model = cell_model(self.transformer_)
        table = model.encode(X)
        nearest, excess = model.within(table, X)
        misfit = surprises(model.losses(nearest, excess), self._loss_tails)
        # Encoding alone takes all numbers beyond a heavy tail for its last one.
        table = nearest[0] + excess, nearest[1]
        rarity = surprises(self._cells(table), self._high_tails)
        low = surprises(-table[0].double().numpy(), self._low_tails)
        # A number is rare at either end of its column, a category if few rows have it.
        n_numeric = low.shape[1]
        rarity[:, :n_numeric] = np.maximum(rarity[:, :n_numeric], low) - np.log(2)
        to_decimal = 1 / np.log(10)
        return (
            _by_column(misfit, model) * to_decimal,
            np.maximum(_by_column(rarity, model), 0) * to_decimal,
        )

    def _cells(self, table: Batch) -> FloatArray:
        """Encoded numbers, then how rare each category is."""
        rarity = [
            share[codes] for share, codes in zip(self._rarity, table[1].numpy().T, strict=True)
        ]
        return np.column_stack([table[0].double().numpy(), *rarity])

    def _forest_input(self, model: CellModel, X: Table, table: Batch) -> npt.NDArray[np.float32]:
        """Numbers as they are in the table, missing ones at the median, and rarities."""
        # Dates stay as they are encoded: their mean, 0, stands for a missing one.
        cells = np.nan_to_num(self._cells(table))
        for feature, column, values in _number_columns(model, X):
            numbers = as_float(values, column.name)
            is_missing = np.isnan(numbers)
            cells[:, feature] = np.where(is_missing, self._median[feature], numbers)
        in_range = np.clip(cells, -LARGEST, LARGEST)
        return in_range.astype(np.float32)

    def _choose_offset(self, scores: FloatArray) -> float:
        if not isinstance(self.contamination, str):
            return float(np.percentile(scores, 100 * self.contamination))
        low, high = np.quantile(scores, [0.25, 0.75])
        return float(low - FENCE * (high - low))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.sparse = True
        return tags


def _blocks(X: Table) -> Iterator[tuple[slice, Table]]:
    for start in range(0, num_samples(X), ROWS_PER_BLOCK):
        rows = slice(start, start + ROWS_PER_BLOCK)
        block = X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]
        yield rows, block


def _some_rows(X: Table, rng: np.random.RandomState) -> Table:
    n_rows = num_samples(X)
    if n_rows <= N_ROWS_OF_STATISTICS:
        return X
    chosen = np.sort(rng.permutation(n_rows)[:N_ROWS_OF_STATISTICS])
    return X.iloc[chosen] if isinstance(X, pd.DataFrame) else X[chosen]


def _index_of(X: Table) -> pd.Index:
    return X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(num_samples(X))


def _written(model: CellModel, table: Batch) -> FloatArray:
    """Rows as numbers alone, with indicators of missing ones and one-hot categories."""
    nullable = positions(model.schema.nullable)
    return write_row(*table, model.schema, nullable).double().numpy()


def _by_column(scores: FloatArray, model: CellModel) -> FloatArray:
    """The largest score of the features of each column, in the order of the table."""
    highest = np.full((len(scores), len(model.columns)), -np.inf)
    for feature, position in enumerate(model.order):
        of_column = highest[:, position]
        np.maximum(of_column, scores[:, feature], out=of_column)
    return highest


def _number_columns(
    model: CellModel, X: Table
) -> Iterator[tuple[int, Column, npt.NDArray[np.generic] | pd.Series]]:
    """Features that are numbers of the table, their columns and values."""
    X = X if isinstance(X, pd.DataFrame) else as_dense(X)
    for feature, position in enumerate(model.order[: model.schema.n_numeric]):
        column = model.columns[position]
        if isinstance(column, NumericColumn | BinaryColumn):
            values = X.iloc[:, position] if isinstance(X, pd.DataFrame) else X[:, position]
            yield feature, column, values


def _medians(model: CellModel, X: Table) -> FloatArray:
    """Medians of the features that are numbers of the table."""
    medians = np.zeros(model.schema.n_numeric)
    for feature, column, values in _number_columns(model, X):
        numbers = as_float(values, column.name)
        present = numbers[~np.isnan(numbers)]
        medians[feature] = np.median(present) if present.size else 0.0
    return medians


def _cells_at(X: Table, row: npt.NDArray[np.intp], column: npt.NDArray[np.intp]) -> list[object]:
    """Single cells of a table, each with the type that it has there."""
    if isinstance(X, pd.DataFrame):
        columns = [X.iloc[:, position] for position in range(X.shape[1])]
        return [columns[j].iloc[i] for i, j in zip(row, column, strict=True)]
    cells = as_dense(X)
    return [cells[i, j] for i, j in zip(row, column, strict=True)]
