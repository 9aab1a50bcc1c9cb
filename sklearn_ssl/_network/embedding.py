"""From a row to the layers that make its embedding, as a module that gradients can pass."""

import torch
from torch import Tensor, nn

from sklearn_ssl._network.autoencoder import Encoder
from sklearn_ssl._network.layers import positions, write_row, written_width
from sklearn_ssl._network.quantile_bins import QuantileBins, learn_quantile_bins
from sklearn_ssl._table.schema import Schema


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
    bin_feature: Tensor
    bin_start: Tensor
    bin_width: Tensor

    def __init__(
        self,
        encoder: Encoder,
        *,
        all_layers: bool,
        passthrough: Schema | None = None,
        quantile_bins: QuantileBins | None = None,
        center=None,
        scale=None,
    ):
        super().__init__()
        self.encoder = encoder
        self.all_layers = all_layers
        self.passthrough = passthrough
        layers = sum(encoder.sizes) if all_layers else encoder.sizes[-1]
        nullable = passthrough.nullable if passthrough else ()
        self.register_buffer("nullable", positions(nullable))
        quantile_bins = (
            learn_quantile_bins(torch.zeros(0, 0), 0) if quantile_bins is None else quantile_bins
        )
        for name, part in zip(("feature", "start", "width"), quantile_bins, strict=True):
            self.register_buffer(f"bin_{name}", part)
        written = written_width(passthrough) if passthrough else 0
        self.width = layers + written + len(self.bin_feature)
        for name, value, default in (("center", center, 0.0), ("scale", scale, 1.0)):
            units = [default] * self.width if value is None else value
            self.register_buffer(name, torch.tensor(units, dtype=torch.float32))

    def forward(self, numeric: Tensor, codes: Tensor) -> Tensor:
        layers = self.encoder.layers(numeric, codes)
        parts = layers if self.all_layers else layers[:1]
        if self.passthrough:
            parts = [*parts, write_row(numeric, codes, self.passthrough, self.nullable)]
        if len(self.bin_feature):
            values = numeric.nan_to_num(0.0)[:, self.bin_feature]
            parts = [*parts, ((values - self.bin_start) / self.bin_width).clamp(0, 1)]
        return (torch.cat(parts, dim=1) - self.center) / self.scale
