"""The problem of fine-tuning: labeled rows on a pretrained embedding, and rows without labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sklearn_ssl._finetuning.linear_probe import LinearHead, choose_variance
from sklearn_ssl._labels import Target
from sklearn_ssl._model import TableModel, row_embedder
from sklearn_ssl._network.embedding import Embedding
from sklearn_ssl._network.layers import Batch, Linear
from sklearn_ssl._pretext.losses import Losses, class_losses, label_losses
from sklearn_ssl._table.types import Table
from sklearn_ssl._training.dataset import TableDataset

N_ROWS_OF_FOLDS = 2000
"""With fewer labeled rows, every one of them is held out once."""

N_ROWS_OF_PENALTY = 4000
"""The penalty is chosen on this many labeled rows."""

Fold = tuple[Tensor, Tensor]
"""Positions of the rows to keep, and of those to hold out."""


@dataclass(frozen=True)
class Problem:
    """What a head and an encoder are to learn.

    Attributes
    ----------
    embedding : Embedding
        What the head reads; shares the weights of the pretrained encoder.

    embedded : Tensor of shape (n_rows, width), float64
        The labeled rows as the head reads them.

    numeric, codes : Tensor of shape (n_rows, ...)
        The labeled rows, encoded.

    target : Tensor of shape (n_rows,) or (n_rows, n_outputs)
        What to predict.

    weight : Tensor of shape (n_rows,)
        Weights of the rows in the loss.

    losses : callable
        Loss of each row from outputs and targets.

    n_outputs : int
        Outputs of the head.

    folds : sequence of Fold
        Labeled rows to hold out in turn.

    unlabeled : tuple of Tensor or None
        Encoded rows without a label.

    leads : sequence of int
        Which features make up a cell, as in the schema.
    """

    embedding: Embedding
    embedded: Tensor
    numeric: Tensor
    codes: Tensor
    target: Tensor
    weight: Tensor
    losses: Losses
    n_outputs: int
    folds: Sequence[Fold]
    unlabeled: Batch | None
    leads: Sequence[int]

    def __len__(self) -> int:
        return len(self.numeric)

    def dataset(self, rows: Tensor | None = None) -> TableDataset:
        """The labeled rows, or some of them, to train on."""
        return TableDataset(self.numeric, self.codes, self.target, self.weight, rows=rows)

    def choose_penalty(self) -> float:
        """The prior variance of the head's weights that predicts held-out rows best."""
        # Of many rows every n-th one is kept; solving for all would take most of the fit.
        folds = [
            (kept[:: -(-len(kept) // N_ROWS_OF_PENALTY)], held_out) for kept, held_out in self.folds
        ]
        return choose_variance(
            self.embedded, self.target, self.weight, self.losses, self.n_outputs, folds
        )

    def probe(self, rows: Tensor, variance: float) -> Linear:
        """The linear head that is best on the embedding as it is."""
        target, weight = self.target[rows], self.weight[rows]
        problem = LinearHead(self.embedded[rows], target, weight, self.losses, self.n_outputs)
        weights, intercepts = problem.fit(variance)
        head = self.head_at_zero()
        with torch.no_grad():
            head.weight.copy_(weights)
            head.bias.copy_(intercepts)
        return head

    def head_at_zero(self) -> Linear:
        """A head that has not learned anything yet."""
        # The generator's draws are overwritten.
        head = Linear(self.embedding.width, self.n_outputs, torch.Generator())
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
        return head


def state_problem(
    model: TableModel, X: Table, target: Target, folds: Sequence[Fold], device: str
) -> Problem:
    """Encode a checked table, and separate the rows that have a label from the others."""
    numeric, codes = model.encode(X)
    values, weight = target.tensors()
    is_labeled = torch.from_numpy(target.weight > 0)
    labeled = numeric[is_labeled], codes[is_labeled]
    unlabeled = numeric[~is_labeled], codes[~is_labeled]
    # The head reads all layers: the components of transform leave some of them out.
    embedding = model.standardized_layers()
    return Problem(
        embedding=embedding,
        embedded=embed(embedding, labeled, device),
        numeric=labeled[0],
        codes=labeled[1],
        target=values[is_labeled],
        weight=weight[is_labeled],
        losses=target.losses,
        n_outputs=target.n_outputs,
        folds=folds,
        unlabeled=unlabeled if len(unlabeled[0]) else None,
        leads=model.schema.leads,
    )


def embed(embedding: Embedding, rows: Batch, device: str) -> Tensor:
    """Embed encoded rows as a fitted estimator does; the result is in double precision."""
    embedded = np.empty((len(rows[0]), embedding.width), dtype=np.float32)
    row_embedder(embedding, device)(rows, embedded)
    return torch.from_numpy(embedded).double()


def draw_folds(target: Target, fraction: float, rng: np.random.RandomState) -> list[Fold]:
    """Folds of labeled rows that are alike in their targets; of many rows only the first fold.

    Rows of a class that has no other row outside the fold are kept in all of them.
    """
    values = target.values[torch.from_numpy(target.weight > 0)]
    n_rows = len(values)
    n_folds = min(round(1 / fraction), n_rows)
    if n_folds < 2:
        return []
    order = rng.permutation(n_rows)  # breaks ties between equal targets
    columns = values.numpy().reshape(n_rows, -1)[order]
    # Neighbors in the order of the targets go to different folds, so that the folds are alike.
    # They are dealt at random: in turn, one fold would always get the lowest of each hand.
    order = order[np.lexsort(np.nan_to_num(columns.T))]
    dealt = rng.random_sample((-(-n_rows // n_folds), n_folds)).argsort(axis=1)
    fold = np.empty(n_rows, dtype=np.intp)
    fold[order] = dealt.ravel()[:n_rows]
    # With many rows, one fold is enough to choose by, and each fold costs a fit.
    used = n_folds if n_rows <= N_ROWS_OF_FOLDS else 1
    classes = classes_of(target, values)
    folds = []
    for k in range(used):
        is_held_out = fold == k
        if classes is not None:
            # No model can predict a class that it has not seen. With few rows of many classes, such
            # rows would choose the strongest penalty, which makes all classes equally probable.
            is_held_out &= np.isin(classes, classes[~is_held_out])
        if is_held_out.any():
            kept = torch.from_numpy(np.flatnonzero(~is_held_out))
            folds.append((kept, torch.from_numpy(np.flatnonzero(is_held_out))))
    return folds


def classes_of(target: Target, values: Tensor) -> npt.NDArray[np.int64] | None:
    """The class of each row; None for numbers, and for rows that have several labels each."""
    if target.losses is class_losses:
        return values.numpy()
    if target.losses is label_losses and target.n_outputs == 1:
        return values.numpy().reshape(-1).astype(np.int64)
    return None
