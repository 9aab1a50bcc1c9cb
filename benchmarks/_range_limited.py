"""Contrast with swaps limited to a range of the column, written again from its publication.

K. Lee et al., "Range-limited augmentation for few-shot learning in tabular data with
comprehensive benchmark", KDD (2025); code at github.com/kyungeun-lee/festa, commit 485faee.
"""

import copy
from collections.abc import Iterator

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from torch import Tensor, nn

from sklearn_ssl._pretext.losses import nt_xent

WIDTH, BATCH_SIZE, TRAINING_SHARE, LEARNING_RATE = 256, 128, 0.9, 1e-3


class RangeLimitedContrast(TransformerMixin, BaseEstimator):
    """The encoder of a row and of a row with cells swapped within their ranges agree.

    Parameters
    ----------
    n_ranges : int, default=4
        Ranges of equal width, between 0 and 1, within which the cells of a column are swapped.
        With 1 they are swapped at random, the publication's "shuffling".

    corruption_rate : float, default=0.3
        Share of the cells of the numeric columns that are swapped; the others stay.

    temperature : float, default=1.0
        Divides the cosines.

    depth : int, default=2
        Hidden layers of encoder and head. The last of the encoder is followed by a linear layer,
        which is the embedding.

    batch_norm : bool, default=True
        Whether hidden layers but the first are normalized over the batch.

    dropout : float, default=0.1
        Share of the units of those layers that a step leaves out.

    max_iter : int, default=1000
        Most epochs.

    patience : int, default=3
        Epochs without a smaller validation loss after which training stops.

    held_out : bool, default=False
        Whether the validation rows are held out. The published code complements the positions of
        the training rows bit by bit, so that its validation rows are as many as the training
        rows and nine in ten are among them.

    random_state : int, default=0
        Source of weights, swaps, dropout and shuffling.
    """

    def __init__(
        self,
        n_ranges=4,
        corruption_rate=0.3,
        temperature=1.0,
        depth=2,
        batch_norm=True,
        dropout=0.1,
        max_iter=1000,
        patience=3,
        held_out=False,
        random_state=0,
    ):
        self.n_ranges = n_ranges
        self.corruption_rate = corruption_rate
        self.temperature = temperature
        self.depth = depth
        self.batch_norm = batch_norm
        self.dropout = dropout
        self.max_iter = max_iter
        self.patience = patience
        self.held_out = held_out
        self.random_state = random_state

    def fit(self, X, y=None, is_number=None):
        """Learn from rows between 0 and 1; ``is_number`` marks the columns that are swapped."""
        rows = torch.from_numpy(np.asarray(X, dtype=np.float32))
        swapped = torch.ones(rows.shape[1], dtype=torch.bool)
        if is_number is not None:
            swapped = torch.from_numpy(np.asarray(is_number, dtype=bool))
        # The layers draw from the global generator, whose state is put back.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            self.encoder_, self.n_iter_ = self._train(rows, swapped)
        return self

    def transform(self, X):
        with torch.no_grad():
            return self.encoder_(torch.from_numpy(np.asarray(X, dtype=np.float32))).numpy()

    def _train(self, rows: Tensor, swapped: Tensor) -> tuple[nn.Module, int]:
        encoder, head = self._network(rows.shape[1]), self._network(WIDTH)
        model = nn.Sequential(encoder, head)
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        training, validation = self._split(len(rows))
        best, least, waited, epoch = copy.deepcopy(encoder), np.inf, 0, 0
        while epoch < self.max_iter and waited < self.patience:
            epoch += 1
            model.train()
            for batch in batches(rows[training]):
                optimizer.zero_grad()
                self._loss(model, batch, swapped).backward()
                optimizer.step()
            model.eval()
            with torch.no_grad():
                loss = sum(
                    self._loss(model, batch, swapped).item() for batch in batches(rows[validation])
                )
            waited += 1
            if loss < least:
                best, least, waited = copy.deepcopy(encoder), loss, 0
        return best.eval(), epoch

    def _split(self, n_rows: int) -> tuple[Tensor, Tensor]:
        shuffled = torch.randperm(n_rows)
        training = shuffled[: int(TRAINING_SHARE * n_rows)]
        return training, shuffled[len(training) :] if self.held_out else n_rows - 1 - training

    def _loss(self, model: nn.Module, batch: Tensor, swapped: Tensor) -> Tensor:
        view = swap_within_ranges(batch, swapped, self.n_ranges, self.corruption_rate)
        return nt_xent(model(batch), model(view), self.temperature)

    def _network(self, n_inputs: int) -> nn.Module:
        layers: list[nn.Module] = [nn.Linear(n_inputs, WIDTH), nn.ReLU()]
        for _ in range(self.depth - 1):
            norm = nn.BatchNorm1d(WIDTH) if self.batch_norm else nn.Identity()
            layers += [nn.Linear(WIDTH, WIDTH), norm, nn.ReLU(), nn.Dropout(self.dropout)]
        return nn.Sequential(*layers, nn.Linear(WIDTH, WIDTH))


def batches(rows: Tensor) -> Iterator[Tensor]:
    """Whole batches in a random order; a table of fewer rows makes one."""
    size = min(BATCH_SIZE, len(rows))
    shuffled = rows[torch.randperm(len(rows))]
    yield from shuffled[: len(rows) // size * size].split(size)


def swap_within_ranges(rows: Tensor, swapped: Tensor, n_ranges: int, rate: float) -> Tensor:
    """Replace cells by cells of the same column and range in other rows of the batch."""
    ranges = (rows * n_ranges).floor()
    # Both orders sort by range, at random within each; the cells of a rank change places.
    takers = (ranges + torch.rand_like(rows)).argsort(dim=0)
    givers = (ranges + torch.rand_like(rows)).argsort(dim=0)
    others = torch.empty_like(rows).scatter(0, takers, rows.gather(0, givers))
    chosen = (torch.rand_like(rows) < rate) & swapped
    return torch.where(chosen, others, rows)
