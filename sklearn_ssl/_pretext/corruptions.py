"""Corruptions of an encoded table, drawn a batch at a time.

Every function takes a batch ``(numeric, codes)``, a mask of cells and a generator, and returns a
new batch of the same shapes. Cells that the mask leaves out do not change. A date is a cell with
several features; for each feature, ``leads`` of the schema then holds the first one of its cell.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sklearn_ssl._network.layers import Batch
from sklearn_ssl._table.schema import MISSING

Corruption = Callable[[Batch, Tensor, torch.Generator], Batch]


def draw_mask(
    batch: Batch,
    rate: float | Tensor,
    generator: torch.Generator,
    leads: Sequence[int] = (),
) -> Tensor:
    """Choose cells independently of each other.

    Parameters
    ----------
    batch : tuple of Tensor
        The rows to choose from.

    rate : float or Tensor of shape (n_features,)
        Probability that a cell is chosen.

    generator : torch.Generator
        Source of the draws.

    leads : sequence of int of length n_features, default=()
        For each feature, the first one of its cell; empty if every feature is a cell.

    Returns
    -------
    mask : Tensor of shape (n_rows, n_features), bool
        True for chosen cells; numeric features come first.
    """
    numeric, codes = batch
    shape = (len(numeric), numeric.shape[1] + codes.shape[1])
    drawn = torch.rand(shape, generator=generator, device=numeric.device, dtype=numeric.dtype)
    # One comparison serves a rate for all and a rate for each feature.
    return by_cell(drawn, leads) < rate


def by_cell(drawn: Tensor, leads: Sequence[int]) -> Tensor:
    """Let all features of a cell share what was drawn for its first one."""
    return drawn[..., list(leads)] if leads else drawn


def split_mask(batch: Batch, mask: Tensor) -> Batch:
    """Separate a mask of cells into its numeric and its categorical part."""
    n_numeric = batch[0].shape[1]
    return mask[:, :n_numeric], mask[:, n_numeric:]


def swap(
    batch: Batch, mask: Tensor, generator: torch.Generator, leads: Sequence[int] = ()
) -> Batch:
    """Replace chosen cells by the same column's cells of other rows of the batch.

    Each column is shifted by its own random distance. This draws from the column's empirical
    distribution, independently of the other columns, and never returns a cell to its own row.
    """
    n_rows, n_features = mask.shape
    if n_rows < 2:
        # A single row has no other row to take cells from.
        return batch
    shift = torch.randint(1, n_rows, (n_features,), generator=generator, device=mask.device)
    shift = by_cell(shift, leads)
    # A cell that is not chosen is its own donor. The rows follow each other twice, so that a
    # donor's position needs no remainder. Both together take half the time of the plain way.
    own = torch.arange(n_rows, device=mask.device)[:, None]  # (n_rows, 1)
    donors = shift * mask + own  # (n_rows, n_features)
    numeric_donors, code_donors = split_mask(batch, donors)
    numeric, codes = batch
    return _gather_twice(numeric, numeric_donors), _gather_twice(codes, code_donors)


def _gather_twice(cells: Tensor, donors: Tensor) -> Tensor:
    """Cells of donors, which are counted through the rows and then once more."""
    if not cells.shape[1]:
        return cells
    return torch.cat([cells, cells]).gather(0, donors)


def set_to_mean(batch: Batch, mask: Tensor, generator: torch.Generator) -> Batch:
    """Set chosen numbers to zero, their column's mean, and chosen categories to missing."""
    numeric, codes = batch
    chosen_numbers, chosen_codes = split_mask(batch, mask)
    numeric = numeric.masked_fill(chosen_numbers, 0.0)
    codes = codes.masked_fill(chosen_codes, MISSING)
    return numeric, codes


def mark_missing(batch: Batch, mask: Tensor, generator: torch.Generator | None = None) -> Batch:
    """Mark chosen cells as missing."""
    numeric, codes = batch
    chosen_numbers, chosen_codes = split_mask(batch, mask)
    numeric = numeric.masked_fill(chosen_numbers, torch.nan)
    codes = codes.masked_fill(chosen_codes, MISSING)
    return numeric, codes


def add_noise(
    batch: Batch, mask: Tensor, generator: torch.Generator, *, sigma: float | Tensor = 1.0
) -> Batch:
    """Add normal noise of standard deviation ``sigma`` to chosen numbers; keep categories."""
    numeric, codes = batch
    chosen, _ = split_mask(batch, mask)
    # Noise is drawn for all numbers: the draws then do not depend on which ones are chosen.
    noise = torch.randn(
        numeric.shape, generator=generator, device=numeric.device, dtype=numeric.dtype
    )
    return torch.where(chosen, numeric + sigma * noise, numeric), codes


def hide(
    batch: Batch, mask: Tensor, generator: torch.Generator, leads: Sequence[int] = ()
) -> Batch:
    """Hide chosen cells: replace half of them by cells of other rows, mark half as missing.

    DIFFERS FROM VIME, which replaces all of them by cells of other rows. A network that has never
    seen a missing cell could not impute one.
    """
    marked = mask & draw_mask(batch, 0.5, generator, leads)
    swapped = swap(batch, mask & ~marked, generator, leads)
    return mark_missing(swapped, marked)
