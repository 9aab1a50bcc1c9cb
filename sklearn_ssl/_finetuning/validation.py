"""How well the epochs of a fit predict rows that it does not train on."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize_scalar
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor

from sklearn_ssl._pretext.losses import Losses
from sklearn_ssl._pretext.supervised import Supervise
from sklearn_ssl._training.dataset import BatchIterator, TableDataset

ROWS_PER_BLOCK = 1024
"""Held-out rows that are measured at a time."""

HIGHEST_TEMPERATURE = 1000.0
"""With outputs divided by this, all classes are about equally probable."""


Measured = tuple[npt.NDArray[np.float64], float]
"""Losses of held-out rows after an epoch, and the temperature that they are taken at."""


class ValidationCallback(Callback):
    """Record the mean loss of held-out rows after each epoch, as ``valid_loss``.

    Parameters
    ----------
    rows : TableDataset
        Numbers, codes, targets and weights of the rows.

    losses : callable
        Loss of each row from outputs and targets.

    calibrates : bool
        Whether outputs are divided by their best temperature first. While a network learns, it
        becomes overconfident: its loss rises although its ranking of the classes still improves.

    Attributes
    ----------
    outputs_ : list of Tensor of shape (n_rows, n_outputs)
        Outputs before the first epoch and after each, not divided by a temperature.

    measured_ : list of Measured
        What :func:`pooled_losses` returns for these rows alone, as often.
    """

    def __init__(self, rows: TableDataset, losses: Losses, *, calibrates: bool):
        self.rows = rows
        *_, self.target, self.weight = rows[:]
        self.losses = losses
        self.calibrates = calibrates
        self.outputs_: list[Tensor] = []
        self.measured_: list[Measured] = []

    def on_train_begin(self, net: NeuralNet, **kwargs: object) -> None:
        # The probe, before any epoch, is the one to beat.
        self._measure(net.module_, net.device)

    def on_epoch_end(self, net: NeuralNet, **kwargs: object) -> None:
        net.history.record("valid_loss", self._measure(net.module_, net.device))

    def _measure(self, task: Supervise, device: str) -> float:
        task.eval()
        with torch.no_grad():
            blocks = [
                # Temperatures are searched on the CPU.
                task.outputs(numeric.to(device), codes.to(device)).cpu()
                for numeric, codes, *_ in BatchIterator(self.rows, ROWS_PER_BLOCK)
            ]
        self.outputs_.append(torch.cat(blocks))
        self.measured_.append(pooled_losses([self], epoch=-1))
        losses, _ = self.measured_[-1]
        return float(losses.mean())


def measured_epochs(folds: Sequence[ValidationCallback]) -> list[Measured]:
    """Pooled losses and temperatures before the first epoch and after each that all have made."""
    if len(folds) == 1:
        # Of many rows there is one fold, and to search its temperatures again would take long.
        return folds[0].measured_
    # Folds stop at different epochs; beyond the shortest they do not compare.
    n_common = min(len(fold.outputs_) for fold in folds)
    return [pooled_losses(folds, epoch) for epoch in range(n_common)]


def pooled_losses(folds: Sequence[ValidationCallback], epoch: int) -> Measured:
    """Losses of the held-out rows of all folds after an epoch, and their one temperature.

    A fold has too few rows for a temperature of its own: with ten rows of twenty classes, nearly
    all of them predicted wrong, the best one makes all classes equally probable.
    """
    outputs = torch.cat([fold.outputs_[epoch] for fold in folds]).double()
    target = torch.cat([fold.target for fold in folds])
    weight = torch.cat([fold.weight for fold in folds])
    losses, temperature = folds[0].losses, 1.0
    if folds[0].calibrates:
        temperature = best_temperature(outputs, target, weight, losses)
    of_rows: npt.NDArray[np.float64] = (weight * losses(outputs / temperature, target)).numpy()
    return of_rows, temperature


def best_temperature(outputs: Tensor, target: Tensor, weight: Tensor, losses: Losses) -> float:
    """What to divide outputs by for the lowest loss (Guo et al., 2017), and at least 1.

    Without this bound, it could approach 0 if rows are few and all are predicted correctly.
    """

    def loss(sharpness: float) -> float:
        of_rows = losses(outputs * sharpness, target)
        return float((weight * of_rows).mean())

    # In terms of the inverse, the loss of a softmax is convex.
    found = minimize_scalar(loss, bounds=(1 / HIGHEST_TEMPERATURE, 1.0), method="bounded")
    if not found.fun < loss(1.0):
        return 1.0
    return float(1 / found.x)
