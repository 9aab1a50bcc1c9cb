"""The command line of studies that are run, can be continued, and are reported."""

import argparse
from collections.abc import Callable
from pathlib import Path

Command = Callable[[argparse.Namespace], None]


def run_and_report(
    description: str | None,
    run: Command,
    report: Command,
    n_seeds: int,
    n_folders: str | None = None,
) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser, argparse.ArgumentParser]:
    """The parser of both commands, that of ``run`` and that of ``report``, to take more options.

    With ``n_folders="+"`` the option ``--data`` takes several folders.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    runner = commands.add_parser("run", help="measure what has not been measured yet")
    runner.add_argument("--data", type=Path, required=True, nargs=n_folders)
    runner.add_argument("--tables", nargs="+", help="names; all of index.csv by default")
    runner.add_argument("--seeds", type=int, default=n_seeds)
    runner.set_defaults(command=run)
    reporter = commands.add_parser("report", help="print what was measured")
    reporter.set_defaults(command=report)
    for command in (runner, reporter):
        command.add_argument("--results", type=Path, required=True)
    return parser, runner, reporter
