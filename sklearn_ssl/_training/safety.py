"""What keeps a fit safe: seeds, errors midway, and interrupted or diverged fits."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from torch import Tensor

from sklearn_ssl._compat import warn_user
from sklearn_ssl._threads import one_thread
from sklearn_ssl._training.dataset import TableDataset
from sklearn_ssl._training.loop import TrainingResult, with_gradients

OUT_OF_MEMORY = ("allocate memory", "not enough memory", "out of memory", "bad_alloc")
"""Words of torch's allocators, on each device, in a RuntimeError."""


@contextmanager
def safe_fit(estimator: BaseEstimator) -> Iterator[None]:
    """Train in any gradient mode of the caller; restore the attributes if something fails midway.

    Torch, NumPy and SciPy use one thread each outside the steps of training.

    If torch runs out of memory, the error is a MemoryError, as it is if NumPy does.
    """
    # A shallow copy is enough, since a fit replaces attributes and does not write into them.
    before = estimator.__dict__.copy()
    try:
        with with_gradients(), one_thread():
            yield
    except BaseException as error:
        # Interruptions count, too: Ctrl+C must not leave an estimator that is half fitted.
        estimator.__dict__.clear()
        estimator.__dict__.update(before)
        is_out_of_memory = any(words in str(error) for words in OUT_OF_MEMORY)
        if isinstance(error, RuntimeError) and is_out_of_memory:
            raise MemoryError(
                f"There is not enough memory to fit {type(estimator).__name__}. Lower batch_size "
                "or the widths of the network's layers, or read the table in parts with the "
                f"fit_stream of a transformer. {error}"
            ) from error
        raise


def draw_seed(rng: np.random.RandomState) -> int:
    """Draw the seed of a generator of torch."""
    # The next number must be a seed, too: it is that of the validation rows.
    return int(rng.randint(2**31 - 2))


def split(
    parts: tuple[Tensor, ...], fraction: float, rng: np.random.RandomState
) -> tuple[TableDataset, TableDataset]:
    """Split encoded rows at random into those to train on and a share held out."""
    every_row = np.arange(len(parts[0]))
    if math.ceil(fraction * len(every_row)) == len(every_row):
        raise ValueError(
            f"validation_fraction={fraction:g} holds out all of the {len(every_row)} rows, and "
            "leaves none to train on. Lower it, or give more rows."
        )
    training, held_out = train_test_split(every_row, test_size=fraction, random_state=rng)
    # Positions and not copies: the table need not fit into memory twice.
    train_rows = TableDataset(*parts, rows=torch.from_numpy(training))
    held_out_rows = TableDataset(*parts, rows=torch.from_numpy(held_out))
    return train_rows, held_out_rows


def warn_of_outcome(result: TrainingResult) -> None:
    """Warn if training was interrupted or diverged."""
    messages = {
        "interrupted": "Training was interrupted; the best weights so far are kept.",
        "diverged": (
            "The loss is no longer finite; the best weights before that are kept. "
            "Lower learning_rate_init, or look for extreme values in the table."
        ),
    }
    if result.outcome in messages:
        warn_user(
            f"{messages[result.outcome]} Epochs made: {len(result.loss_curve)}.",
            ConvergenceWarning,
        )
