"""Threads of a fit: one, all, and the number that the library chooses, idle and under load.

    python benchmarks/threads.py --threads 2 --load 0 2

``--load`` is how many other processes compute meanwhile. Sides take turns, and what counts is the
ratio to the better of one thread and all. The processors have to be idle otherwise: how busy they
were before is printed, and from 10 % on the figures say nothing of an idle machine.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch
from _speed_timing import numbers, show, take_turns

from sklearn_ssl import DenoisingAutoencoder
from sklearn_ssl._training import threads

SIZES = [(64, 64), (256, 256), (512, 512), (1024, 256), (1024, 1024)]
"""Width of the three hidden layers, and rows of a batch."""

STEPS = 10
BUSY = """
import os, numpy as np
x, parent = np.ones((300, 300)), os.getppid()
while os.getppid() == parent:  # so that none is left if the benchmark is killed
    x @ x
"""


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


def sides(width: int, batch_size: int, n_threads: int):
    X = numbers(STEPS * batch_size, 32)
    chosen = threads.PRODUCTS_PER_THREAD

    def fit(n: int, products: int):
        torch.set_num_threads(n)
        threads.PRODUCTS_PER_THREAD = products
        model = DenoisingAutoencoder(
            hidden_layer_sizes=(width,) * 3,
            batch_size=batch_size,
            max_iter=1,
            random_state=0,
            device="cpu",
        )
        model.fit(X)
        threads.PRODUCTS_PER_THREAD = chosen
        torch.set_num_threads(n_threads)

    return {
        "one": lambda: fit(1, chosen),
        "all": lambda: fit(n_threads, 1),
        "chosen": lambda: fit(n_threads, chosen),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--load", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    for n_processes in options.load:
        rows = []
        busy = psutil.cpu_percent(interval=3.0)
        for width, batch_size in SIZES:
            with load(n_processes):
                seconds = take_turns(
                    sides(width, batch_size, options.threads), options.repeats, "wall"
                )
            best = min(seconds["one"], seconds["all"])
            rows.append(
                {
                    "width": width,
                    "batch": batch_size,
                    "all threads / one": seconds["all"] / seconds["one"],
                    "chosen / best": seconds["chosen"] / best,
                }
            )
        print(f"\nFits of {STEPS} steps beside {n_processes} other processes, ", end="")
        print(f"{options.threads} threads at most; processors {busy:.0f} % busy before\n")
        show(rows)


if __name__ == "__main__":
    main()
