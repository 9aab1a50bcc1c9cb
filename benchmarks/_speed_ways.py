"""Ways to a faster epoch that the library does not go, against the one that it goes."""

import time
from functools import partial

import torch
from _speed_epoch import run_ours
from _speed_timing import ESTIMATORS, numbers, show, take_turns

from sklearn_ssl._training.processes import OneProcess


class Compiled(OneProcess):
    """The pretext task as torch.compile has it; what was compiled serves later fits."""

    def share_gradients(self, pretext):
        return torch.compile(pretext).__call__  # skorch would take a module for one of its own


class HalfPrecision(OneProcess):
    """Products in bfloat16, weights and their updates in single precision."""

    def share_gradients(self, pretext):
        def call(*args):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return pretext(*args)

        return call


WAYS: dict[str, OneProcess] = {
    "as it is": OneProcess(),
    "bfloat16": HalfPrecision(),
    "compiled": Compiled(),
}


def ways(n_rows: int, n_columns: int, batch_size: int, repeats: int, threads: int) -> None:
    """Print the time of an epoch in other ways, as a share of the time as it is."""
    torch.set_num_threads(threads)
    X, rows = numbers(n_rows, n_columns), []
    for name, estimator in ESTIMATORS.items():
        model = estimator(max_iter=1, random_state=0, batch_size=batch_size, device="cpu")
        table = model.fit(X[:batch_size]).model_.encode(X)
        sides = {
            way: partial(run_ours, model, table, 1, batch_size, how) for way, how in WAYS.items()
        }
        sides["batches of four times the rows"] = partial(run_ours, model, table, 1, 4 * batch_size)
        start = time.perf_counter()
        sides["compiled"]()
        seconds = time.perf_counter() - start
        medians = take_turns(sides, repeats, "wall")
        shares = {side: s / medians["as it is"] for side, s in medians.items()}
        rows.append({"estimator": name, **shares, "s to compile": seconds})
    print(f"\nTime of an epoch over {n_rows} x {n_columns} numbers, {batch_size=},", end=" ")
    print(f"{threads} thread(s), as a share of the time as it is\n")
    show(rows)
