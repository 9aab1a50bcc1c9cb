"""Few and many labels: the linear probe, fine-tuning in its modes, and training from scratch.

    python benchmarks/finetuning.py run --data FOLDER --results results.csv
    python benchmarks/finetuning.py report --results results.csv

``FOLDER`` holds ``index.csv`` (columns ``name`` and ``task``) and ``NAME.parquet`` with a column
``target``. A transformer learns from all training rows without their labels. Every method then
gets the same labeled rows, and is judged on the same test rows: accuracy for classes, R2 for
numbers. A run continues where an earlier one ended. With ``--weights 0.3 1`` the transformer also
sees the labels of the labeled rows, at these values of ``supervision_weight``. With
``--methods "gradual:early_stopping=False"`` parameters of the fine-tuned estimator are changed.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _command_line import run_and_report
from _comparisons import compare, count
from _methods import make_features, split_method
from _probe import fit_probe, score
from _tables import Split, draw_labeled, read_index, split_table

from sklearn_ssl import FineTunedClassifier, FineTunedRegressor

MOST_TEST_ROWS = 3000
PROBE = "linear probe"
METHODS: dict[str, dict[str, Any] | None] = {
    PROBE: None,
    "frozen": {"mode": "frozen"},
    "gradual": {},
    "full": {"mode": "full"},
    "from scratch": {"mode": "full"},
}
"""Parameters of the fine-tuned estimators; the probe is scikit-learn's."""


def check_method(method: str) -> str:
    """Return a name that is known, or raise."""
    if split_method(method)[0] not in METHODS:
        raise ValueError(f"{method} is none of {list(METHODS)}")
    return method


def fit_and_score(
    method: str, transformer: Any, split: Split, labeled: np.ndarray, task: str, seed: int
) -> dict[str, float]:
    """Test scores of a method on a fitted transformer; seconds and epochs of its fit."""
    X, y = split.X_train.iloc[labeled], split.y_train[labeled]
    name, changes = split_method(method)
    parameters = METHODS[name]
    started = time.perf_counter()
    if parameters is None:
        model = fit_probe(transformer.transform(X), y, task, seed)
    else:
        FineTuned = FineTunedClassifier if task == "classification" else FineTunedRegressor
        model = FineTuned(transformer, random_state=seed, **{**parameters, **changes}).fit(X, y)
    seconds = time.perf_counter() - started
    X_test = transformer.transform(split.X_test) if parameters is None else split.X_test
    epochs = getattr(model, "best_iter_", 0)
    return {"seconds": seconds, "epochs": epochs, **score(model, X_test, split.y_test, task)}


def pretrain(split: Split, labeled: np.ndarray, task: str, seed: int, weight: float) -> Any:
    """A transformer that has seen all training rows and, with a weight, the labels of some."""
    if not weight:
        return make_features("DenoisingAutoencoder", seed).fit(split.X_train)
    features = make_features(f"DenoisingAutoencoder:supervision_weight={weight}", seed)
    unlabeled = -1 if task == "classification" else np.nan
    y = np.full(len(split.y_train), unlabeled, dtype=split.y_train.dtype)
    y[labeled] = split.y_train[labeled]
    return features.fit(split.X_train, y)


def measure(arguments: argparse.Namespace, name: str, task: str, seed: int, known: set) -> Iterator:
    """One row per number of labels, weight and method that is not known yet."""
    split = split_table(arguments.data, name, task, seed, arguments.rows, MOST_TEST_ROWS)
    fitted: dict[str, Any] = {}
    for n_labels in arguments.labels:
        count = None if n_labels == "all" else int(n_labels)
        labeled = draw_labeled(split.y_train, count, task, seed)
        if labeled is None:
            continue
        fitted = {key: fitted[key] for key in ("0.0", "untrained") if key in fitted}
        for weight in arguments.weights:
            for method in arguments.methods:
                if (name, seed, n_labels, weight, method) in known:
                    continue
                key = "untrained" if method.startswith("from scratch") else str(weight)
                started = time.perf_counter()
                if key == "untrained" and key not in fitted:
                    fitted[key] = make_features(key, seed).fit(split.X_train)
                elif key not in fitted:
                    fitted[key] = pretrain(split, labeled, task, seed, weight)
                pretraining = time.perf_counter() - started
                yield {
                    "table": name,
                    "task": task,
                    "seed": seed,
                    "labels": n_labels,
                    "weight": weight,
                    "method": method,
                    "pretraining": pretraining,
                    **fit_and_score(method, fitted[key], split, labeled, task, seed),
                }


def run(arguments: argparse.Namespace) -> None:
    index = read_index(arguments.data, arguments.tables)
    keys = ["table", "seed", "labels", "weight", "method"]
    for seed in range(arguments.seeds):
        for name, task in index["task"].items():
            known = set()
            if arguments.results.exists():
                rows = pd.read_csv(arguments.results, dtype={"labels": str})
                known = set(rows[keys].itertuples(index=False, name=None))
            for row in measure(arguments, name, task, seed, known):
                append(arguments.results, row)
                print(" ".join(str(value) for value in row.values()), flush=True)


COLUMNS = [
    *("table", "task", "seed", "labels", "weight", "method", "pretraining", "seconds", "epochs"),
    *("accuracy", "balanced_accuracy", "auc", "log_loss", "r2"),
]


def append(path: Path, row: dict[str, Any]) -> None:
    frame = pd.DataFrame([row], columns=COLUMNS)
    frame.to_csv(path, mode="a", header=not path.exists(), index=False)


def report(arguments: argparse.Namespace) -> None:
    """Print each method against the probe on the label-free embedding."""
    rows = pd.read_csv(arguments.results, dtype={"labels": str})
    with_weight = rows["method"] + ", weight " + rows["weight"].astype(str)
    rows["method"] = with_weight.where(rows["weight"] > 0, rows["method"])
    for (task, n_labels), part in rows.groupby(["task", "labels"], sort=False):
        metric = "accuracy" if task == "classification" else "r2"
        index = ["table", "seed"]
        scores = part.pivot_table(index=index, columns="method", values=metric, sort=False)
        scores = scores.dropna().groupby(level="table").mean()
        seconds = part.pivot_table(index="method", values=["pretraining", "seconds"])
        comparison = compare(scores, PROBE).join(seconds["seconds"].round(1))
        n_seeds = part["seed"].nunique()
        print(f"\n## {metric}, {n_labels} labels: {len(scores)} tables, {count(n_seeds, 'seed')}\n")
        print(comparison.round(4).to_markdown())
        if task == "classification":
            means = part.pivot_table(index="method", values="log_loss", sort=False)["log_loss"]
            print(f"\nlog_loss: {means.round(3).to_dict()}")
        differences = scores.sub(scores[PROBE], axis=0).drop(columns=PROBE)
        print("\n" + differences.round(3).to_markdown())


def main() -> None:
    parser, runner, _ = run_and_report(__doc__, run, report, n_seeds=1)
    runner.add_argument("--methods", nargs="+", default=list(METHODS), type=check_method)
    runner.add_argument("--labels", nargs="+", default=["100", "500", "all"])
    runner.add_argument("--rows", type=int, default=5000, help="most training rows of a table")
    runner.add_argument("--weights", type=float, nargs="+", default=[0.0])
    arguments = parser.parse_args()
    arguments.command(arguments)


if __name__ == "__main__":
    main()
