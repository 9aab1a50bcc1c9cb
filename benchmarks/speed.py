"""How fast the library is, as ratios measured within one run; results are in SPEED.md.

    OMP_NUM_THREADS=1 python benchmarks/speed.py epoch --rows 1000 10000 100000

Every command prints a table. Sides that are compared take turns, and ratios are those of their
median times.
"""

import argparse

from _speed_epoch import epoch


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("epoch", help="a pass against a hand-written torch loop")
    command.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    command.add_argument("--columns", type=int, default=64)
    command.add_argument("--batch-size", type=int, default=256)
    command.add_argument("--steps", type=int, default=100, help="least steps of a measurement")
    command.add_argument("--repeats", type=int, default=7)
    command.add_argument("--threads", type=int, default=1)

    options = vars(parser.parse_args())
    command = options.pop("command")
    if command == "epoch":
        epoch(options.pop("rows"), options.pop("columns"), **options)


if __name__ == "__main__":
    main()
