"""Tasks that use labels: beside a pretext task, and in fine-tuning."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from sklearn_ssl._network.embedding import Embedding
from sklearn_ssl._network.layers import Batch, Linear
from sklearn_ssl._pretext.corruptions import draw_mask, swap
from sklearn_ssl._pretext.losses import Losses
from sklearn_ssl._pretext.tasks import PretextTask

N_CONSISTENT_COPIES = 3
"""Corrupted copies of a row whose outputs should agree, as in VIME."""

CORRUPTION_RATE = 0.3
"""Share of cells swapped in a row before a head sees it, as in VIME."""

LabeledBatch = tuple[Tensor, Tensor, Tensor, Tensor]
"""Numbers, codes, targets and weights of rows."""


class HasSupervisionWeight(Protocol):
    """A transformer that may use labels during pretraining."""

    supervision_weight: float


class WithAuxiliaryHead(PretextTask):
    """A pretext task and, beside it, a linear head that predicts the targets of labeled rows.

    The head sees corrupted rows: a few labeled rows are quickly memorized if shown uncorrupted,
    and a model on top of the transformer would then rely on what new rows do not have.

    Parameters
    ----------
    pretext : PretextTask
        The task without labels.

    head : nn.Module
        Bottleneck to outputs.

    row_losses : callable
        Loss of each row from outputs and targets.

    supervision_weight : float
        Weight of the labeled rows' mean loss against that of the pretext task.

    leads : sequence of int, default=()
        Which features make up a cell, as in the schema.
    """

    def __init__(
        self,
        pretext: PretextTask,
        head: Linear,
        row_losses: Losses,
        supervision_weight: float,
        leads: Sequence[int] = (),
    ):
        super().__init__()
        self.pretext = pretext
        self.head = head
        self.row_losses = row_losses
        self.supervision_weight = supervision_weight
        self.leads = leads

    def forward(self, batch: LabeledBatch, generator: torch.Generator) -> Tensor:
        numeric, codes, target, weight = batch
        loss: Tensor = self.pretext((numeric, codes), generator)
        rows = weight.nonzero().squeeze(1)  # (n_labeled,)
        if not len(rows):
            # The mean of no rows would be NaN.
            return loss
        # Cells are swapped among all rows, and only then the labeled ones are chosen.
        corrupted = corrupt((numeric, codes), generator, self.leads)
        numbers, categories = corrupted
        output = self.head(self.pretext.encoder(numbers[rows], categories[rows]))
        supervised = weight[rows] * self.row_losses(output, target[rows])
        return loss + self.supervision_weight * supervised.mean()


class Supervise(nn.Module):
    """Predict the targets of rows by a linear head on their embedding.

    The head keeps the penalty with which it was fitted. Training therefore starts at the optimum
    of the linear probe, and only the encoder still has something to gain.

    Parameters
    ----------
    embedding, head : nn.Module
        Row to embedding, embedding to outputs.

    row_losses : callable
        Loss of each row from outputs and targets.

    penalty : float
        Weight of half the sum of squares of the head's weights.

    unlabeled : tuple of Tensor or None
        Encoded rows whose corrupted copies should get equal outputs.

    consistency_weight : float
        Weight of the variance of these outputs (the semi-supervised stage of VIME).

    leads : sequence of int, default=()
        Which features make up a cell, as in the schema.
    """

    numeric: Tensor | None
    codes: Tensor | None

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
        # As buffers, the rows go to the device of the network; they are no weights to keep.
        for name, part in zip(("numeric", "codes"), unlabeled or (None, None), strict=True):
            self.register_buffer(name, part, persistent=False)

    def forward(self, batch: LabeledBatch, generator: torch.Generator) -> Tensor:
        numeric, codes, target, weight = batch
        losses = self.row_losses(self.outputs(numeric, codes), target)  # (n_rows,)
        loss = (weight * losses).mean()
        if not self.training:
            # On held-out rows, only the loss of the predictions counts.
            return loss
        loss = loss + self.penalty / 2 * self.head.weight.square().sum()
        if self.consistency_weight and self.numeric is not None and self.codes is not None:
            unlabeled = draw_rows((self.numeric, self.codes), len(numeric), generator)
            loss = loss + self.consistency_weight * self.disagreement(unlabeled, generator)
        return loss

    def outputs(self, numeric: Tensor, codes: Tensor) -> Tensor:
        """Outputs of the head, of shape (n_rows, n_outputs)."""
        outputs: Tensor = self.head(self.embedding(numeric, codes))
        return outputs

    def disagreement(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Variance of the outputs for corrupted copies of the same rows."""
        # DIFFERS FROM VIME: the encoder trains along; there, it is fixed by then.
        copies = [corrupt(batch, generator, self.leads) for _ in range(N_CONSISTENT_COPIES)]
        outputs = torch.stack([self.outputs(*copy) for copy in copies])
        variance = outputs.var(dim=0, correction=0)  # (n_rows, n_outputs)
        return variance.mean()


def corrupt(batch: Batch, generator: torch.Generator, leads: Sequence[int]) -> Batch:
    """Swap a share of the cells before a head sees the rows."""
    mask = draw_mask(batch, CORRUPTION_RATE, generator, leads)
    return swap(batch, mask, generator, leads)


def draw_rows(batch: Batch, n_rows: int, generator: torch.Generator) -> Batch:
    """Draw rows at random, with replacement."""
    numeric, codes = batch
    rows = torch.randint(len(numeric), (n_rows,), generator=generator, device=numeric.device)
    return numeric[rows], codes[rows]
