"""What the fine-tuned estimators share: the labeled rows, the probe, the epochs, the outputs."""

import copy
from collections.abc import Sequence
from numbers import Real
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, check_memory

from sklearn_ssl._base import BaseEmbedder, check_columns, pretrain
from sklearn_ssl._compat import HasMethods, Interval, StrOptions, check_sample_weight, num_samples
from sklearn_ssl._display import DisplayMixin
from sklearn_ssl._finetuning.problem import Problem, draw_folds, state_problem
from sklearn_ssl._finetuning.validation import ValidationCallback
from sklearn_ssl._labels import Target
from sklearn_ssl._masked_feature_predictor import MaskedFeaturePredictor
from sklearn_ssl._parameters import TRAINING_CONSTRAINTS, Constraints, Memory, RandomState
from sklearn_ssl._pretext.supervised import Supervise
from sklearn_ssl._table.types import Table, TableLike
from sklearn_ssl._table.validation import check_rows
from sklearn_ssl._training.loop import train
from sklearn_ssl._training.options import TrainingOptions, resolve_batch_size, resolve_device
from sklearn_ssl._training.safety import draw_seed, warn_of_outcome

AVERAGED_EPOCHS = 3
"""Epochs that the running mean of the weights reaches back."""


class BaseFineTuned(DisplayMixin, BaseEstimator):
    """Base of the fine-tuned estimators; a subclass turns ``y`` into targets and outputs back."""

    _parameter_constraints: Constraints = {
        # ``_given`` checks which ones, with a message that names the remedy.
        "transformer": [HasMethods("fit"), None],
        "mode": [StrOptions({"frozen", "full", "gradual"})],
        "encoder_rate": [Interval(Real, 0, None, closed="neither")],
        "consistency_weight": [Interval(Real, 0, None, closed="left")],
        "memory": [str, HasMethods("cache"), None],
        **TRAINING_CONSTRAINTS,
        "validation_fraction": [Interval(Real, 0, 0.5, closed="right")],
    }

    # Parameters, which every subclass has, too

    transformer: BaseEmbedder | FrozenEstimator | None
    mode: str
    encoder_rate: float
    consistency_weight: float
    batch_size: int | str
    learning_rate: str
    learning_rate_init: float
    weight_decay: float
    max_iter: int
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    tol: float
    random_state: RandomState | None
    memory: Memory | None
    verbose: bool

    # What a fit leaves

    transformer_: BaseEmbedder
    coef_: npt.NDArray[np.float64]
    intercept_: npt.NDArray[np.float64]

    _calibrates: bool
    """Whether outputs are divided by a temperature, which only classes have a use for."""

    def _learn(self, X: Table, target: Target) -> None:
        """Pretrain unless the transformer is fitted, fit the probe, train the encoder further."""
        rng = check_random_state(self.random_state)
        transformer = self._pretrained(X, target, rng)
        problem = state_problem(
            transformer.model_,
            check_columns(transformer, X),
            target,
            draw_folds(target, self.validation_fraction, rng),
            resolve_device(transformer.device),
        )
        self.C_ = problem.choose_penalty()
        # The search for the number of epochs and the last fit draw the same corruptions.
        seed = draw_seed(rng)
        self.best_iter_, temperature = self._choose_n_epochs(problem, seed)
        task = self._make_task(problem, torch.arange(len(problem)))
        if self.best_iter_:
            options = self._options(len(problem), self.best_iter_, "Fine-tuning")
            result = train(task, problem.dataset(), None, options, seed)
            warn_of_outcome(result)
            self.loss_curve_ = result.loss_curve
        self._accept(transformer, task, temperature)

    def _accept(self, transformer: BaseEmbedder, task: Supervise, temperature: float) -> None:
        """Take the encoder over, and the head with its outputs divided by the temperature."""
        # In place, since a tied decoder reads the weights of this encoder.
        encoder = transformer.model_.task.encoder
        encoder.load_state_dict(task.embedding.encoder.state_dict())
        self.transformer_ = transformer
        if self._calibrates:
            self.temperature_ = temperature
        self.coef_ = task.head.weight.detach().double().numpy() / temperature
        self.intercept_ = task.head.bias.detach().double().numpy() / temperature

    def _pretrained(self, X: Table, target: Target, rng: np.random.RandomState) -> BaseEmbedder:
        """A fitted transformer of our own: a copy of a fitted one, or a clone fitted on ``X``."""
        given = self._given()
        transformer: BaseEmbedder
        if hasattr(given, "model_"):
            # The copy is trained further; the transformer that was given does not change.
            transformer = copy.deepcopy(given)
            return transformer
        transformer = clone(given)
        if transformer.random_state is None:
            transformer.set_params(random_state=draw_seed(rng))
        shown = target if transformer.supervision_weight else None
        # Equal tensors have different hashes, equal arrays the same one.
        key = shown and (shown.values.numpy(), shown.weight, shown.losses)
        fit_once = check_memory(self.memory).cache(pretrain_by_key, ignore=["target"])
        return cast(BaseEmbedder, fit_once(transformer, X, key, target=shown))

    def _given(self) -> BaseEmbedder:
        """The transformer that ``transformer`` stands for."""
        given: object = MaskedFeaturePredictor() if self.transformer is None else self.transformer
        given = given.estimator if isinstance(given, FrozenEstimator) else given
        if not isinstance(given, BaseEmbedder):
            raise TypeError(
                f"The transformer of {type(self).__name__} must be one of sklearn_ssl's, whose "
                f"encoder can be trained further; got {given!r}."
            )
        return given

    def _choose_n_epochs(self, problem: Problem, seed: int) -> tuple[int, float]:
        """Epochs after which held-out rows are predicted best, and the temperature of the outputs.

        With no epochs the probe is kept.
        """
        # An earlier fit with other parameters may have left these.
        for name in ("loss_curve_", "validation_scores_"):
            self.__dict__.pop(name, None)
        self.n_iter_ = 1
        if self.mode == "frozen":
            return 0, 1.0
        self.n_iter_ = self.max_iter
        if not self.early_stopping or not problem.folds:
            return (self.max_iter if problem.folds else 0), 1.0
        measured = []
        for number, (kept, held_out) in enumerate(problem.folds, start=1):
            callback = ValidationCallback(
                problem.dataset(held_out), problem.losses, calibrates=self._calibrates
            )
            stage = f"Choosing epochs, fold {number} of {len(problem.folds)}"
            options = self._options(len(kept), self.max_iter, stage, callback)
            task = self._make_task(problem, kept)
            result = train(task, problem.dataset(kept), None, options, seed)
            warn_of_outcome(result)
            if result.outcome == "interrupted":
                # Without the other folds there is no choice; the probe is already good.
                return 0, 1.0
            measured.append(callback)
        return self._best_epoch(measured)

    def _best_epoch(self, measured: Sequence[ValidationCallback]) -> tuple[int, float]:
        """The epoch of the lowest mean loss over the folds, unless chance explains it."""
        self.n_iter_ = max(len(fold.row_losses_) for fold in measured) - 1
        # Folds stop at different epochs; beyond the shortest they do not compare.
        n_common = min(len(fold.row_losses_) for fold in measured)
        losses = np.concatenate([np.stack(fold.row_losses_[:n_common], 1) for fold in measured])
        mean = losses.mean(axis=0)
        # A fold that diverged rules the epochs out.
        mean[~np.isfinite(mean)] = np.inf
        self.validation_scores_ = (-mean).tolist()
        best = int(mean.argmin())
        gains = losses[:, 0] - losses[:, best]
        # The lowest of many losses is low by chance, too; the gain must exceed its standard error.
        by_chance = 0.0
        if len(gains) > 1:
            by_chance = gains.std(ddof=1) / len(gains) ** 0.5
        if not gains.mean() > max(self.tol, by_chance):
            return 0, 1.0
        temperatures = [fold.temperatures_[best] for fold in measured]
        return best, float(np.mean(temperatures))

    def _make_task(self, problem: Problem, rows: torch.Tensor) -> Supervise:
        """A head on a copy of the encoder, at the probe of ``rows`` or, in mode full, at zero."""
        starts_at_probe = self.mode != "full"
        return Supervise(
            copy.deepcopy(problem.embedding),
            problem.probe(rows, self.C_) if starts_at_probe else problem.head_at_zero(),
            problem.losses,
            # The probe's own penalty, for a loss that is a mean over the rows.
            1 / (self.C_ * len(rows)),
            problem.unlabeled if self.consistency_weight else None,
            self.consistency_weight,
            problem.leads,
        )

    def _options(
        self,
        n_rows: int,
        n_epochs: int,
        stage: str,
        validation: ValidationCallback | None = None,
    ) -> TrainingOptions:
        factor = 1.0 if self.mode == "full" else self.encoder_rate
        return TrainingOptions(
            # The epochs that were chosen go through the whole schedule, down to its last rates.
            max_iter=n_epochs,
            batch_size=resolve_batch_size(self.batch_size, n_rows),
            learning_rate=self.learning_rate,
            learning_rate_init=self.learning_rate_init,
            weight_decay=self.weight_decay,
            early_stopping=validation is not None,
            n_iter_no_change=self.n_iter_no_change,
            tol=self.tol,
            device=resolve_device(self._given().device),
            verbose=bool(self.verbose),
            stage=stage,
            rate_factors={"embedding.layers.encoder.*": factor},
            averaged_epochs=AVERAGED_EPOCHS,
            validation_callback=validation,
        )

    def _output(self, X: TableLike) -> npt.NDArray[np.float64]:
        """Outputs of the head, of shape (n_samples, n_outputs)."""
        check_is_fitted(self)
        checked = self._check_X(X, reset=False)
        device = resolve_device(self.transformer_.device)
        embedded = self.transformer_.model_.embed_layers(checked, device).astype(np.float64)
        outputs: npt.NDArray[np.float64] = embedded @ self.coef_.T + self.intercept_
        return outputs

    def _check_X(self, X: TableLike, *, reset: bool) -> Table:
        encoder = None if reset else self.transformer_.model_.table_encoder
        declared = self._given().categorical_features
        return check_rows(self, X, declared, reset=reset, encoder=encoder)

    def _check_weight(
        self, sample_weight: npt.ArrayLike | None, X: Table
    ) -> npt.NDArray[np.float64]:
        weight: npt.NDArray[np.float64] = check_sample_weight(
            sample_weight,
            # Only the number of rows matters, and a table of text would be refused.
            np.empty((num_samples(X), 1)),
            dtype=np.float64,
            copy=True,
            ensure_non_negative=True,
        )
        if not weight.any():
            raise ValueError("Sample weights must contain at least one non-zero number.")
        return weight

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = True
        return tags


def pretrain_by_key(
    transformer: BaseEmbedder, X: Table, key: object, target: Target | None
) -> BaseEmbedder:
    """Fit a transformer; joblib finds what it has kept by ``key``, which stands for the target."""
    return pretrain(transformer, X, target)
