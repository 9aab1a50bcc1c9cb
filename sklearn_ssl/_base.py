"""What the estimators share: parameters, validation, fitting, embedding."""

import copy
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sklearn_ssl._compat import Interval, StrOptions, fit_context, num_samples
from sklearn_ssl._display import DisplayMixin
from sklearn_ssl._effective_rank import effective_rank_of_spectrum
from sklearn_ssl._labels import Target, read_target
from sklearn_ssl._network.embedding import Embedding
from sklearn_ssl._network.layers import Batch, Linear
from sklearn_ssl._network.quantile_bins import learn_quantile_bins
from sklearn_ssl._network.row_embedder import DeviceRowEmbedder, RowEmbedder, embedding_moments
from sklearn_ssl._parameters import TRAINING_CONSTRAINTS, check_layer_sizes
from sklearn_ssl._pretext.supervised import WithAuxiliaryHead
from sklearn_ssl._serialization.codec import Store, encode_state, restore_state
from sklearn_ssl._streams import StreamMixin, learns_without_labels
from sklearn_ssl._table.encoder import ROWS_PER_BLOCK, TableEncoder
from sklearn_ssl._table.schema import Schema
from sklearn_ssl._table.validation import check_rows
from sklearn_ssl._training.checkpoints import Checkpoint, Checkpoints, checkpoints_of
from sklearn_ssl._training.dataset import TableDataset
from sklearn_ssl._training.loop import TrainingResult, train
from sklearn_ssl._training.options import TrainingOptions, resolve_batch_size, resolve_device
from sklearn_ssl._training.processes import OneProcess
from sklearn_ssl._training.safety import draw_seed, safe_fit, split, warn_of_outcome

N_ROWS_OF_STATISTICS = 10_000

MOST_BINS = 2048
"""Columns of the embedding that quantile bins may add."""


class BaseEmbedder(
    StreamMixin, DisplayMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Base of the transformers; a subclass states its pretext task in ``_make_pretext``."""

    module_: Any
    _n_features_out: Any
    n_iter_: int

    _parameter_constraints: dict[str, list[Any]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": ["array-like"],
        "embedding": [StrOptions({"all", "last"})],
        "passthrough": ["boolean"],
        "n_bins": [Interval(Integral, 1, None, closed="left")],
        "categorical_features": [StrOptions({"from_dtype"}), "array-like", None],
        "max_categories": [Interval(Integral, 1, None, closed="left"), None],
        "min_frequency": [Interval(Integral, 1, None, closed="left")],
        "supervision_weight": [Interval(Real, 0, None, closed="left")],
        **TRAINING_CONSTRAINTS,
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "warm_start": ["boolean"],
        "callbacks": [list, tuple, None],
        "checkpoint_dir": [str, os.PathLike, None],
        "device": [StrOptions({"auto", "cpu", "cuda", "mps"})],
    }

    def _make_pretext(self, schema: Schema, generator: torch.Generator) -> nn.Module:
        """Return the pretext task, an ``nn.Module`` with an ``encoder``."""
        raise NotImplementedError

    def _network_schema(self, schema: Schema) -> Schema:
        """Features as the network sees them."""
        return schema

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn the embedding from rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows to learn from; missing cells are allowed, infinite ones are not.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs), or None, default=None
            Ignored where ``supervision_weight`` is 0. Otherwise classes, -1 for unlabeled rows;
            an indicator matrix of labels; or numbers, NaN for unlabeled rows.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            Where the table or the targets cannot be read; the estimator remains as it was.
        """
        return self._fit(X, read_target(y, self) if self.supervision_weight else None)

    def _fit(self, X: Any, target: Target | None) -> Any:
        """Learn from checked targets, or from none."""
        with safe_fit(self):
            continued = self.warm_start and hasattr(self, "module_")
            X = self._check_table(X, reset=not continued)
            if target is not None:
                check_consistent_length(X, target.values)
            rng = check_random_state(self.random_state)
            self._begin(X, rng, continued=continued)
            table = self._encode(X)
            result = self._train(
                table,
                rng,
                self.max_iter,
                self.learning_rate,
                target,
                hold_out=self.early_stopping,
                checkpoints=checkpoints_of(self),
            )
            self.loss_curve_ = result.loss_curve
            self.n_iter_ = len(result.loss_curve)
            self._learn_scaling(table)
            self._forget_partial_fit()
        return self

    @available_if(learns_without_labels)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Continue with one epoch over more rows.

        The columns, their units and categories are those of the first call or of ``fit``:
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
        with safe_fit(self):
            is_first = not hasattr(self, "module_")
            X = self._check_table(X, reset=is_first)
            rng = copy.deepcopy(getattr(self, "_rng", None)) or check_random_state(
                self.random_state
            )
            self._begin(X, rng, continued=not is_first)
            if is_first:
                self.loss_curve_ = []
            table = self._encode(X)
            # A stream has no known end, which a schedule would need.
            state = getattr(self, "_optimizer_state", None)
            result = self._train(table, rng, 1, "constant", hold_out=False, optimizer_state=state)
            self.loss_curve_ = self.loss_curve_ + result.loss_curve
            self.n_iter_ = len(self.loss_curve_)
            self._rng, self._optimizer_state = rng, result.optimizer_state
            if is_first:
                self._learn_scaling(table)
        return self

    def transform(self, X):
        """Embed rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows with the columns seen while fitting. Categories not seen then and cells missing
            in columns that were complete are allowed.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features_out), float32
            In standard deviations over the training rows. The first ``n_components`` columns are
            the encoder's last layer, then come its hidden layers from the input upwards
            (``embedding="all"``), then the encoded row itself and the quantile bins of its
            numbers (``passthrough=True``).
        """
        check_is_fitted(self)
        X = self._check_table(X, reset=False)
        embedded = np.empty((num_samples(X), self._n_features_out), dtype=np.float32)
        embed = self._row_embedder(self._center, self._scale)
        for rows, block in self._encoded_blocks(X):
            embed(block, embedded[rows])
        return embedded

    def _check_table(self, X: Any, *, reset: bool) -> Any:
        encoder = None if reset else self._table_encoder
        return check_rows(self, X, self.categorical_features, reset=reset, encoder=encoder)

    def _begin(self, X: Any, rng: np.random.RandomState, *, continued: bool) -> None:
        """Learn the columns and draw weights, or copy those that an error has to leave alone."""
        if continued:
            self.module_ = copy.deepcopy(self.module_)
        else:
            self._learn_table(X, rng)

    def _learn_table(self, X: Any, rng: np.random.RandomState) -> None:
        check_layer_sizes(self.hidden_layer_sizes)
        self._table_encoder = TableEncoder(
            categorical_features=self.categorical_features,
            max_categories=self.max_categories,
            min_frequency=self.min_frequency,
        ).fit(X)
        self._schema = self._network_schema(self._table_encoder.schema_)
        generator = torch.Generator().manual_seed(draw_seed(rng))
        self.module_ = self._make_pretext(self._schema, generator)

    def _encode(self, X: Any) -> Batch:
        numeric, codes = self._table_encoder.transform(X)
        return torch.from_numpy(numeric), torch.from_numpy(codes)

    def _checked_and_encoded(self, X: Any) -> tuple[Any, Batch]:
        check_is_fitted(self)
        X = self._check_table(X, reset=False)
        return X, self._encode(X)

    def _embed_last(self, table: Batch) -> torch.Tensor:
        """The encoder's last layer, in its own units, of shape (n_rows, n_components)."""
        with self._network_on_device() as pretext, torch.no_grad():
            device = pretext.encoder.rows.code_weight.device
            blocks = zip(*(part.split(ROWS_PER_BLOCK) for part in table), strict=True)
            return torch.cat(
                [pretext.encoder(*(part.to(device) for part in block)).cpu() for block in blocks]
            )

    def _encoded_blocks(self, X: Any) -> Iterator[tuple[slice, Batch]]:
        for start in range(0, num_samples(X), ROWS_PER_BLOCK):
            rows = slice(start, start + ROWS_PER_BLOCK)
            yield rows, self._encode(X.iloc[rows] if hasattr(X, "iloc") else X[rows])

    def _train(
        self,
        table: Batch,
        rng: np.random.RandomState,
        max_iter: int,
        learning_rate: str,
        target: Target | None = None,
        *,
        hold_out: bool,
        optimizer_state: dict[str, Any] | None = None,
        rate_factor: float = 1.0,
        checkpoints: Checkpoints | None = None,
        processes: OneProcess | None = None,
    ) -> TrainingResult:
        """Train the network in place."""
        task, validation = self.module_, None
        parts: tuple[torch.Tensor, ...] = table
        if target is not None:
            task, parts = self._add_auxiliary_head(target, rng), (*table, *target.tensors())
        dataset = TableDataset(*parts)
        if hold_out and len(dataset) > 1:
            dataset, validation = split(parts, self.validation_fraction, rng)
        stops, processes = validation is not None, processes or OneProcess()
        options = self._options(
            len(dataset), max_iter, learning_rate, rate_factor, stops, processes
        )
        checkpoint = Checkpoint(checkpoints) if checkpoints else None
        seed = draw_seed(rng)
        result = train(task, dataset, validation, options, seed, optimizer_state, checkpoint)
        self.module_.eval()
        if validation is not None:
            self.validation_scores_ = result.validation_scores
        elif hasattr(self, "validation_scores_"):
            del self.validation_scores_
        warn_of_outcome(result)
        return result

    def _options(
        self,
        n_rows: int,
        max_iter: int,
        learning_rate: str,
        rate_factor: float,
        early_stopping: bool,
        processes: OneProcess,
    ) -> TrainingOptions:
        n_rows = min(processes.gather(n_rows)) * processes.n_processes
        return TrainingOptions(
            max_iter=max_iter,
            batch_size=resolve_batch_size(self.batch_size, n_rows, processes.n_processes),
            learning_rate=learning_rate,
            learning_rate_init=self.learning_rate_init * rate_factor,
            weight_decay=self.weight_decay,
            early_stopping=early_stopping,
            n_iter_no_change=self.n_iter_no_change,
            tol=self.tol,
            device=resolve_device(self.device),
            verbose=bool(self.verbose) and not processes.rank,
            callbacks=self.callbacks or (),
            processes=processes,
        )

    def _add_auxiliary_head(self, target: Target, rng: np.random.RandomState) -> WithAuxiliaryHead:
        # The head serves to train the encoder and is then forgotten: it predicts nothing.
        generator = torch.Generator().manual_seed(draw_seed(rng))
        head = Linear(self.n_components, target.n_outputs, generator)
        return WithAuxiliaryHead(
            self.module_, head, target.losses, self.supervision_weight, self._schema.leads
        )

    def _learn_scaling(self, table: Batch) -> None:
        """Set the units of the embedding: its mean and standard deviation on training rows."""
        every = -(-len(table[0]) // N_ROWS_OF_STATISTICS)
        sample = table[0][::every], table[1][::every]
        # A wide table has many features to combine and needs fewer cuts of each.
        n_bins = min(self.n_bins, MOST_BINS // max(self._schema.n_numeric, 1))
        self._quantile_bins = learn_quantile_bins(sample[0], n_bins if self.passthrough else 1)
        embed = self._row_embedder()
        self._n_features_out = embed.embedding.width
        center, scale, last_layer = embedding_moments(embed, sample, self.n_components)
        self._center = center.astype(np.float32)
        is_constant = scale <= 1e-6 * np.maximum(1.0, np.abs(self._center))
        self._scale = np.where(is_constant, 1.0, scale).astype(np.float32)
        last = slice(self.n_components)
        last_layer = np.where(is_constant[last], 0.0, last_layer - self._center[last])
        self.effective_rank_ = effective_rank_of_spectrum(
            np.linalg.svd(last_layer, compute_uv=False)
        )
        if len(sample[0]) > 2 and _varies(sample):
            self._warn_of_collapse()

    def _warn_of_collapse(self) -> None:
        # A few columns, or components, have no more than a few directions.
        is_wide = min(self.n_components, self._schema.n_features) >= 4
        if self.effective_rank_ < (1.5 if is_wide else 0.5):
            warnings.warn(
                f"The embedding of {type(self).__name__} has collapsed: its last layer uses "
                f"{self.effective_rank_:.1f} of {self.n_components} directions. Lower "
                "learning_rate_init or weight_decay, or use another objective.",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _embedding(self, center=None, scale=None) -> Embedding:
        """The fitted encoder as a module that embeds; it shares the encoder's weights."""
        return Embedding(
            self.module_.encoder,
            all_layers=self.embedding == "all",
            passthrough=self._table_encoder.schema_ if self.passthrough else None,
            quantile_bins=self._quantile_bins,
            center=center,
            scale=scale,
        )

    def _row_embedder(self, center=None, scale=None) -> RowEmbedder | DeviceRowEmbedder:
        embedding, device = self._embedding(center, scale), resolve_device(self.device)
        return RowEmbedder(embedding) if device == "cpu" else DeviceRowEmbedder(embedding, device)

    @contextmanager
    def _network_on_device(self) -> Iterator[Any]:
        """Lend the network on its device; the fitted one stays on the CPU, where files go."""
        device = resolve_device(self.device)
        yield self.module_ if device == "cpu" else copy.deepcopy(self.module_).to(device)

    def _forget_partial_fit(self) -> None:
        for name in ("_rng", "_optimizer_state"):
            self.__dict__.pop(name, None)

    def __getstate__(self):
        """State without classes of torch, so that files of other libraries can hold it too."""
        store = Store()
        try:
            document = encode_state(self, store, type(self).__name__)
        except ValueError:  # a callback, or an attribute of the user's: pickle takes it as it is
            return vars(self).copy()
        return {"document": json.dumps(document), "arrays": store.arrays}

    def __setstate__(self, state):
        if set(state) == {"document", "arrays"}:
            restore_state(self, json.loads(state["document"]), Store(state["arrays"]))
        else:
            self.__dict__.update(state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        tags.target_tags.required = bool(self.supervision_weight)
        return tags


def _varies(batch: Batch) -> bool:
    numeric, codes = (part.nan_to_num(0.0) if part.is_floating_point() else part for part in batch)
    return bool((numeric != numeric[:1]).any() or (codes != codes[:1]).any())
