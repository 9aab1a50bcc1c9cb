"""Whole fits: start-up, memory, growth with the table, grid searches."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from _speed_timing import ESTIMATORS, in_new_process, numbers, show, take_turns
from sklearn.model_selection import GridSearchCV

from sklearn_ssl import DenoisingAutoencoder


def startup(repeats: int) -> None:
    """Print the time of a fit of one epoch over 200 rows, and of imports."""
    torch.set_num_threads(1)
    X = numbers(200, 20)
    sides = {
        name: lambda e=estimator: e(max_iter=1, random_state=0).fit(X)
        for name, estimator in ESTIMATORS.items()
    }
    milliseconds = {name: 1e3 * s for name, s in take_turns(sides, repeats).items()}
    print("\n`fit` with `max_iter=1` on 200 x 20 numbers, 1 thread\n")
    show([{"estimator": name, "ms": value} for name, value in milliseconds.items()])
    both = "import torch, sklearn.base, sklearn.model_selection"
    imports = {"torch and scikit-learn": both, "and sklearn_ssl": f"{both}, sklearn_ssl"}
    # Seconds of the processor of a child count only once it has ended.
    seconds = take_turns(
        {name: lambda code=code: run_python(code) for name, code in imports.items()},
        repeats,
        "children",
    )
    first, second = seconds.values()
    print("\nImports\n")
    show([{"import": name, "s": value} for name, value in seconds.items()])
    print(f"\nsklearn_ssl adds {100 * (second / first - 1):.1f} %.")


def fits(n_rows: int, most_rows: int, n_columns: int, threads: int) -> None:
    """Print the seconds of default fits, of one epoch over more rows, and of embedding these."""
    torch.set_num_threads(threads)
    X, many = numbers(n_rows, n_columns), numbers(most_rows, n_columns)
    rows = []
    for name, estimator in ESTIMATORS.items():
        default = estimator(random_state=0, device="cpu")
        of_epoch = estimator(max_iter=1, random_state=0, device="cpu")
        runs = {
            f"default fit, {n_rows} rows": lambda model=default: model.fit(X),
            f"one epoch, {most_rows} rows": lambda model=of_epoch: model.fit(many),
            f"transform, {most_rows} rows": lambda model=of_epoch: model.transform(many),
        }
        rows.append({"estimator": name, **{what: seconds_of(run) for what, run in runs.items()}})
    print(f"\nSeconds by the wall clock, {n_columns} numbers a row, {threads} thread(s)\n")
    show(rows)


def seconds_of(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def run_python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def memory(n_rows: int, n_columns: int) -> None:
    """Print the peak of fits of one and of several epochs, and of large contrasts."""
    rows = []
    for estimator, epochs, batch_size, stops in (
        ("DenoisingAutoencoder", 1, 4096, False),
        ("DenoisingAutoencoder", 3, 4096, False),
        ("DenoisingAutoencoder", 1, 4096, True),
        ("MaskedFeaturePredictor", 1, 4096, False),
        ("ContrastiveEmbedder", 1, 256, False),
        ("ContrastiveEmbedder", 1, 4096, False),
    ):
        settings = {"hidden_layer_sizes": (64,), "bottleneck_size": 16, "batch_size": batch_size}
        settings["early_stopping"] = stops
        answer = in_new_process(peak_of_fit(estimator, n_rows, n_columns, epochs, settings))
        rows.append(
            {
                "estimator": estimator,
                "epochs": epochs,
                "batch_size": batch_size,
                "early_stopping": stops,
                "encoded table, MB": answer["table"],
                "peak above the table given, MB": answer["peak"],
                "ratio": answer["peak"] / answer["table"],
            }
        )
    print(f"\nPeak memory of `fit` on {n_rows} x {n_columns} numbers, one hidden layer of 64\n")
    show(rows)


def peak_of_fit(name: str, n_rows: int, n_columns: int, epochs: int, settings: dict) -> str:
    return f"""
import json
import sklearn_ssl
from _speed_timing import PeakMemory, numbers
X = numbers({n_rows}, {n_columns})
model = sklearn_ssl.{name}(random_state=0, max_iter=1, **{settings}).fit(X[:5000])
model.set_params(max_iter={epochs})
with PeakMemory() as peak:
    model.fit(X)
print(json.dumps({{"peak": peak.megabytes, "table": X.size * 4 / 2**20}}))
"""


def scaling(figure: Path | None, most_rows: int) -> None:
    """Print, and draw, the time of a fit of one epoch in rows, in columns and in categories."""
    torch.set_num_threads(1)
    rows = [n for n in (1_000, 10_000, 100_000, 1_000_000) if n <= most_rows]
    tables = {("rows", n): numbers(n, 20) for n in rows}
    tables |= {("columns", n): numbers(2_000, n) for n in (10, 100, 1_000)}
    tables |= {("categories", n): names(n) for n in (1_000, 100_000)}
    tables |= {("categories with codes of their own", n): names(n) for n in (1_000, 10_000)}
    results = []
    for (what, n), X in tables.items():
        model = DenoisingAutoencoder(max_iter=1, random_state=0, batch_size=256, device="cpu")
        if "codes" in what:
            model.set_params(max_categories=None)
        start = time.process_time()
        model.fit(X)
        seconds = time.process_time() - start
        row = {"grows": what, "n": n, "rows": len(X), "columns": X.shape[1], "s": seconds}
        results.append(row | {"us per row": 1e6 * seconds / len(X)})
    print("\n`fit` with `max_iter=1`, batches of 256, 1 thread\n")
    show(results)
    if figure:
        draw(pd.DataFrame(results), figure)


def names(n_categories: int) -> pd.DataFrame:
    """A column of names, equally frequent, beside one of numbers."""
    rng, n_rows = np.random.default_rng(0), max(n_categories, 10_000)
    drawn = pd.Series(rng.permutation(n_rows) % n_categories).astype(str)
    return pd.DataFrame({"name": drawn, "number": rng.normal(size=n_rows)})


def draw(results: pd.DataFrame, path: Path) -> None:
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    for axes, what in zip(panels, ("rows", "columns"), strict=True):
        part = results[results["grows"] == what]
        axes.loglog(part["n"], part["s"], marker="o", label="measured")
        axes.loglog(part["n"], part["s"].max() / part["n"].max() * part["n"], ":", label="linear")
        axes.set(xlabel=what, ylabel="seconds of a fit of one epoch")
        axes.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def search(repeats: int) -> None:
    """Print what a parallel grid search costs against its fits alone, and the threads it uses."""
    torch.set_num_threads(1)
    X, grid = numbers(2_000, 20), {"noise_level": [0.1, 0.2, 0.3, 0.4]}
    model = DenoisingAutoencoder(max_iter=5, random_state=0, device="cpu")

    def find(n_jobs):
        found = GridSearchCV(model, grid, cv=2, n_jobs=n_jobs, refit=False, scoring=count_threads)
        return found.fit(X)

    def fits_alone():
        for level in grid["noise_level"]:
            for half in (X[:1_000], X[1_000:]):
                model.set_params(noise_level=level).fit(half)

    workers = find(2).cv_results_["mean_test_score"].max()
    sides = {"fits alone": fits_alone, "n_jobs=1": lambda: find(1), "n_jobs=2": lambda: find(2)}
    seconds = take_turns(sides, repeats, "wall")
    print(f"\nGridSearchCV: 8 fits of 5 epochs over 1,000 rows; {workers:.0f} thread(s) a worker\n")
    alone = seconds["fits alone"]
    show([{"side": name, "s": s, "ratio": s / alone} for name, s in seconds.items()])


def count_threads(model, X, y=None) -> float:
    """Threads that torch uses where the model was fitted."""
    return float(torch.get_num_threads())
