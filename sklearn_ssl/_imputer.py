"""An imputer for mixed tables that predicts the distribution of every missing cell."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Self, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from pandas.api import types
from pandas.api.extensions import ExtensionArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_ssl._compat import (
    Interval,
    StrOptions,
    check_feature_names_in,
    fit_context,
    num_samples,
    warn_user,
    wrap_output,
)
from sklearn_ssl._model import RECORDS, TableModel
from sklearn_ssl._network.layers import Batch
from sklearn_ssl._parameters import TRAINING_CONSTRAINTS, Constraints, RandomState
from sklearn_ssl._pretext.corruptions import draw_mask, mark_missing
from sklearn_ssl._pretext.distribution import (
    Filling,
    PredictDistributions,
    class_log_probabilities,
    class_losses_of_cells,
)
from sklearn_ssl._pretext.losses import features_per_cell
from sklearn_ssl._pretext.tasks import PretextTask
from sklearn_ssl._serialization.codec import attributes_of, plain_state
from sklearn_ssl._table.bins import BinnedColumn, learn_bins
from sklearn_ssl._table.column import CategoryColumn, Column, EmptyColumn
from sklearn_ssl._table.dates import DatetimeColumn, DurationColumn, times_as
from sklearn_ssl._table.encoder import TableEncoder
from sklearn_ssl._table.filling import UNFIT, fill
from sklearn_ssl._table.kinds import kind_of_dtype
from sklearn_ssl._table.numeric import BinaryColumn, NumericColumn, range_of_integers
from sklearn_ssl._table.schema import N_RESERVED
from sklearn_ssl._table.types import Array, Dtype, NumberArray, TableLike, Values
from sklearn_ssl._table.validation import as_dense, check_rows
from sklearn_ssl._training.dataset import TableDataset
from sklearn_ssl._training.loop import train
from sklearn_ssl._training.options import TrainingOptions, resolve_batch_size, resolve_device
from sklearn_ssl._training.safety import draw_seed, safe_fit, split, warn_of_outcome

Table: TypeAlias = pd.DataFrame | Array
"""A DataFrame, or an array of shape (n_samples, n_features)."""

Cells: TypeAlias = tuple[npt.NDArray[np.intp], Array]
"""Rows, and the values in them, of one column."""

CellsOfColumn: TypeAlias = tuple[int, npt.NDArray[np.intp], Array]
"""The position of a column, rows, and the values in them."""

Probabilities: TypeAlias = npt.NDArray[np.float32]
"""Distributions over classes, of shape (n_rows, n_classes)."""

Steps: TypeAlias = Callable[[npt.NDArray[np.bool_]], Iterator[npt.NDArray[np.bool_]]]
"""From the missing cells of some rows to the groups in which they are filled in."""

Choice: TypeAlias = Callable[[Probabilities, BinnedColumn | None], NumberArray]
"""From distributions over classes to a number each, or to the position of a category each."""

ROWS_PER_BLOCK = 4096
"""Blocks of rows bound the memory that the distributions need."""

ROWS_OF_STATISTICS = 20_000

NO_CATEGORY = "missing_value"
"""Fills columns of categories of which none has a name."""

STEPS = 6000
"""Steps of an automatic number of epochs."""

FEWEST_EPOCHS = 10

MOST_EPOCHS = 200

FEWEST_ROWS_TO_HOLD_OUT = 20

ROWS_TO_CALIBRATE = 2000

SCORING_RATE = 0.3

SCORING_SEED = 0


class MaskedImputer(TransformerMixin, BaseEstimator):
    """Fill in missing cells of a mixed table from the other cells of their row.

    A network is trained to predict cells that it does not see. Its input is a row of which a
    random share of the cells is hidden; its output is a distribution for each column: over bins
    of a number or a date, over the names of a category. A missing number becomes the mean of its
    distribution, a missing category the most likely one, and :meth:`sample` draws from the
    distributions instead.

    Observed cells, dtypes, column names and the index of a DataFrame remain as they are. Rows at
    ``transform`` can have missing cells in any column, also in those that were complete at
    ``fit``.

    Parameters
    ----------
    strategy : {"mean", "median"}, default="mean"
        What a missing number is replaced by. The mean has the smallest squared error, the median
        the smallest absolute error; the median is always a value that the column had at ``fit``.

    width : int, default=256
        Width of the network.

    n_blocks : int, default=3
        Residual blocks of the network, of two layers each.

    n_bins : int, default=32
        Most bins of a number. A column with fewer distinct values gets one bin for each.

    mask_rate : tuple of two floats, default=(0.1, 0.7)
        Lowest and highest share of cells to hide during training; each row draws its own.

    add_indicator : bool, default=False
        Whether to append a column of 0 and 1 for each column with missing cells at ``fit``, named
        ``missingindicator_NAME``, as :class:`sklearn.impute.MissingIndicator` does.

    keep_empty_features : bool, default=False
        Whether to keep columns without any observed cell at ``fit``. They are filled with 0,
        False, or the category "missing_value". Without it they are dropped, with a warning.

    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Columns that hold categories: those whose dtype is categorical, string or an object
        column of strings; none; or their names, indices or a boolean mask.

    max_categories : int or None, default=256
        Most categories of a column that can be predicted; the rarer ones are read as one.

    min_frequency : int, default=1
        Categories that occur in fewer rows are read as one and never predicted.

    batch_size : int or "auto", default="auto"
        Rows per step. "auto" is a 32nd of the rows, between 32 and 256.

    learning_rate : {"constant", "cosine", "one_cycle"}, default="constant"
        Schedule of the learning rate over ``max_iter`` epochs.

    learning_rate_init : float, default=2e-3
        Highest learning rate of the schedule.

    weight_decay : float, default=1e-2
        Decoupled weight decay of AdamW.

    max_iter : int or "auto", default="auto"
        Most epochs over the training rows. "auto" is as many as make 6,000 steps, between 10 and
        200.

    early_stopping : bool, default=True
        Whether to stop when hidden cells in the held-out rows are predicted no better, and keep
        the best weights.

    validation_fraction : float, default=0.1
        Share of rows that are held out to calibrate the distributions, and to stop early. Tables
        of fewer than 20 rows hold none out.

    n_iter_no_change : int, default=30
        Epochs without an improvement after which early stopping stops.

    tol : float, default=1e-4
        Smallest improvement of the loss that counts.

    device : {"auto", "cpu", "cuda", "mps"}, default="auto"
        Where to train and predict. "auto" takes an accelerator if there is one.

    random_state : int, RandomState instance or None, default=None
        Seed of the weights, the batches and the hidden cells.

    verbose : bool or int, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    n_iter_ : int
        Epochs made.

    loss_curve_ : list of float
        Mean training loss of each epoch per hidden cell.

    validation_scores_ : list of float
        Negative loss on the held-out rows after each epoch. Only with
        ``early_stopping=True``.

    indicator_features_ : ndarray of shape (n_indicators,)
        Positions of the columns that had missing cells at ``fit``.

    n_features_in_ : int
        Number of columns seen while fitting.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns; only if all are strings.

    See Also
    --------
    sklearn.impute.IterativeImputer : One model per column; numbers only.
    sklearn.impute.KNNImputer : Mean of the nearest rows; numbers only.
    MaskedFeaturePredictor : Learns features of rows by the same task.

    Notes
    -----
    Cells are predicted from observed cells alone. The predictions are right on average if whether
    a cell is missing depends on observed cells only. If it depends on the missing value itself,
    for instance if high incomes are not stated, they are biased, and no imputer can know by how
    much.

    Dates and durations are predicted by their elapsed time.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ssl import MaskedImputer
    >>> X = pd.DataFrame({"size": [1.0, 1.1, 3.0, 3.2] * 50, "kind": ["small", "large"] * 100})
    >>> X["kind"] = ["small", "small", "large", "large"] * 50
    >>> X.loc[0, "size"], X.loc[3, "kind"] = None, None
    >>> MaskedImputer(max_iter=50, random_state=0).fit_transform(X).loc[[0, 3]].round()
       size   kind
    0   1.0  small
    3   3.0  large
    """

    model_: TableModel
    n_iter_: int
    loss_curve_: list[float]
    validation_scores_: list[float]
    indicator_features_: npt.NDArray[np.intp]
    _bins: list[BinnedColumn]
    _empty: npt.NDArray[np.intp]
    _kept: npt.NDArray[np.intp]

    _parameter_constraints: Constraints = {
        "strategy": [StrOptions({"mean", "median"})],
        "width": [Interval(Integral, 1, None, closed="left")],
        "n_blocks": [Interval(Integral, 0, None, closed="left")],
        "n_bins": [Interval(Integral, 2, None, closed="left")],
        "mask_rate": [tuple, list],
        "add_indicator": ["boolean"],
        "keep_empty_features": ["boolean"],
        "categorical_features": [StrOptions({"from_dtype"}), "array-like", None],
        "max_categories": [Interval(Integral, 1, None, closed="left"), None],
        "min_frequency": [Interval(Integral, 1, None, closed="left")],
        **TRAINING_CONSTRAINTS,
        "max_iter": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "device": [StrOptions({"auto", "cpu", "cuda", "mps"})],
    }

    def __init__(
        self,
        *,
        strategy: str = "mean",
        width: int = 256,
        n_blocks: int = 3,
        n_bins: int = 32,
        mask_rate: tuple[float, float] = (0.1, 0.7),
        add_indicator: bool = False,
        keep_empty_features: bool = False,
        categorical_features: npt.ArrayLike | None = "from_dtype",
        max_categories: int | None = 256,
        min_frequency: int = 1,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 2e-3,
        weight_decay: float = 1e-2,
        max_iter: int | str = "auto",
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 30,
        tol: float = 1e-4,
        device: str = "auto",
        random_state: RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.strategy = strategy
        self.width = width
        self.n_blocks = n_blocks
        self.n_bins = n_bins
        self.mask_rate = mask_rate
        self.add_indicator = add_indicator
        self.keep_empty_features = keep_empty_features
        self.categorical_features = categorical_features
        self.max_categories = max_categories
        self.min_frequency = min_frequency
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.weight_decay = weight_decay
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: TableLike, y: None = None) -> Self:
        """Learn the distribution of each column given the others.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows to learn from; missing cells are allowed, infinite ones are not.

        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted imputer.

        Raises
        ------
        ValueError
            If the table cannot be read; the imputer remains as it was.
        """
        with safe_fit(self):
            _check_mask_rate(self.mask_rate)
            checked = self._check_table(X, None)
            rng = check_random_state(self.random_state)
            model = self._start_model(checked, rng)
            table = model.encode(checked)
            self._learn_missing(checked, model)
            self._bins = self._learn_bins(checked, model, table[0])
            edges = [torch.from_numpy(column.edges) for column in self._bins]
            _task_of(model.task).start_from(edges, table)
            self._train(model, table, rng)
            self.model_ = model
        return self

    def transform(self, X: TableLike) -> Table:
        """Fill in missing cells.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows with the columns seen while fitting.

        Returns
        -------
        X_filled : {DataFrame, ndarray} of shape (n_samples, n_features_out)
            A DataFrame for a DataFrame, with its index and dtypes; an array otherwise. A dtype with
            less room than the column had at ``fit`` gives way to a wider one.
        """
        return self._fill(X, self._choose, calibrated=False)

    def sample(
        self,
        X: TableLike,
        n_samples: int = 5,
        *,
        n_steps: int = 4,
        random_state: RandomState | None = None,
    ) -> list[Table]:
        """Draw missing cells from their distributions, for multiple imputation.

        A row's missing cells are drawn in ``n_steps`` groups, picked at random; each group sees
        what was drawn before, so that the drawn cells of a row fit together.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows with the columns seen while fitting.

        n_samples : int, default=5
            Tables to draw.

        n_steps : int, default=4
            Groups in which a row's missing cells are drawn. With 1 they are independent of each
            other given the observed cells.

        random_state : int, RandomState instance or None, default=None
            Seed of the draws.

        Returns
        -------
        tables : list of {DataFrame, ndarray}
            ``n_samples`` tables as :meth:`transform` returns them. A drawn number is always one
            that the column had at ``fit``.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_ssl import MaskedImputer
        >>> X = np.repeat(np.arange(4.0), 50)[:, None] + [0, 10]
        >>> imputer = MaskedImputer(max_iter=30, random_state=0).fit(X)
        >>> tables = imputer.sample([[2.0, np.nan]], n_samples=3, random_state=0)
        >>> [table[0, 1].item() for table in tables]
        [12.0, 12.0, 12.0]
        """
        for name, value in (("n_samples", n_samples), ("n_steps", n_steps)):
            if not isinstance(value, Integral) or value < 1:
                raise ValueError(f"{name} must be an integer of at least 1; got {value!r}.")
        check_is_fitted(self)
        rng = check_random_state(random_state)

        def draw(probabilities: Probabilities, column: BinnedColumn | None) -> NumberArray:
            if column is None:
                return _draw_category(probabilities, rng)
            return column.draw(probabilities, rng)

        def steps(missing: npt.NDArray[np.bool_]) -> Iterator[npt.NDArray[np.bool_]]:
            return _groups(missing, n_steps, rng)

        tables = (self._fill(X, draw, steps) for _ in range(n_samples))
        return [wrap_output("transform", table, X, self) for table in tables]

    def quantile(self, X: TableLike, q: float) -> Table:
        """Fill in missing numbers with a quantile of their distributions.

        Half of the missing numbers lie below ``quantile(X, 0.5)``; nine in ten lie between
        ``quantile(X, 0.05)`` and ``quantile(X, 0.95)``. A category is the most likely
        one.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows with the columns seen while fitting.

        q : float
            Level of the quantile, from 0 to 1.

        Returns
        -------
        X_filled : {DataFrame, ndarray} of shape (n_samples, n_features_out)
            A table as :meth:`transform` returns it.
        """
        if not isinstance(q, Real) or not 0 <= q <= 1:
            raise ValueError(f"q must be a number from 0 to 1; got {q!r}.")

        def choose(probabilities: Probabilities, column: BinnedColumn | None) -> NumberArray:
            if column is None:
                return probabilities.argmax(axis=1)
            return column.quantile(probabilities, q)

        return cast(Table, wrap_output("transform", self._fill(X, choose), X, self))

    def score(self, X: TableLike, y: None = None) -> float:
        """Share of the deviance of hidden cells that the predicted distributions explain (D2).

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows; 0.3 of their cells are hidden, always by the same seed.

        y : None
            Ignored.

        Returns
        -------
        score : float
            1 is perfect; 0 is no better than the frequencies of each column.
        """
        check_is_fitted(self)
        model = self.model_
        task = _task_of(model.task)
        table = model.encode(self._check_table(X, model))
        generator = torch.Generator().manual_seed(SCORING_SEED)
        mask = draw_mask(table, SCORING_RATE, generator, model.schema.leads)
        # A date has several features; each counts for a part of its cell.
        share = mask / torch.tensor(features_per_cell(model.schema), dtype=torch.float32)
        losses = self._losses(mark_missing(table, mask), table) * share
        frequencies = class_log_probabilities(
            task.start.expand(len(mask), -1), model.schema, task.is_bin
        )
        baseline = class_losses_of_cells(frequencies, task.classes(table)) * share
        total = float(baseline.double().sum())
        return 1.0 - float(losses.double().sum()) / total if total else 0.0

    def get_feature_names_out(
        self, input_features: npt.ArrayLike | None = None
    ) -> npt.NDArray[np.object_]:
        """Names of the columns that ``transform`` returns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of ``X``; ``feature_names_in_`` by default.

        Returns
        -------
        names : ndarray of shape (n_features_out,), object
            The kept columns, and then the indicators.
        """
        check_is_fitted(self)
        names = check_feature_names_in(self, input_features)
        kept = [names[position] for position in self._kept]
        return np.array([*kept, *self._indicator_names(names)], dtype=object)

    # Fitting

    def _check_table(self, X: TableLike, model: TableModel | None) -> Table:
        """A table with the columns of a model, or with columns that are still to be learned."""
        encoder = None if model is None else model.table_encoder
        X = check_rows(self, X, self.categorical_features, reset=encoder is None, encoder=encoder)
        return as_dense(X)

    def _start_model(self, X: Table, rng: np.random.RandomState) -> TableModel:
        """Learn the columns and draw weights."""
        table_encoder = TableEncoder(
            categorical_features=self.categorical_features,
            max_categories=self.max_categories,
            min_frequency=self.min_frequency,
        ).fit(X)
        schema = table_encoder.schema_
        # Any number may be hidden, so the network must be able to see that it is.
        schema = replace(schema, nullable=(True,) * schema.n_numeric)
        low, high = self.mask_rate
        blueprint = Filling(
            int(self.width), int(self.n_blocks), int(self.n_bins), (float(low), float(high))
        )
        generator = torch.Generator().manual_seed(draw_seed(rng))
        return TableModel.start(table_encoder, schema, blueprint, generator)

    def _learn_missing(self, X: Table, model: TableModel) -> None:
        """Learn which columns have missing cells, and which have nothing else."""
        missing = _missing(X)
        self.indicator_features_ = np.flatnonzero(missing.any(axis=0))
        self._empty = np.flatnonzero(missing.all(axis=0))
        self._kept = np.arange(X.shape[1])
        if self._empty.size and not self.keep_empty_features:
            self._kept = np.setdiff1d(self._kept, self._empty)
            names = [model.table_encoder.columns_[position].name for position in self._empty]
            warn_user(
                f"Columns {names} have no observed cell and are dropped. Set "
                "keep_empty_features=True to keep them.",
                UserWarning,
            )

    def _learn_bins(self, X: Table, model: TableModel, numeric: torch.Tensor) -> list[BinnedColumn]:
        every = -(-num_samples(X) // ROWS_OF_STATISTICS)
        sample = X.iloc[::every] if isinstance(X, pd.DataFrame) else X[::every]
        encoder = model.table_encoder
        bins = []
        for feature, position in enumerate(encoder.order_[: model.schema.n_numeric]):
            column = encoder.columns_[position]
            encoded = numeric[::every, feature].numpy()
            # The bins of times, and of their cycles, hold encoded numbers, which are decoded later.
            is_time = isinstance(column, DatetimeColumn | DurationColumn)
            cells = encoded.astype(np.float64) if is_time else _column(sample, position)
            bins.append(learn_bins(cells, encoded, column.name, self.n_bins))
        return bins

    def _train(self, model: TableModel, table: Batch, rng: np.random.RandomState) -> None:
        dataset, validation = TableDataset(*table), None
        if len(dataset) >= FEWEST_ROWS_TO_HOLD_OUT:
            dataset, validation = split(table, self.validation_fraction, rng)
        stops = self.early_stopping and validation is not None
        options = self._options(len(dataset), stops=stops)
        result = train(model.task, dataset, validation if stops else None, options, draw_seed(rng))
        model.task.eval()
        if validation is not None:
            rows = torch.arange(min(len(validation), ROWS_TO_CALIBRATE))
            numeric, codes = validation[rows]
            task = cast(PredictDistributions, model.task)
            task.calibrate((numeric, codes), torch.Generator().manual_seed(draw_seed(rng)))
        self.loss_curve_ = result.loss_curve
        self.n_iter_ = len(result.loss_curve)
        self.__dict__.pop("validation_scores_", None)
        if stops:
            self.validation_scores_ = result.validation_scores
        warn_of_outcome(result)

    def _options(self, n_rows: int, *, stops: bool) -> TrainingOptions:
        batch_size = resolve_batch_size(self.batch_size, n_rows)
        max_iter = self.max_iter
        if max_iter == "auto":
            epochs = STEPS * batch_size // n_rows
            max_iter = min(max(epochs, FEWEST_EPOCHS), MOST_EPOCHS)
        return TrainingOptions(
            max_iter=int(max_iter),
            batch_size=batch_size,
            learning_rate=self.learning_rate,
            learning_rate_init=self.learning_rate_init,
            weight_decay=self.weight_decay,
            early_stopping=stops,
            n_iter_no_change=self.n_iter_no_change,
            tol=self.tol,
            device=resolve_device(self.device),
            verbose=bool(self.verbose),
            stage=f"Training {type(self).__name__}",
            averaged_epochs=5,
        )

    # Filling in

    def _choose(self, probabilities: Probabilities, column: BinnedColumn | None) -> NumberArray:
        if column is None:
            return np.asarray(probabilities.argmax(axis=1))
        if self.strategy == "median":
            return column.quantile(probabilities, 0.5)
        return column.mean(probabilities)

    def _fill(
        self,
        X: TableLike,
        choose: Choice,
        steps: Steps | None = None,
        *,
        calibrated: bool = True,
    ) -> Table:
        """A new table in which every missing cell is chosen from its distribution."""
        check_is_fitted(self)
        checked = self._check_table(X, self.model_)
        cells = self._chosen_cells(checked, choose, steps, calibrated=calibrated)
        if isinstance(checked, pd.DataFrame):
            return self._fill_frame(checked, cells)
        return self._fill_array(checked, cells)

    def _chosen_cells(
        self, X: Table, choose: Choice, steps: Steps | None, *, calibrated: bool
    ) -> Iterator[CellsOfColumn]:
        """The missing cells of a checked table, a block of rows after the other."""
        for start in range(0, num_samples(X), ROWS_PER_BLOCK):
            block = _rows(X, slice(start, start + ROWS_PER_BLOCK))
            # Complete rows are encoded, too: that is where cells of another kind are reported.
            numeric, codes = self.model_.encode(block)
            missing = _missing(block)
            incomplete = np.flatnonzero(missing.any(axis=1))
            if not incomplete.size:
                continue
            table = numeric[incomplete], codes[incomplete]
            rows = start + incomplete
            hidden = missing[incomplete]
            for group in steps(hidden) if steps else (hidden,):
                distributions = self._distributions(table, calibrated=calibrated)
                found = self._choose_cells(table, group, choose, distributions)
                for position, (cells, values) in found.items():
                    yield position, rows[cells], values
        for position in self._empty:
            column = self.model_.table_encoder.columns_[position]
            rows = np.flatnonzero(_missing(_column(X, position)))
            yield position, rows, np.full(len(rows), _empty_value(column))

    def _choose_cells(
        self,
        table: Batch,
        group: npt.NDArray[np.bool_],
        choose: Choice,
        distributions: list[Probabilities],
    ) -> dict[int, tuple[npt.NDArray[np.intp], Array]]:
        """Rows and values by column of the cells of a group, which are also put into ``table``."""
        schema, encoder = self.model_.schema, self.model_.table_encoder
        numeric, codes = table
        chosen: dict[int, tuple[npt.NDArray[np.intp], Array]] = {}
        values: Array
        for feature, position in enumerate(encoder.order_.tolist()):
            cells = np.flatnonzero(group[:, position])
            is_lead = not schema.leads or schema.leads[feature] == feature
            if not cells.size or not is_lead or position in self._empty:
                continue
            column = encoder.columns_[position]
            probabilities = distributions[feature][cells]
            if isinstance(column, CategoryColumn):
                if not len(column.categories):
                    chosen[position] = cells, np.full(len(cells), NO_CATEGORY, dtype=object)
                    continue
                name = choose(probabilities, None)
                values = column.categories.to_numpy()[name]
                codes[cells, feature - schema.n_numeric] = torch.from_numpy(name + N_RESERVED).int()
            else:
                numbers = choose(probabilities, self._bins[feature])
                is_time = isinstance(column, DatetimeColumn | DurationColumn)
                decoded = column.decode(numbers) if is_time else numbers
                encoded = np.asarray(column.encode(decoded), dtype=np.float32)
                features = slice(feature, feature + column.n_features)
                numeric[cells, features] = torch.from_numpy(encoded.reshape(len(cells), -1))
                if isinstance(decoded, pd.Series):
                    values = decoded.astype(object).to_numpy()
                else:
                    values = decoded
            chosen[position] = cells, values
        return chosen

    def _distributions(self, table: Batch, *, calibrated: bool) -> list[Probabilities]:
        """Probabilities of the classes of each feature, of shape (n_rows, n_classes)."""
        device = resolve_device(self.device)
        with self.model_.task_on(device) as task, torch.no_grad():
            numeric, codes = (part.to(device) for part in table)
            groups = _task_of(task).log_probabilities((numeric, codes), calibrated=calibrated)
            features = []
            for group in groups:
                features += [part.exp().cpu().numpy() for part in group.unbind(1)]
        # The numeric features come first; with fewer bins than others they have none of the rest.
        for feature, bins in enumerate(self._bins):
            features[feature] = features[feature][:, : bins.n_bins]
        return features

    def _losses(self, view: Batch, table: Batch) -> torch.Tensor:
        """Loss of every cell of a table, predicted from a view of it."""
        losses = []
        device = resolve_device(self.device)
        with self.model_.task_on(device) as lent, torch.no_grad():
            task = _task_of(lent)
            for start in range(0, len(view[0]), ROWS_PER_BLOCK):
                rows = slice(start, start + ROWS_PER_BLOCK)
                seen, truth = (
                    (numeric[rows].to(device), codes[rows].to(device))
                    for numeric, codes in (view, table)
                )
                groups = task.log_probabilities(seen, calibrated=True)
                losses.append(class_losses_of_cells(groups, task.classes(truth)).cpu())
        return torch.cat(losses)

    def _fill_array(self, X: Array, cells: Iterator[CellsOfColumn]) -> Array:
        """An array with the cells in place, and the indicators."""
        # Cells are written as they come: of a long table, a list of them would not fit.
        filled = self._with_room(X)
        for position, rows, values in cells:
            filled[rows, position] = values
        positions = self._indicated()
        if len(self._kept) == filled.shape[1] and not positions.size:
            return filled
        if positions.size and filled.dtype.kind in "mM":
            # NumPy would read indicators beside times as times.
            filled = _as_objects(filled)
        indicators = _missing(X[:, positions]).astype(filled.dtype)
        return np.column_stack([filled[:, self._kept], indicators])

    def _with_room(self, X: Array) -> Array:
        """A copy of an array in a dtype that can hold what its missing cells are filled with."""
        if self._can_hold(X):
            return X.copy()
        if X.dtype.kind == "f" and self._can_hold(X.astype(np.float64)):
            return X.astype(np.float64)
        return _as_objects(X)

    def _can_hold(self, X: Array) -> bool:
        """Whether an array has a dtype for its missing cells; one of these alone can lack it."""
        for position, column in enumerate(self.model_.table_encoder.columns_):
            values = _values_to_fill(column, is_empty=position in self._empty)
            if not _holds(X.dtype, values) and _missing(X[:, position]).any():
                return False
        return True

    def _fill_frame(self, X: pd.DataFrame, cells: Iterator[CellsOfColumn]) -> pd.DataFrame:
        """The kept columns with the cells in place, and the indicators."""
        columns = self.model_.table_encoder.columns_
        chosen = _by_column(X, cells)
        filled = {
            position: _fill_column(X.iloc[:, position], columns[position], chosen.get(position))
            for position in self._kept
        }
        frame = pd.concat(filled, axis=1) if filled else pd.DataFrame(index=X.index)
        frame.columns = X.columns[self._kept]
        positions = self._indicated()
        if not positions.size:
            return frame
        indicators = pd.DataFrame(_missing(X.iloc[:, positions]), index=X.index)
        # As in scikit-learn, the table can have a column of the name of an indicator, too.
        names = frame.columns.append(self._indicator_index(X.columns))
        joined: pd.DataFrame = pd.concat([frame, indicators], axis=1)
        return joined.set_axis(names, axis=1)

    def _indicator_index(self, names: pd.Index) -> pd.Index:
        """Names of the indicators, with as many levels as those of the table."""
        indicators = self._indicator_names(names)
        if not isinstance(names, pd.MultiIndex):
            return pd.Index(indicators, name=names.name)
        lower = [""] * (names.nlevels - 1)
        return pd.MultiIndex.from_tuples([(name, *lower) for name in indicators], names=names.names)

    def _indicated(self) -> npt.NDArray[np.intp]:
        """Positions of the columns that have an indicator."""
        return self.indicator_features_ if self.add_indicator else np.empty(0, dtype=np.intp)

    def _indicator_names(self, names: Sequence[object] | pd.Index) -> list[str]:
        if not self.add_indicator:
            return []
        return [f"missingindicator_{names[position]}" for position in self.indicator_features_]

    # Files and tags

    def __getstate__(self) -> dict[str, object]:
        """State without classes of torch, which files of other libraries can hold, too."""
        return plain_state(vars(self), RECORDS, type(self).__name__)

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(attributes_of(state, RECORDS))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _task_of(task: PretextTask) -> PredictDistributions:
    return cast(PredictDistributions, task)


def _check_mask_rate(mask_rate: Sequence[float]) -> None:
    is_pair = len(mask_rate) == 2 and all(isinstance(rate, Real) for rate in mask_rate)
    if not is_pair or not 0 < mask_rate[0] <= mask_rate[1] < 1:
        raise ValueError(
            "mask_rate must be a lowest and a highest share of cells, both between 0 and 1; got "
            f"{mask_rate!r}."
        )


def _missing(X: Table | Values) -> npt.NDArray[np.bool_]:
    return np.asarray(pd.isna(X))


def _rows(X: Table, rows: slice) -> Table:
    return X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]


def _column(X: Table, position: int) -> Values:
    return X.iloc[:, position] if isinstance(X, pd.DataFrame) else X[:, position]


def _draw_category(
    probabilities: Probabilities, rng: np.random.RandomState
) -> npt.NDArray[np.intp]:
    """The position of a category for each distribution, drawn from it."""
    upto = probabilities.cumsum(axis=1, dtype=np.float64)
    n_rows, n_classes = upto.shape
    # Single-precision probabilities do not add up to 1 exactly.
    total = upto[:, -1:]
    level = rng.uniform(size=(n_rows, 1)) * total
    n_below = (upto <= level).sum(axis=1)
    return np.asarray(np.minimum(n_below, n_classes - 1))


def _groups(
    missing: npt.NDArray[np.bool_], n_groups: int, rng: np.random.RandomState
) -> Iterator[npt.NDArray[np.bool_]]:
    """Share the missing cells of some rows out among groups at random."""
    group_of = rng.randint(n_groups, size=missing.shape)
    for group in range(n_groups):
        yield missing & (group_of == group)


def _values_to_fill(column: Column, *, is_empty: bool) -> Array:
    """Values of the kind that missing cells of a column are filled with."""
    if isinstance(column, CategoryColumn):
        names = column.categories.to_numpy()
        return names if len(names) else np.full(1, NO_CATEGORY, dtype=object)
    if is_empty:
        return np.full(1, _empty_value(column))
    if isinstance(column, DatetimeColumn | DurationColumn):
        times = column.decode(np.zeros(1))
        return times.astype(object).to_numpy()
    if isinstance(column, NumericColumn):
        return np.array([column.low, column.high])
    return np.zeros(1)


def _holds(dtype: np.dtype[np.generic], values: Array) -> bool:
    """Whether an array of a dtype can hold values."""
    try:
        with np.errstate(over="ignore"):
            held = values.astype(dtype)
    except (TypeError, ValueError):
        return False
    return held.dtype.kind != "f" or not np.isinf(held).any()


def _as_objects(X: Array) -> Array:
    """An array of objects; NumPy alone would turn times of nanoseconds into integers."""
    if X.dtype.kind not in "mM":
        return X.astype(object)
    # A frame alone lends out an array that is not to be written into.
    return np.array(pd.DataFrame(X).astype(object))


def _empty_value(column: Column) -> object:
    """What a column without an observed cell at fit is filled with."""
    if isinstance(column, CategoryColumn):
        return NO_CATEGORY
    if isinstance(column.dtype, pd.PeriodDtype):
        return pd.arrays.PeriodArray(np.zeros(1, dtype=np.int64), dtype=column.dtype)[0]
    return 0.0


def _by_column(X: pd.DataFrame, cells: Iterator[CellsOfColumn]) -> dict[int, Cells]:
    """The rows and values of the missing cells of each column that has some."""
    found: dict[int, Cells] = {}
    for position, rows, values in cells:
        if position not in found:
            missing = np.flatnonzero(_missing(X.iloc[:, position]))
            found[position] = missing, np.empty(len(missing), dtype=values.dtype)
        # Small arrays of every block, kept among the large ones that a block needs for a while,
        # would leave holes in memory that take several times the room of the cells.
        places, chosen = found[position]
        chosen[np.searchsorted(places, rows)] = values
    return found


def _fill_column(column: pd.Series, learned: Column, cells: Cells | None) -> pd.Series:
    """A copy of a column with some of its cells replaced; the dtype is kept."""
    if cells is None or not len(cells[0]):
        return column.copy()
    rows, values = cells
    if len(rows) == len(column) and not _can_be_filled(column.dtype, learned):
        # A column of missing cells alone can be of any dtype.
        column = pd.Series(index=column.index, dtype=learned.dtype or object)
    dtype = column.dtype
    if isinstance(learned, CategoryColumn) or types.is_object_dtype(dtype):
        if isinstance(learned, BinaryColumn) and learned.holds_booleans:
            values = values.astype(np.float64) > 0.5
        # A dtype of categories says in which order they are.
        is_named = isinstance(learned, CategoryColumn) and len(learned.categories) > 0
        has_order = is_named and isinstance(learned.dtype, pd.CategoricalDtype)
        own_dtype = learned.dtype if has_order else object
        return _replaced(column, rows, pd.Series(values, dtype=own_dtype))
    filled: pd.Series = column.copy()
    if isinstance(dtype, pd.CategoricalDtype):
        new = pd.unique(values[~np.isin(values, dtype.categories)])
        known: pd.Series = filled.cat.add_categories(new) if len(new) else filled
        known.iloc[rows] = values
        return known
    dtype_of_cells = dtype.subtype if isinstance(dtype, pd.SparseDtype) else dtype
    try:
        new_cells = _as_dtype(values, dtype_of_cells, learned)
    except UNFIT:
        # New rows can come in a dtype with less room than the column had while fitting.
        return _replaced(column, rows, _in_learned_dtype(values, learned))
    if isinstance(dtype, pd.SparseDtype):
        # The stubs of pandas declare the accessor without its methods.
        dense: pd.Series = filled.sparse.to_dense()  # type: ignore[attr-defined]
        dense.iloc[rows] = new_cells
        return dense.astype(dtype)
    filled.iloc[rows] = new_cells
    return filled


def _replaced(column: pd.Series, rows: npt.NDArray[np.intp], cells: pd.Series) -> pd.Series:
    """A column with other cells in some rows, in its dtype unless that cannot hold them."""
    mask = np.zeros(len(column), dtype=bool)
    mask[rows] = True
    # Rows outside the mask are not read, and get the first cell.
    place = np.zeros(len(column), dtype=np.intp)
    place[rows] = np.arange(len(rows))
    return fill(column, mask, cells.take(place).set_axis(column.index))


def _in_learned_dtype(values: Array, learned: Column) -> pd.Series:
    """Values in the dtype that the column had while fitting."""
    if isinstance(learned, EmptyColumn) or learned.dtype is None:
        return pd.Series(values)
    return pd.Series(_as_dtype(values, learned.dtype, learned))


def _can_be_filled(dtype: Dtype, learned: Column) -> bool:
    """Whether a dtype can hold cells of the kind that a column had while fitting."""
    if types.is_object_dtype(dtype):
        return True
    if isinstance(learned, DatetimeColumn | DurationColumn):
        return bool(dtype == learned.dtype)
    kind = kind_of_dtype(dtype)
    if isinstance(learned, CategoryColumn):
        return kind in {"text", "names", None}
    return kind == "numbers" or (kind == "booleans" and isinstance(learned, BinaryColumn))


def _whole_numbers(values: NumberArray, dtype: Dtype) -> NumberArray:
    """Rounded numbers; raises ``OverflowError`` if a dtype of integers does not hold them."""
    low, high = range_of_integers(dtype)
    whole = np.rint(values)
    # A number of 64 bits can be rounded up to one that its own dtype does not hold.
    if (whole < low).any() or (whole > np.nextafter(high, np.inf)).any():
        raise OverflowError(f"{dtype} has a smaller range")
    return np.minimum(whole, high)


def _as_dtype(values: Array, dtype: Dtype, learned: Column) -> ExtensionArray:
    """Values of the kind that a column holds; raises one of ``UNFIT`` if the dtype cannot."""
    if isinstance(learned, DatetimeColumn | DurationColumn):
        times: ExtensionArray = times_as(pd.Series(values, dtype=object), dtype).array
        return times
    is_boolean = types.is_bool_dtype(dtype)
    if isinstance(learned, BinaryColumn) and (learned.holds_booleans or is_boolean):
        values = values.astype(np.float64) > 0.5
    elif is_boolean and values.any():
        raise TypeError(f"{dtype} holds no numbers")
    elif types.is_integer_dtype(dtype):
        values = _whole_numbers(values.astype(np.float64), dtype)
    with np.errstate(over="ignore"):
        numbers: pd.Series = pd.Series(values).astype(dtype)
    if dtype.kind == "f" and np.isinf(numbers.to_numpy(np.float64)).any():
        raise OverflowError(f"{dtype} has a smaller range")
    array: ExtensionArray = numbers.array
    return array
