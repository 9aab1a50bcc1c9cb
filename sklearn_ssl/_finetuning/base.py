"""What the fine-tuned estimators share: the labeled rows, the probe, the epochs, the outputs."""

import copy
from collections.abc import Callable, Sequence
from functools import cache
from numbers import Real
from typing import Self, cast

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, check_memory

from sklearn_ssl._base import BaseEmbedder, check_columns, pretrain
from sklearn_ssl._compat import (
    CallbackSupportMixin,
    FitTask,
    HasMethods,
    Interval,
    StrOptions,
    check_sample_weight,
    num_samples,
)
from sklearn_ssl._display import DisplayMixin
from sklearn_ssl._finetuning.problem import Problem, draw_folds, state_problem
from sklearn_ssl._finetuning.validation import ValidationCallback, measured_epochs
from sklearn_ssl._labels import Target, rows_to_score
from sklearn_ssl._masked_feature_predictor import MaskedFeaturePredictor
from sklearn_ssl._parameters import TRAINING_CONSTRAINTS, Constraints, Memory, RandomState
from sklearn_ssl._pretext.supervised import Supervise
from sklearn_ssl._table.types import FloatArray, Table, TableLike
from sklearn_ssl._table.validation import check_rows
from sklearn_ssl._training.callbacks import FollowedEpochs
from sklearn_ssl._training.loop import train
from sklearn_ssl._training.options import TrainingOptions, resolve_batch_size, resolve_device
from sklearn_ssl._training.safety import draw_seed, warn_of_outcome

AVERAGED_EPOCHS = 3
"""Epochs that the running mean of the weights reaches back."""

Scaling = tuple[FloatArray | float, FloatArray | float]
"""Center and scale of the targets, which the head predicts standardized."""

AS_THEY_ARE: Scaling = (0.0, 1.0)


class BaseFineTuned(DisplayMixin, CallbackSupportMixin, BaseEstimator):
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

    def set_params(self, **params: object) -> Self:
        """Set parameters of this estimator, or of its transformer.

        Parameters
        ----------
        **params : dict
            Parameters by name; those of the transformer begin with ``transformer__``.

        Returns
        -------
        self : object
            The estimator itself.
        """
        of_transformer = [name for name in params if name.startswith("transformer__")]
        if of_transformer and params.get("transformer", self.transformer) is None:
            raise ValueError(
                f"{of_transformer[0]} sets a parameter of the transformer, which is None. Pass the "
                f"one that None stands for: {type(self).__name__}(MaskedFeaturePredictor())."
            )
        estimator: Self = super().set_params(**params)
        return estimator

    def _begin(
        self,
        X: TableLike,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None,
        classes: Callable[[], npt.ArrayLike | None],
    ) -> FitTask:
        """Announce a fit to scikit-learn's callbacks, which get the labeled rows to score."""

        @cache
        def labeled() -> tuple[TableLike, npt.ArrayLike, npt.ArrayLike | None]:
            return rows_to_score(X, y, sample_weight, classes(), type(self).__name__)

        def metadata() -> dict[str, object] | None:
            weight = labeled()[2]
            return None if weight is None else {"sample_weight": weight}

        # The parts are pretraining, the choice of the number of epochs, and fine-tuning.
        return FitTask.begin(
            self, 3, X=lambda: labeled()[0], y=lambda: labeled()[1], metadata=metadata
        )

    def _learn(
        self, X: Table, target: Target, fit_task: FitTask, scaling: Scaling = AS_THEY_ARE
    ) -> None:
        """Pretrain unless the transformer is fitted, fit the probe, train the encoder further."""
        rng = check_random_state(self.random_state)
        transformer = self._pretrained(X, target, rng, fit_task)
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
        self.best_iter_, temperature = self._choose_n_epochs(problem, seed, fit_task)
        task = self._make_task(problem, torch.arange(len(problem)))
        if self.best_iter_:
            stage = fit_task.part("fine-tune", self.best_iter_)
            followed = FollowedEpochs(
                stage,
                # A copy, since a callback may keep the estimator while training goes on.
                lambda: self._attributes(copy.deepcopy(transformer), task, temperature, scaling),
            )
            options = self._options(len(problem), self.best_iter_, "Fine-tuning", followed)
            result = train(task, problem.dataset(), None, options, seed)
            warn_of_outcome(result)
            self.loss_curve_ = result.loss_curve
            stage.end()
        self.__dict__.update(self._attributes(transformer, task, temperature, scaling))

    def _attributes(
        self, transformer: BaseEmbedder, task: Supervise, temperature: float, scaling: Scaling
    ) -> dict[str, object]:
        """The transformer with the trained encoder, and the head in the units of the targets."""
        # In place, since a tied decoder reads the weights of this encoder.
        encoder = transformer.model_.task.encoder
        encoder.load_state_dict(task.embedding.encoder.state_dict())
        center, scale = scaling
        weight, bias = (
            parameter.detach().cpu().double().numpy() / temperature
            for parameter in (task.head.weight, task.head.bias)
        )
        return {
            "transformer_": transformer,
            **({"temperature_": temperature} if self._calibrates else {}),
            "coef_": weight * np.reshape(scale, (-1, 1)),
            "intercept_": bias * scale + center,
        }

    def _pretrained(
        self, X: Table, target: Target, rng: np.random.RandomState, fit_task: FitTask
    ) -> BaseEmbedder:
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
        unhashed = ["target", "fit_task"]
        fit_once = check_memory(self.memory).cache(pretrain_by_key, ignore=unhashed)
        return cast(BaseEmbedder, fit_once(transformer, X, key, target=shown, fit_task=fit_task))

    @staticmethod
    def _remedy_for(given: object) -> str:
        """What to do with a transformer that is none."""
        if isinstance(given, type):
            return "Call the class: parentheses make an estimator of it."
        return "Put any other transformer into a pipeline, before a classifier or regressor."

    def _given(self) -> BaseEmbedder:
        """The transformer that ``transformer`` stands for."""
        given: object = MaskedFeaturePredictor() if self.transformer is None else self.transformer
        is_frozen = isinstance(given, FrozenEstimator)
        given = given.estimator if isinstance(given, FrozenEstimator) else given
        if not isinstance(given, BaseEmbedder):
            raise TypeError(
                f"The transformer of {type(self).__name__} must be one of sklearn_ssl's, whose "
                f"encoder can be trained further, such as MaskedFeaturePredictor(); got {given!r}. "
                f"{self._remedy_for(given)}"
            )
        # Only now, since a frozen estimator that cannot be used at all should not be fitted either.
        if is_frozen:
            check_is_fitted(given)
        return given

    def _choose_n_epochs(self, problem: Problem, seed: int, fit_task: FitTask) -> tuple[int, float]:
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
        if not self.early_stopping:
            return self.max_iter, 1.0
        if not problem.folds:
            # Too few rows to choose by: the probe is kept, and where there is none, all epochs are.
            return (0 if self._starts_at_probe else self.max_iter), 1.0
        measured = []
        choice = fit_task.part("choose-epochs", len(problem.folds))
        for number, (kept, held_out) in enumerate(problem.folds, start=1):
            callback = ValidationCallback(
                problem.dataset(held_out), problem.losses, calibrates=self._calibrates
            )
            stage = f"Choosing epochs, fold {number} of {len(problem.folds)}"
            fold = choice.part("fold", self.max_iter)
            options = self._options(len(kept), self.max_iter, stage, FollowedEpochs(fold), callback)
            task = self._make_task(problem, kept)
            result = train(task, problem.dataset(kept), None, options, seed)
            warn_of_outcome(result)
            fold.end()
            if result.outcome == "interrupted":
                # Without the other folds there is no choice; the probe is already good.
                return 0, 1.0
            measured.append(callback)
        choice.end()
        return self._best_epoch(measured)

    @property
    def _starts_at_probe(self) -> bool:
        """Whether training begins at the linear probe, not at a head of zeros."""
        return self.mode != "full"

    def _best_epoch(self, measured: Sequence[ValidationCallback]) -> tuple[int, float]:
        """The epoch of the lowest mean loss over the folds, unless chance explains it."""
        self.n_iter_ = max(len(fold.outputs_) for fold in measured) - 1
        of_epochs = measured_epochs(measured)
        losses = np.stack([of_rows for of_rows, _ in of_epochs], axis=1)  # (n_rows, n_epochs)
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
        return best, of_epochs[best][1]

    def _make_task(self, problem: Problem, rows: torch.Tensor) -> Supervise:
        """A head on a copy of the encoder, at the probe of ``rows`` or, in mode full, at zero."""
        return Supervise(
            copy.deepcopy(problem.embedding),
            problem.probe(rows, self.C_) if self._starts_at_probe else problem.head_at_zero(),
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
        followed: FollowedEpochs,
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
            followed_epochs=followed,
        )

    def _output(self, X: TableLike) -> npt.NDArray[np.float64]:
        """Outputs of the head, of shape (n_samples, n_outputs)."""
        check_is_fitted(self)
        checked = self._check_X(X, reset=False)
        device = resolve_device(self.transformer_.device)
        embedded = self.transformer_.model_.embed_layers(checked, device).astype(np.float64)
        # In contrast to BLAS, einsum adds in the same order whatever number of rows there are.
        products: npt.NDArray[np.float64] = np.einsum("ij,kj->ik", embedded, self.coef_)
        return products + self.intercept_

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
    transformer: BaseEmbedder, X: Table, key: object, target: Target | None, fit_task: FitTask
) -> BaseEmbedder:
    """Fit a transformer; joblib finds what it has kept by ``key``, which stands for the target."""
    with fit_task.part_of(transformer, "pretrain"):
        return pretrain(transformer, X, target)
