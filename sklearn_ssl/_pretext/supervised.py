"""Tasks that are shown labels: beside a pretext task, and in fine-tuning."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_ssl._network.embedding import Embedding
from sklearn_ssl._network.layers import Batch, Linear
from sklearn_ssl._pretext.corruptions import draw_mask, swap
from sklearn_ssl._pretext.losses import Losses

N_CONSISTENT_VIEWS = 3
"""Corrupted views of a row that are to get the same outputs, as in VIME."""


CORRUPTION_RATE = 0.3
"""Share of cells swapped in a view of a row that a head is shown, as in VIME."""


class WithAuxiliaryHead(nn.Module):
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

    leads : sequence of int, default=()
        Of the schema: which features make up a cell.
    """

    def __init__(
        self,
        pretext: nn.Module,
        head: Linear,
        row_losses: Losses,
        supervision_weight: float,
        leads: Sequence[int] = (),
    ):
        super().__init__()
        self.pretext: Any = pretext
        self.head = head
        self.row_losses = row_losses
        self.supervision_weight = supervision_weight
        self.leads = leads

    def forward(self, batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
        numeric, codes, target, weight = batch
        loss = self.pretext((numeric, codes), generator)
        rows = weight.nonzero().squeeze(1)
        if not len(rows):
            return loss
        view = _corrupted((numeric, codes), generator, self.leads)
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

    leads : sequence of int, default=()
        Of the schema: which features make up a cell.
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
        leads: Sequence[int] = (),
    ):
        super().__init__()
        self.embedding = embedding
        self.head = head
        self.row_losses = row_losses
        self.penalty = penalty
        self.consistency_weight = consistency_weight
        self.leads = leads
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
        views = [_corrupted(batch, generator, self.leads) for _ in range(N_CONSISTENT_VIEWS)]
        outputs = torch.stack([self.outputs(*view) for view in views])
        return outputs.var(dim=0, correction=0).mean()


def _corrupted(batch: Batch, generator: torch.Generator, leads: Sequence[int]) -> Batch:
    """Rows of which some cells were swapped."""
    mask = draw_mask(batch, CORRUPTION_RATE, generator, leads)
    return swap(batch, mask, generator, leads)
