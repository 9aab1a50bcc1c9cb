"""Encoders for ``encoder=``: a residual network, and attention over columns."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklearn_ssl._table.schema import Schema


class ColumnTokens(nn.Module):
    """A vector for every cell: a number times a direction of its column, or one of a category.

    Shape
    -----
    Input (n_rows, n_numeric) and (n_rows, n_categorical), output (n_rows, n_columns, width).
    """

    def __init__(self, schema: Schema, width: int):
        super().__init__()
        self.direction = nn.Parameter(torch.randn(schema.n_numeric, width) / width**0.5)
        self.origin = nn.Parameter(torch.zeros(schema.n_numeric, width))
        self.missing = nn.Parameter(torch.randn(schema.n_numeric, width) / width**0.5)
        self.codes = nn.ModuleList(nn.Embedding(size, width) for size in schema.cardinalities)

    def forward(self, numeric: Tensor, codes: Tensor) -> Tensor:
        cells = numeric.nan_to_num(0.0)[:, :, None] * self.direction + self.origin
        numbers = torch.where(numeric.isnan()[:, :, None], self.missing, cells)
        names = [table(codes[:, k].long()) for k, table in enumerate(self.codes)]
        return torch.cat([numbers, *(name[:, None] for name in names)], dim=1)


class ResidualNetwork(nn.Module):
    """Residual blocks on the sum of the cells (Gorishniy et al., 2021)."""

    def __init__(self, schema: Schema, hidden_layer_sizes: tuple[int, ...], bottleneck_size: int):
        super().__init__()
        width = hidden_layer_sizes[0]
        self.tokens = ColumnTokens(schema, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in hidden_layer_sizes)
        self.inner = nn.ModuleList(nn.Linear(width, 2 * width) for _ in hidden_layer_sizes)
        self.outer = nn.ModuleList(nn.Linear(2 * width, width) for _ in hidden_layer_sizes)
        self.last = nn.Linear(width, bottleneck_size)

    def layers(self, numeric: Tensor, codes: Tensor) -> list[Tensor]:
        hidden = self.tokens(numeric, codes).sum(dim=1)  # (n_rows, width)
        layers = []
        for norm, inner, outer in zip(self.norms, self.inner, self.outer, strict=True):
            hidden = hidden + outer(F.silu(inner(norm(hidden))))
            layers.append(hidden)
        return [self.last(hidden), *layers]


class ColumnAttention(nn.Module):
    """An FT-Transformer (Gorishniy et al., 2021): attention between the cells of a row.

    The blocks are those of its authors' package, rtdl_revisiting_models.
    """

    WIDTH = 96

    def __init__(self, schema: Schema, hidden_layer_sizes: tuple[int, ...], bottleneck_size: int):
        super().__init__()
        from rtdl_revisiting_models import FTTransformerBackbone

        self.tokens = ColumnTokens(schema, self.WIDTH)
        self.summary = nn.Parameter(torch.randn(self.WIDTH) / self.WIDTH**0.5)
        self.blocks = FTTransformerBackbone(
            d_out=None,
            n_blocks=2,
            d_block=self.WIDTH,
            attention_n_heads=8,
            attention_dropout=0.0,
            ffn_d_hidden_multiplier=4 / 3,
            ffn_dropout=0.0,
            residual_dropout=0.0,
        )
        self.last = nn.Linear(self.WIDTH, bottleneck_size)

    def layers(self, numeric: Tensor, codes: Tensor) -> list[Tensor]:
        cells = self.tokens(numeric, codes)
        summary = self.summary.expand(len(cells), 1, -1)
        hidden = self.blocks(torch.cat([summary, cells], dim=1))  # (n_rows, WIDTH)
        return [self.last(hidden), hidden]
