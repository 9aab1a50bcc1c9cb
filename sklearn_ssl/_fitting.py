"""What keeps a fit safe: seeds, errors midway, and ends that are not the planned one."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_ssl._training import TrainingResult, with_gradients


@contextmanager
def safe_fit(estimator: Any) -> Iterator[None]:
    """Train in any mode of the caller's; give back the attributes where something fails midway."""
    before = estimator.__dict__.copy()
    try:
        with with_gradients():
            yield
    except BaseException:
        estimator.__dict__.clear()
        estimator.__dict__.update(before)
        raise


def draw_seed(rng: np.random.RandomState) -> int:
    """Draw the seed of a generator of torch."""
    return int(rng.randint(2**31 - 2))


def warn_of_outcome(result: TrainingResult) -> None:
    """Warn where training was interrupted or diverged."""
    messages = {
        "interrupted": "Training was interrupted; the best weights so far are kept.",
        "diverged": (
            "The loss is no longer finite; the best weights before that are kept. "
            "Lower learning_rate_init, or look for extreme values in the table."
        ),
    }
    if result.outcome in messages:
        warnings.warn(
            f"{messages[result.outcome]} Passes made: {len(result.loss_curve)}.",
            ConvergenceWarning,
            stacklevel=4,
        )
