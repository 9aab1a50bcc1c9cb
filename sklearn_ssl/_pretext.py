"""Pretext tasks: a view, a network and an objective; ``forward`` returns the loss of a batch."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklearn_ssl._networks import Encoder
from sklearn_ssl._objectives import cell_losses
from sklearn_ssl._schema import Schema
from sklearn_ssl._views import Batch, Corruption, draw_mask, hide, split_mask, swap


class Denoise(nn.Module):
    """Rebuild rows from corrupted views of them (Vincent et al., 2010).

    Parameters
    ----------
    encoder, decoder : nn.Module
        Row to embedding, embedding to the row written out.

    corruption : callable
        Corrupts the chosen cells of a batch.

    rate : Tensor of shape (n_features,)
        Share of cells to corrupt.

    schema : Schema
        The features.
    """

    rate: Tensor

    def __init__(
        self,
        encoder: Encoder,
        decoder: nn.Module,
        corruption: Corruption,
        rate: Tensor,
        schema: Schema,
    ):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.corruption = corruption
        self.register_buffer("rate", rate)
        self.schema = schema

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        view = self.corruption(batch, draw_mask(batch, self.rate, generator), generator)
        return self.cell_losses(view, batch).mean()

    def cell_losses(self, view: Batch, batch: Batch) -> Tensor:
        """Losses of shape (n_rows, n_features) of rebuilding ``batch`` from ``view``."""
        return cell_losses(self.decoder(self.encoder(*view)), *batch, self.schema)


class Mix:
    """Corrupt every chosen cell by one of several corruptions, picked at random."""

    def __init__(self, corruptions: tuple[Corruption, ...]):
        self.corruptions = corruptions

    def __call__(self, batch: Batch, mask: Tensor, generator: torch.Generator) -> Batch:
        pick = torch.randint(
            len(self.corruptions), mask.shape, generator=generator, device=mask.device
        )
        view = batch
        for number, corruption in enumerate(self.corruptions):
            chosen = mask & (pick == number)
            corrupted = corruption(batch, chosen, generator)
            numeric, codes = split_mask(batch, chosen)
            view = (
                torch.where(numeric, corrupted[0], view[0]),
                torch.where(codes, corrupted[1], view[1]),
            )
        return view


class Contrast(nn.Module):
    """Pull two views of a row together, push other rows apart (SCARF, Bahri et al., 2022).

    Parameters
    ----------
    encoder, projection : nn.Module
        Row to embedding, embedding to the space of comparison.

    objective : callable
        Loss of two tensors of projected views.

    corruption_rate : float
        Share of cells swapped in a corrupted view.

    n_corrupted_views : {1, 2}
        With 1, the row as it is serves as the other view.
    """

    def __init__(
        self,
        encoder: Encoder,
        projection: nn.Module,
        objective: Callable[[Tensor, Tensor], Tensor],
        corruption_rate: float,
        n_corrupted_views: int,
    ):
        super().__init__()
        self.encoder = encoder
        self.projection = projection
        self.objective = objective
        self.corruption_rate = corruption_rate
        self.n_corrupted_views = n_corrupted_views

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        anchor = self.corrupt(batch, generator) if self.n_corrupted_views == 2 else batch
        positive = self.corrupt(batch, generator)
        return self.objective(self.project(anchor), self.project(positive))

    def corrupt(self, batch: Batch, generator: torch.Generator, rate: float | None = None) -> Batch:
        rate = self.corruption_rate if rate is None else rate
        return swap(batch, draw_mask(batch, rate, generator), generator)

    def project(self, batch: Batch) -> Tensor:
        return self.projection(self.encoder(*batch))


class PredictMask(nn.Module):
    """Tell which cells were hidden, and what stood in them (VIME, Yoon et al., 2020).

    Parameters
    ----------
    encoder, mask_head, value_head : nn.Module
        Row to embedding; embedding to a logit per feature; embedding to the row written out.

    mask_rate : float
        Share of cells to hide.

    alpha : float
        Weight of the values against the mask.

    schema : Schema
        The features.
    """

    def __init__(
        self,
        encoder: Encoder,
        mask_head: nn.Module,
        value_head: nn.Module,
        mask_rate: float,
        alpha: float,
        schema: Schema,
    ):
        super().__init__()
        self.encoder = encoder
        self.mask_head = mask_head
        self.value_head = value_head
        self.mask_rate = mask_rate
        self.alpha = alpha
        self.schema = schema

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        mask = draw_mask(batch, self.mask_rate, generator)
        embedding = self.encoder(*hide(batch, mask, generator))
        hidden = mask.to(embedding.dtype)
        mask_loss = F.binary_cross_entropy_with_logits(self.mask_head(embedding), hidden)
        values = cell_losses(self.value_head(embedding), *batch, self.schema)
        # DIFFERS FROM VIME: only the hidden cells count; the others can be read off the input.
        value_loss = (values * hidden).sum() / hidden.sum().clamp_min(1)
        return mask_loss + self.alpha * value_loss
