"""How many threads a step of training is worth."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

PRODUCTS_PER_THREAD = 2**29
"""Multiplications and additions of the matrices of a step that are worth a thread.

Threads of torch wait for one another after every matrix, and on a busy machine they wait long. With
less work, a step takes several times as long with two threads as with one.
"""


def n_threads_for(n_rows: int, n_weights: int, n_available: int) -> int:
    """Threads for steps of ``n_rows`` rows through matrices of ``n_weights`` weights in all.

    The number depends on nothing that changes from one fit to the next, such as the load of the
    machine: sums that several threads share are rounded differently, and a fit must be repeatable.
    """
    return max(1, min(n_available, n_rows * n_weights // PRODUCTS_PER_THREAD))


@contextmanager
def threads_for(module: nn.Module, batch_size: int, device: str) -> Iterator[int]:
    """Use as many threads as the steps are worth, never more than the user allows.

    Parameters
    ----------
    module : nn.Module
        What is trained.

    batch_size : int
        Rows of a step.

    device : str
        Device of the steps; on other devices than the CPU, the number of threads does not change.

    Yields
    ------
    n_threads : int
        Threads in use within the context; the user's number is restored after it.
    """
    n_weights = sum(weight.numel() for weight in module.parameters() if weight.ndim == 2)
    n_before = torch.get_num_threads()
    n_threads = n_threads_for(batch_size, n_weights, n_before)
    if n_threads == n_before or device != "cpu":
        yield n_before
        return
    torch.set_num_threads(n_threads)
    try:
        yield n_threads
    finally:
        torch.set_num_threads(n_before)
