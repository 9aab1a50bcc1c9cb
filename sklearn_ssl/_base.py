"""What the transformers share: parameters, validation, fitting, embedding."""

import copy
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from numbers import Integral, Real
from typing import Self, TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags, check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_ssl._compat import (
    CallbackSupportMixin,
    FitTask,
    Interval,
    StrOptions,
    available_if,
    check_own_parameters,
    fit_context,
    warn_user,
    with_callbacks,
)
from sklearn_ssl._display import DisplayMixin
from sklearn_ssl._labels import Target, read_target
from sklearn_ssl._marks import require_one_per_row
from sklearn_ssl._model import RECORDS, TableModel
from sklearn_ssl._network.custom import EncoderFactory
from sklearn_ssl._network.layers import Batch, Linear
from sklearn_ssl._parameters import (
    TRAINING_CONSTRAINTS,
    Constraints,
    Folder,
    RandomState,
    check_layer_sizes,
)
from sklearn_ssl._pretext.blueprints import Blueprint
from sklearn_ssl._pretext.supervised import WithAuxiliaryHead
from sklearn_ssl._pretext.tasks import PretextTask
from sklearn_ssl._readout import ReadoutOptions
from sklearn_ssl._serialization.codec import attributes_of, plain_state
from sklearn_ssl._streams import Stream, StreamFit, epochs_of, learns_without_labels
from sklearn_ssl._table.chunks import buffers
from sklearn_ssl._table.encoder import TableEncoder
from sklearn_ssl._table.schema import Schema
from sklearn_ssl._table.types import Table, TableLike
from sklearn_ssl._table.validation import check_rows
from sklearn_ssl._training.callbacks import FollowedEpochs
from sklearn_ssl._training.checkpoints import Checkpoint, checkpoints_of
from sklearn_ssl._training.dataset import TableDataset
from sklearn_ssl._training.loop import TrainingResult, train
from sklearn_ssl._training.options import (
    Callbacks,
    TrainingOptions,
    resolve_batch_size,
    resolve_device,
)
from sklearn_ssl._training.processes import OneProcess
from sklearn_ssl._training.safety import draw_seed, safe_fit, split, warn_of_outcome

Embedder = TypeVar("Embedder", bound="BaseEmbedder")


class BaseEmbedder(
    DisplayMixin,
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Base of the transformers. A subclass resolves its parameters in ``_blueprint``."""

    # Parameters, which every subclass has, too

    n_components: int
    bottleneck_size: int
    hidden_layer_sizes: Sequence[int]
    output: str
    passthrough: bool
    n_bins: int
    categorical_features: npt.ArrayLike | None
    max_categories: int | None
    min_frequency: int
    encoder: EncoderFactory | None
    supervision_weight: float
    batch_size: int | str
    learning_rate: str
    learning_rate_init: float
    weight_decay: float
    max_iter: int
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    tol: float
    warm_start: bool
    callbacks: Callbacks | None
    checkpoint_dir: Folder | None
    device: str
    random_state: RandomState | None
    verbose: bool

    # What a fit leaves

    model_: TableModel
    effective_rank_: float
    n_iter_: int
    loss_curve_: list[float]
    validation_scores_: list[float]

    _parameter_constraints: Constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "bottleneck_size": [Interval(Integral, 1, None, closed="left")],
        # A single integer is refused by a message of our own, which states how to write it.
        "hidden_layer_sizes": ["array-like", Integral],
        "output": [StrOptions({"components", "layers", "bottleneck"})],
        "passthrough": ["boolean"],
        "n_bins": [Interval(Integral, 1, None, closed="left")],
        "categorical_features": [StrOptions({"from_dtype"}), "array-like", None],
        "max_categories": [Interval(Integral, 1, None, closed="left"), None],
        "min_frequency": [Interval(Integral, 1, None, closed="left")],
        "encoder": [callable, None],
        "supervision_weight": [Interval(Real, 0, None, closed="left")],
        **TRAINING_CONSTRAINTS,
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "warm_start": ["boolean"],
        "callbacks": [list, tuple, None],
        "checkpoint_dir": [str, os.PathLike, None],
        "device": [StrOptions({"auto", "cpu", "cuda", "mps"})],
    }

    # What a subclass states

    def _blueprint(self, table_encoder: TableEncoder) -> Blueprint:
        """What to train, resolved from the parameters and checked."""
        raise NotImplementedError

    def _network_schema(self, schema: Schema) -> Schema:
        """Features as the network sees them."""
        return schema

    # Fitting

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: TableLike, y: npt.ArrayLike | None = None) -> Self:
        """Learn the embedding from rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows to learn from. Missing cells are allowed, infinite ones are not.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs), or None, default=None
            Ignored if ``supervision_weight`` is 0. Otherwise classes, -1 for unlabeled rows; an
            indicator matrix of labels; or numbers, NaN for unlabeled rows.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If the table or the targets cannot be read. The estimator remains as it was.
        """
        target = read_target(y, self) if self.supervision_weight else None
        return self._fit(X, target, OneProcess(), y)

    @with_callbacks
    def _fit(
        self,
        X: TableLike,
        target: Target | None,
        processes: OneProcess,
        y: npt.ArrayLike | None = None,
    ) -> Self:
        """Learn from checked targets, or from none, in one or in several processes."""
        fit_task = FitTask.begin(self, self.max_iter, X=X, y=y)
        with safe_fit(self):
            rng = check_random_state(self.random_state)
            model = self._start_shared_model(X, rng, processes)
            # In any other process these are its own rows, in the columns of the first one.
            table = model.encode(self._check_table(X, model))
            if processes.rank:
                # Each process corrupts and shuffles its rows by draws of its own.
                rng = np.random.RandomState(processes.rank + draw_seed(rng))
            task, rows = self._add_targets(model, table, target, rng)
            training, validation = self._hold_out(rows, rng)
            options = replace(
                self._options(len(training), validation is not None, processes),
                followed_epochs=FollowedEpochs(fit_task, lambda: self._fitted_now(model, table)),
            )
            checkpoints = checkpoints_of(self)
            checkpoint = Checkpoint(checkpoints) if checkpoints else None
            # A contrastive objective compares rows across processes.
            with processes.all_rows(task):
                result = train(
                    task, training, validation, options, draw_seed(rng), checkpoint=checkpoint
                )
            self._accept(model, result, table, processes)
        fit_task.end(fitted=dict)
        return self

    def _fitted_now(self, model: TableModel, sample: Batch | None) -> dict[str, object]:
        """What this estimator would have learned if its fit ended now, for callbacks that ask."""
        # A copy, since the readout belongs to these weights, and training goes on.
        model = copy.deepcopy(model)
        model.task.to("cpu").eval()
        rank = getattr(self, "effective_rank_", 0.0)
        # Without a sample the readout of an earlier fit stays.
        if sample is not None:
            rank = model.learn_readout(sample, self._readout_options(), resolve_device(self.device))
        return {"model_": model, "effective_rank_": rank, "_n_features_out": model.n_columns}

    @available_if(learns_without_labels)
    @fit_context(prefer_skip_nested_validation=True)
    @with_callbacks
    def partial_fit(self, X: TableLike, y: None = None) -> Self:
        """Continue with one epoch over more rows.

        The columns, their scale and categories are those of the first call or of ``fit``:
        categories that appear later share the code of the infrequent ones. Not available with a
        positive ``supervision_weight``.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows to learn from.

        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        fit_task = FitTask.begin(self, 1, X=X, y=y)
        with safe_fit(self):
            before = getattr(self, "_continuation", {})
            # A copy, since the draws of a call that fails must not count.
            rng = copy.deepcopy(before.get("rng")) or check_random_state(self.random_state)
            is_first = not hasattr(self, "model_")
            model = self._start_model(X, rng, continued=True)
            table = model.encode(self._check_table(X, model))
            sample = table if is_first else None
            # A stream has no known end, which a schedule would need.
            options = replace(
                self._options(len(table[0])),
                max_iter=1,
                learning_rate="constant",
                followed_epochs=FollowedEpochs(fit_task, lambda: self._fitted_now(model, sample)),
            )
            result = train(
                model.task,
                TableDataset(*table),
                None,
                options,
                draw_seed(rng),
                optimizer_state=before.get("optimizer"),
            )
            # The curve goes on, and the readout stays that of the first rows: columns of
            # transform must not change under a model on top.
            result.loss_curve = ([] if is_first else self.loss_curve_) + result.loss_curve
            self._accept(model, result, sample)
            self._continuation = {"rng": rng, "optimizer": result.optimizer_state}
        fit_task.end(fitted=dict)
        return self

    @available_if(learns_without_labels)
    @with_callbacks
    def fit_stream(self, batches: Stream, *, buffer_size: int = 10_000) -> Self:
        """Learn the embedding from a table that is read in parts.

        Columns, their scale and categories are learned from the first ``buffer_size`` rows;
        categories that appear later share the code of the infrequent ones. Rows are shuffled
        within a buffer, not across buffers: if a file is sorted, let the stream take its parts in
        a random order. Neither early stopping nor labels are available. With ``checkpoint_dir``
        the state is kept after each epoch, and a later call with the same first buffer continues
        from it.

        Parameters
        ----------
        batches : iterable of tables, or callable that returns one
            Tables with the same columns: DataFrames of pandas or Polars, PyArrow record batches
            and tables, arrays, sparse matrices. A callable, or an iterable such as a list that
            can be iterated again, is read ``max_iter`` times. An iterator, such as pandas' chunks
            or ``pyarrow.dataset.Dataset.to_batches()``, is read once. The learning rate follows
            its schedule from epoch to epoch.

        buffer_size : int, default=10_000
            Most rows that are held in memory at a time, at least 1.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        TypeError
            If ``buffer_size`` is no integer, or ``batches`` a single table.

        ValueError
            If there are no rows, if a table cannot be read, or if it has other columns than the
            first one. The estimator remains as it was.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_ssl import DenoisingAutoencoder
        >>> rng = np.random.default_rng(0)
        >>> parts = (rng.normal(size=(500, 3)) for _ in range(4))
        >>> transformer = DenoisingAutoencoder(hidden_layer_sizes=(8,), random_state=0)
        >>> transformer.fit_stream(parts, buffer_size=1000).n_iter_
        1
        """
        check_own_parameters(self)
        if isinstance(buffer_size, bool) or not isinstance(buffer_size, Integral):
            raise TypeError(f"buffer_size must be an integer; got {buffer_size!r}.")
        if buffer_size < 1:
            raise ValueError(f"buffer_size must be at least 1; got {buffer_size!r}.")
        open_epoch, n_epochs = epochs_of(batches, self.max_iter)
        # Callbacks get no rows, because no more than a part of the table is in memory.
        fit_task = FitTask.begin(self, n_epochs)
        with safe_fit(self):
            rng = check_random_state(self.random_state)
            tables = buffers(open_epoch(), buffer_size)
            # A stream without rows is an empty table, which the check rejects by name.
            first = next(tables, np.empty((0, 1)))
            model = self._start_model(first, rng)
            sample = model.encode(self._check_table(first, model))

            def encoded(tables: Iterator[TableLike]) -> Iterator[Batch]:
                return (model.encode(self._check_table(X, model)) for X in tables)

            stream = StreamFit(
                model.task,
                rng,
                n_epochs,
                self.learning_rate,
                self._options,
                fit_task,
                lambda: self._fitted_now(model, sample),
            )
            stream.resume(checkpoints_of(self), sample, buffer_size)
            result = stream.run(
                chain([sample], encoded(tables)),
                reopen=lambda: encoded(buffers(open_epoch(), buffer_size)),
            )
            self._accept(model, result, sample)
        fit_task.end(fitted=dict)
        return self

    # The steps of a fit

    def _start_model(
        self, X: TableLike, rng: np.random.RandomState, *, continued: bool | None = None
    ) -> TableModel:
        """Learn the columns and draw weights, or copy those of the fitted model."""
        continued = self.warm_start if continued is None else continued
        if continued and hasattr(self, "model_"):
            # Changed parameters that the fitted network cannot have are errors, not ignored.
            self._check_table(X, self.model_)
            check_same_network(self.model_.blueprint, self._blueprint(self.model_.table_encoder))
            # Training changes weights in place, and a fit that fails must leave the old ones.
            return copy.deepcopy(self.model_)
        checked = self._check_table(X, None)
        check_layer_sizes(self.hidden_layer_sizes)
        table_encoder = TableEncoder(
            categorical_features=self.categorical_features,
            max_categories=self.max_categories,
            min_frequency=self.min_frequency,
        ).fit(checked)
        schema = self._network_schema(table_encoder.schema_)
        blueprint = self._blueprint(table_encoder)
        generator = torch.Generator().manual_seed(draw_seed(rng))
        return TableModel.start(table_encoder, schema, blueprint, generator)

    def _start_shared_model(
        self, X: TableLike, rng: np.random.RandomState, processes: OneProcess
    ) -> TableModel:
        """The model of the first process, and its columns, in every process."""
        own = None if processes.rank else self._start_model(X, rng)
        # The names of the columns were kept when the first process checked its rows.
        names = ("n_features_in_", "feature_names_in_")
        columns = {name: vars(self)[name] for name in names if name in vars(self)}
        model, columns = processes.share((own, columns))
        self.__dict__.update(columns)
        return cast(TableModel, model)

    def _add_targets(
        self,
        model: TableModel,
        table: Batch,
        target: Target | None,
        rng: np.random.RandomState,
    ) -> tuple[PretextTask, tuple[torch.Tensor, ...]]:
        """The task and its rows; with targets, an auxiliary head and what it predicts."""
        if target is None:
            return model.task, table
        require_one_per_row(table[0], target.values)
        # The head serves to train the encoder and is then discarded.
        generator = torch.Generator().manual_seed(draw_seed(rng))
        head = Linear(self.bottleneck_size, target.n_outputs, generator)
        task = WithAuxiliaryHead(
            model.task, head, target.losses, self.supervision_weight, model.schema.leads
        )
        return task, (*table, *target.tensors())

    def _hold_out(
        self, rows: tuple[torch.Tensor, ...], rng: np.random.RandomState
    ) -> tuple[TableDataset, TableDataset | None]:
        """Rows to train on, and those that decide when to stop."""
        if not self.early_stopping or len(rows[0]) < 2:
            return TableDataset(*rows), None
        return split(rows, self.validation_fraction, rng)

    def _options(
        self,
        n_rows: int,
        early_stopping: bool = False,
        processes: OneProcess | None = None,
    ) -> TrainingOptions:
        """How to train on so many rows."""
        processes = processes or OneProcess()
        # As many rows are taken from each process as the one with the fewest has.
        n_rows = min(processes.gather(n_rows)) * processes.n_processes
        return TrainingOptions(
            max_iter=self.max_iter,
            batch_size=resolve_batch_size(self.batch_size, n_rows, processes.n_processes),
            learning_rate=self.learning_rate,
            learning_rate_init=self.learning_rate_init,
            weight_decay=self.weight_decay,
            early_stopping=early_stopping,
            n_iter_no_change=self.n_iter_no_change,
            tol=self.tol,
            device=resolve_device(self.device),
            verbose=bool(self.verbose) and not processes.rank,
            stage=f"Pretraining {type(self).__name__}",
            callbacks=self.callbacks or (),
            processes=processes,
        )

    def _accept(
        self,
        model: TableModel,
        result: TrainingResult,
        sample: Batch | None,
        processes: OneProcess | None = None,
    ) -> None:
        """Take a trained model over; learn its readout from a sample, if there is one."""
        processes = processes or OneProcess()
        model.task.eval()
        # Without a sample the readout of an earlier fit stays. Others wait for the first process.
        if sample is not None and not processes.rank:
            device = resolve_device(self.device)
            self.effective_rank_ = model.learn_readout(sample, self._readout_options(), device)
            self._warn_if_collapsed(model, sample)
        self.model_, self.effective_rank_ = processes.share(
            (model, getattr(self, "effective_rank_", 0.0))
        )
        self._n_features_out = self.model_.n_columns
        self.loss_curve_ = result.loss_curve
        self.n_iter_ = len(result.loss_curve)
        # What an earlier fit with other parameters left would be taken for this one's.
        for name in ("validation_scores_", "_continuation"):
            self.__dict__.pop(name, None)
        if result.validation_scores:
            self.validation_scores_ = result.validation_scores
        warn_of_outcome(result)

    def _readout_options(self) -> ReadoutOptions:
        return ReadoutOptions(self.output, self.n_components, self.passthrough, self.n_bins)

    def _warn_if_collapsed(self, model: TableModel, sample: Batch) -> None:
        # A few columns, or a narrow bottleneck, have no more than a few directions.
        is_wide = min(model.blueprint.bottleneck_size, model.schema.n_features) >= 4
        fewest = 1.5 if is_wide else 0.5
        if self.effective_rank_ >= fewest:
            return
        # Two rows, or equal rows, have no more than one direction in any embedding. To compare
        # rows takes as much memory as the table, so it comes last.
        if len(sample[0]) >= 3 and _varies(sample):
            warn_user(
                f"The embedding of {type(self).__name__} has collapsed: its bottleneck uses "
                f"{self.effective_rank_:.1f} of {model.blueprint.bottleneck_size} directions. "
                "Lower learning_rate_init or weight_decay, or use another objective.",
                ConvergenceWarning,
            )

    # Use

    def transform(self, X: TableLike) -> npt.NDArray[np.float32]:
        """Embed rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows with the columns seen while fitting. Categories not seen then and cells missing
            in columns that were complete are allowed.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features_out), float32
            The columns that ``output`` names, ``n_components`` of them by default. Over the
            training rows they have mean 0, and a row has a mean squared norm of 10, which suits
            the default penalties of linear models.
        """
        check_is_fitted(self)
        checked = self._check_table(X, self.model_)
        return self.model_.embed(checked, resolve_device(self.device))

    def get_feature_names_out(
        self, input_features: npt.ArrayLike | None = None
    ) -> npt.NDArray[np.object_]:
        """Names of the columns of ``transform``.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Checked against the columns seen while fitting, as in other transformers.

        Returns
        -------
        feature_names_out : ndarray of str objects
            The name of the class and a number for each component, and for each unit of a layer.
            Of columns that ``passthrough`` adds to the layers, what they hold: ``age``,
            ``age missing``, ``occupation=Sales``, ``age>37``.
        """
        # The last columns can be those of the row itself, which have names of their own.
        numbered = super().get_feature_names_out(input_features)
        named = self.model_.names_of_passthrough()
        n_numbered = len(numbered) - len(named)
        return np.concatenate([numbered[:n_numbered], np.array(named, object)])

    def _check_table(self, X: TableLike, model: TableModel | None) -> Table:
        """A table with the columns of a model, or with columns that are still to be learned."""
        encoder = None if model is None else model.table_encoder
        return check_rows(
            self, X, self.categorical_features, reset=encoder is None, encoder=encoder
        )

    def _encoded(self, X: TableLike) -> tuple[Table, Batch]:
        """A checked table and its cells, for the methods of a fitted estimator."""
        check_is_fitted(self)
        checked = self._check_table(X, self.model_)
        return checked, self.model_.encode(checked)

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
        tags.transformer_tags.preserves_dtype = ["float32"]
        tags.target_tags.required = bool(self.supervision_weight)
        return tags


def pretrain(
    estimator: Embedder,
    X: TableLike,
    target: Target | None = None,
    processes: OneProcess | None = None,
) -> Embedder:
    """Fit a transformer from checked targets, or from none, in one or in several processes."""
    check_own_parameters(estimator)
    return estimator._fit(X, target, processes or OneProcess())


def check_columns(estimator: BaseEmbedder, X: TableLike) -> Table:
    """A table with the columns that a transformer was fitted on."""
    return estimator._check_table(X, estimator.model_)


def check_same_network(fitted: Blueprint, asked: Blueprint) -> None:
    """Raise if a fit that continues would have to change the network."""
    for name, before in vars(fitted).items():
        now = vars(asked)[name]
        if before != now:
            raise ValueError(
                f"A fit that continues keeps its network, which was made with {name}={before!r}; "
                f"got {name}={now!r}. Set it back, or fit anew with warm_start=False."
            )


def _varies(batch: Batch) -> bool:
    numeric, codes = batch
    # NaN differs from itself.
    numeric = numeric.nan_to_num(0.0)
    varies = (numeric != numeric[:1]).any() or (codes != codes[:1]).any()
    return bool(varies)


def check_embedding(Z: npt.ArrayLike, estimator: BaseEmbedder) -> npt.NDArray[np.float32]:
    """Embeddings as ``transform`` of the estimator returns them, checked."""
    checked: npt.NDArray[np.float32]
    checked = check_array(Z, dtype=np.float32, estimator=estimator, input_name="X")
    n_columns = estimator.model_.n_columns
    if checked.shape[1] != n_columns:
        raise ValueError(
            f"X has {checked.shape[1]} features, but {type(estimator).__name__} returns embeddings "
            f"of {n_columns} features."
        )
    return checked
