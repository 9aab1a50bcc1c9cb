"""How to train: the parameters of an estimator, resolved for one table and one device."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from skorch.callbacks import Callback

from sklearn_ssl._training.processes import OneProcess

Callbacks: TypeAlias = Sequence[Callback]
"""Callbacks of skorch that the user gives."""


@dataclass(frozen=True)
class TrainingOptions:
    """How to train; the names are those of the estimators' parameters.

    Attributes
    ----------
    batch_size : int
        Rows per step of one process.

    stage : str
        What is trained, for reports of progress.

    rate_factors : mapping of str to float
        Factors on the learning rate, by patterns of parameter names.

    averaged_epochs : int
        Number of epochs over which the running mean of the weights reaches back; 0 for none.

    validation_callback : Callback or None
        Records a ``valid_loss`` after each epoch, in place of the loss on validation rows.

    followed_epochs : Callback or None
        Announces the epochs to scikit-learn's callbacks.

    processes : OneProcess
        The processes that share the fit.
    """

    max_iter: int
    batch_size: int
    learning_rate: str
    learning_rate_init: float
    weight_decay: float
    early_stopping: bool
    n_iter_no_change: int
    tol: float
    device: str
    verbose: bool
    stage: str = "Training"
    callbacks: Callbacks = ()
    rate_factors: Mapping[str, float] = field(default_factory=dict)
    averaged_epochs: int = 0
    validation_callback: Callback | None = None
    followed_epochs: Callback | None = None
    processes: OneProcess = field(default_factory=OneProcess)


def resolve_device(device: str) -> str:
    """Name of the device that ``device`` stands for; raise if it is not available."""
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        # The fastest one comes first.
        return next(name for name, is_there in available.items() if is_there)
    if not available[device]:
        there = [name for name, is_there in available.items() if is_there]
        raise ValueError(f"device={device!r} is not available here. Available devices: {there}.")
    return device


def resolve_batch_size(batch_size: int | str, n_rows: int, n_processes: int = 1) -> int:
    """Rows per step of each process on a table of ``n_rows`` rows in all."""
    # A small table is cut into about thirty batches, so that an epoch has about thirty steps.
    size = min(256, max(32, n_rows // 32)) if batch_size == "auto" else int(batch_size)
    size = min(size, n_rows)
    # A single row in a process could not be contrasted with others, nor take cells from them.
    if n_processes > 1 and size < 2 * n_processes:
        raise ValueError(
            f"A batch is divided among {n_processes} processes, and each needs at least two "
            f"rows; got {batch_size=} and {n_rows} rows to train on."
        )
    return size // n_processes
