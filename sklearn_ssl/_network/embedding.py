"""From a row to its embedding, as a differentiable module."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from sklearn_ssl._network.autoencoder import RowEncoder
from sklearn_ssl._network.layers import positions, write_row, written_width
from sklearn_ssl._network.quantile_bins import NO_BINS, QuantileBins
from sklearn_ssl._table.schema import Schema

FloatArray = npt.NDArray[np.float32]


class Layers(nn.Module):
    """Everything that a readout may read of a row, side by side.

    First comes the bottleneck, then the hidden layers from the input upwards, then the row
    written out, then its quantile bins.

    Parameters
    ----------
    encoder : RowEncoder
        Not copied.

    hidden : bool
        Whether the hidden layers are among the columns.

    passthrough : Schema or None
        The features of the row written out; None leaves the row out.

    quantile_bins : QuantileBins
        The bins of its numbers.

    Shape
    -----
    Input (n_rows, n_numeric) and (n_rows, n_categorical), output (n_rows, width).
    """

    nullable: Tensor
    bin_feature: Tensor
    bin_start: Tensor
    bin_width: Tensor

    def __init__(
        self,
        encoder: RowEncoder,
        *,
        hidden: bool,
        passthrough: Schema | None = None,
        quantile_bins: QuantileBins = NO_BINS,
    ):
        super().__init__()
        self.encoder = encoder
        self.hidden = hidden
        self.passthrough = passthrough
        # As buffers, these go to the device of the encoder.
        self.register_buffer("nullable", positions(passthrough.nullable if passthrough else ()))
        for name, part in zip(("feature", "start", "width"), quantile_bins, strict=True):
            self.register_buffer(f"bin_{name}", part)
        layers = sum(encoder.sizes) if hidden else encoder.sizes[-1]
        written = written_width(passthrough) if passthrough else 0
        self.width = layers + written + len(self.bin_feature)

    @property
    def quantile_bins(self) -> QuantileBins:
        return QuantileBins(self.bin_feature, self.bin_start, self.bin_width)

    def forward(self, numeric: Tensor, codes: Tensor) -> Tensor:
        layers = self.encoder.layers(numeric, codes)
        # The bottleneck comes first, so that its columns are the same with and without the rest.
        parts = layers if self.hidden else layers[:1]
        if self.passthrough:
            parts = [*parts, write_row(numeric, codes, self.passthrough, self.nullable)]
        if len(self.bin_feature):
            # Missing cells stand at the mean, as in the row written out.
            values = numeric.nan_to_num(0.0)[:, self.bin_feature]  # (n_rows, n_bins)
            ways = (values - self.bin_start) / self.bin_width
            # 0 before a bin, 1 behind it, and within it the share of the way.
            parts = [*parts, ways.clamp(0, 1)]
        return torch.cat(parts, dim=1)


class Embedding(nn.Module):
    """Standardized layers of a row, or linear combinations of them.

    Parameters
    ----------
    layers : Layers
        Not copied.

    center, scale : ndarray of shape (width,)
        Mean and standard deviation of every column over training rows.

    directions : ndarray of shape (width, n_components) or None, default=None
        What standardized columns are multiplied by. None leaves them as they are.

    Shape
    -----
    Input (n_rows, n_numeric) and (n_rows, n_categorical), output (n_rows, width) or
    (n_rows, n_components).
    """

    center: Tensor
    scale: Tensor
    directions: Tensor | None

    def __init__(
        self,
        layers: Layers,
        center: FloatArray,
        scale: FloatArray,
        directions: FloatArray | None = None,
    ):
        super().__init__()
        self.layers = layers
        # Buffers go along to a device. They are copies, since tensors of NumPy share its memory.
        self.register_buffer("center", torch.from_numpy(center.copy()))
        self.register_buffer("scale", torch.from_numpy(scale.copy()))
        copied = None if directions is None else torch.from_numpy(directions.copy())
        self.register_buffer("directions", copied)
        self.width = layers.width if directions is None else directions.shape[1]

    @property
    def encoder(self) -> RowEncoder:
        return self.layers.encoder

    def forward(self, numeric: Tensor, codes: Tensor) -> Tensor:
        columns: Tensor = (self.layers(numeric, codes) - self.center) / self.scale
        return columns if self.directions is None else columns @ self.directions
