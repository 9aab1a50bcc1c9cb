"""What the fine-tuned estimators share: the labeled rows, the probe, the epochs, the outputs."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, check_memory
from torch import Tensor

from sklearn_ssl._base import BaseEmbedder
from sklearn_ssl._compat import (
    HasMethods,
    Interval,
    StrOptions,
    check_sample_weight,
    num_samples,
)
from sklearn_ssl._denoising_autoencoder import DenoisingAutoencoder
from sklearn_ssl._display import DisplayMixin
from sklearn_ssl._finetuning.linear_probe import LinearHead, choose_variance
from sklearn_ssl._finetuning.validation import ValidationCallback
from sklearn_ssl._labels import Target
from sklearn_ssl._network.layers import Linear
from sklearn_ssl._parameters import TRAINING_CONSTRAINTS
from sklearn_ssl._pretext.losses import Losses
from sklearn_ssl._pretext.supervised import Supervise
from sklearn_ssl._table.validation import check_rows
from sklearn_ssl._training.dataset import TableDataset
from sklearn_ssl._training.loop import train
from sklearn_ssl._training.options import TrainingOptions, resolve_batch_size, resolve_device
from sklearn_ssl._training.safety import draw_seed, warn_of_outcome

N_ROWS_OF_FOLDS = 2000
"""With fewer labeled rows, every one of them is held out once."""

AVERAGED_EPOCHS = 3
"""Epochs that the running mean of the weights reaches back."""

N_ROWS_OF_PENALTY = 4000
"""The penalty is chosen on this many labeled rows."""


@dataclass(frozen=True)
class LabeledRows:
    """Encoded rows with targets, what to make of them, and the parts to hold out in turn."""

    parts: tuple[Tensor, ...]  # numeric, codes, target, weight
    losses: Losses
    n_outputs: int
    folds: Sequence[tuple[Tensor, Tensor]]

    def __len__(self) -> int:
        return len(self.parts[0])


class BaseFineTuned(DisplayMixin, BaseEstimator):
    """Base of the fine-tuned estimators; a subclass turns ``y`` into targets and outputs back."""

    _parameter_constraints: dict[str, list[Any]] = {
        # Which ones, ``_given`` says in the words of users.
        "transformer": [HasMethods("fit"), None],
        "mode": [StrOptions({"frozen", "full", "gradual"})],
        "encoder_rate": [Interval(Real, 0, None, closed="neither")],
        "consistency_weight": [Interval(Real, 0, None, closed="left")],
        "memory": [str, HasMethods("cache"), None],
        **TRAINING_CONSTRAINTS,
        "validation_fraction": [Interval(Real, 0, 0.5, closed="right")],
    }

    _calibrates: bool

    def _learn(self, X: Any, target: Target) -> None:
        """Pretrain where that is still to be done, fit the probe, continue the encoder."""
        rng = check_random_state(self.random_state)
        transformer = self._pretrained(X, target, rng)
        numeric, codes = transformer._encode(X)
        is_labeled = torch.from_numpy(target.weight > 0)
        parts = tuple(part[is_labeled] for part in (numeric, codes, *target.tensors()))
        folds = self._folds(parts[2], rng)
        data = LabeledRows(parts, target.losses, target.n_outputs, folds)
        unlabeled = (numeric[~is_labeled], codes[~is_labeled])
        others = unlabeled if len(unlabeled[0]) else None

        embedded = _embed(transformer, parts)
        self.C_ = self._choose_penalty(embedded, data)
        seed = draw_seed(rng)
        n_epochs, temperature = self._choose_n_epochs(transformer, embedded, data, others, seed)
        everything = torch.arange(len(data))
        task = self._make_task(transformer, embedded, data, everything, others)
        self.best_iter_ = n_epochs
        if n_epochs:
            options = self._options(len(data), n_epochs)
            result = train(task, TableDataset(*data.parts), None, options, seed)
            warn_of_outcome(result)
            self.loss_curve_ = result.loss_curve
        # In place, since a tied decoder reads the weights of this encoder.
        transformer.module_.encoder.load_state_dict(task.embedding.encoder.state_dict())
        self.transformer_ = transformer
        if self._calibrates:
            self.temperature_ = temperature
        self.coef_ = task.head.weight.detach().double().numpy() / temperature
        self.intercept_ = task.head.bias.detach().double().numpy() / temperature

    def _pretrained(self, X: Any, target: Target, rng: np.random.RandomState) -> BaseEmbedder:
        """A fitted transformer of our own: a copy of a fitted one, or a clone fitted on ``X``."""
        given = self._given()
        if hasattr(given, "module_"):
            transformer = copy.deepcopy(given)
            transformer._check_table(X, reset=False)
            return transformer
        transformer = clone(given)
        if transformer.random_state is None:
            transformer.set_params(random_state=draw_seed(rng))
        transformer._validate_params()
        shown = target if transformer.supervision_weight else None
        # Equal tensors have different hashes, equal arrays the same one.
        key = shown and (shown.values.numpy(), shown.weight, shown.losses)
        pretrain = check_memory(self.memory).cache(pretrained, ignore=["target"])
        return pretrain(transformer, X, key, target=shown)

    def _given(self) -> BaseEmbedder:
        """The transformer that ``transformer`` stands for."""
        given = DenoisingAutoencoder() if self.transformer is None else self.transformer
        given = given.estimator if isinstance(given, FrozenEstimator) else given
        if not isinstance(given, BaseEmbedder):
            raise TypeError(
                f"The transformer of {type(self).__name__} must be one of sklearn_ssl's, whose "
                f"encoder can be trained further; got {given!r}."
            )
        return given

    def _folds(self, target: Tensor, rng: np.random.RandomState) -> list[tuple[Tensor, Tensor]]:
        """Rows to keep and rows to hold out; alike in their targets, and all folds or only one."""
        n_rows = len(target)
        n_folds = min(round(1 / self.validation_fraction), n_rows)
        if n_folds < 2:
            return []
        order = rng.permutation(n_rows)
        columns = target.numpy().reshape(n_rows, -1)[order]
        # Neighbors in the order of the targets go to different folds, so that each gets of each
        # kind; at random, since dealing in turn would give one fold always the lowest of them.
        order = order[np.lexsort(np.nan_to_num(columns.T))]
        dealt = rng.random_sample((-(-n_rows // n_folds), n_folds)).argsort(axis=1)
        fold = np.empty(n_rows, dtype=np.intp)
        fold[order] = dealt.ravel()[:n_rows]
        used = n_folds if n_rows <= N_ROWS_OF_FOLDS else 1
        return [
            (
                torch.from_numpy(np.flatnonzero(fold != k)),
                torch.from_numpy(np.flatnonzero(fold == k)),
            )
            for k in range(used)
        ]

    def _choose_penalty(self, embedded: Tensor, data: LabeledRows) -> float:
        folds = [
            (kept[:: -(-len(kept) // N_ROWS_OF_PENALTY)], held_out) for kept, held_out in data.folds
        ]
        return choose_variance(
            embedded, data.parts[2], data.parts[3], data.losses, data.n_outputs, folds
        )

    def _choose_n_epochs(
        self,
        transformer: BaseEmbedder,
        embedded: Tensor,
        data: LabeledRows,
        others: Any,
        seed: int,
    ) -> tuple[int, float]:
        """Epochs after which held-out rows are told best, and the temperature of the outputs.

        No epochs keep the probe.
        """
        for name in ("loss_curve_", "validation_scores_"):
            self.__dict__.pop(name, None)
        self.n_iter_ = 1
        if self.mode == "frozen":
            return 0, 1.0
        self.n_iter_ = self.max_iter
        if not self.early_stopping or not data.folds:
            return (self.max_iter if data.folds else 0), 1.0
        validation_callbacks = []
        for kept, held_out in data.folds:
            unknown = TableDataset(*data.parts, rows=held_out)
            validation_callback = ValidationCallback(
                unknown, data.losses, calibrates=self._calibrates
            )
            task = self._make_task(transformer, embedded, data, kept, others)
            options = self._options(len(kept), self.max_iter, validation_callback)
            known = TableDataset(*data.parts, rows=kept)
            result = train(task, known, None, options, seed)
            warn_of_outcome(result)
            if result.outcome == "interrupted":
                return 0, 1.0
            validation_callbacks.append(validation_callback)
        return self._best_epoch(validation_callbacks)

    def _best_epoch(self, validation_callbacks: Sequence[ValidationCallback]) -> tuple[int, float]:
        self.n_iter_ = (
            max(
                len(validation_callback.row_losses_) for validation_callback in validation_callbacks
            )
            - 1
        )
        # Folds stop at different epochs; beyond the shortest they do not compare.
        n_common = min(
            len(validation_callback.row_losses_) for validation_callback in validation_callbacks
        )
        losses = np.concatenate(
            [
                np.stack(validation_callback.row_losses_[:n_common], 1)
                for validation_callback in validation_callbacks
            ]
        )
        mean = losses.mean(axis=0)
        mean[~np.isfinite(mean)] = np.inf  # where training diverged
        self.validation_scores_ = (-mean).tolist()
        best = int(mean.argmin())
        gains = losses[:, 0] - losses[:, best]
        # The lowest of many losses is low by chance, too.
        by_chance = gains.std(ddof=1) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
        if not gains.mean() > max(self.tol, by_chance):
            return 0, 1.0
        return best, float(
            np.mean(
                [
                    validation_callback.temperatures_[best]
                    for validation_callback in validation_callbacks
                ]
            )
        )

    def _make_task(
        self,
        transformer: BaseEmbedder,
        embedded: Tensor,
        data: LabeledRows,
        rows: Tensor,
        others: Any,
    ) -> Supervise:
        """A head on a copy of the encoder, at the probe of ``rows`` or, in mode full, at zero."""
        embedding = transformer._embedding(transformer._center, transformer._scale)
        head = Linear(embedding.width, data.n_outputs, torch.Generator())
        weights, intercepts = torch.zeros_like(head.weight), torch.zeros_like(head.bias)
        if self.mode != "full":
            target, weight = data.parts[2][rows], data.parts[3][rows]
            probe = LinearHead(embedded[rows], target, weight, data.losses, data.n_outputs)
            weights, intercepts = probe.fit(self.C_)
        with torch.no_grad():
            head.weight.copy_(weights)
            head.bias.copy_(intercepts)
        return Supervise(
            copy.deepcopy(embedding),
            head,
            data.losses,
            1 / (self.C_ * len(rows)),
            others if self.consistency_weight else None,
            self.consistency_weight,
        )

    def _options(
        self, n_rows: int, n_epochs: int, validation_callback: ValidationCallback | None = None
    ) -> TrainingOptions:
        factor = 1.0 if self.mode == "full" else self.encoder_rate
        return TrainingOptions(
            # The epochs that were chosen go through the whole schedule, down to its last rates.
            max_iter=n_epochs,
            batch_size=resolve_batch_size(self.batch_size, n_rows),
            learning_rate=self.learning_rate,
            learning_rate_init=self.learning_rate_init,
            weight_decay=self.weight_decay,
            early_stopping=validation_callback is not None,
            n_iter_no_change=self.n_iter_no_change,
            tol=self.tol,
            device=resolve_device(self._given().device),
            verbose=bool(self.verbose),
            rate_factors={"embedding.encoder.*": factor},
            averaged_epochs=AVERAGED_EPOCHS,
            validation_callback=validation_callback,
        )

    def _output(self, X: Any) -> np.ndarray:
        """Outputs of the head, of shape (n_samples, n_outputs)."""
        check_is_fitted(self)
        X = self._check_X(X, reset=False)
        embedded = self.transformer_.transform(X).astype(np.float64)
        return embedded @ self.coef_.T + self.intercept_

    def _check_X(self, X: Any, *, reset: bool) -> Any:
        return check_rows(self, X, self._given().categorical_features, reset=reset)

    def _check_weight(self, sample_weight: Any, X: Any) -> np.ndarray:
        weight = check_sample_weight(
            sample_weight,
            np.empty((num_samples(X), 1)),
            dtype=np.float64,
            copy=True,
            ensure_non_negative=True,
        )
        if not weight.any():
            raise ValueError("Sample weights must contain at least one non-zero number.")
        return weight

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = True
        return tags


def pretrained(transformer: BaseEmbedder, X: Any, key: Any, target: Target | None) -> BaseEmbedder:
    """Fit a transformer; ``key`` stands for the target where joblib looks up what it has kept."""
    return transformer._fit(X, target)


def _embed(transformer: BaseEmbedder, parts: tuple[Tensor, ...]) -> Tensor:
    """Embed encoded rows as ``transform`` does; what comes next is in double precision."""
    embed = transformer._row_embedder(transformer._center, transformer._scale)
    embedded = np.empty((len(parts[0]), embed.embedding.width), dtype=np.float32)
    embed((parts[0], parts[1]), embedded)
    return torch.from_numpy(embedded).double()
