"""The processes that share a fit: one by default; ``process_group`` has the others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor, nn

LossOfBatch: TypeAlias = Callable[[tuple[Tensor, ...], torch.Generator], Tensor]
"""What a pretext task is when it is called."""

T = TypeVar("T")


class OneProcess:
    """What the training loop needs of the processes of a fit; here there is only one."""

    rank = 0
    n_processes = 1

    def share_gradients(self, pretext: nn.Module) -> LossOfBatch:
        """The call of a pretext task whose gradients are means over the processes."""
        return pretext.__call__

    @contextmanager
    def all_rows(self, task: nn.Module) -> Iterator[None]:
        """Let objectives that compare rows see those of all processes."""
        yield

    def mean(self, value: float) -> float:
        """Mean of a number over the processes."""
        return value

    def gather(self, value: T) -> list[T]:
        """The values of all processes, in their order."""
        return [value]

    def share(self, value: T) -> T:
        """The value of the first process."""
        return value
