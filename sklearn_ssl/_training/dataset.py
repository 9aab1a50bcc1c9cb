"""Batches of an encoded table: slices of tensors, in order or shuffled."""

from collections.abc import Iterator
from typing import TypeAlias

import torch
from torch import Tensor

Rows: TypeAlias = slice | Tensor
"""Rows by a slice, or by their positions."""


class TableDataset(torch.utils.data.Dataset[tuple[Tensor, ...]]):
    """An encoded table on a device; batches are slices of it, not lists of rows.

    Parameters
    ----------
    *parts : Tensor of shape (n_rows, ...)
        Numbers and codes; with labels, also targets and weights.

    rows : Tensor of shape (n_chosen,), int64, or None, default=None
        Positions of the rows of the dataset, which are not copied; None stands for all rows.
    """

    def __init__(self, *parts: Tensor, rows: Tensor | None = None):
        self.parts = parts
        self.rows = rows

    def __len__(self) -> int:
        return len(self.parts[0] if self.rows is None else self.rows)

    def __getitem__(self, rows: Rows) -> tuple[Tensor, ...]:
        rows = rows if self.rows is None else self.rows[rows]
        if isinstance(rows, Tensor) and rows.dtype == torch.int64:
            # This is faster than part[rows], which also reads masks and negative positions.
            return tuple(part.index_select(0, rows) for part in self.parts)
        return tuple(part[rows] for part in self.parts)

    @property
    def device(self) -> torch.device:
        return self.parts[0].device

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors of the dataset."""
        return self.parts if self.rows is None else (*self.parts, self.rows)

    def in_order(self, n_batches: int) -> Iterator[tuple[Tensor, ...]]:
        """Batches of rows as they come."""
        if self.rows is None:
            # Neighboring rows need not be copied.
            split = [part.tensor_split(n_batches) for part in self.parts]
            yield from zip(*split, strict=True)
        else:
            for rows in torch.arange(len(self)).tensor_split(n_batches):
                yield self[rows]

    def to(self, device: str) -> "TableDataset":
        """The dataset on a device; copies only its own rows, and none if it is there already."""
        if self.device == torch.device(device):
            return self
        return TableDataset(*(part.to(device) for part in self[:]))


class BatchIterator:
    """Batches of nearly equal size, so that no batch is left with a row or two.

    Parameters
    ----------
    dataset : TableDataset
        The rows.

    batch_size : int
        Most rows of a batch.

    generator : torch.Generator or None
        Shuffles the rows anew in each epoch; without it, they come in order.

    n_rows : int, default=None
        Rows of an epoch if they are shuffled; None stands for all of them.
    """

    def __init__(
        self,
        dataset: TableDataset,
        batch_size: int,
        generator: torch.Generator | None = None,
        n_rows: int | None = None,
    ):
        self.dataset = dataset
        self.batch_size = batch_size
        self.generator = generator
        self.n_rows = len(dataset) if n_rows is None else n_rows

    def __len__(self) -> int:
        return -(-self.n_rows // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        if self.generator is None:
            yield from self.dataset.in_order(len(self))
            return
        # The permutation is drawn on the device of the rows, which it selects.
        device = self.dataset.device
        rows = torch.randperm(len(self.dataset), generator=self.generator, device=device)
        for batch in rows[: self.n_rows].tensor_split(len(self)):
            yield self.dataset[batch]
