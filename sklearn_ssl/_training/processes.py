"""The processes that share a fit: one by default; ``_process_group`` has the others."""

from collections.abc import Callable
from typing import Any

from torch import nn


class OneProcess:
    """What the training loop asks of the processes of a fit, where there is only one."""

    rank = 0
    n_processes = 1

    def share_gradients(self, pretext: nn.Module) -> Callable[..., Any]:
        """The call of a pretext task after which gradients are means over the processes."""
        return pretext.__call__

    def mean(self, value: float) -> float:
        """Mean of a number over the processes."""
        return value

    def gather(self, value: Any) -> list[Any]:
        """The values that the processes give, in their order."""
        return [value]

    def share(self, value: Any) -> Any:
        """The value that the first process gives."""
        return value
