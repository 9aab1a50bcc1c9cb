"""How fast the library is, as ratios measured within one run; results are in results/speed.md.

    OMP_NUM_THREADS=1 python benchmarks/speed.py epoch --rows 1000 10000 100000

Every command prints a table. Sides that are compared take turns, and ratios are those of their
median times.
"""

import argparse
from pathlib import Path

from _peers import PEERS
from _speed_devices import devices
from _speed_epoch import epoch
from _speed_fits import fits, memory, scaling, search, startup
from _speed_neighbors import neighbors
from _speed_peers import peers
from _speed_tables import encode, rows, transform
from _speed_ways import ways


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)

    def add(run, text, **defaults):
        """A command of the function's name, with an option of the default's type for each."""
        command = commands.add_parser(run.__name__, help=text)
        command.set_defaults(run=run)
        for name, default in defaults.items():
            option = "--" + name.removeprefix("n_").replace("_", "-")
            command.add_argument(option, dest=name, type=type(default), default=default)
        return command

    batches = {"n_columns": 64, "batch_size": 256, "threads": 1}
    command = add(epoch, "an epoch against a hand-written torch loop", **batches, repeats=7)
    command.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    command.add_argument("--steps", type=int, default=100, help="least steps of a measurement")
    command.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    text = "a GPU against the processor; batches of 0 rows are of the default size"
    command = add(devices, text, n_columns=64, batch_size=0, threads=1, repeats=3)
    command.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    text = "compiled, in half precision, in larger batches"
    add(ways, text, n_rows=10_000, **batches, repeats=5)
    text = "embedding against its matrix products"
    add(transform, text, n_rows=50_000, n_columns=64, repeats=7, threads=1)
    text = "a mixed table against a ColumnTransformer"
    command = add(encode, text, name="adult", n_rows=1_000_000, repeats=3)
    command.add_argument("--data", type=Path, required=True, help="folder of Parquet files")
    text = "memory and time of scoring outliers and of filling in, ten times the rows"
    add(rows, text, most_rows=1_000_000, n_columns=50)
    text = "exact and approximate neighbors among many rows; needs pynndescent"
    command = add(neighbors, text, n_columns=50)
    command.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    text = "seconds of default fits, and of an epoch over and an embedding of many rows"
    add(fits, text, n_rows=20_000, most_rows=1_000_000, n_columns=50, threads=2)
    add(startup, "one epoch over 200 rows; imports", repeats=9)
    add(memory, "peak of a fit against the encoded table", n_rows=500_000, n_columns=64)
    command = add(scaling, "time of an epoch in rows, columns, categories", most_rows=100_000)
    command.add_argument("--figure", type=Path, help="file to draw the plot to")
    add(search, "GridSearchCV(n_jobs=2): cost and threads", repeats=3)
    text = "fits of other libraries that are installed"
    command = add(peers, text, n_rows=10_000, n_columns=64, n_epochs=10, repeats=5)
    command.add_argument("--peers", nargs="+", dest="names", default=[*PEERS], choices=PEERS)

    options = vars(parser.parse_args())
    options.pop("run")(**options)


if __name__ == "__main__":
    main()
