"""Networks over encoded tables: what reads a row, encodes it, decodes it, projects it."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklearn_ssl._schema import N_RESERVED, Schema

MAX_ONE_HOT = 64
"""Categorical features with more codes than this are not written out one-hot."""


class Linear(nn.Linear):
    """A linear layer whose weights come from a given generator, not from global state.

    Shape
    -----
    Input (n_rows, n_in), output (n_rows, n_out).
    """

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator):
        super().__init__(n_in, n_out, dtype=torch.float32, device="cpu")
        bound = 1 / math.sqrt(max(n_in, 1))
        with torch.no_grad():
            self.weight.uniform_(-bound, bound, generator=generator)
            self.bias.uniform_(-bound, bound, generator=generator)

    def reset_parameters(self) -> None:
        """Leave the drawing of weights to ``__init__``, where the generator is known."""


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
        self.code_weight = nn.Parameter(torch.empty(schema.n_codes, width, dtype=torch.float32))
        bound = 1 / math.sqrt(max(schema.n_features, 1))
        with torch.no_grad():
            self.code_weight.uniform_(-bound, bound, generator=generator)
            # Codes that training may never meet say nothing until it does.
            for offset in schema.offsets:
                self.code_weight[offset : offset + N_RESERVED] = 0.0
        self.register_buffer("offsets", torch.tensor(schema.offsets, dtype=torch.int32))
        self.register_buffer("nullable", _positions(schema.nullable))

    def forward(self, numeric: Tensor, codes: Tensor) -> Tensor:
        hidden = self.dense(write_numbers(numeric, self.nullable))
        if self.schema.n_categorical:
            hidden = hidden + F.embedding_bag(codes + self.offsets, self.code_weight, mode="sum")
        return hidden


def _positions(flags: Sequence[bool]) -> Tensor:
    return torch.tensor([i for i, flag in enumerate(flags) if flag], dtype=torch.int64)


def write_numbers(numeric: Tensor, nullable: Tensor) -> Tensor:
    """Numbers with zero for missing ones, then the missingness of the nullable columns."""
    values = numeric.nan_to_num(0.0)
    if not len(nullable):
        return values
    absent = numeric.index_select(1, nullable).isnan().to(numeric.dtype)
    return torch.cat([values, absent], dim=1)


def written_width(schema: Schema) -> int:
    """Columns of :func:`write_row`."""
    one_hot = sum(size for size in schema.cardinalities if size <= MAX_ONE_HOT)
    return schema.n_numeric + sum(schema.nullable) + one_hot


def write_row(numeric: Tensor, codes: Tensor, schema: Schema, nullable: Tensor) -> Tensor:
    """Write rows out: values, missingness and one-hot codes, of shape (n_rows, written_width).

    Features with more than ``MAX_ONE_HOT`` codes are left out.
    """
    numbers = write_numbers(numeric, nullable)
    small = [size for size in schema.cardinalities if size <= MAX_ONE_HOT]
    one_hot = [
        F.one_hot(codes[:, feature].long(), size).to(numeric.dtype)
        for feature, size in enumerate(small)
    ]
    return torch.cat([numbers, *one_hot], dim=1)


COLUMNS_TO_SORT = 64

N_QUANTILES = 256
"""Cells of a column that its ramps are judged by, at equal distances of rank."""

FARTHEST_RAMP = 5.0
"""No value of a ramp is farther from its mean, in standard deviations over the training rows."""

Ramps = tuple[Tensor, Tensor, Tensor]
"""Feature, start and width of every ramp, each of shape (n_ramps,)."""


def learn_ramps(numeric: Tensor, n_bins: int) -> Ramps:
    """Cut the range of every numeric feature at its quantiles.

    A ramp rises from 0 to 1 over one bin and stays there, so that a linear model on the ramps of
    a feature is any function of it that is linear within bins (Gorishniy et al., 2022).

    DIFFERS FROM the paper: a ramp that nearly all rows are on one side of is left out. In standard
    deviations its few other rows are far away, and a linear model that has seen none of them
    extrapolates: on cal_housing with 50 labels a ridge reached R2 = -0.4 with them, 0.6 without.

    Parameters
    ----------
    numeric : Tensor of shape (n_rows, n_numeric)
        Encoded numbers, NaN where missing.

    n_bins : int
        Bins of a feature. Equal quantiles are one cut, so that features with few values have
        fewer; those with a single bin have none, since they are their own ramp.
    """
    levels = torch.linspace(0, 1, n_bins + 1, dtype=numeric.dtype)
    shares = (torch.arange(N_QUANTILES, dtype=numeric.dtype) + 0.5) / N_QUANTILES
    parts = []
    # Sorting takes three times the memory of what it sorts, and puts missing cells last.
    for columns in numeric.T.split(COLUMNS_TO_SORT):
        n_present = (~columns.isnan()).sum(dim=1, keepdim=True)
        ordered = columns.sort(dim=1).values
        edges = _cells_at(levels * (n_present - 1), ordered)
        is_ramp = edges.diff(dim=1) > 0
        is_ramp &= is_ramp.sum(dim=1, keepdim=True) > 1
        is_ramp &= _stay_near(edges, _cells_at(shares * n_present, ordered))
        parts.append((edges, is_ramp))
    edges, is_ramp = (torch.cat(part) for part in zip(*parts, strict=True))
    return is_ramp.nonzero()[:, 0], edges[:, :-1][is_ramp], edges.diff(dim=1)[is_ramp]


def _cells_at(ranks: Tensor, ordered: Tensor) -> Tensor:
    return ordered.gather(1, ranks.clamp_min(0).long())


def _stay_near(edges: Tensor, cells: Tensor) -> Tensor:
    """Whether the ramp over each bin stays near its mean over the cells of its column."""
    ramps = (cells[:, :, None] - edges[:, None, :-1]) / edges.diff(dim=1)[:, None]
    ramps = ramps.clamp(0, 1)
    mean, mean_square = ramps.mean(dim=1), ramps.square().mean(dim=1)
    deviation = (mean_square - mean.square()).clamp_min(0).sqrt()
    return torch.maximum(mean, 1 - mean) <= FARTHEST_RAMP * deviation


class Encoder(nn.Module):
    """Multi-layer perceptron from a row to its embedding; the last layer is linear.

    Hidden layers are normalized within each row (Ba et al., 2016) and pass a sigmoid linear unit.
    Rectified units can be silent on nearly all rows; in standard deviations over the training
    rows, a new row that wakes one is thousands away, and a linear model behind it fails.

    Shape
    -----
    Input (n_rows, n_numeric) and (n_rows, n_categorical), output (n_rows, n_components).
    """

    def __init__(
        self,
        schema: Schema,
        hidden_layer_sizes: Sequence[int],
        n_components: int,
        generator: torch.Generator,
    ):
        super().__init__()
        self.sizes = (*hidden_layer_sizes, n_components)
        self.rows = RowInput(schema, self.sizes[0], generator)
        self.deeper = nn.ModuleList(
            Linear(n_in, n_out, generator) for n_in, n_out in pairwise(self.sizes)
        )
        # One unit alone would be normalized to a constant.
        self.norms = nn.ModuleList(
            nn.LayerNorm(size, dtype=torch.float32) if size > 1 else nn.Identity()
            for size in hidden_layer_sizes
        )

    def layers(self, numeric: Tensor, codes: Tensor) -> list[Tensor]:
        """Activations of every layer, the embedding first and then from the input upwards."""
        hidden = self.rows(numeric, codes)
        activations = []
        for norm, layer in zip(self.norms, self.deeper, strict=True):
            activations.append(F.silu(norm(hidden)))
            hidden = layer(activations[-1])
        return [hidden, *activations]

    def forward(self, numeric: Tensor, codes: Tensor) -> Tensor:
        return self.layers(numeric, codes)[0]


class Embedding(nn.Module):
    """What ``transform`` returns, as a module that gradients can pass: a standardized embedding.

    Parameters
    ----------
    encoder : Encoder
        Not copied.

    all_layers : bool
        Whether the hidden layers follow the encoder's last one.

    passthrough : Schema or None
        The features of the row written out that follows the layers.

    ramps : Ramps or None
        What follows the row written out.

    center, scale : array-like of shape (width,) or None
        The units: mean and standard deviation of every column. None leaves the columns in the
        network's own units.

    Shape
    -----
    Input (n_rows, n_numeric) and (n_rows, n_categorical), output (n_rows, width).
    """

    center: Tensor
    scale: Tensor
    nullable: Tensor
    ramp_feature: Tensor
    ramp_start: Tensor
    ramp_width: Tensor

    def __init__(
        self,
        encoder: Encoder,
        *,
        all_layers: bool,
        passthrough: Schema | None = None,
        ramps: Ramps | None = None,
        center=None,
        scale=None,
    ):
        super().__init__()
        self.encoder = encoder
        self.all_layers = all_layers
        self.passthrough = passthrough
        layers = sum(encoder.sizes) if all_layers else encoder.sizes[-1]
        nullable = passthrough.nullable if passthrough else ()
        self.register_buffer("nullable", _positions(nullable))
        ramps = learn_ramps(torch.zeros(0, 0), 0) if ramps is None else ramps
        for name, part in zip(("feature", "start", "width"), ramps, strict=True):
            self.register_buffer(f"ramp_{name}", part)
        written = written_width(passthrough) if passthrough else 0
        self.width = layers + written + len(self.ramp_feature)
        for name, value, default in (("center", center, 0.0), ("scale", scale, 1.0)):
            units = [default] * self.width if value is None else value
            self.register_buffer(name, torch.tensor(units, dtype=torch.float32))

    def forward(self, numeric: Tensor, codes: Tensor) -> Tensor:
        layers = self.encoder.layers(numeric, codes)
        parts = layers if self.all_layers else layers[:1]
        if self.passthrough:
            parts = [*parts, write_row(numeric, codes, self.passthrough, self.nullable)]
        if len(self.ramp_feature):
            values = numeric.nan_to_num(0.0)[:, self.ramp_feature]
            parts = [*parts, ((values - self.ramp_start) / self.ramp_width).clamp(0, 1)]
        return (torch.cat(parts, dim=1) - self.center) / self.scale


class Decoder(nn.Module):
    """Mirror image of an encoder, with weights of its own.

    Shape
    -----
    Input (n_rows, n_components), output (n_rows, schema.width).
    """

    def __init__(self, encoder: Encoder, generator: torch.Generator):
        super().__init__()
        sizes = (*encoder.sizes[::-1], encoder.rows.schema.width)
        self.layers = nn.ModuleList(
            Linear(n_in, n_out, generator) for n_in, n_out in pairwise(sizes)
        )

    def forward(self, embedding: Tensor) -> Tensor:
        *hidden, output = self.layers
        for layer in hidden:
            embedding = F.relu(layer(embedding))
        return output(embedding)


class TiedDecoder(nn.Module):
    """Mirror image of an encoder, with the transposes of its weights and biases of its own.

    Shape
    -----
    Input (n_rows, n_components), output (n_rows, schema.width).
    """

    def __init__(self, encoder: Encoder):
        super().__init__()
        # In a tuple, so that the encoder is not registered, and trained, a second time.
        self._encoder: tuple[Any] = (encoder,)
        widths = (*encoder.sizes[-2::-1], encoder.rows.schema.width)
        self.biases = nn.ParameterList(
            nn.Parameter(torch.zeros(width, dtype=torch.float32)) for width in widths
        )

    def forward(self, embedding: Tensor) -> Tensor:
        (encoder,) = self._encoder
        *hidden_biases, output_bias = self.biases
        for layer, bias in zip(reversed(encoder.deeper), hidden_biases, strict=True):
            embedding = F.relu(embedding @ layer.weight + bias)
        rows = encoder.rows
        dense, codes = embedding @ rows.dense.weight, embedding @ rows.code_weight.T
        return torch.cat([dense, codes], dim=1) + output_bias


def projection_head(n_in: int, width: int, generator: torch.Generator) -> nn.Sequential:
    """Two layers between an embedding and the space in which views are compared.

    Shape
    -----
    Input (n_rows, n_in), output (n_rows, width).
    """
    return nn.Sequential(Linear(n_in, width, generator), nn.ReLU(), Linear(width, width, generator))
