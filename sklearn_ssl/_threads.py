"""How many threads the work is worth: those of torch, and those of NumPy and SciPy."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Lock, local

import torch
from threadpoolctl import ThreadpoolController
from torch import nn

PRODUCTS_PER_THREAD = 2**30
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
def torch_threads(n_threads: int) -> Iterator[None]:
    """Let torch use so many threads, and restore the number."""
    n_before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(n_before)


def share_rows(work: Callable[[slice], None], n_rows: int, part_size: int) -> None:
    """Do a work for all rows, part by part, in as many threads as torch may use.

    Torch's own threads meet after every product, and wait in busy loops. Beside two other
    processes, ``transform`` of 569 rows took 1.0 s with two of them and 0.04 s with one. These
    threads meet once, at the end, and each works with one thread of torch.

    Parameters
    ----------
    work : callable
        Called with the slice of the rows of a part; parts are worked on at the same time.

    n_rows : int
        Number of rows.

    part_size : int
        Rows of a part.
    """
    parts = [slice(start, min(start + part_size, n_rows)) for start in range(0, n_rows, part_size)]
    n_workers = min(torch.get_num_threads(), len(parts))
    with torch_threads(1):
        if n_workers < 2:
            for part in parts:
                work(part)
            return
        # New threads take over the number of torch's threads that is set now.
        with ThreadPoolExecutor(n_workers) as pool:
            for _ in pool.map(work, parts):
                # An error in a part is raised here.
                pass


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
        Threads in use within the context; the number before it is restored.
    """
    if device != "cpu":
        yield torch.get_num_threads()
        return
    n_weights = sum(weight.numel() for weight in module.parameters() if weight.ndim == 2)
    n_threads = n_threads_for(batch_size, n_weights, one_thread.n_available())
    with torch_threads(n_threads):
        yield n_threads


class OneThread:
    """A context in which torch, NumPy and SciPy use one thread each.

    Each of them keeps threads of its own, which stay busy for a while after a product in case
    another follows. A fit goes to and fro between them: with two processors, the threads that wait
    take them from those that compute, and a small fit takes ten times as long. Only the steps of
    training, most of the work of a fit, can be worth more threads (``threads_for``).

    The number of threads of NumPy and SciPy is that of the whole process. Fits in several threads
    of Python therefore count: the first one notes the setting of the user, and the last one
    restores it. The number of torch belongs to the thread of Python that sets it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._n_inside = 0
        self._of_torch = local()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        if hasattr(self._of_torch, "n_available"):
            # A fit within a fit, such as the pretraining of a fine-tuned estimator.
            yield
            return
        self._enter()
        self._of_torch.n_available = torch.get_num_threads()
        try:
            with torch_threads(1):
                yield
        finally:
            self._leave()
            del self._of_torch.n_available

    def n_available(self) -> int:
        """Threads that the user allows torch."""
        n_available: int = getattr(self._of_torch, "n_available", torch.get_num_threads())
        return n_available

    def _enter(self) -> None:
        with self._lock:
            if not self._n_inside:
                self._limit = _matrix_libraries().limit(limits=1)
            self._n_inside += 1

    def _leave(self) -> None:
        with self._lock:
            self._n_inside -= 1
            if not self._n_inside:
                self._limit.restore_original_limits()


@cache
def _matrix_libraries() -> ThreadpoolController:
    """The libraries that multiply matrices for NumPy and SciPy; to look for them takes 4 ms."""
    return ThreadpoolController().select(user_api="blas")


one_thread = OneThread()
"""The context of every fit; one object, since some numbers of threads belong to the process."""
