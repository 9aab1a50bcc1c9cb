"""How fast the library is, as ratios measured within one run; results are in SPEED.md.

    OMP_NUM_THREADS=1 python benchmarks/speed.py epoch --rows 1000 10000 100000

Every command prints a table. Sides that are compared take turns, and ratios are those of their
median times.
"""

import argparse
from pathlib import Path

from _peers import PEERS
from _speed_epoch import epoch
from _speed_fits import memory, scaling, search, startup
from _speed_peers import peers
from _speed_tables import encode, transform
from _speed_ways import ways


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("epoch", help="a pass against a hand-written torch loop")
    command.set_defaults(run=epoch)
    command.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    command.add_argument("--columns", type=int, dest="n_columns", default=64)
    command.add_argument("--batch-size", type=int, default=256)
    command.add_argument("--steps", type=int, default=100, help="least steps of a measurement")
    command.add_argument("--repeats", type=int, default=7)
    command.add_argument("--threads", type=int, default=1)

    command = commands.add_parser("ways", help="compiled, in half precision, in larger batches")
    command.set_defaults(run=ways)
    command.add_argument("--rows", type=int, dest="n_rows", default=10_000)
    command.add_argument("--columns", type=int, dest="n_columns", default=64)
    command.add_argument("--batch-size", type=int, default=256)
    command.add_argument("--threads", type=int, default=1)
    command.add_argument("--repeats", type=int, default=5)

    command = commands.add_parser("transform", help="embedding against its matrix products")
    command.set_defaults(run=transform)
    command.add_argument("--rows", type=int, dest="n_rows", default=50_000)
    command.add_argument("--columns", type=int, dest="n_columns", default=64)
    command.add_argument("--repeats", type=int, default=7)
    command.add_argument("--threads", type=int, default=1)

    command = commands.add_parser("encode", help="a mixed table against a ColumnTransformer")
    command.set_defaults(run=encode)
    command.add_argument("--data", type=Path, required=True, help="folder of Parquet files")
    command.add_argument("--name", default="adult", help="file without its ending")
    command.add_argument("--rows", type=int, dest="n_rows", default=1_000_000)
    command.add_argument("--repeats", type=int, default=3)

    command = commands.add_parser("startup", help="one pass over 200 rows; imports")
    command.set_defaults(run=startup)
    command.add_argument("--repeats", type=int, default=9)

    command = commands.add_parser("memory", help="peak of a fit against the encoded table")
    command.set_defaults(run=memory)
    command.add_argument("--rows", type=int, dest="n_rows", default=500_000)
    command.add_argument("--columns", type=int, dest="n_columns", default=64)

    command = commands.add_parser("scaling", help="time of a pass in rows, columns, categories")
    command.set_defaults(run=scaling)
    command.add_argument("--figure", type=Path, help="file to draw the plot to")
    command.add_argument("--most-rows", type=int, default=100_000)

    command = commands.add_parser("search", help="GridSearchCV(n_jobs=2): cost and threads")
    command.set_defaults(run=search)
    command.add_argument("--repeats", type=int, default=3)

    command = commands.add_parser("peers", help="fits of other libraries that are installed")
    command.set_defaults(run=peers)
    command.add_argument("--rows", type=int, dest="n_rows", default=10_000)
    command.add_argument("--columns", type=int, dest="n_columns", default=64)
    command.add_argument("--repeats", type=int, default=5)
    command.add_argument("--passes", type=int, dest="n_passes", default=10)
    command.add_argument("--peers", nargs="+", dest="names", default=[*PEERS], choices=PEERS)

    options = vars(parser.parse_args())
    del options["command"]
    options.pop("run")(**options)


if __name__ == "__main__":
    main()
