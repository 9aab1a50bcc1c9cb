"""Numbers cut at their quantiles: a piecewise-linear encoding that needs no labels."""

from typing import NamedTuple

import torch
from torch import Tensor

COLUMNS_TO_SORT = 64
"""Columns that are sorted at a time."""

N_QUANTILES = 256
"""Cells of a column by which its bins are assessed, at equal distances of rank."""

FARTHEST = 5.0
"""No value of a bin is farther from its mean, in standard deviations over the training rows."""


class QuantileBins(NamedTuple):
    """Bins of numeric features; every field has shape (n_bins,)."""

    feature: Tensor
    start: Tensor
    width: Tensor


NO_BINS = QuantileBins(
    torch.zeros(0, dtype=torch.int64),
    torch.zeros(0, dtype=torch.float32),
    torch.zeros(0, dtype=torch.float32),
)


def learn_quantile_bins(numeric: Tensor, n_bins: int) -> QuantileBins:
    """Cut the range of every numeric feature at its quantiles.

    A column of the encoding rises from 0 to 1 over one bin and stays there. A linear model on the
    columns of a feature is any function of it that is linear within bins (Gorishniy et al., 2022).

    DIFFERS FROM the paper: bins that only a few rows reach, or that nearly all rows exceed, are
    dropped. In standard deviations the other rows are far away, and a linear model that has seen
    none of them extrapolates: on cal_housing with 50 labels a ridge reached R2 = -0.4 with them
    and 0.6 without.

    Parameters
    ----------
    numeric : Tensor of shape (n_rows, n_numeric)
        Encoded numbers, NaN if missing.

    n_bins : int
        Bins of a feature. Equal quantiles are a single cut, so features with few values have
        fewer bins. A feature with a single bin has none, because the number itself suffices.
    """
    levels = torch.linspace(0, 1, n_bins + 1, dtype=numeric.dtype)
    shares = (torch.arange(N_QUANTILES, dtype=numeric.dtype) + 0.5) / N_QUANTILES
    parts = []
    # Sorting takes three times the memory of its input, so a few columns are sorted at a time.
    for columns in numeric.T.split(COLUMNS_TO_SORT):
        n_present = (~columns.isnan()).sum(dim=1, keepdim=True)
        # Sorting puts missing cells last, so the present ones have the first ranks.
        ordered = columns.sort(dim=1).values  # (n_columns, n_rows)
        edges = _cells_at(levels * (n_present - 1), ordered)  # (n_columns, n_bins + 1)
        # Quantiles of a feature with few values coincide, which leaves bins without a width.
        is_bin = edges.diff(dim=1) > 0
        is_bin &= is_bin.sum(dim=1, keepdim=True) > 1
        is_bin &= _stay_near(edges, _cells_at(shares * n_present, ordered))
        parts.append((edges, is_bin))
    edges = torch.cat([edges for edges, _ in parts])  # (n_numeric, n_bins + 1)
    is_bin = torch.cat([is_bin for _, is_bin in parts])  # (n_numeric, n_bins)
    feature = is_bin.nonzero()[:, 0]
    start = edges[:, :-1][is_bin]
    width = edges.diff(dim=1)[is_bin]
    return QuantileBins(feature, start, width)


def _cells_at(ranks: Tensor, ordered: Tensor) -> Tensor:
    """Cells of these ranks in each sorted column; a column without any gives its first one."""
    return ordered.gather(1, ranks.clamp_min(0).long())


def _stay_near(edges: Tensor, cells: Tensor) -> Tensor:
    """Whether the column of each bin stays near its mean over the cells of its feature."""
    # The columns of the encoding at these cells, of shape (n_columns, n_cells, n_bins). What
    # comes out for bins without a width does not matter, since they are dropped anyway.
    start = edges[:, None, :-1]
    width = edges.diff(dim=1)[:, None]
    encoded = ((cells[:, :, None] - start) / width).clamp(0, 1)
    mean = encoded.mean(dim=1)
    variance = encoded.square().mean(dim=1) - mean.square()
    deviation = variance.clamp_min(0).sqrt()
    # The farthest values of a column are 0 and 1.
    farthest = torch.maximum(mean, 1 - mean)
    return farthest <= FARTHEST * deviation
