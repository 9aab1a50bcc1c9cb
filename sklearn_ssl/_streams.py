"""Training on tables that do not fit into memory: one part after the other."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypedDict, cast

import numpy as np
from torch import Tensor

from sklearn_ssl._compat import FitTask
from sklearn_ssl._network.layers import Batch
from sklearn_ssl._pretext.supervised import HasSupervisionWeight
from sklearn_ssl._pretext.tasks import PretextTask
from sklearn_ssl._table.types import TableLike
from sklearn_ssl._training.callbacks import SCHEDULES
from sklearn_ssl._training.checkpoints import Checkpoints
from sklearn_ssl._training.dataset import TableDataset
from sklearn_ssl._training.loop import OptimizerState, TrainingResult, train
from sklearn_ssl._training.options import TrainingOptions
from sklearn_ssl._training.processes import OneProcess
from sklearn_ssl._training.safety import draw_seed

Stream: TypeAlias = Iterable[TableLike] | Callable[[], Iterable[TableLike]]


def learns_without_labels(estimator: HasSupervisionWeight) -> bool:
    """Whether an estimator can learn from rows that come in parts, which have no labels."""
    if not estimator.supervision_weight:
        return True
    raise AttributeError(
        "partial_fit and fit_stream learn without labels, but "
        f"supervision_weight={estimator.supervision_weight:g}. Use fit, or set it to 0."
    )


def epochs_of(stream: Stream, max_iter: int) -> tuple[Callable[[], Iterable[TableLike]], int]:
    """What opens the stream, and how often it can be read."""
    if callable(stream):
        return stream, max_iter
    if not isinstance(stream, Iterable):
        raise TypeError(
            "A stream must be an iterable of tables, or a callable that returns one; got "
            f"{type(stream).__name__}."
        )
    # An iterator is its own iterator, and is used up after one epoch.
    return (lambda: stream), 1 if iter(stream) is stream else max_iter


class StreamState(TypedDict):
    """What a fit on a stream needs to go on after an epoch."""

    weights: dict[str, Tensor]
    optimizer: OptimizerState | None
    rng: np.random.RandomState
    losses: list[float]


@dataclass
class StreamFit:
    """A fit that lasts over several epochs of a stream, kept on disk if that is wanted.

    Attributes
    ----------
    task : PretextTask
        Trained in place.

    rng : RandomState
        Draws the seeds of the parts.

    n_epochs : int
        How often the stream is read.

    schedule : str
        Name of the schedule of the learning rate, which changes from epoch to epoch.

    options : callable
        How to train on a part of so many rows.

    fit_task : FitTask
        The fit whose parts the epochs are, as scikit-learn's callbacks see it.

    fitted : callable
        Returns the attributes of an estimator whose fit ended after the current epoch.

    losses : list of float
        Mean loss of each epoch so far.

    optimizer_state : dict or None
        What the optimizer remembers from part to part.
    """

    task: PretextTask
    rng: np.random.RandomState
    n_epochs: int
    schedule: str
    options: Callable[[int], TrainingOptions]
    fit_task: FitTask
    fitted: Callable[[], Mapping[str, object]]
    losses: list[float] = field(default_factory=list)
    optimizer_state: OptimizerState | None = None
    checkpoints: Checkpoints | None = None

    def resume(self, checkpoints: Checkpoints | None, sample: Batch, buffer_size: int) -> None:
        """Go on from the epochs of an earlier call with the same first rows, if there are any."""
        self.checkpoints = checkpoints
        if checkpoints is None:
            return
        # The rows to come are not known yet, so the first ones have to stand for the stream.
        tensors = [*self.task.state_dict().values(), *sample]
        settings = {"rng": self.rng, "n_epochs": self.n_epochs, "buffer_size": buffer_size}
        found = checkpoints.open(tensors, OneProcess(), **settings)
        if found is not None:
            state = cast(StreamState, found)
            self.task.load_state_dict(state["weights"])
            # In place, since a generator that the user gave is to go on from there, too.
            self.rng.set_state(state["rng"].get_state())
            self.losses, self.optimizer_state = state["losses"], state["optimizer"]

    def run(self, parts: Iterator[Batch], reopen: Callable[[], Iterator[Batch]]) -> TrainingResult:
        """Train on the parts of the first epoch, then on those of the others."""
        result = TrainingResult()
        for number in range(len(self.losses), self.n_epochs):
            # The rate is constant within an epoch, whose length is not known: its middle counts.
            factor = SCHEDULES[self.schedule]((number + 0.5) / self.n_epochs)
            epoch = self.fit_task.part("epoch")
            result = self._run_epoch(parts, factor)
            self._end_epoch(result)
            is_last = epoch.end(self.fitted)
            if result.outcome != "finished" or is_last:
                break
            # The first epoch was already open when the columns were learned from its first part.
            if number + 1 < self.n_epochs:
                parts = reopen()
        # A fit that is complete has nothing to continue from.
        return replace(result, loss_curve=self.losses, optimizer_state={})

    def _run_epoch(self, parts: Iterator[Batch], factor: float) -> TrainingResult:
        """Train on one part after the other; the loss is that of the epoch."""
        result, total, n_rows = None, 0.0, 0
        state = self.optimizer_state
        for table in parts:
            result = self._train_part(table, factor, state)
            state = result.optimizer_state
            # A part is trained for one epoch, so its curve is a single loss or, cut short, none.
            total += sum(result.loss_curve) * len(table[0])
            n_rows += len(table[0])
            if result.outcome != "finished":
                break
        if result is None:
            raise ValueError(
                "The stream had no rows left for another epoch. Give a callable that returns a "
                "fresh iterable at each call, or an iterator, which is read once."
            )
        # A fit that is complete has nothing to continue from.
        return replace(result, loss_curve=[total / n_rows])

    def _train_part(
        self, table: Batch, factor: float, state: OptimizerState | None
    ) -> TrainingResult:
        options = self.options(len(table[0]))
        one_epoch = replace(
            options,
            max_iter=1,
            learning_rate="constant",
            learning_rate_init=options.learning_rate_init * factor,
        )
        rows = TableDataset(*table)
        # Drawn anew for each part, so that parts are not corrupted alike.
        seed = draw_seed(self.rng)
        return train(self.task, rows, None, one_epoch, seed, optimizer_state=state)

    def _end_epoch(self, result: TrainingResult) -> None:
        """Record the outcome of an epoch, on disk if that is wanted."""
        self.losses += result.loss_curve
        self.optimizer_state = result.optimizer_state
        if self.checkpoints is not None and result.outcome == "finished":
            state: StreamState = {
                "weights": dict(self.task.state_dict()),
                "optimizer": self.optimizer_state,
                "rng": self.rng,
                "losses": self.losses,
            }
            self.checkpoints.write(state)
