"""Training on tables that do not fit into memory: one part after the other."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from sklearn_ssl._network.layers import Batch
from sklearn_ssl._table.chunks import buffers
from sklearn_ssl._training.callbacks import SCHEDULES
from sklearn_ssl._training.checkpoints import Checkpoints, checkpoints_of
from sklearn_ssl._training.loop import TrainingResult
from sklearn_ssl._training.processes import OneProcess
from sklearn_ssl._training.safety import safe_fit

Stream = Iterable[Any] | Callable[[], Iterable[Any]]


def learns_without_labels(estimator: Any) -> bool:
    """Whether an estimator can learn from rows that come in parts, which have no labels."""
    if not estimator.supervision_weight:
        return True
    raise AttributeError(
        "partial_fit and fit_stream learn without labels, but "
        f"supervision_weight={estimator.supervision_weight:g}. Use fit, or set it to 0."
    )


class StreamMixin:
    """For estimators with the steps of ``fit`` that ``BaseEmbedder`` has."""

    _check_table: Any
    _encode: Any
    _forget_partial_fit: Any
    _begin: Any
    _learn_scaling: Any
    _train: Any
    _validate_params: Any
    learning_rate: str
    loss_curve_: list[float]
    max_iter: int
    random_state: Any
    warm_start: bool

    @available_if(learns_without_labels)
    def fit_stream(self, batches: Stream, *, buffer_size: int = 10_000) -> Any:
        """Learn the embedding from a table that is read in parts.

        Columns, units and categories are learned from the first ``buffer_size`` rows; categories
        that appear later share the code of the infrequent ones. Rows are shuffled within a
        buffer, not across buffers: where a file is sorted, let the stream take its parts in a
        random order. Neither early stopping nor labels are available. With ``checkpoint_dir`` the
        state is kept after each epoch; an earlier call goes on where its first buffer was the same.

        Parameters
        ----------
        batches : iterable of tables, or callable that returns one
            Tables with the same columns: DataFrames of pandas or Polars, PyArrow record batches
            and tables, arrays, sparse matrices. A callable, or an iterable such as a list that
            can be gone through again, is read ``max_iter`` times; an iterator, such as pandas'
            chunks or ``pyarrow.dataset.Dataset.to_batches()``, once. The learning rate follows
            its schedule from epoch to epoch.

        buffer_size : int, default=10_000
            Most rows that are held in memory at a time, at least 1.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        TypeError
            If ``buffer_size`` is no integer, or ``batches`` a single table.

        ValueError
            If there are no rows, if a table cannot be read, or if it has other columns than the
            first one; the estimator remains as it was.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_ssl import DenoisingAutoencoder
        >>> rng = np.random.default_rng(0)
        >>> parts = (rng.normal(size=(500, 3)) for _ in range(4))
        >>> transformer = DenoisingAutoencoder(hidden_layer_sizes=(8,), random_state=0)
        >>> transformer.fit_stream(parts, buffer_size=1000).n_iter_
        1
        """
        self._validate_params()
        if isinstance(buffer_size, bool) or not isinstance(buffer_size, Integral):
            raise TypeError(f"buffer_size must be an integer; got {buffer_size!r}.")
        if buffer_size < 1:
            raise ValueError(f"buffer_size must be at least 1; got {buffer_size!r}.")
        with safe_fit(self):
            rng = check_random_state(self.random_state)
            continued = self.warm_start and hasattr(self, "module_")
            open_epoch, n_epochs = epochs_of(batches, self.max_iter)
            opened = buffers(open_epoch(), buffer_size)
            first = next(opened, np.empty((0, 1)))  # which the check rejects
            X = self._check_table(first, reset=not continued)
            self._begin(X, rng, continued=continued)
            sample = self._encode(X)
            parts: Iterator[Any] = chain([first], opened)
            epochs = StreamEpochs(n_epochs, rng, checkpoints_of(self))
            epochs.open(self, sample, buffer_size)
            self._train_epochs(epochs, parts, lambda: buffers(open_epoch(), buffer_size))
            self.n_iter_ = len(self.loss_curve_)
            self._learn_scaling(sample)
            self._forget_partial_fit()
        return self

    def _train_epochs(
        self, epochs: "StreamEpochs", parts: Iterator[Any], reopen: Callable[[], Iterator[Any]]
    ) -> None:
        for number in range(len(epochs.losses), epochs.n_epochs):
            factor = SCHEDULES[self.learning_rate]((number + 0.5) / epochs.n_epochs)
            result = self._train_epoch(parts, epochs.rng, factor, epochs.optimizer_state)
            epochs.end(self, result)
            if result.outcome != "finished":
                break
            if number + 1 < epochs.n_epochs:
                parts = reopen()
        self.loss_curve_ = epochs.losses

    def _train_epoch(
        self, parts: Iterator[Any], rng: np.random.RandomState, factor: float, state: Any
    ) -> TrainingResult:
        """Train on one part after the other; the loss is that of the epoch."""
        result, total, n_rows = None, 0.0, 0
        for X in parts:
            table = self._encode(self._check_table(X, reset=False))
            result = self._train(
                table,
                rng,
                1,
                "constant",
                hold_out=False,
                optimizer_state=state,
                rate_factor=factor,
            )
            state = result.optimizer_state
            total += sum(result.loss_curve) * len(table[0])
            n_rows += len(table[0])
            if result.outcome != "finished":
                break
        if result is None:
            raise ValueError(
                "The stream had no rows left for another epoch. Give a callable that returns a "
                "fresh iterable at each call, or an iterator, which is read once."
            )
        return replace(result, loss_curve=[total / n_rows])


@dataclass
class StreamEpochs:
    """What lasts from one epoch over a stream to the next, on disk too where that is wanted."""

    n_epochs: int
    rng: np.random.RandomState
    checkpoints: Checkpoints | None
    losses: list[float] = field(default_factory=list)
    optimizer_state: dict[str, Any] | None = None

    def open(self, estimator: Any, sample: Batch, buffer_size: int) -> None:
        """Go on from the epochs of an earlier call, if there are any."""
        if self.checkpoints is None:
            return
        tensors = [*estimator.module_.state_dict().values(), *sample]
        settings = {"rng": self.rng, "n_epochs": self.n_epochs, "buffer_size": buffer_size}
        state = self.checkpoints.open(tensors, OneProcess(), **settings)
        if state is not None:
            estimator.module_.load_state_dict(state["weights"])
            self.rng.set_state(state["rng"].get_state())
            self.losses, self.optimizer_state = state["losses"], state["optimizer"]

    def end(self, estimator: Any, result: TrainingResult) -> None:
        """Take the outcome of an epoch down."""
        self.losses += result.loss_curve
        self.optimizer_state = result.optimizer_state
        if self.checkpoints is not None and result.outcome == "finished":
            self.checkpoints.write(
                {
                    "weights": dict(estimator.module_.state_dict()),
                    "optimizer": self.optimizer_state,
                    "rng": self.rng,
                    "losses": self.losses,
                }
            )


def epochs_of(stream: Stream, max_iter: int) -> tuple[Callable[[], Iterable[Any]], int]:
    """What opens the stream, and how often it can be read."""
    if callable(stream):
        return stream, max_iter
    if not isinstance(stream, Iterable):
        raise TypeError(
            "A stream must be an iterable of tables, or a callable that returns one; got "
            f"{type(stream).__name__}."
        )
    return (lambda: stream), 1 if iter(stream) is stream else max_iter
