"""What parameters of several estimators may be."""

import os
from numbers import Integral, Real
from typing import TypeAlias

import joblib
import numpy as np
import numpy.typing as npt

from sklearn_ssl._compat import Interval, StrOptions
from sklearn_ssl._training.callbacks import SCHEDULES

RandomState: TypeAlias = int | np.random.RandomState
"""A seed, or what draws the seeds."""

Folder: TypeAlias = str | os.PathLike[str]

Memory: TypeAlias = str | joblib.Memory
"""Where to keep what was computed: a folder, or an object that does so."""

Constraints: TypeAlias = dict[str, list[object]]
"""What each parameter may be, in scikit-learn's terms: any of the entries of its list."""

TRAINING_CONSTRAINTS: Constraints = {
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions(set(SCHEDULES))],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "early_stopping": ["boolean"],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
"""Parameters that every training loop has, with or without labels."""


def check_layer_sizes(sizes: npt.ArrayLike) -> None:
    """Raise if ``hidden_layer_sizes`` are not widths."""
    if isinstance(sizes, Integral):
        raise ValueError(
            f"hidden_layer_sizes must hold integers of at least 1, one per layer; got {sizes!r}. "
            "For a single layer, write (64,) rather than 64."
        )
    widths = np.asarray(sizes)
    are_integers = widths.ndim == 1 and (not widths.size or widths.dtype.kind in "iu")
    if not are_integers or (widths < 1).any():
        raise ValueError(
            f"hidden_layer_sizes must hold integers of at least 1, one per layer; got {sizes!r}."
        )
