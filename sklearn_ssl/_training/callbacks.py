"""What happens at the steps and epochs of the training loop, as callbacks of skorch."""

import math
from collections.abc import Callable, Mapping
from typing import TypedDict

from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor, nn

from sklearn_ssl._compat import FitTask
from sklearn_ssl._progress import ProgressReport

WARM_UP = 0.1
"""Share of a fit during which the rate of ``one_cycle`` rises."""


def _constant(progress: float) -> float:
    return 1.0


def _cosine(progress: float) -> float:
    return (1 + math.cos(math.pi * progress)) / 2


def _one_cycle(progress: float) -> float:
    # The first steps of Adam are taken on few gradients, so they are short.
    if progress < WARM_UP:
        # The rate of the very first step is not zero, which would waste it.
        return max(progress, 0.01) / WARM_UP
    angle = math.pi * (progress - WARM_UP) / (1 - WARM_UP)
    return (1 + math.cos(angle)) / 2


SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": _constant,
    "cosine": _cosine,
    "one_cycle": _one_cycle,
}
"""Factor on the initial learning rate, from the share of the fit that is done."""


class StopTraining(Exception):
    """Raised by a callback to leave the loop; not an error."""


class Schedule(Callback):
    """Set the learning rate before each batch."""

    def __init__(self, factor: Callable[[float], float], rate: float, n_steps: int):
        self.factor = factor
        self.rate = rate
        self.n_steps = n_steps

    def on_train_begin(self, net: NeuralNet, **kwargs: object) -> None:
        self.step_ = 0

    def on_batch_begin(self, net: NeuralNet, training: bool = False, **kwargs: object) -> None:
        if training:
            rate = self.rate * self.factor(self.step_ / self.n_steps)
            # Fine-tuning gives the encoder a factor of its own.
            for group in net.optimizer_.param_groups:
                group["lr"] = rate * group.get("rate_factor", 1.0)
            self.step_ += 1


class BestState(TypedDict):
    """What ``BestWeights`` has recorded so far, as plain values and tensors."""

    best_: float
    lowest_: float
    waited_: int
    is_finite_: bool
    weights_: dict[str, Tensor]


class AverageWeights(Callback):
    """Validate, and end with, the running mean of the weights.

    A mean of iterates averages out the noise of a high learning rate (Polyak and Juditsky, 1992).
    A fit therefore needs no schedule and can end after any epoch.

    Parameters
    ----------
    n_steps : int
        Steps over which the mean reaches back; the weight of older steps falls by a factor of e.
    """

    def __init__(self, n_steps: int):
        self.n_steps = n_steps

    def on_train_begin(self, net: NeuralNet, **kwargs: object) -> None:
        self.shown_ = [weight.detach() for weight in net.module_.parameters()]
        self.other_ = [weight.clone() for weight in self.shown_]
        self.shows_mean_ = False
        self.step_ = 0

    def on_batch_begin(self, net: NeuralNet, training: bool = False, **kwargs: object) -> None:
        # Steps change the weights themselves; validation batches see their mean.
        self._show(mean=not training)

    def on_batch_end(self, net: NeuralNet, training: bool = False, **kwargs: object) -> None:
        if training:
            self.step_ += 1
            # A plain mean at first, which turns into an exponential one after n_steps.
            share = 1 / min(self.step_ + 1, self.n_steps)
            for mean, weight in zip(self.other_, self.shown_, strict=True):
                mean.lerp_(weight, share)

    def on_epoch_end(self, net: NeuralNet, **kwargs: object) -> None:
        # The callbacks of the epoch's end, and the end of the fit, see the mean.
        self._show(mean=True)

    def _show(self, *, mean: bool) -> None:
        """Exchange the weights of the network for their mean, or back."""
        if mean == self.shows_mean_:
            return
        # In place, since the optimizer and the module hold on to these very tensors.
        for shown, other in zip(self.shown_, self.other_, strict=True):
            kept = shown.clone()
            shown.copy_(other)
            other.copy_(kept)
        self.shows_mean_ = mean


def _copied(module: nn.Module) -> dict[str, Tensor]:
    return {name: weight.clone() for name, weight in module.state_dict().items()}


class BestWeights(Callback):
    """Keep a copy of the best weights, and count the epochs since the loss last fell.

    Parameters
    ----------
    monitor : {"train_loss", "valid_loss"}
        The loss that decides.

    tol : float
        Smallest improvement that counts.
    """

    def __init__(self, monitor: str, tol: float):
        self.monitor = monitor
        self.tol = tol

    def on_train_begin(self, net: NeuralNet, **kwargs: object) -> None:
        self.best_ = self.lowest_ = math.inf
        self.waited_ = 0
        self.is_finite_ = True
        self.first_ = self.weights_ = _copied(net.module_)

    def on_epoch_end(self, net: NeuralNet, **kwargs: object) -> None:
        loss = net.history[-1][self.monitor]
        # The validation loss can be finite while the training loss is not.
        train_loss = net.history[-1]["train_loss"]
        self.is_finite_ = math.isfinite(loss) and math.isfinite(train_loss)
        if not self.is_finite_:
            return
        # The lowest loss decides which weights to keep, however little lower it is. Patience
        # counts only improvements by more than the tolerance.
        if loss < self.lowest_:
            self.lowest_ = loss
            self._keep(net.module_)
        self.waited_ = 0 if loss < self.best_ - self.tol else self.waited_ + 1
        self.best_ = min(self.best_, loss)

    def _keep(self, module: nn.Module) -> None:
        if self.weights_ is self.first_:
            self.weights_ = _copied(module)
            return
        # The same memory is used again, so a fit of any length keeps two copies of the weights.
        for name, weight in module.state_dict().items():
            self.weights_[name].copy_(weight)

    def state(self) -> BestState:
        """What the epochs so far have changed."""
        return {
            "best_": self.best_,
            "lowest_": self.lowest_,
            "waited_": self.waited_,
            "is_finite_": self.is_finite_,
            "weights_": dict(self.weights_),
        }

    def restore(self, state: BestState) -> None:
        """Continue from a ``state``."""
        self.__dict__.update(state)


class Stop(Callback):
    """Leave the loop if the loss no longer falls or is not finite; the last of the callbacks.

    Parameters
    ----------
    best : BestWeights
        Knows the losses.

    patience : int or float
        Epochs without an improvement after which to stop.
    """

    def __init__(self, best: BestWeights, patience: float):
        self.best = best
        self.patience = patience

    def is_due(self) -> bool:
        """Whether no further epoch should be made."""
        return not self.best.is_finite_ or self.best.waited_ >= self.patience

    def on_epoch_end(self, net: NeuralNet, **kwargs: object) -> None:
        if self.is_due():
            raise StopTraining


class FollowedEpochs(Callback):
    """Announce each epoch to scikit-learn's callbacks, and end the fit if one of them asks for it.

    Parameters
    ----------
    task : FitTask
        The fit or stage whose parts the epochs are.

    fitted : callable or None
        Returns the attributes of an estimator whose fit ended after the current epoch.
    """

    def __init__(self, task: FitTask, fitted: Callable[[], Mapping[str, object]] | None = None):
        self.task = task
        self.fitted = fitted

    def on_epoch_begin(self, net: NeuralNet, **kwargs: object) -> None:
        self.epoch_ = self.task.part("epoch")

    def on_epoch_end(self, net: NeuralNet, **kwargs: object) -> None:
        is_last = self.epoch_.end(self.fitted)
        # Processes that share a fit end together, even if a callback of only one asks for it.
        if net.run.processes.mean(float(is_last)) > 0:
            raise StopTraining


class Progress(Callback):
    """Report the loss of each epoch.

    Parameters
    ----------
    stage : str
        What is trained.

    n_epochs : int
        Epochs of the fit.
    """

    def __init__(self, stage: str, n_epochs: int):
        self.stage = stage
        self.n_epochs = n_epochs

    def on_train_begin(self, net: NeuralNet, **kwargs: object) -> None:
        self.report_ = ProgressReport(self.stage, self.n_epochs, "epoch")

    def on_epoch_end(self, net: NeuralNet, **kwargs: object) -> None:
        self.report_.show(len(net.history), f"loss {net.history[-1]['train_loss']:.4f}")

    def on_train_end(self, net: NeuralNet, **kwargs: object) -> None:
        self.report_.close()
