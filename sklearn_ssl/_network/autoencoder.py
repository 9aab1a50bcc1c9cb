"""Networks on encoded tables: encoder, decoders and projection head."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklearn_ssl._network.layers import Linear, RowInput
from sklearn_ssl._table.schema import Schema


class RowEncoder(nn.Module):
    """From encoded rows to layers, the last of which is the bottleneck.

    Attributes
    ----------
    sizes : tuple of int
        Widths of the hidden layers from the input upwards, then of the bottleneck.

    Shape
    -----
    Input (n_rows, n_numeric) and (n_rows, n_categorical), output (n_rows, bottleneck_size).
    """

    sizes: tuple[int, ...]

    def layers(self, numeric: Tensor, codes: Tensor) -> list[Tensor]:
        """Activations of every layer, the bottleneck first and then from the input upwards."""
        raise NotImplementedError

    def forward(self, numeric: Tensor, codes: Tensor) -> Tensor:
        return self.layers(numeric, codes)[0]


class Encoder(RowEncoder):
    """Multi-layer perceptron from a row to its embedding; the last layer is linear.

    Hidden layers are normalized within each row (Ba et al., 2016) and followed by a sigmoid linear
    unit. A rectified unit can be 0 on nearly all rows. A new row that activates it is then
    thousands of standard deviations away, and a linear model on top fails.

    Shape
    -----
    Input (n_rows, n_numeric) and (n_rows, n_categorical), output (n_rows, bottleneck_size).
    """

    def __init__(
        self,
        schema: Schema,
        hidden_layer_sizes: Sequence[int],
        bottleneck_size: int,
        generator: torch.Generator,
    ):
        super().__init__()
        self.sizes = (*hidden_layer_sizes, bottleneck_size)
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
        hidden = self.rows(numeric, codes)  # (n_rows, sizes[0]), before its activation
        activations = []
        for norm, layer in zip(self.norms, self.deeper, strict=True):
            activations.append(F.silu(norm(hidden)))
            hidden = layer(activations[-1])
        # The last linear map has no activation: its output is the bottleneck.
        return [hidden, *activations]


class Decoder(nn.Module):
    """Mirror image of an encoder, with weights of its own.

    Shape
    -----
    Input (n_rows, bottleneck_size), output (n_rows, schema.width).
    """

    def __init__(self, schema: Schema, encoder: RowEncoder, generator: torch.Generator):
        super().__init__()
        # From the bottleneck up through the hidden widths, then to the row written out.
        sizes = (*encoder.sizes[::-1], schema.width)
        self.layers = nn.ModuleList(
            Linear(n_in, n_out, generator) for n_in, n_out in pairwise(sizes)
        )

    def forward(self, embedding: Tensor) -> Tensor:
        *hidden, output = self.layers
        for layer in hidden:
            embedding = F.relu(layer(embedding))
        cells: Tensor = output(embedding)
        return cells


class TiedDecoder(nn.Module):
    """Mirror image of an encoder, with the transposes of its weights and biases of its own.

    Shape
    -----
    Input (n_rows, bottleneck_size), output (n_rows, schema.width).
    """

    def __init__(self, encoder: Encoder):
        super().__init__()
        # In a tuple, so that the encoder is not registered, and trained, a second time.
        self._encoder: tuple[Encoder] = (encoder,)
        widths = (*encoder.sizes[-2::-1], encoder.rows.schema.width)
        self.biases = nn.ParameterList(
            nn.Parameter(torch.zeros(width, dtype=torch.float32)) for width in widths
        )

    def forward(self, embedding: Tensor) -> Tensor:
        (encoder,) = self._encoder
        *hidden_biases, output_bias = self.biases
        for layer, bias in zip(reversed(encoder.deeper), hidden_biases, strict=True):
            embedding = F.relu(embedding @ layer.get_parameter("weight") + bias)
        # The first layer of an encoder has two matrices: of the numbers, and of the codes.
        rows = encoder.rows
        dense = embedding @ rows.dense.weight  # (n_rows, n_numeric + n_nullable)
        codes = embedding @ rows.code_weight.T  # (n_rows, n_codes)
        cells: Tensor = torch.cat([dense, codes], dim=1) + output_bias
        return cells


def projection_head(n_in: int, width: int, generator: torch.Generator) -> nn.Sequential:
    """Two layers between an embedding and the space in which views are compared.

    Shape
    -----
    Input (n_rows, n_in), output (n_rows, width).
    """
    return nn.Sequential(Linear(n_in, width, generator), nn.ReLU(), Linear(width, width, generator))
