"""Numeric columns cut into bins at their quantiles: classes that stand for numbers."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sklearn_ssl._table.numeric import as_float
from sklearn_ssl._table.types import FloatArray, Name, NumberArray, Values

MOST_CELLS = 2048
"""Cells of a column that are kept; they stand for all of them.

A distribution over bins thus draws values that occur, and a fitted model stays small.
"""


@dataclass(frozen=True)
class BinnedColumn:
    """One numeric column as bins, each of them standing for some of the column's own cells.

    Parameters
    ----------
    cells : ndarray of shape (n_cells,), float64
        Cells of the column in ascending order, in the column's own scale.

    edges : ndarray of shape (n_bins - 1,), float32
        Encoded values between neighboring bins; a bin holds its lower edge.

    starts : ndarray of shape (n_bins + 1,), int64
        Bin ``b`` stands for ``cells[starts[b]:starts[b + 1]]``.

    is_integer : bool
        Whether the dtype of the column holds integers only.
    """

    cells: FloatArray
    edges: npt.NDArray[np.float32]
    starts: npt.NDArray[np.int64]
    is_integer: bool

    @property
    def n_bins(self) -> int:
        return len(self.edges) + 1

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Kept cells of each bin."""
        return np.diff(self.starts)

    @property
    def centers(self) -> FloatArray:
        """Mean of the cells of each bin; zero for a column without any."""
        if not len(self.cells):
            return np.zeros(1)
        # Means of extreme numbers must not overflow on the way: each cell is divided first.
        counts = self.counts
        parts = self.cells / np.repeat(counts, counts)
        means = np.add.reduceat(parts, self.starts[:-1])
        # The sum of equal cells can differ from them by rounding.
        least = self.cells[self.starts[:-1]]
        largest = self.cells[self.starts[1:] - 1]
        return np.clip(means, least, largest)

    def mean(self, probabilities: NumberArray) -> FloatArray:
        """Mean of each distribution over the bins, of shape (n_rows,)."""
        centers = self.centers
        shares = probabilities.astype(np.float64)
        # Probabilities in single precision do not sum to 1 exactly, and times a large number, the
        # rest can be more than the range of the column.
        shares /= shares.sum(axis=1, keepdims=True)
        means = np.clip(shares @ centers, centers[0], centers[-1])
        return self._allowed(means)

    def quantile(self, probabilities: NumberArray, level: float | FloatArray) -> FloatArray:
        """Quantile of each distribution over the bins; ``level`` is a number or one a row."""
        if not len(self.cells):
            return np.zeros(len(probabilities))
        upto = np.cumsum(probabilities, axis=1, dtype=np.float64)  # (n_rows, n_bins)
        # Probabilities in single precision do not sum to 1 exactly.
        total = upto[:, -1]
        target = np.broadcast_to(level, len(upto)) * total
        n_below = (upto < target[:, None]).sum(axis=1)
        # Rounding can leave the last sum a little below its target.
        position = np.minimum(n_below, self.n_bins - 1)
        rows = np.arange(len(upto))
        # A bin without probability has no inside to go through.
        share = np.maximum(probabilities[rows, position], np.finfo(np.float64).tiny)
        remaining = upto[rows, position] - target
        within = 1 - remaining / share
        return self._cell(position, np.clip(within, 0, 1))

    def draw(self, probabilities: NumberArray, rng: np.random.RandomState) -> FloatArray:
        """One cell of the column from each distribution over the bins."""
        return self.quantile(probabilities, rng.uniform(size=len(probabilities)))

    def _cell(self, position: npt.NDArray[np.intp], within: FloatArray) -> FloatArray:
        """The cell at a share of the way through a bin."""
        counts = self.counts[position]
        offset = np.floor(within * counts).astype(np.int64)
        # The very end of a bin is its last cell, not the first of the next bin.
        offset = np.minimum(offset, counts - 1)
        chosen: FloatArray = self.cells[self.starts[position] + offset]
        return chosen

    def _allowed(self, values: FloatArray) -> FloatArray:
        return np.rint(values) if self.is_integer else values


def learn_bins(
    values: Values, encoded: npt.NDArray[np.float32], name: Name, n_bins: int
) -> BinnedColumn:
    """Cut a column into at most ``n_bins`` bins of nearly equal counts.

    A column of few distinct numbers gets a bin for each of them. A number that many cells share
    never lies on both sides of an edge.

    Parameters
    ----------
    values : array-like of shape (n_rows,)
        Cells of the column as the user has them.

    encoded : ndarray of shape (n_rows,), float32
        The same cells encoded, NaN if missing.

    name : object
        Names the column in errors.

    n_bins : int
        Most bins.
    """
    dtype = getattr(values, "dtype", None)
    # Sparse columns of pandas have the dtype of their cells as a subtype.
    dtype_of_cells = getattr(dtype, "subtype", dtype)
    is_integer = getattr(dtype_of_cells, "kind", "") in "iu"
    cells = as_float(values, name)
    present = ~np.isnan(encoded)
    # The encoding is monotonic, but several numbers can share an encoded value.
    cells = cells[present]
    encoded = encoded[present]
    order = np.lexsort((cells, encoded))
    if len(cells) > MOST_CELLS:
        # The kept cells are evenly spaced by rank and include both ends, so quantiles hardly move.
        kept = np.linspace(0, len(cells) - 1, MOST_CELLS).astype(int)
        order = order[kept]
    cells = cells[order]
    encoded = encoded[order]
    distinct = np.unique(encoded)
    if len(distinct) <= n_bins:
        edges = (distinct[1:] + distinct[:-1]) / 2
    else:
        ranks = np.arange(1, n_bins) * len(encoded) // n_bins
        edges = np.unique(encoded[ranks])
        # An edge at the lowest number would leave the first bin empty.
        edges = edges[edges > encoded[0]]
    inner = np.searchsorted(encoded, edges, side="left")
    starts = np.concatenate([[0], inner, [len(cells)]]).astype(np.int64)
    return BinnedColumn(cells, edges.astype(np.float32), starts, is_integer)
