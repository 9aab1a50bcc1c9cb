"""Published figures, and ours beside them.

    python benchmarks/anchors.py festa --festa FOLDER --data FOLDER [FOLDER ...] --results R
    python benchmarks/anchors.py ts3l --data FOLDER [FOLDER ...] --results R
    python benchmarks/anchors.py talent --data FOLDER [FOLDER ...] --results R
    python benchmarks/anchors.py mnist --table mnist.parquet --results R

Each measures what its results do not hold yet and prints a table. ``--festa`` is a folder with
``festa_result.csv`` and ``festa_dataset_id.json`` of github.com/kyungeun-lee/festa; the other
figures are in ``_published.py`` with their sources. All of ours is with default parameters.
"""

import argparse
import sys
from pathlib import Path

import _anchor_festa as festa
import _anchor_tables as tables
from _anchor_parts import METHODS
from _methods import check_method

FESTA_METHODS = [
    "raw",
    "standardized",
    "RangeLimitedContrast",
    "MaskedFeaturePredictor",
    "DenoisingAutoencoder",
    "ContrastiveEmbedder",
]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    runs = {"festa": festa.run, "ts3l": tables.ts3l, "talent": tables.talent, "mnist": tables.mnist}
    for name, run in runs.items():
        command = commands.add_parser(name, help=run.__doc__)
        command.set_defaults(command=run)
        command.add_argument("--results", type=Path, required=True)
        command.add_argument("--jobs", type=int, default=1, help="tables and seeds at a time")
        add_options(name, command)
    arguments = parser.parse_args(argv)
    arguments.command(arguments)


def add_options(name: str, command: argparse.ArgumentParser) -> None:
    """The options of one anchor."""
    command.add_argument("--seeds", type=int, default=3 if name in ("festa", "talent") else 5)
    if name == "mnist":
        command.add_argument(
            "--table", type=Path, required=True, help="Parquet or CSV, a column target"
        )
        command.add_argument("--test-rows", type=int, default=2000)
        command.add_argument("--labels", type=int, default=1000)
    else:
        command.add_argument("--data", type=Path, required=True, nargs="+")
        command.add_argument("--tables", nargs="+")
    if name == "festa":
        command.add_argument("--festa", type=Path, required=True)
        command.add_argument("--draws", type=int, default=10, help="of the labels, on each split")
        command.add_argument("--methods", nargs="+", default=FESTA_METHODS, type=festa.check_method)
        return
    command.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    command.add_argument("--transformer", default="MaskedFeaturePredictor", type=check_method)
    if name == "talent":
        command.add_argument("--rows", type=int, default=20_000, help="most training rows")


if __name__ == "__main__":
    main(sys.argv[1:])
