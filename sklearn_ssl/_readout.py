"""From the layers of a network to the columns of ``transform``, learned without labels."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh
from torch import Tensor

from sklearn_ssl._table.schema import Schema

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

SQUARED_NORM = 10.0
"""Mean squared norm of a row of the output.

Penalties act against it. Behind columns in standard deviations, whose rows have a squared norm of
about a thousand, the default penalties of scikit-learn's linear models are too weak.
"""

SMALLEST_VARIANCE = 1e-10
"""Directions of less variance, as a share of the largest, are rounding errors."""

ROTATION_SEED = 0
"""The rotation is the same for all fits: it spreads variance and holds no information."""


@dataclass(frozen=True)
class ReadoutOptions:
    """What ``transform`` should return; the names are those of the estimators' parameters."""

    output: str
    n_components: int
    passthrough: bool
    n_bins: int


@dataclass(frozen=True)
class Readout:
    """What of the layers is read, and how it is scaled and combined.

    Attributes
    ----------
    hidden : bool
        Whether the hidden layers are read.

    passthrough : Schema or None
        The features of the row written out that is read beside the layers.

    quantile_bins : tuple of Tensor
        Bins of its numbers: feature, start and width of each.

    center, scale : ndarray of shape (n_columns,)
        Mean and standard deviation of what is read, over training rows.

    directions : ndarray of shape (n_columns, n_components) or None
        Combinations of the standardized columns; None returns the columns themselves.

    gain : float
        Factor on the output, so that a row has the mean squared norm ``SQUARED_NORM``.
    """

    hidden: bool
    passthrough: Schema | None
    quantile_bins: tuple[Tensor, ...]
    center: Floats
    scale: Floats
    directions: Floats | None
    gain: float

    @property
    def width(self) -> int:
        """Columns of the output."""
        return len(self.center) if self.directions is None else self.directions.shape[1]

    def bottleneck(self, Z: Floats, size: int) -> Floats:
        """The bottleneck of rows, in the network's own scale, from their output.

        Of components it is the least-squares estimate: principal components are uncorrelated, so
        that the regression of a column on them is the column's share in each direction.
        """
        first = slice(size)
        columns = Z[:, first] if self.directions is None else Z @ self.directions[first].T
        standardized = columns / self.gain
        return standardized * self.scale[first] + self.center[first]


def principal_directions(columns: Floats, n_directions: int) -> Doubles:
    """Orthonormal directions of the largest variance of centered columns.

    Parameters
    ----------
    columns : ndarray of shape (n_rows, n_columns)
        Centered.

    n_directions : int
        Most directions; there are no more than rows or columns vary in.

    Returns
    -------
    directions : ndarray of shape (n_columns, n_found)
        By falling variance.
    """
    cells = columns.astype(np.float64)
    # The smaller of the two products has the same spectrum and takes less time.
    is_tall = columns.shape[0] >= columns.shape[1]
    product = cells.T @ cells if is_tall else cells @ cells.T
    size = len(product)
    # Eigenvalues come in ascending order, so the last ones are the largest.
    largest_ones = [max(size - n_directions, 0), size - 1]
    values, vectors = eigh(product, subset_by_index=largest_ones)
    values, vectors = values[::-1], vectors[:, ::-1]
    vectors = vectors[:, values > SMALLEST_VARIANCE * values[0]]
    if not is_tall:
        # From eigenvectors over the rows to those over the columns.
        vectors = cells.T @ vectors
        vectors /= np.linalg.norm(vectors, axis=0)
    # The sign of an eigenvector is arbitrary, and would differ between libraries.
    places = np.abs(vectors).argmax(axis=0)  # (n_found,)
    largest = vectors[places, np.arange(vectors.shape[1])]
    directions: Doubles = vectors * np.sign(largest)
    return directions


def rotation(n_directions: int, n_components: int) -> Doubles:
    """Orthonormal rows that spread directions evenly over at least as many components.

    Shape
    -----
    (n_directions, n_components)
    """
    normal = np.random.RandomState(ROTATION_SEED).normal(size=(n_components, n_components))
    # With these signs the rotation is drawn evenly from all of them (Mezzadri, 2007).
    orthonormal, triangle = np.linalg.qr(normal)
    signs = np.sign(np.diag(triangle))
    evenly_drawn: Doubles = orthonormal * signs
    return evenly_drawn[:n_directions]


def gain_of(squared_norm: float) -> float:
    """Factor that gives rows of a mean squared norm the norm that default penalties suit."""
    return float(np.sqrt(SQUARED_NORM / squared_norm)) if squared_norm > 0 else 1.0
