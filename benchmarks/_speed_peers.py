"""Fits of other libraries on the same rows, with the same widths, epochs and batches."""

import torch
from _peers import HIDDEN, PEERS, WIDTH, Plan, quietly
from _speed_timing import ESTIMATORS, numbers, show, take_turns

BATCH = 256


def peers(n_rows: int, n_columns: int, n_epochs: int, repeats: int, names: list[str]) -> None:
    """Print the time of a fit of each library, and its ratio to ours."""
    torch.set_num_threads(1)
    X = numbers(n_rows, n_columns)
    sides, plan = dict(ours(X, n_epochs)), Plan(n_epochs, BATCH, seed=0)
    with quietly():
        there = [name for name in names if PEERS[name].is_installed()]
        sides |= {name: PEERS[name].prepare(X, plan) for name in there}
        seconds = take_turns(sides, repeats)
    rows = [{"fit": name, "s": s} for name, s in seconds.items()]
    for row in rows:
        name = row["fit"]
        reference = PEERS[name].compared_with if name in PEERS else "DenoisingAutoencoder"
        row |= {"compared with": reference, "ratio": row["s"] / seconds[reference]}
    print(
        f"\n{n_epochs} epochs over {n_rows} x {n_columns} numbers, batches of {BATCH}, 1 thread\n"
    )
    show(rows)
    absent = [name for name in names if name not in there]
    print(f"\nNot installed, so not measured: {', '.join(absent) or 'none'}.")


def ours(X, n_epochs):
    for name, estimator in ESTIMATORS.items():
        settings = {"hidden_layer_sizes": HIDDEN, "bottleneck_size": WIDTH, "batch_size": BATCH}
        model = estimator(**settings, max_iter=n_epochs, random_state=0, device="cpu")
        yield name, lambda model=model: model.fit(X)
