"""Does pretraining help? A linear probe with few labels on many features of many tables.

    python benchmarks/transfer.py run --data FOLDER --results results/transfer
    python benchmarks/transfer.py report --results results/transfer

``FOLDER`` holds ``index.csv`` (columns ``name`` and ``task``) and ``NAME.parquet`` with a column
``target``. Every method learns its features from the training rows without labels, at most 20,000;
a cross-validated, scaled logistic regression (ridge for regression) then sees the labeled rows,
and is scored on rows that neither has seen. A run continues where an earlier one ended.
``--methods "DenoisingAutoencoder:n_bins=1,embedding='last'"`` changes parameters.
"""

import argparse
import sys
import time
from pathlib import Path

import pandas as pd
from _command_line import run_and_report
from _methods import (
    check_method,
    installed_methods,
    is_supervised,
    make_features,
    make_supervised,
)
from _parts import write_part
from _probe import fit_probe, score
from _report import report
from _tables import Split, draw_labeled, read_index, split_table
from joblib import Parallel, delayed

LABELS = ["50", "100", "500", "all"]


def measure(
    folder: Path, parts: Path, name: str, task: str, seed: int, method: str, labels, scoring: str
):
    """Score one method on one split of one table, and write the part that says so."""
    part = parts / f"{name}-{seed}-{method}.parquet"
    known = pd.read_parquet(part) if part.exists() else pd.DataFrame({"labels": []})
    missing = [n for n in labels if n not in set(known["labels"])]
    if not missing:
        return
    split = split_table(folder, name, task, seed)
    rows = score_all_sizes(split, task, seed, method, missing, scoring)
    frame = pd.DataFrame(rows).assign(table=name, task=task, seed=seed, method=method)
    frame = pd.concat([known, frame], ignore_index=True) if len(known) else frame
    write_part(part, frame)
    print(f"{name} seed {seed} {method}", flush=True)


def score_all_sizes(
    split: Split, task: str, seed: int, method: str, labels, scoring: str
) -> list[dict]:
    """Scores with each number of labels; the features are learned once."""
    started = time.perf_counter()
    if not is_supervised(method):
        features = make_features(method, seed).fit(split.X_train)
        seconds = time.perf_counter() - started
        Z_train, Z_test = features.transform(split.X_train), features.transform(split.X_test)
    rows = []
    for n_labels in labels:
        count = None if n_labels == "all" else int(n_labels)
        labeled = draw_labeled(split.y_train, count, task, seed)
        if labeled is None:
            rows.append({"labels": n_labels})
            continue
        y = split.y_train[labeled]
        started = time.perf_counter()
        if not is_supervised(method):
            model = fit_probe(Z_train[labeled], y, task, seed, scoring)
            scores = score(model, Z_test, split.y_test, task)
        else:
            seconds = 0.0
            model = make_supervised(method, task, seed).fit(split.X_train.iloc[labeled], y)
            scores = score(model, split.X_test, split.y_test, task)
        spent = time.perf_counter() - started
        rows.append({"labels": n_labels, "fit_seconds": seconds, "probe_seconds": spent, **scores})
    return rows


def run(arguments: argparse.Namespace) -> None:
    parts = arguments.results / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    index = read_index(arguments.data, arguments.tables)
    jobs = [
        (name, task, seed, method)
        for seed in range(arguments.seeds)
        for method in arguments.methods
        for name, task in index["task"].items()
    ]
    Parallel(arguments.jobs)(
        delayed(measure)(arguments.data, parts, *job, arguments.labels, arguments.scoring)
        for job in jobs
    )


def main(argv: list[str] | None = None) -> None:
    parser, runner, _ = run_and_report(__doc__, run, lambda a: report(a.results), n_seeds=5)
    methods = installed_methods()
    runner.add_argument("--methods", nargs="+", default=methods, type=check_method)
    runner.add_argument("--labels", nargs="+", default=LABELS)
    runner.add_argument(
        "--scoring",
        default="accuracy",
        choices=["accuracy", "neg_log_loss"],
        help="by what cross-validation chooses the penalty of logistic regression",
    )
    runner.add_argument("--jobs", type=int, default=1, help="tables at a time")
    arguments = parser.parse_args(argv)
    arguments.command(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
