"""The one training loop: a pretext task and an encoded table in, trained weights out."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.helper import predefined_split
from torch import Tensor, nn

from sklearn_ssl._compat import without_compiler
from sklearn_ssl._threads import threads_for
from sklearn_ssl._training.callbacks import (
    SCHEDULES,
    AverageWeights,
    BestWeights,
    Progress,
    Schedule,
    Stop,
    StopTraining,
)
from sklearn_ssl._training.dataset import BatchIterator, TableDataset
from sklearn_ssl._training.options import TrainingOptions
from sklearn_ssl._training.processes import OneProcess

OptimizerState: TypeAlias = dict[str, object]
"""What ``state_dict`` of an optimizer returns."""

Parts: TypeAlias = tuple[Tensor, ...]
"""A batch: numbers and codes, and what else a task reads, such as targets and weights."""

NamedCallbacks: TypeAlias = Sequence[tuple[str, Callback]]

AdamW = without_compiler(torch.optim.AdamW)


def with_gradients() -> torch.inference_mode:
    """Context in which tensors can be trained, even if the caller is in inference mode."""
    return torch.inference_mode(False)


@dataclass
class TrainingResult:
    """What a fit returns.

    Attributes
    ----------
    loss_curve : list of float
        Mean training loss of each epoch.

    validation_scores : list of float
        Negative loss on the validation rows after each epoch; empty without them.

    outcome : {"finished", "interrupted", "diverged"}
        How the loop ended.

    optimizer_state : dict
        State of the optimizer, to continue from; empty after a divergence.
    """

    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    outcome: str = "finished"
    optimizer_state: OptimizerState = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """What a single call of ``train`` adds to skorch's settings.

    Attributes
    ----------
    callbacks : sequence of (str, Callback)
        The callbacks, in the order in which they are called.

    generator : torch.Generator
        Draws the order of the rows and the corruptions, on the device of the fit.

    validation_seed : int
        Seed of the corruptions of validation rows.

    n_rows : int
        Rows of an epoch, the same number in every process.

    processes : OneProcess
        The processes that share the fit.

    keeps_batches : bool
        Whether the history has a place for each batch, which callbacks of the user may expect.
    """

    callbacks: NamedCallbacks
    generator: torch.Generator
    validation_seed: int
    n_rows: int
    processes: OneProcess
    keeps_batches: bool


class PretextNet(NeuralNet):
    """Skorch's loop for a module that draws its own targets and returns its own loss.

    Callbacks and the methods ``train_step``, ``validation_step``, ``get_iterator`` and
    ``run_single_epoch`` are skorch's extension points and can be used as its manual says. The
    loop itself records no batches. Callbacks of the user may, so the history has a place for each
    batch only if there are such callbacks.

    Parameters
    ----------
    pretext : nn.Module
        Called with a batch and a generator, it returns a loss.

    run : Run
        What belongs to this fit.

    **settings : dict
        Parameters of :class:`skorch.NeuralNet`.
    """

    def __init__(self, pretext: nn.Module, run: Run, **settings: object):
        super().__init__(pretext, criterion=nn.Identity, optimizer=AdamW, verbose=0, **settings)
        self.run = run

    def initialize(self) -> "PretextNet":
        super().initialize()
        # Only now is the module on its device, where processes start to share its gradients.
        self.training_call_ = self.run.processes.share_gradients(self.module_)
        return self

    def initialize_callbacks(self) -> "PretextNet":
        # Skorch would keep copies, and `train` would not see what they record.
        self.callbacks_ = list(self.run.callbacks)
        return self

    def get_dataset(self, X: TableDataset, y: None = None) -> TableDataset:
        return X

    def on_batch_begin(
        self, net: NeuralNet, batch: Parts | None = None, training: bool = False, **kwargs: object
    ) -> None:
        if self.run.keeps_batches:
            super().on_batch_begin(net, batch=batch, training=training, **kwargs)

    def get_iterator(self, dataset: TableDataset, training: bool = False) -> BatchIterator:
        if not training:
            return BatchIterator(dataset, self.batch_size)
        return BatchIterator(dataset, self.batch_size, self.run.generator, self.run.n_rows)

    def infer(self, x: Parts, *, generator: torch.Generator) -> Tensor:
        call = self.training_call_ if self.module_.training else self.module_
        loss: Tensor = call(x, generator)  # ()
        return loss

    def train_step(self, batch: Parts) -> dict[str, Tensor]:
        self.optimizer_.zero_grad(set_to_none=True)
        loss = self.infer(batch, generator=self.run.generator)
        loss.backward()
        # Skorch's own callbacks, such as GradientNormClipping, change gradients here.
        self.notify(
            "on_grad_computed",
            named_parameters=self.module_.named_parameters(),
            batch=batch,
            training=True,
        )
        self.optimizer_.step()
        return {"loss": loss, "y_pred": loss}

    def validation_step(self, batch: Parts, *, generator: torch.Generator) -> dict[str, Tensor]:
        with torch.no_grad():
            loss = self.infer(batch, generator=generator)
        return {"loss": loss, "y_pred": loss}

    def run_single_epoch(
        self,
        iterator: BatchIterator | None,
        training: bool,
        prefix: str,
        step_fn: Callable[..., dict[str, Tensor]],
        **fit_params: object,
    ) -> None:
        if iterator is None:
            return
        self.module_.train(training)
        if not training:
            # The corruptions of validation rows are the same in each epoch, so that epochs compare.
            device = iterator.dataset.device
            generator = torch.Generator(device).manual_seed(self.run.validation_seed)
            fit_params = {**fit_params, "generator": generator}
        # The sum stays on the device, because reading every loss would wait for each step.
        total: Tensor | float = 0.0
        for batch in iterator:
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            total = total + step["loss"].detach() * len(batch[0])
            self.notify("on_batch_end", batch=batch, training=training, **step)
        loss = self.run.processes.mean(float(total) / iterator.n_rows)
        self.history.record(prefix + "_loss", loss)
        self.history.record(prefix + "_batch_count", len(iterator))


def train(
    pretext: nn.Module,
    table: TableDataset,
    validation: TableDataset | None,
    options: TrainingOptions,
    seed: int,
    optimizer_state: OptimizerState | None = None,
    checkpoint: Callback | None = None,
) -> TrainingResult:
    """Train a pretext task in place, and leave it on the CPU.

    Parameters
    ----------
    pretext : nn.Module
        Called with a batch and a generator, it returns a loss.

    table, validation : TableDataset
        Encoded rows to train on, and rows to measure the loss on after each epoch; what else
        the pretext task reads, such as targets, follows the numbers and codes.

    options : TrainingOptions
        How to train.

    seed : int
        Seed of the shuffling and of the corruptions.

    optimizer_state : dict, default=None
        Continue from this state.

    checkpoint : Callback, default=None
        Restores the state of a fit when training begins, and saves it after each epoch.

    Returns
    -------
    result : TrainingResult
        Its weights are the last ones of a fit that finished, and the best ones of a fit that
        stopped early, was interrupted or diverged.
    """
    dataset = table.to(options.device)
    net = _assemble(pretext, dataset, validation, options, seed, checkpoint)
    if optimizer_state:
        # The optimizer writes into what it loads, even if a fit fails midway.
        net.optimizer_.load_state_dict(copy.deepcopy(optimizer_state))
    result = TrainingResult()
    # Checkpoints are read here; only then is the number of remaining epochs known.
    net.notify("on_train_begin", X=dataset, y=None)
    callbacks = dict(net.callbacks_)
    best, stop = callbacks["best"], callbacks["stop"]
    n_left = 0 if stop.is_due() else options.max_iter - len(net.history)
    try:
        with torch.enable_grad(), threads_for(pretext, options.batch_size, options.device):
            net.fit_loop(dataset, epochs=n_left)
    except StopTraining:
        pass
    except KeyboardInterrupt:
        if options.processes.n_processes > 1:
            # The other processes cannot know, and would wait for this one's gradients.
            raise
        result.outcome = "interrupted"
    finally:
        net.notify("on_train_end", X=dataset, y=None)
    result.outcome = _settle_weights(net, dataset, best, result.outcome, validation is not None)
    # An interrupted epoch has a row in the history without a loss.
    epochs = [row for row in net.history if "train_loss" in row]
    result.loss_curve = [row["train_loss"] for row in epochs]
    if validation is not None:
        result.validation_scores = [-row["valid_loss"] for row in epochs if "valid_loss" in row]
    if result.outcome != "diverged":
        # The moments of a divergence would make the next fit diverge, too.
        result.optimizer_state = net.optimizer_.state_dict()
    pretext.to("cpu")
    return result


def _settle_weights(
    net: PretextNet, dataset: TableDataset, best: BestWeights, outcome: str, prefers_best: bool
) -> str:
    """Load the weights that a fit ends with; return the outcome, which they can change."""
    if not best.is_finite_:
        outcome = "diverged"
    # Without validation rows the last weights of a full schedule are the ones to keep: the best
    # training loss is that of an easy draw of corruptions.
    if outcome != "finished" or prefers_best:
        net.module_.load_state_dict(best.weights_)
    # The losses of an epoch say nothing about its last step, which may have ruined the weights.
    if not _has_finite_loss(net, dataset):
        outcome = "diverged"
        # The best weights can be those of the ruined epoch; then the first ones are left.
        for weights in (best.weights_, best.first_):
            net.module_.load_state_dict(weights)
            if _has_finite_loss(net, dataset):
                break
    return outcome


def _has_finite_loss(net: PretextNet, dataset: TableDataset) -> bool:
    """Whether the current weights have a finite loss on a batch."""
    net.module_.eval()
    generator = torch.Generator(dataset.device).manual_seed(net.run.validation_seed)
    first = next(iter(net.get_iterator(dataset)))
    step = net.validation_step(first, generator=generator)
    # The mean over the processes makes all of them come to the same answer.
    loss = net.run.processes.mean(float(step["loss"]))
    return math.isfinite(loss)


def _callbacks(
    options: TrainingOptions, best: BestWeights, steps_per_epoch: int, checkpoint: Callback | None
) -> list[tuple[str, Callback]]:
    """The callbacks of a fit, in the order in which they are called."""
    n_steps = options.max_iter * steps_per_epoch
    schedule = Schedule(SCHEDULES[options.learning_rate], options.learning_rate_init, n_steps)
    callbacks: list[tuple[str, Callback]] = [("schedule", schedule)]
    if options.averaged_epochs:
        average = AverageWeights(options.averaged_epochs * steps_per_epoch)
        callbacks.append(("average", average))
    if options.validation_callback:
        callbacks.append(("validation", options.validation_callback))
    callbacks.append(("best", best))
    if options.verbose:
        callbacks.append(("progress", Progress(options.stage, options.max_iter)))
    for i, callback in enumerate(options.callbacks):
        if not isinstance(callback, Callback):
            raise TypeError(
                f"callbacks must hold instances of skorch.callbacks.Callback; got {callback!r}."
            )
        # Skorch does this for the callbacks that it copies.
        callback.initialize()
        callbacks.append((f"user_{i}", callback))
    if checkpoint:
        callbacks.append(("checkpoint", checkpoint))
    # These come last, because they leave the loop before any later callback is called.
    if options.followed_epochs:
        callbacks.append(("followed_epochs", options.followed_epochs))
    patience = options.n_iter_no_change if options.early_stopping else math.inf
    callbacks.append(("stop", Stop(best, patience)))
    return callbacks


def _assemble(
    pretext: nn.Module,
    dataset: TableDataset,
    validation: TableDataset | None,
    options: TrainingOptions,
    seed: int,
    checkpoint: Callback | None,
) -> PretextNet:
    """A net that is ready for its first epoch."""
    # All processes make the same number of steps, since each step waits for the gradients of all.
    n_rows = min(options.processes.gather(len(dataset)))
    steps_per_epoch = -(-n_rows // options.batch_size)
    has_validation_loss = validation is not None or options.validation_callback is not None
    best = BestWeights("valid_loss" if has_validation_loss else "train_loss", options.tol)
    run = Run(
        callbacks=_callbacks(options, best, steps_per_epoch, checkpoint),
        generator=torch.Generator(options.device).manual_seed(seed),
        validation_seed=seed + 1,
        n_rows=n_rows,
        processes=options.processes,
        keeps_batches=bool(options.callbacks),
    )
    groups = [
        (pattern, {"rate_factor": factor}) for pattern, factor in options.rate_factors.items()
    ]
    net = PretextNet(
        pretext,
        run,
        # One kernel for all weights; a step on a small network is mostly the calls that it makes.
        optimizer__fused=True,
        optimizer__weight_decay=options.weight_decay,
        optimizer__param_groups=groups,
        lr=options.learning_rate_init,
        batch_size=options.batch_size,
        train_split=validation and predefined_split(validation.to(options.device)),
        device=options.device,
    )
    return net.initialize()
