"""One fit, many tasks: how good is each next to the tools that were made for it?

    python benchmarks/tasks.py run outliers --data FOLDER --results results/outliers
    python benchmarks/tasks.py report outliers --results results/outliers

The tasks are ``downstream``, ``impute``, ``outliers`` and ``similar``; each is a module
``_task_NAME.py``, whose docstring states its protocol. ``FOLDER`` holds ``index.csv`` (columns
``name`` and ``task``) and ``NAME.parquet`` with a column ``target``; for ``outliers`` it may hold
tables ``NAME.npz`` of ADBench instead. A run continues where an earlier one ended.
"""

import argparse
import sys
from pathlib import Path

import _task_downstream
import _task_impute
import _task_outliers
import _task_similar
from _parts import read_parts, write_part
from joblib import Parallel, delayed

TASKS = {
    "downstream": _task_downstream,
    "impute": _task_impute,
    "outliers": _task_outliers,
    "similar": _task_similar,
}


def measure(task: str, folder: Path, parts: Path, table: str, seed: int, method: str) -> None:
    """Measure one method on one table, and write the part that holds its scores."""
    part = parts / f"{table}-{seed}-{method}.parquet"
    if part.exists():
        return
    frame = TASKS[task].measure(folder, table, seed, method)
    write_part(part, frame.assign(table=table, seed=seed, method=method))
    print(f"{table} seed {seed} {method}", flush=True)


def run(arguments: argparse.Namespace) -> None:
    task = TASKS[arguments.task]
    parts = arguments.results / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    methods = arguments.methods or task.installed_methods()
    unknown = sorted(set(methods) - set(task.METHODS))
    if unknown:
        raise SystemExit(f"--methods names {unknown}; {arguments.task} has {list(task.METHODS)}.")
    jobs = [
        (table, seed, method)
        for seed in range(arguments.seeds)
        for method in methods
        for table in task.table_names(arguments.data, arguments.tables)
    ]
    Parallel(arguments.jobs)(
        delayed(measure)(arguments.task, arguments.data, parts, *job) for job in jobs
    )


def report(arguments: argparse.Namespace) -> None:
    TASKS[arguments.task].report(read_parts(arguments.results), arguments.results)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    runner = commands.add_parser("run", help="measure what has not been measured yet")
    reporter = commands.add_parser("report", help="print what was measured, and draw a figure")
    for command, function in ((runner, run), (reporter, report)):
        command.add_argument("task", choices=TASKS)
        command.add_argument("--results", type=Path, required=True)
        command.set_defaults(command=function)
    runner.add_argument("--data", type=Path, required=True)
    runner.add_argument("--tables", nargs="+", help="names; all of the folder by default")
    runner.add_argument("--methods", nargs="+", help="names; all that are installed by default")
    runner.add_argument("--seeds", type=int, default=1)
    runner.add_argument("--jobs", type=int, default=1, help="measurements at a time")
    arguments = parser.parse_args(argv)
    arguments.command(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
