"""An encoder of residual blocks: as deep as a task needs, and as easy to train as a shallow one."""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from sklearn_ssl._network.layers import Linear, RowInput
from sklearn_ssl._table.schema import Schema


def normalization(width: int) -> nn.Module:
    """Normalization within each row, in single precision whatever torch's default is."""
    # One unit alone would be normalized to a constant.
    return nn.LayerNorm(width, dtype=torch.float32) if width > 1 else nn.Identity()


class ResidualBlock(nn.Module):
    """Normalization within each row, a hidden layer, and the input added to what they give.

    Shape
    -----
    Input and output (n_rows, width).
    """

    def __init__(self, width: int, generator: Generator):
        super().__init__()
        self.norm = normalization(width)
        self.inner = Linear(width, width, generator)
        self.outer = Linear(width, width, generator)
        # A block that begins as the identity leaves the first steps to the layers around it.
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        inner = self.inner(self.norm(hidden))
        change: Tensor = self.outer(F.silu(inner))  # (n_rows, width)
        return hidden + change


class ResidualEncoder(nn.Module):
    """Residual blocks between the reading of a row and its embedding.

    Shape
    -----
    Input (n_rows, n_numeric) and (n_rows, n_categorical), output (n_rows, width).
    """

    def __init__(self, schema: Schema, width: int, n_blocks: int, generator: Generator):
        super().__init__()
        self.rows = RowInput(schema, width, generator)
        blocks = [ResidualBlock(width, generator) for _ in range(n_blocks)]
        self.blocks = nn.Sequential(*blocks)
        self.norm = normalization(width)

    def forward(self, numeric: Tensor, codes: Tensor) -> Tensor:
        hidden = self.rows(numeric, codes)
        return F.silu(self.norm(self.blocks(hidden)))
