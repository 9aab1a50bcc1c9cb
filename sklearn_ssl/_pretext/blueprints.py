"""Pretext tasks as plain values, from which they can be built again.

An estimator resolves its parameters into a blueprint once, at fit. A fitted model is then written
to a file as its blueprint and its weights, and does not change if parameters are set later.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn

from sklearn_ssl._network.autoencoder import (
    Decoder,
    Encoder,
    RowEncoder,
    TiedDecoder,
    projection_head,
)
from sklearn_ssl._network.custom import CustomEncoder, EncoderFactory
from sklearn_ssl._network.layers import Linear
from sklearn_ssl._pretext.corruptions import Corruption, add_noise, set_to_mean, swap
from sklearn_ssl._pretext.losses import barlow_twins, info_nce, nt_xent, vicreg
from sklearn_ssl._pretext.tasks import AddNoise, Contrast, Denoise, Mix, PredictMask, PretextTask
from sklearn_ssl._table.schema import Schema

Objective = Callable[[Tensor, Tensor], Tensor]
"""The loss of two tensors of projected views, row by row the same rows."""


class Blueprint(Protocol):
    """Builds a pretext task for the features of a table."""

    @property
    def bottleneck_size(self) -> int:
        """Width of the encoder's last layer."""

    def build(self, schema: Schema, generator: torch.Generator) -> PretextTask:
        """Return the task with weights drawn by the generator."""


def build_encoder(
    factory: EncoderFactory | None,
    schema: Schema,
    hidden_layer_sizes: tuple[int, ...],
    bottleneck_size: int,
    generator: torch.Generator,
) -> RowEncoder:
    """The encoder that a factory of the user makes, or the multi-layer perceptron."""
    if factory is None:
        return Encoder(schema, hidden_layer_sizes, bottleneck_size, generator)
    return CustomEncoder(factory, schema, hidden_layer_sizes, bottleneck_size, generator)


@dataclass(frozen=True)
class Denoising:
    """Reconstruct rows from corrupted copies; ``noise_level`` holds one level per feature."""

    hidden_layer_sizes: tuple[int, ...]
    bottleneck_size: int
    noise: str
    noise_level: tuple[float, ...]
    emphasis: float
    tied_weights: bool
    encoder: EncoderFactory | None = None

    def build(self, schema: Schema, generator: torch.Generator) -> Denoise:
        encoder = build_encoder(
            self.encoder, schema, self.hidden_layer_sizes, self.bottleneck_size, generator
        )
        # The order of these calls decides which weights the generator draws.
        decoder = self._decoder(schema, encoder, generator)
        corruption, rate = self._corruption(schema)
        return Denoise(encoder, decoder, corruption, rate, self.emphasis, schema)

    def _decoder(
        self, schema: Schema, encoder: RowEncoder, generator: torch.Generator
    ) -> nn.Module:
        if not self.tied_weights:
            return Decoder(schema, encoder, generator)
        if not isinstance(encoder, Encoder):
            raise ValueError(
                "tied_weights=True needs the layers of the library's own encoder, and cannot be "
                f"combined with encoder={self.encoder!r}. Set tied_weights=False."
            )
        return TiedDecoder(encoder)

    def _corruption(self, schema: Schema) -> tuple[Corruption, Tensor]:
        """The corruption, and the share of cells to corrupt of each feature."""
        level = torch.tensor(self.noise_level, dtype=torch.float32)
        if self.noise == "gaussian":
            # Every number is disturbed, and the level is the standard deviation of the noise.
            return AddNoise(level[: schema.n_numeric]), (level > 0).float()
        # For the other kinds of noise, the level is the share of cells that are corrupted.
        swap_cells = partial(swap, leads=schema.leads)
        corruptions: dict[str, Corruption] = {
            "swap": swap_cells,
            "masking": set_to_mean,
            "mix": Mix((swap_cells, set_to_mean, add_noise), schema.leads),
        }
        return corruptions[self.noise], level


@dataclass(frozen=True)
class Contrasting:
    """Pull two views of a row together, and push other rows apart."""

    hidden_layer_sizes: tuple[int, ...]
    bottleneck_size: int
    projection_size: int
    objective: str | Objective
    temperature: float
    corruption_rate: float
    n_corrupted_views: int
    encoder: EncoderFactory | None = None

    def build(self, schema: Schema, generator: torch.Generator) -> Contrast:
        encoder = build_encoder(
            self.encoder, schema, self.hidden_layer_sizes, self.bottleneck_size, generator
        )
        projection = projection_head(self.bottleneck_size, self.projection_size, generator)
        return Contrast(
            encoder,
            projection,
            self._objective(),
            self.corruption_rate,
            self.n_corrupted_views,
            schema.leads,
        )

    def _objective(self) -> Objective:
        if not isinstance(self.objective, str):
            return self.objective
        # The weights of the other two are those of their papers.
        objectives: dict[str, Objective] = {
            "info_nce": partial(info_nce, temperature=self.temperature),
            "nt_xent": partial(nt_xent, temperature=self.temperature),
            "barlow_twins": barlow_twins,
            "vicreg": vicreg,
        }
        return objectives[self.objective]


@dataclass(frozen=True)
class Masking:
    """Predict which cells were hidden and what they held."""

    hidden_layer_sizes: tuple[int, ...]
    bottleneck_size: int
    mask_rate: float
    alpha: float
    encoder: EncoderFactory | None = None

    def build(self, schema: Schema, generator: torch.Generator) -> PredictMask:
        encoder = build_encoder(
            self.encoder, schema, self.hidden_layer_sizes, self.bottleneck_size, generator
        )
        # Both heads are linear, as in VIME: what they need must be in the bottleneck.
        mask_head = Linear(self.bottleneck_size, schema.n_features, generator)
        value_head = Linear(self.bottleneck_size, schema.width, generator)
        return PredictMask(encoder, mask_head, value_head, self.mask_rate, self.alpha, schema)
