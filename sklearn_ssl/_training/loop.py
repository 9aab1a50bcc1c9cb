"""The one training loop: a pretext task and an encoded table in, trained weights out."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from inspect import unwrap
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.helper import predefined_split
from torch import Tensor, nn

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
from sklearn_ssl._training.threads import threads_for


def with_gradients() -> Any:
    """Context in which tensors can be trained, also where the caller is in inference mode."""
    return torch.inference_mode(False)


@dataclass
class TrainingResult:
    """What a fit leaves behind.

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
    optimizer_state: dict[str, Any] = field(default_factory=dict)


class Optimizer(torch.optim.AdamW):
    """AdamW without the wrappers that import torch's compiler, which this loop does not use.

    The import takes as long as many small fits, in every process of a grid search.
    """

    add_param_group = unwrap(torch.optim.AdamW.add_param_group)
    zero_grad = unwrap(torch.optim.AdamW.zero_grad)
    state_dict = unwrap(torch.optim.AdamW.state_dict)
    load_state_dict = unwrap(torch.optim.AdamW.load_state_dict)
    step = torch.no_grad()(unwrap(torch.optim.AdamW.step))


class PretextNet(NeuralNet):
    """Skorch's loop for a module that draws its own targets and returns its own loss.

    Callbacks and the methods ``train_step``, ``validation_step``, ``get_iterator`` and
    ``run_single_epoch`` are skorch's extension points and can be used as its manual says. The
    loop itself records no batches. Callbacks of the user's may, so only for them does the history
    have a place for each batch.
    """

    generator: torch.Generator
    validation_seed: int
    keeps_batches: bool
    processes: OneProcess
    training_call: Callable[..., Any]
    n_rows: int

    def get_dataset(self, X, y=None):
        return X

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if self.keeps_batches:
            super().on_batch_begin(net, batch=batch, training=training, **kwargs)

    def get_iterator(self, dataset, training=False):
        if not training:
            return BatchIterator(dataset, self.batch_size)
        return BatchIterator(dataset, self.batch_size, self.generator, self.n_rows)

    def infer(self, x, **fit_params):
        call = self.training_call if self.module_.training else self.module_
        return call(x, fit_params["generator"])

    def train_step(self, batch, **fit_params):
        self.optimizer_.zero_grad(set_to_none=True)
        loss = self.infer(batch, generator=self.generator)
        loss.backward()
        self.notify(
            "on_grad_computed",
            named_parameters=self.module_.named_parameters(),
            batch=batch,
            training=True,
        )
        self.optimizer_.step()
        return {"loss": loss, "y_pred": loss}

    def validation_step(self, batch, **fit_params):
        with torch.no_grad():
            loss = self.infer(batch, **fit_params)
        return {"loss": loss, "y_pred": loss}

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        if iterator is None:
            return
        self._set_training(training)
        if not training:
            # The validation views are the same in each epoch, so that epochs compare.
            device = iterator.dataset.device
            fit_params["generator"] = torch.Generator(device).manual_seed(self.validation_seed)
        total: Tensor | float = 0.0
        for batch in iterator:
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            total = total + step["loss"].detach() * len(batch[0])
            self.notify("on_batch_end", batch=batch, training=training, **step)
        loss = self.processes.mean(float(total) / iterator.n_rows)
        self.history.record(prefix + "_loss", loss)
        self.history.record(prefix + "_batch_count", len(iterator))


def train(
    pretext: nn.Module,
    table: TableDataset,
    validation: TableDataset | None,
    options: TrainingOptions,
    seed: int,
    optimizer_state: dict[str, Any] | None = None,
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
        Of the shuffling and of the views.

    optimizer_state : dict, default=None
        Continue from this state.

    checkpoint : Callback, default=None
        Restores the state of a fit when training begins, and keeps it after each epoch.

    Returns
    -------
    result : TrainingResult
        Its weights are the last ones of a fit that finished, and the best ones of a fit that
        stopped early, was interrupted or diverged.
    """
    dataset = table.to(options.device)
    net = _assemble(pretext, dataset, validation, options, seed, checkpoint)
    if optimizer_state:
        # The optimizer writes into what it loads, also where a fit fails midway.
        net.optimizer_.load_state_dict(copy.deepcopy(optimizer_state))
    result = TrainingResult()
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
        if options.processes.n_processes > 1:  # the others cannot know, and would wait
            raise
        result.outcome = "interrupted"
    finally:
        net.notify("on_train_end", X=dataset, y=None)
    result.outcome = _settle_weights(net, dataset, best, result.outcome, validation is not None)
    epochs = [row for row in net.history if "train_loss" in row]
    result.loss_curve = [row["train_loss"] for row in epochs]
    if validation is not None:
        result.validation_scores = [-row["valid_loss"] for row in epochs if "valid_loss" in row]
    if result.outcome != "diverged":  # its moments would diverge again
        result.optimizer_state = net.optimizer_.state_dict()
    pretext.to("cpu")
    return result


def _settle_weights(
    net: PretextNet, dataset: TableDataset, best: BestWeights, outcome: str, prefers_best: bool
) -> str:
    """Load the weights that a fit ends with; return the outcome, which they can change."""
    if not best.is_finite_:
        outcome = "diverged"
    if outcome != "finished" or prefers_best:
        net.module_.load_state_dict(best.weights_)
    # The losses of an epoch say nothing about its last step.
    if not _has_finite_loss(net, dataset):
        outcome = "diverged"
        for weights in (best.weights_, best.first_):
            net.module_.load_state_dict(weights)
            if _has_finite_loss(net, dataset):
                break
    return outcome


def _has_finite_loss(net: PretextNet, dataset: TableDataset) -> bool:
    """Whether the weights as they are have a finite loss on a batch."""
    net.module_.eval()
    generator = torch.Generator(dataset.device).manual_seed(net.validation_seed)
    step = net.validation_step(next(iter(net.get_iterator(dataset))), generator=generator)
    return math.isfinite(net.processes.mean(float(step["loss"])))


def _callbacks(
    options: TrainingOptions, best: BestWeights, steps_per_epoch: int, checkpoint: Callback | None
) -> list[tuple[str, Callback]]:
    """What hangs on the steps and epochs, in the order in which it is called."""
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
        callback.initialize()
        callbacks.append((f"user_{i}", callback))
    if checkpoint:
        callbacks.append(("checkpoint", checkpoint))
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
    n_rows = min(options.processes.gather(len(dataset)))
    has_validation_loss = validation is not None or options.validation_callback is not None
    best = BestWeights("valid_loss" if has_validation_loss else "train_loss", options.tol)
    callbacks = _callbacks(options, best, -(-n_rows // options.batch_size), checkpoint)
    net = PretextNet(
        pretext,
        criterion=nn.Identity,  # the pretext task returns its own loss
        optimizer=Optimizer,
        optimizer__fused=True,
        optimizer__weight_decay=options.weight_decay,
        optimizer__param_groups=[
            (pattern, {"rate_factor": factor}) for pattern, factor in options.rate_factors.items()
        ],
        lr=options.learning_rate_init,
        batch_size=options.batch_size,
        train_split=validation and predefined_split(validation.to(options.device)),
        callbacks="disable",
        device=options.device,
        verbose=0,
    )
    # Copies of the callbacks would hide from `train` what they have recorded.
    net.initialize()
    net.callbacks_ = callbacks
    net.keeps_batches = bool(options.callbacks)
    net.generator = torch.Generator(options.device).manual_seed(seed)
    net.validation_seed = seed + 1
    net.n_rows = n_rows
    net.processes = options.processes
    net.training_call = options.processes.share_gradients(net.module_)
    return net
