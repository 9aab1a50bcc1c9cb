"""The processes that ``distributed.fit`` runs in, and what they exchange."""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from sklearn_ssl._compat import share_gradients
from sklearn_ssl._training.processes import LossOfBatch, OneProcess, T


class ManyProcesses(OneProcess):
    """The processes of torch's default group; all of them must make the same calls."""

    def __init__(self) -> None:
        self.rank = dist.get_rank()
        self.n_processes = dist.get_world_size()

    def share_gradients(self, pretext: nn.Module) -> LossOfBatch:
        # A table without categories has an empty matrix of codes, which no gradient reaches.
        has_unused = any(not parameter.numel() for parameter in pretext.parameters())
        return share_gradients(pretext, has_unused=has_unused).__call__

    @contextmanager
    def all_rows(self, task: nn.Module) -> Iterator[None]:
        # Only contrastive tasks compare rows; the others have no objective.
        objective = getattr(task, "objective", None)
        if objective is None:
            yield
            return
        task.objective = OnAllRows(objective)  # type: ignore[assignment]
        try:
            yield
        finally:
            task.objective = objective

    def mean(self, value: float) -> float:
        return sum(self.gather(value)) / self.n_processes

    def gather(self, value: T) -> list[T]:
        values: list[T | None] = [None] * self.n_processes
        dist.all_gather_object(values, value)
        return cast(list[T], values)

    def share(self, value: T) -> T:
        values = [value]
        dist.broadcast_object_list(values)
        return values[0]


class _RowsOfAll(torch.autograd.Function):
    """The rows of all processes, one below the other."""

    @staticmethod
    def forward(context: FunctionCtx, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)  # (n_rows of all processes, width)

    @staticmethod
    def backward(context: FunctionCtx, gradient: Tensor) -> Tensor:
        # Every process computes the same loss of the same rows, so its own gradient of its own
        # rows is all that it needs. The mean that follows divides by the number of processes.
        n_processes = dist.get_world_size()
        return n_processes * gradient.tensor_split(n_processes)[dist.get_rank()]


class OnAllRows:
    """An objective of two views whose batch is that of all processes together.

    Every process computes the loss of the whole batch. Averaged over the processes, the gradients
    are those of one process with all rows.

    Parameters
    ----------
    objective : callable
        Loss of two tensors of projected views, with the same number of rows in each process.
    """

    def __init__(self, objective: Callable[[Tensor, Tensor], Tensor]):
        self.objective = objective

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        # Held-out rows can differ in number between processes, and each measures its own.
        if torch.is_grad_enabled():
            # torch has no types for ``apply``.
            a = _RowsOfAll.apply(a)  # type: ignore[no-untyped-call]
            b = _RowsOfAll.apply(b)  # type: ignore[no-untyped-call]
        return self.objective(a, b)


@contextmanager
def started_processes(device: str) -> Iterator[ManyProcesses]:
    """Provide the processes of the caller's group, or those that torchrun has started."""
    is_own = not dist.is_initialized()
    if is_own:
        variables = ["RANK", "LOCAL_RANK"] if device == "cuda" else ["RANK"]
        if not os.environ.keys() >= set(variables):
            raise RuntimeError(
                "distributed.fit needs the processes of torchrun, which distinguish each other by "
                "RANK, LOCAL_RANK and WORLD_SIZE. Start the script by: torchrun --nproc-per-node 2 "
                "SCRIPT. In a single process, call the fit method of the estimator."
            )
        if device == "cuda":
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("cpu:gloo,cuda:nccl" if device == "cuda" else "gloo")
    processes = ManyProcesses()
    try:
        yield processes
    except RuntimeError as error:
        raise RuntimeError(
            f"Process {processes.rank} of {processes.n_processes} could not continue: {error} If a "
            "connection was closed or timed out, another process has ended, and its output states "
            "why. Start all of them again; with checkpoint_dir, the fit resumes from its last "
            "epoch."
        ) from error
    finally:
        # What averaged the gradients refers to itself and keeps the group alive. A thread of a
        # group that still lives when Python ends can abort the process
        # (https://github.com/pytorch/pytorch/pull/179291).
        gc.collect()
        if is_own:
            dist.destroy_process_group()
