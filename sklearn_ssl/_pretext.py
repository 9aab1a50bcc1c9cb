"""Pretext tasks: a view, a network and an objective; ``forward`` returns the loss of a batch."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklearn_ssl._networks import Embedding, Encoder, Linear
from sklearn_ssl._objectives import Losses, cell_losses
from sklearn_ssl._schema import Schema
from sklearn_ssl._views import Batch, Corruption, draw_mask, hide, jitter, split_mask, swap

N_CONSISTENT_VIEWS = 3
"""Corrupted views of a row that are to get the same outputs, as in VIME."""

LABELLED_VIEW_RATE = 0.3
"""Share of cells swapped in a view of a row that a head is shown, as in VIME."""


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

    emphasis : float
        Weight of a corrupted cell's loss, in those of another cell.

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
        mask = draw_mask(batch, self.rate, generator)
        losses = self.cell_losses(self.corruption(batch, mask, generator), batch)
        if self.emphasis == 1:  # weights take a twentieth of a small step
            return losses.mean()
        extra = self.emphasis - 1
        # The expected sum of the weights, not this batch's: parts of a batch then add up.
        return (losses * (1 + extra * mask)).mean() / (1 + extra * self.rate.mean())

    def cell_losses(self, view: Batch, batch: Batch) -> Tensor:
        """Losses of shape (n_rows, n_features) of rebuilding ``batch`` from ``view``."""
        return cell_losses(self.decoder(self.encoder(*view)), *batch, self.schema)


class Jitter(nn.Module):
    """Disturb chosen numbers by normal noise of a standard deviation for each column.

    A module, so that the deviations go to the device that the network goes to; they are settings
    and no weights, and not kept with these.
    """

    sigma: Tensor

    def __init__(self, sigma: Tensor):
        super().__init__()
        self.register_buffer("sigma", sigma, persistent=False)

    def forward(self, batch: Batch, mask: Tensor, generator: torch.Generator) -> Batch:
        return jitter(batch, mask, generator, sigma=self.sigma)


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
        # Both views as one batch take fewer and larger products than one after the other.
        both = torch.cat([anchor[0], positive[0]]), torch.cat([anchor[1], positive[1]])
        return self.objective(*self.project(both).chunk(2))

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


class Guide(nn.Module):
    """A pretext task, and besides it the targets of the labeled rows, told by a linear head.

    The head is shown corrupted views: few labeled rows, seen as they are, are soon known by heart,
    and a model behind the transformer would then rely on what new rows do not have.

    Parameters
    ----------
    pretext : nn.Module
        Any of the tasks above.

    head : nn.Module
        Embedding to outputs.

    row_losses : callable
        Loss of each row from outputs and targets.

    supervision_weight : float
        Weight of the labeled rows' mean loss against that of the pretext task.
    """

    def __init__(
        self, pretext: nn.Module, head: Linear, row_losses: Losses, supervision_weight: float
    ):
        super().__init__()
        self.pretext: Any = pretext
        self.head = head
        self.row_losses = row_losses
        self.supervision_weight = supervision_weight

    def forward(self, batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
        numeric, codes, target, weight = batch
        loss = self.pretext((numeric, codes), generator)
        rows = weight.nonzero().squeeze(1)
        if not len(rows):
            return loss
        view = swap(
            (numeric, codes), draw_mask((numeric, codes), LABELLED_VIEW_RATE, generator), generator
        )
        output = self.head(self.pretext.encoder(view[0][rows], view[1][rows]))
        told = weight[rows] * self.row_losses(output, target[rows])
        return loss + self.supervision_weight * told.mean()


class Supervise(nn.Module):
    """Tell the targets of rows by a linear head on their embedding.

    The head keeps the penalty under which it was fitted, so that training starts where the
    linear probe ends: only the encoder still has something to gain.

    Parameters
    ----------
    embedding, head : nn.Module
        Row to embedding, embedding to outputs.

    row_losses : callable
        Loss of each row from outputs and targets.

    penalty : float
        Weight of half the sum of squares of the head's weights.

    unlabeled : tuple of Tensor or None
        Encoded rows on which the outputs for corrupted views are to agree.

    consistency_weight : float
        Weight of the variance of these outputs (the semi-supervised stage of VIME).
    """

    numeric: Tensor
    codes: Tensor

    def __init__(
        self,
        embedding: Embedding,
        head: Linear,
        row_losses: Losses,
        penalty: float,
        unlabeled: Batch | None = None,
        consistency_weight: float = 0.0,
    ):
        super().__init__()
        self.embedding = embedding
        self.head = head
        self.row_losses = row_losses
        self.penalty = penalty
        self.consistency_weight = consistency_weight
        for name, part in zip(("numeric", "codes"), unlabeled or (None, None), strict=True):
            self.register_buffer(name, part, persistent=False)

    def forward(self, batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
        numeric, codes, target, weight = batch
        loss = (weight * self.row_losses(self.outputs(numeric, codes), target)).mean()
        if not self.training:
            return loss
        loss = loss + self.penalty / 2 * self.head.weight.square().sum()
        if self.consistency_weight and self.numeric is not None:
            loss = loss + self.consistency_weight * self.disagreement(len(numeric), generator)
        return loss

    def outputs(self, numeric: Tensor, codes: Tensor) -> Tensor:
        """Outputs of the head, of shape (n_rows, n_outputs)."""
        return self.head(self.embedding(numeric, codes))

    def disagreement(self, n_rows: int, generator: torch.Generator) -> Tensor:
        """Variance of the outputs for corrupted views of unlabeled rows drawn at random."""
        shape, device = (n_rows,), self.numeric.device
        rows = torch.randint(len(self.numeric), shape, generator=generator, device=device)
        batch = self.numeric[rows], self.codes[rows]
        views = [
            swap(batch, draw_mask(batch, LABELLED_VIEW_RATE, generator), generator)
            for _ in range(N_CONSISTENT_VIEWS)
        ]
        outputs = torch.stack([self.outputs(*view) for view in views])
        return outputs.var(dim=0, correction=0).mean()
