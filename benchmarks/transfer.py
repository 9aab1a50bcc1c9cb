"""Does pretraining help? A linear probe with few labels on many features of many tables.

    python benchmarks/transfer.py run --data FOLDER --results results/transfer
    python benchmarks/transfer.py report --results results/transfer
    python benchmarks/transfer.py report --results results/transfer --against random_forest

``FOLDER`` holds ``index.csv`` (columns ``name`` and ``task``) and ``NAME.parquet`` with a column
``target``. Every method learns its features from the training rows without labels, at most 20,000;
a cross-validated, scaled logistic regression (ridge for regression) then sees the labeled rows,
and is scored on rows that neither has seen. A run continues where an earlier one ended.
``--methods "DenoisingAutoencoder:n_bins=1,embedding='last'"`` changes parameters. Methods that
begin with the same features, such as ``fine_tuned`` and ``fine_tuned_and_forest``, learn them once.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from _command_line import run_and_report
from _methods import (
    check_method,
    features_of,
    installed_methods,
    make_features,
    make_model,
    reads_features,
)
from _parts import write_part
from _probe import fit_probe, score
from _report import report, report_against
from _tables import draw_labeled, read_indexes, split_table
from joblib import Memory, Parallel, delayed

LABELS = ["50", "100", "500", "all"]
TASKS = ["classification", "regression"]


@dataclass(frozen=True)
class Job:
    """One method on one split of one table."""

    folder: Path
    table: str
    task: str
    seed: int
    method: str

    def measure(self, results: Path, labels: list[str], scoring: str) -> None:
        """Score the method with each number of labels that its part does not hold yet."""
        part = results / "parts" / f"{self.table}-{self.seed}-{self.method}.parquet"
        known = pd.read_parquet(part) if part.exists() else pd.DataFrame({"labels": []})
        missing = [n for n in labels if n not in set(known["labels"])]
        if not missing:
            return
        frame = pd.DataFrame(self.score_all_sizes(results, missing, scoring))
        frame = frame.assign(table=self.table, task=self.task, seed=self.seed, method=self.method)
        frame = pd.concat([known, frame], ignore_index=True) if len(known) else frame
        write_part(part, frame)
        print(f"{self.table} seed {self.seed} {self.method}", flush=True)

    def score_all_sizes(self, results: Path, labels: list[str], scoring: str) -> list[dict]:
        """Scores with each number of labels; the features are learned once."""
        split = split_table(self.folder, self.table, self.task, self.seed)
        name = features_of(self.method)
        learn_once = Memory(results / "features", verbose=0).cache(learn)
        features, seconds = learn_once(name, self.seed, split.X_train) if name else (None, 0.0)
        X_train, X_test = split.X_train, split.X_test
        if reads_features(self.method):
            X_train, X_test = features.transform(X_train), features.transform(X_test)
        rows = []
        for n_labels in labels:
            count = None if n_labels == "all" else int(n_labels)
            labeled = draw_labeled(split.y_train, count, self.task, self.seed)
            if labeled is None:
                rows.append({"labels": n_labels})
                continue
            started = time.perf_counter()
            X, y = getattr(X_train, "iloc", X_train)[labeled], split.y_train[labeled]
            if reads_features(self.method):
                model = fit_probe(X, y, self.task, self.seed, scoring)
            else:
                model = make_model(self.method, features, self.task, self.seed).fit(X, y)
            scores = score(model, X_test, split.y_test, self.task)
            spent = {"fit_seconds": seconds, "probe_seconds": time.perf_counter() - started}
            rows.append({"labels": n_labels, **spent, **scores})
        return rows


def learn(name: str, seed: int, X: pd.DataFrame) -> tuple[Any, float]:
    """Features fitted on the rows of a table, and the seconds that this took."""
    started = time.perf_counter()
    features = make_features(name, seed).fit(X)
    return features, time.perf_counter() - started


def run(arguments: argparse.Namespace) -> None:
    (arguments.results / "parts").mkdir(parents=True, exist_ok=True)
    index = read_indexes(arguments.data, arguments.tables)
    jobs = [
        Job(folder, name, task, seed, method)
        for seed in range(arguments.seeds)
        for name, task, folder in index[["task", "folder"]].itertuples()
        if task in arguments.tasks
        for method in arguments.methods
    ]
    Parallel(arguments.jobs)(
        delayed(job.measure)(arguments.results, arguments.labels, arguments.scoring) for job in jobs
    )


def print_report(arguments: argparse.Namespace) -> None:
    if arguments.against:
        report_against(arguments.results, arguments.against)
    else:
        report(arguments.results)


def main(argv: list[str] | None = None) -> None:
    parser, runner, reporter = run_and_report(__doc__, run, print_report, 5, n_folders="+")
    methods = installed_methods()
    runner.add_argument("--methods", nargs="+", default=methods, type=check_method)
    runner.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    runner.add_argument("--labels", nargs="+", default=LABELS)
    runner.add_argument(
        "--scoring",
        default="accuracy",
        choices=["accuracy", "neg_log_loss"],
        help="by what cross-validation chooses the penalty of logistic regression",
    )
    runner.add_argument("--jobs", type=int, default=1, help="methods at a time")
    reporter.add_argument("--against", help="a method, with which each other one is compared")
    arguments = parser.parse_args(argv)
    arguments.command(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
