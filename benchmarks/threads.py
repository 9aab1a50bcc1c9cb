"""Threads of a fit: one, all, and what the library chooses, idle and under load.

    python benchmarks/threads.py --threads 2 --load 0 2

``--load`` is how many other processes compute meanwhile. The first table has steps of networks of
several sizes; "all" lets torch use every thread. The second has whole fits with default parameters
on a small table; "all" lets NumPy and SciPy use every thread, too, as they do outside a fit. Sides
take turns, and what counts is the ratio to the better of one thread and all. The processors have to
be idle otherwise: how busy they were before is printed, and from 10 % on the figures say nothing of
an idle machine.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from unittest.mock import patch

import numpy as np
import psutil
import torch
from _speed_timing import numbers, show, take_turns
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer
from threadpoolctl import threadpool_limits

from sklearn_ssl import (
    ContrastiveEmbedder,
    DenoisingAutoencoder,
    FineTunedClassifier,
    MaskedFeaturePredictor,
    MaskedImputer,
    OutlierDetector,
)
from sklearn_ssl import _threads as threads
from sklearn_ssl._threads import torch_threads
from sklearn_ssl._training import safety

SIZES = [(64, 64), (256, 256), (512, 512), (1024, 256), (1024, 1024)]
"""Width of the three hidden layers, and rows of a batch."""

STEPS = 10
ESTIMATORS = [
    DenoisingAutoencoder(random_state=0),
    ContrastiveEmbedder(random_state=0),
    MaskedFeaturePredictor(random_state=0),
    FineTunedClassifier(random_state=0),
    MaskedImputer(random_state=0),
    OutlierDetector(random_state=0),
]

N_LABELED = 100
BUSY = """
import os, numpy as np
x, parent = np.ones((300, 300)), os.getppid()
while os.getppid() == parent:  # so that none is left if the benchmark is killed
    x @ x
"""

Sides = dict[str, Callable[[], object]]


@contextmanager
def load(n_processes: int) -> Iterator[None]:
    """Keep processors busy."""
    command = [sys.executable, "-c", BUSY]
    others = [subprocess.Popen(command, env={"OMP_NUM_THREADS": "1"}) for _ in range(n_processes)]
    try:
        time.sleep(1.0 if others else 0.0)
        yield
    finally:
        for other in others:
            other.terminate()
            other.wait()


def sides(fit: Callable[[], object], n_threads: int) -> Sides:
    """The same fit with one thread, with all, and as a user has it."""

    def one() -> None:
        with torch_threads(1), threadpool_limits(1):
            fit()

    def all_of_them() -> None:
        with (
            torch_threads(n_threads),
            patch.object(threads, "PRODUCTS_PER_THREAD", 1),
            patch.object(safety, "one_thread", nullcontext),
        ):
            fit()

    def chosen() -> None:
        with torch_threads(n_threads):
            fit()

    return {"one": one, "all": all_of_them, "chosen": chosen}


def steps_of(width: int, batch_size: int) -> Callable[[], object]:
    """A fit of a few steps of a network of this size."""
    X = numbers(STEPS * batch_size, 32)
    model = DenoisingAutoencoder(
        hidden_layer_sizes=(width,) * 3,
        batch_size=batch_size,
        max_iter=1,
        random_state=0,
        device="cpu",
    )
    return lambda: model.fit(X)


def fit_of(estimator: BaseEstimator) -> Callable[[], object]:
    """A fit with default parameters, 100 of 569 rows with a label."""
    X, y = load_breast_cancer(return_X_y=True)
    y[np.random.RandomState(0).permutation(len(y))[N_LABELED:]] = -1
    return lambda: estimator.fit(X, y)


def ratios(fit: Callable[[], object], n_processes: int, options: argparse.Namespace) -> dict:
    with load(n_processes):
        seconds = take_turns(sides(fit, options.threads), options.repeats, "wall")
    best = min(seconds["one"], seconds["all"])
    return {
        "all threads / one": seconds["all"] / seconds["one"],
        "chosen / best": seconds["chosen"] / best,
    }


def rows_of_steps(n_processes: int, options: argparse.Namespace) -> list[dict[str, object]]:
    """Ratios for networks of several sizes."""
    return [
        {"width": width, "batch": rows, **ratios(steps_of(width, rows), n_processes, options)}
        for width, rows in SIZES
    ]


def rows_of_fits(n_processes: int, options: argparse.Namespace) -> list[dict[str, object]]:
    """Ratios for estimators with default parameters."""
    return [
        {"estimator": type(one).__name__, **ratios(fit_of(one), n_processes, options)}
        for one in ESTIMATORS
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--load", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--tables", nargs="+", default=["steps", "fits"], choices=["steps", "fits"])
    options = parser.parse_args()
    for n_processes in options.load:
        busy = psutil.cpu_percent(interval=3.0)
        print(
            f"\nBeside {n_processes} other processes, {options.threads} threads at most; ", end=""
        )
        print(f"processors {busy:.0f} % busy before")
        if "steps" in options.tables:
            print(f"\nFits of {STEPS} steps:\n")
            show(rows_of_steps(n_processes, options))
        if "fits" in options.tables:
            print("\nFits with default parameters, 569 rows:\n")
            show(rows_of_fits(n_processes, options))


if __name__ == "__main__":
    main()
