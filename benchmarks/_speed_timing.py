"""Measuring: what on, sides that take turns, and peaks of memory in processes of their own."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor

ESTIMATORS = {
    "DenoisingAutoencoder": DenoisingAutoencoder,
    "ContrastiveEmbedder": ContrastiveEmbedder,
    "MaskedFeaturePredictor": MaskedFeaturePredictor,
}


def numbers(n_rows: int, n_columns: int) -> np.ndarray:
    """A table of single precision, the same in every process."""
    return np.random.default_rng(0).normal(size=(n_rows, n_columns)).astype(np.float32)


def _seconds_of_children() -> float:
    ended = os.times()
    return ended.children_user + ended.children_system


CLOCKS: dict[str, Callable[[], float]] = {
    "cpu": time.process_time,
    "wall": time.perf_counter,
    "children": _seconds_of_children,
}
"""Seconds of the processor leave out what else a machine does; with threads they are summed."""


def take_turns(
    sides: dict[str, Callable[[], object]], repeats: int, clock: str = "cpu"
) -> dict[str, float]:
    """Median seconds of each side.

    The sides alternate, so that a machine that slows down slows all of them, and every other
    round goes backwards. A round before the first one warms up.
    """
    now = CLOCKS[clock]
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(repeats + 1):
        names = list(sides) if repeat % 2 else list(reversed(sides))
        for name in names:
            start = now()
            sides[name]()
            if repeat:
                seconds[name].append(now() - start)
    return {name: float(np.median(taken)) for name, taken in seconds.items()}


def in_new_process(code: str, threads: int = 1) -> dict[str, float]:
    """Run code that prints a JSON object as its last line; modules beside this file import."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "PYTHONPATH": str(Path(__file__).parent),
    }
    answer = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    if answer.returncode:
        raise SystemExit(answer.stderr)
    return json.loads(answer.stdout.splitlines()[-1])


class PeakMemory:
    """Most resident memory above that of the start, in MB, seen every other millisecond."""

    def __enter__(self) -> "PeakMemory":
        import psutil

        self._process = psutil.Process()
        self._start = self._peak = self._process.memory_info().rss
        self._is_done = threading.Event()
        self._watch = threading.Thread(target=self._look)
        self._watch.start()
        return self

    def _look(self) -> None:
        while not self._is_done.wait(0.002):
            self._peak = max(self._peak, self._process.memory_info().rss)

    def __exit__(self, *error: object) -> None:
        self._is_done.set()
        self._watch.join()
        self.megabytes = (self._peak - self._start) / 2**20


def show(rows: list[dict[str, object]]) -> None:
    print(pd.DataFrame(rows).to_markdown(index=False, floatfmt=".3g"), flush=True)
