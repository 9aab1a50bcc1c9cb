"""The first layers: linear maps with seeded weights, and the input of a row."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklearn_ssl._table.schema import N_RESERVED, Schema

MAX_ONE_HOT = 64
"""Categorical features with more codes than this are not written out one-hot."""


Batch = tuple[Tensor, Tensor]
"""Rows of an encoded table: numbers, and codes of categories."""


class Linear(nn.Linear):
    """A linear layer whose weights come from a given generator, not from global state.

    Shape
    -----
    Input (n_rows, n_in), output (n_rows, n_out).
    """

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator):
        super().__init__(n_in, n_out, dtype=torch.float32, device="cpu")
        # The bounds are those of torch's own linear layers.
        bound = 1 / math.sqrt(max(n_in, 1))
        with torch.no_grad():
            self.weight.uniform_(-bound, bound, generator=generator)
            self.bias.uniform_(-bound, bound, generator=generator)

    def reset_parameters(self) -> None:
        """Do nothing: ``__init__`` draws the weights, because it knows the generator."""


class RowInput(nn.Module):
    """First layer of an encoder: a linear map of the row written out.

    The one-hot part is never written: the weights of the codes are looked up and summed.

    Shape
    -----
    Input (n_rows, n_numeric) and (n_rows, n_categorical), output (n_rows, width).
    """

    offsets: Tensor
    nullable: Tensor

    def __init__(self, schema: Schema, width: int, generator: torch.Generator):
        super().__init__()
        self.schema = schema
        self.dense = Linear(schema.n_numeric + sum(schema.nullable), width, generator)
        code_weight = torch.empty(schema.n_codes, width, dtype=torch.float32)
        self.code_weight = nn.Parameter(code_weight)
        # A row has one code per categorical feature, so as many weights are summed as features.
        bound = 1 / math.sqrt(max(schema.n_features, 1))
        with torch.no_grad():
            self.code_weight.uniform_(-bound, bound, generator=generator)
            # Training may never meet a missing or an infrequent category. Without this, the drawn
            # weights of such a code would be noise in every row that has it later.
            for offset in schema.offsets:
                self.code_weight[offset : offset + N_RESERVED] = 0.0
        self.register_buffer("offsets", torch.tensor(schema.offsets, dtype=torch.int32))
        self.register_buffer("nullable", positions(schema.nullable))

    def forward(self, numeric: Tensor, codes: Tensor) -> Tensor:
        hidden: Tensor = self.dense(write_numbers(numeric, self.nullable))  # (n_rows, width)
        if self.schema.n_categorical:
            # Each feature has a slice of the codes of its own, so one bag looks all of them up.
            places = codes + self.offsets
            hidden = hidden + F.embedding_bag(places, self.code_weight, mode="sum")
        return hidden


def positions(flags: Sequence[bool]) -> Tensor:
    """Positions of the true flags."""
    return torch.tensor([i for i, flag in enumerate(flags) if flag], dtype=torch.int64)


def write_numbers(numeric: Tensor, nullable: Tensor) -> Tensor:
    """Numbers with zero for missing ones, then the missingness of the nullable columns."""
    values = numeric.nan_to_num(0.0)
    if not len(nullable):
        return values
    is_missing = numeric.index_select(1, nullable).isnan()
    missing = is_missing.to(numeric.dtype)  # (n_rows, n_nullable)
    return torch.cat([values, missing], dim=1)


def written_width(schema: Schema) -> int:
    """Columns of :func:`write_row`."""
    one_hot = sum(size for size in schema.cardinalities if size <= MAX_ONE_HOT)
    return schema.n_numeric + sum(schema.nullable) + one_hot


def write_row(numeric: Tensor, codes: Tensor, schema: Schema, nullable: Tensor) -> Tensor:
    """Write rows out: values, missingness and one-hot codes, of shape (n_rows, written_width).

    Features with more than ``MAX_ONE_HOT`` codes are left out.
    """
    numbers = write_numbers(numeric, nullable)
    # Cardinalities ascend, so the features that are written out are the first ones.
    small = [size for size in schema.cardinalities if size <= MAX_ONE_HOT]
    one_hot = []
    for feature, size in enumerate(small):
        is_code = F.one_hot(codes[:, feature].long(), size)
        one_hot.append(is_code.to(numeric.dtype))
    return torch.cat([numbers, *one_hot], dim=1)
