"""Does pretraining help? A linear probe with few labels on many features of many tables.

    python benchmarks/transfer.py run --data FOLDER --results results/transfer
    python benchmarks/transfer.py report --results results/transfer
    python benchmarks/transfer.py report --results results/transfer --against random_forest

``FOLDER`` holds ``index.csv`` (columns ``name`` and ``task``) and ``NAME.parquet`` with a column
``target``. Every method learns its features from the training rows without labels, at most 20,000;
a cross-validated, scaled logistic regression (ridge for regression) then sees the labeled rows,
and is scored on rows that neither has seen. A run continues where an earlier one ended.
``--methods "DenoisingAutoencoder:n_bins=1,output='bottleneck'"`` changes parameters, and
``fine_tuned+random_forest`` is the mean of the probabilities (predictions for regression) of two.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from _command_line import run_and_report
from _methods import check_method, installed_methods, parts_of
from _parts import write_part
from _predictions import predict_test_rows
from _probe import score_output
from _report import report, report_against
from _tables import MOST_TRAINING_ROWS, read_indexes, split_table
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
    most_rows: int

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
        """Scores with each number of labels."""
        split = split_table(self.folder, self.table, self.task, self.seed, self.most_rows)
        memory = Memory(results / "memory", verbose=0)
        predict_once = memory.cache(predict_test_rows, ignore=["split", "memory"])
        rows = []
        for n_labels in labels:
            predictions = [
                predict_once(
                    self.table, self.task, self.seed, part, n_labels, scoring, split, memory
                )
                for part in parts_of(self.method)
            ]
            if None in predictions:
                rows.append({"labels": n_labels})
                continue
            # All of them have seen the same labels, and know the same classes.
            output = np.mean([each.output for each in predictions], axis=0)
            scores = score_output(output, predictions[0].classes, split.y_test, self.task)
            spent = {
                "fit_seconds": sum(each.fit_seconds for each in predictions),
                "probe_seconds": sum(each.probe_seconds for each in predictions),
            }
            rows.append({"labels": n_labels, **spent, **scores})
        return rows


def run(arguments: argparse.Namespace) -> None:
    (arguments.results / "parts").mkdir(parents=True, exist_ok=True)
    index = read_indexes(arguments.data, arguments.tables)
    jobs = [
        Job(folder, name, task, seed, method, arguments.rows)
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
    runner.add_argument(
        "--rows",
        type=int,
        default=MOST_TRAINING_ROWS,
        help="most training rows; another number needs results of its own",
    )
    runner.add_argument("--jobs", type=int, default=1, help="methods at a time")
    reporter.add_argument("--against", help="a method, with which each other one is compared")
    arguments = parser.parse_args(argv)
    arguments.command(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
