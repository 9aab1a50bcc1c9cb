"""Pretext tasks: a corruption, a network and an objective; ``forward`` returns a batch's loss."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklearn_ssl._network.autoencoder import RowEncoder
from sklearn_ssl._network.layers import Batch
from sklearn_ssl._pretext.corruptions import (
    Corruption,
    add_noise,
    by_cell,
    draw_mask,
    hide,
    split_mask,
    swap,
)
from sklearn_ssl._pretext.losses import cell_losses
from sklearn_ssl._table.schema import Schema


class PretextTask(nn.Module):
    """What is trained: called with a batch and a generator, it returns the mean loss.

    Attributes
    ----------
    encoder : RowEncoder
        The part that ``transform`` uses.
    """

    encoder: RowEncoder


class CellTask(PretextTask):
    """A pretext task that can write a row out from the bottleneck of its encoder.

    Attributes
    ----------
    schema : Schema
        The features.
    """

    schema: Schema

    def decode(self, bottleneck: Tensor) -> Tensor:
        """Rows written out, of shape (n_rows, schema.width)."""
        raise NotImplementedError

    def cell_losses(self, corrupted: Batch, batch: Batch) -> Tensor:
        """Losses of shape (n_rows, n_features) of predicting ``batch`` from ``corrupted``."""
        return cell_losses(self.decode(self.encoder(*corrupted)), *batch, self.schema)


class Denoise(CellTask):
    """Reconstruct rows from corrupted copies of them (Vincent et al., 2010).

    Parameters
    ----------
    encoder, decoder : nn.Module
        Row to embedding, embedding to the row written out.

    corruption : callable
        Corrupts the chosen cells of a batch.

    rate : Tensor of shape (n_features,)
        Share of cells to corrupt.

    emphasis : float
        Weight of a corrupted cell's loss, relative to that of another cell.

    schema : Schema
        The features.
    """

    rate: Tensor

    def __init__(
        self,
        encoder: RowEncoder,
        decoder: nn.Module,
        corruption: Corruption,
        rate: Tensor,
        emphasis: float,
        schema: Schema,
    ):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.corruption = corruption
        self.register_buffer("rate", rate)
        self.emphasis = emphasis
        self.schema = schema

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        mask = draw_mask(batch, self.rate, generator, self.schema.leads)
        losses = self.cell_losses(self.corruption(batch, mask, generator), batch)
        if self.emphasis == 1:
            # Weights of one would take a twentieth of a small step.
            return losses.mean()
        extra = self.emphasis - 1
        # Divided by the expected sum of the weights and not by this batch's, so that the losses of
        # the parts of a batch, which several processes share, add up to the loss of the whole.
        weights = 1 + extra * mask  # (n_rows, n_features)
        expected = 1 + extra * self.rate.mean()
        return (losses * weights).mean() / expected

    def decode(self, bottleneck: Tensor) -> Tensor:
        cells: Tensor = self.decoder(bottleneck)
        return cells


class AddNoise(nn.Module):
    """Disturb chosen numbers by normal noise of a standard deviation for each column.

    It is a module so that the deviations move to the device of the network. They are settings, not
    weights, and are not saved with the weights.
    """

    sigma: Tensor

    def __init__(self, sigma: Tensor):
        super().__init__()
        self.register_buffer("sigma", sigma, persistent=False)

    def forward(self, batch: Batch, mask: Tensor, generator: torch.Generator) -> Batch:
        return add_noise(batch, mask, generator, sigma=self.sigma)


class Mix:
    """Corrupt every chosen cell by one of several corruptions, picked at random."""

    def __init__(self, corruptions: tuple[Corruption, ...], leads: Sequence[int] = ()):
        self.corruptions = corruptions
        self.leads = leads

    def __call__(self, batch: Batch, mask: Tensor, generator: torch.Generator) -> Batch:
        pick = torch.randint(
            len(self.corruptions), mask.shape, generator=generator, device=mask.device
        )
        pick = by_cell(pick, self.leads)
        # Each corruption is applied to all rows, since one of them swaps cells between rows.
        mixed = batch
        for number, corruption in enumerate(self.corruptions):
            chosen = mask & (pick == number)
            corrupted = corruption(batch, chosen, generator)
            numeric, codes = split_mask(batch, chosen)
            mixed = (
                torch.where(numeric, corrupted[0], mixed[0]),
                torch.where(codes, corrupted[1], mixed[1]),
            )
        return mixed


class Contrast(PretextTask):
    """Pull two views of a row together, push other rows apart (SCARF, Bahri et al., 2022).

    DIFFERS FROM SCARF: a corrupted cell comes from another row of the batch, whose column has
    nearly the distribution of the whole table, and not from a row of the whole table.

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

    leads : sequence of int, default=()
        Which features make up a cell, as in the schema.
    """

    def __init__(
        self,
        encoder: RowEncoder,
        projection: nn.Module,
        objective: Callable[[Tensor, Tensor], Tensor],
        corruption_rate: float,
        n_corrupted_views: int,
        leads: Sequence[int] = (),
    ):
        super().__init__()
        self.encoder = encoder
        self.projection = projection
        self.objective = objective
        self.corruption_rate = corruption_rate
        self.n_corrupted_views = n_corrupted_views
        self.leads = leads

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        # SCARF leaves the anchor as it is; SimCLR corrupts both views.
        anchor = self.corrupt(batch, generator) if self.n_corrupted_views == 2 else batch
        positive = self.corrupt(batch, generator)
        # Both views as one batch take fewer and larger products than one after the other.
        numeric = torch.cat([anchor[0], positive[0]])
        codes = torch.cat([anchor[1], positive[1]])
        first, second = self.project((numeric, codes)).chunk(2)  # (n_rows, projection_size)
        return self.objective(first, second)

    def corrupt(self, batch: Batch, generator: torch.Generator, rate: float | None = None) -> Batch:
        """A view of rows in which a share of the cells is swapped."""
        rate = self.corruption_rate if rate is None else rate
        mask = draw_mask(batch, rate, generator, self.leads)
        return swap(batch, mask, generator, self.leads)

    def project(self, batch: Batch) -> Tensor:
        """Rows in the space of comparison, of shape (n_rows, projection_size)."""
        projected: Tensor = self.projection(self.encoder(*batch))
        return projected


class PredictMask(CellTask):
    """Predict which cells were hidden and what they held (VIME, Yoon et al., 2020).

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
        encoder: RowEncoder,
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
        leads = self.schema.leads
        mask = draw_mask(batch, self.mask_rate, generator, leads)
        embedding = self.encoder(*hide(batch, mask, generator, leads))
        hidden = mask.to(embedding.dtype)  # (n_rows, n_features)
        mask_loss = F.binary_cross_entropy_with_logits(self.mask_head(embedding), hidden)
        values = cell_losses(self.value_head(embedding), *batch, self.schema)
        # DIFFERS FROM VIME: only hidden cells count; the others could be copied from the input.
        value_loss = (values * hidden).sum() / hidden.sum().clamp_min(1)
        return mask_loss + self.alpha * value_loss

    def decode(self, bottleneck: Tensor) -> Tensor:
        cells: Tensor = self.value_head(bottleneck)
        return cells
