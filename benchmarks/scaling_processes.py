"""What several processes cost and gain, against a model of the cost; results in docs/scaling.md.

    python benchmarks/scaling_processes.py measure
    python benchmarks/scaling_processes.py predict

``measure`` starts one and two processes in turns, by torchrun, each with one thread.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from skorch.callbacks import Callback

from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, distributed

ESTIMATORS = {
    estimator.__name__: estimator for estimator in (DenoisingAutoencoder, ContrastiveEmbedder)
}


# The model


def n_weights(name: str, n_columns: int, widths: tuple[int, ...], n_components: int) -> int:
    """Weights of the layers; biases and norms are left out."""
    sizes = [n_columns, *widths, n_components]
    encoder = sum(a * b for a, b in pairwise(sizes))
    return 2 * encoder if name == "DenoisingAutoencoder" else encoder + n_components * 128 + 128**2


def flops_of_step(name: str, weights: int, batch: int, n_processes: int, width: int = 128) -> float:
    """Operations of a process in a step: 2 forward and 4 backward a weight, row and view."""
    if name == "DenoisingAutoencoder":
        return 6 * weights * batch / n_processes
    # Every process compares all rows of the batch with each other.
    return 2 * 6 * weights * batch / n_processes + 6 * batch**2 * width


def bytes_of_step(name: str, weights: int, batch: int, n_processes: int, width: int = 128) -> float:
    """Bytes that a process sends in a step: gradients on a ring, and its projected views."""
    share = (n_processes - 1) / n_processes
    gradients = 2 * share * 4 * weights
    return gradients + (2 * share * 4 * batch * width if name == "ContrastiveEmbedder" else 0)


# Measuring


class Clock(Callback):
    """Seconds and bytes of every epoch after the first."""

    def on_epoch_begin(self, net, **kwargs):  # noqa: D102
        self.started_ = time.perf_counter(), time.process_time(), bytes_on_loopback()

    def on_epoch_end(self, net, **kwargs):  # noqa: D102
        now = time.perf_counter(), time.process_time(), bytes_on_loopback()
        taken = [after - before for before, after in zip(self.started_, now, strict=True)]
        self.passes_ = [*getattr(self, "passes_", []), taken]


def bytes_on_loopback() -> int:
    for line in Path("/proc/net/dev").read_text(encoding="utf-8").splitlines():
        if line.strip().startswith("lo:"):
            return int(line.split(":")[1].split()[8])
    return 0


def fit_in_this_process(options: argparse.Namespace) -> None:
    """What torchrun starts: a fit on this process's share of the rows."""
    rows, columns = options.rows, options.columns
    torch.set_num_threads(1)
    rank, n_processes = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    X = np.random.default_rng(rank).normal(size=(rows // n_processes, columns)).astype(np.float32)
    clock = Clock()
    embedder = ESTIMATORS[options.name](
        batch_size=options.batch_size,
        max_iter=options.epochs + 1,
        random_state=0,
        device="cpu",
        callbacks=[clock],
    )
    distributed.fit(embedder, X)
    if not rank:
        print(json.dumps(clock.passes_[1:]), flush=True)


def run(name: str, n_processes: int, options: argparse.Namespace) -> np.ndarray:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n_processes)]
    settings = [name, options.rows, options.columns, options.batch_size, options.epochs]
    root = str(Path(__file__).parent.parent)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, *launcher, __file__, "fit", *map(str, settings)],
        env={"GLOO_SOCKET_IFNAME": "lo", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return np.array(json.loads(done.stdout.splitlines()[-1]))


def products_per_second(batch: int, width: int = 256) -> float:
    """Operations per second of the processor in a product as large as those of a hidden layer."""
    torch.set_num_threads(1)
    a, b = torch.randn(batch, width), torch.randn(width, width)
    start, repeats = time.process_time(), 0
    while time.process_time() - start < 0.5:
        a @ b
        repeats += 1
    return 2 * batch * width**2 * repeats / (time.process_time() - start)


def measure(options: argparse.Namespace) -> None:
    """Print seconds of an epoch on one and on two processes, and what the model says of them."""
    rows = []
    rate = products_per_second(options.batch_size // 2)
    for name in ESTIMATORS:
        found: dict[int, list[np.ndarray]] = {1: [], 2: []}
        for _ in range(options.repeats):
            for n_processes in found:
                found[n_processes].append(run(name, n_processes, options))
        weights = n_weights(name, options.columns, (256, 256, 256), 64)
        n_steps = -(-options.rows // options.batch_size)
        for n_processes, parts in found.items():
            wall, cpu, sent = np.median(np.concatenate(parts), axis=0)
            model = weights, options.batch_size, n_processes
            flops = n_steps * flops_of_step(name, *model)
            rows.append(
                {
                    "estimator": name,
                    "processes": n_processes,
                    "s an epoch": wall,
                    "s of a processor an epoch": cpu,
                    "GFLOP an epoch, model": flops / 1e9,
                    "share of them in products alone": flops / rate / cpu,
                    "MB a step, model": n_processes * bytes_of_step(name, *model) / 1e6,
                    "MB a step, measured": sent / n_steps / 1e6,
                }
            )
    print(
        f"\n{options.rows} x {options.columns} numbers, batches of {options.batch_size}, default "
        f"networks; products alone run at {rate / 1e9:.1f} GFLOP/s; load {os.getloadavg()[0]:.1f}\n"
    )
    print(pd.DataFrame(rows).to_markdown(index=False, floatfmt=".3g"))


# Predicting


def predict(options: argparse.Namespace) -> None:
    """Print what the model says of many rows on 8 and on 64 GPUs; the rates are assumed."""
    rows = []
    for name in ESTIMATORS:
        weights = n_weights(name, options.columns, (256, 256, 256), 64)
        for n_gpus in (8, 64):
            batch = options.batch_size
            sent = bytes_of_step(name, weights, batch, n_gpus)
            seconds = {
                "products": flops_of_step(name, weights, batch, n_gpus) / options.flops,
                "launches": options.launch,
                "network": sent / (options.nvlink if n_gpus <= 8 else options.network),
            }
            n_steps = -(-options.rows // batch)
            rows.append(
                {
                    "estimator": name,
                    "GPUs": n_gpus,
                    "batch": batch,
                    "steps an epoch": n_steps,
                    "GB a GPU": options.rows * options.columns * 4 / n_gpus / 1e9,
                    "MB a step sent": sent / 1e6,
                    **{f"ms {part}": 1e3 * value for part, value in seconds.items()},
                    "minutes an epoch": n_steps * sum(seconds.values()) / 60,
                }
            )
    print(pd.DataFrame(rows).to_markdown(index=False, floatfmt=".3g"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("measure", help="one and two processes, in turns")
    command.set_defaults(run=measure)
    command.add_argument("--rows", type=int, default=20_000)
    command.add_argument("--columns", type=int, default=64)
    command.add_argument("--batch-size", type=int, default=512)
    command.add_argument("--epochs", type=int, default=3)
    command.add_argument("--repeats", type=int, default=3)
    command = commands.add_parser("predict", help="many rows on 8 and 64 GPUs")
    command.set_defaults(run=predict)
    command.add_argument("--rows", type=int, default=10**9)
    command.add_argument("--columns", type=int, default=64)
    command.add_argument("--batch-size", type=int, default=8192, help="rows of all GPUs in a step")
    command.add_argument("--flops", type=float, default=30e12, help="operations a second, assumed")
    command.add_argument("--launch", type=float, default=3e-3, help="s a step, assumed")
    command.add_argument("--nvlink", type=float, default=200e9, help="bytes a second, assumed")
    command.add_argument("--network", type=float, default=20e9, help="bytes a second, assumed")
    command = commands.add_parser("fit", help="what measure starts")
    command.set_defaults(run=fit_in_this_process)
    command.add_argument("name")
    for number in ("rows", "columns", "batch_size", "epochs"):
        command.add_argument(number, type=int)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
