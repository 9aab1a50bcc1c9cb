"""Geometry of an embedding: pure functions of arrays, each by its paper's definition."""

from numbers import Integral, Real

import numpy as np
import numpy.typing as npt
from scipy.linalg import svdvals
from scipy.special import logsumexp
from sklearn.metrics import pairwise_distances_chunked
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize
from sklearn.utils import check_array, check_consistent_length

from sklearn_ssl._compat import Interval, validate_params
from sklearn_ssl._effective_rank import effective_rank_of_spectrum
from sklearn_ssl.evaluation._types import Floats, RowNumbers

POSITIVE = Interval(Real, 0, None, closed="neither")


@validate_params(
    {"Z1": ["array-like"], "Z2": ["array-like"], "exponent": [POSITIVE]},
    prefer_skip_nested_validation=True,
)
def alignment(Z1: npt.ArrayLike, Z2: npt.ArrayLike, *, exponent: float = 2.0) -> float:
    """Mean distance between the embeddings of two views of the same rows.

    Embeddings are scaled to length one first. 0 is best: both views fall on the same point.

    Parameters
    ----------
    Z1, Z2 : array-like of shape (n_samples, n_features)
        Row ``i`` of both stands for the same row of a table, or for two rows that should be close.

    exponent : float, default=2.0
        Power of the distance.

    Returns
    -------
    alignment : float
        Mean of the distances to that power, in [0, ``2**exponent``].

    Raises
    ------
    ValueError
        If the shapes differ.

    See Also
    --------
    uniformity : What keeps alignment honest: a constant embedding is aligned.

    References
    ----------
    .. [1] T. Wang and P. Isola, "Understanding contrastive representation learning through
       alignment and uniformity on the hypersphere", ICML (2020),
       https://arxiv.org/abs/2005.10242.

    Examples
    --------
    >>> from sklearn_ssl.evaluation import alignment
    >>> print(f"{alignment([[1, 0], [0, 1]], [[5, 0], [1, 0]]):.1f}")
    1.0
    """
    first, second = _check_pair(Z1, Z2)
    if first.shape != second.shape:
        raise ValueError(
            f"Z1 and Z2 must have the same shape; got {first.shape} and {second.shape}."
        )
    distances = np.linalg.norm(normalize(first) - normalize(second), axis=1)
    return float(np.mean(distances**exponent))


@validate_params({"Z": ["array-like"], "t": [POSITIVE]}, prefer_skip_nested_validation=True)
def uniformity(Z: npt.ArrayLike, *, t: float = 2.0) -> float:
    """Logarithm of the mean Gaussian potential between pairs of rows.

    Embeddings are scaled to length one first. Lower is more uniform: 0 says that all rows fall on
    one point, and ``-2 * t`` is a bound that no embedding falls below.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_features)
        Embedding of at least two rows.

    t : float, default=2.0
        Sharpness of the potential ``exp(-t * distance**2)``.

    Returns
    -------
    uniformity : float
        In nats.

    See Also
    --------
    alignment : The other half of the contrastive objective.

    References
    ----------
    .. [1] T. Wang and P. Isola, "Understanding contrastive representation learning through
       alignment and uniformity on the hypersphere", ICML (2020),
       https://arxiv.org/abs/2005.10242.

    Examples
    --------
    >>> from sklearn_ssl.evaluation import uniformity
    >>> print(f"{uniformity([[1, 0], [-1, 0]]):.1f}")
    -8.0
    """
    rows = normalize(check_array(Z, dtype=np.float64, ensure_min_samples=2))
    # Rows are taken in blocks: all pairs of a large table would not fit into memory.
    blocks = pairwise_distances_chunked(
        rows, metric="sqeuclidean", reduce_func=lambda block, start: _log_potential(block, start, t)
    )
    total = logsumexp(np.concatenate(list(blocks)))
    n_pairs = len(rows) * (len(rows) - 1)
    return float(total - np.log(n_pairs))


def _log_potential(squared_distances: Floats, start: int, t: float) -> Floats:
    """Potential of each row of a block with all other rows, in nats."""
    n_rows = len(squared_distances)
    potential = -t * squared_distances
    # A row is no pair with itself; the block begins at row ``start`` of the table.
    potential[np.arange(n_rows), start + np.arange(n_rows)] = -np.inf
    total: Floats = logsumexp(potential, axis=1)
    return total


@validate_params({"Z": ["array-like"], "center": ["boolean"]}, prefer_skip_nested_validation=True)
def effective_rank(Z: npt.ArrayLike, *, center: bool = False) -> float:
    """Number of directions that an embedding makes use of (RankMe).

    It is the exponential of the entropy of the singular values, as shares of their sum.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_features)
        Embedding.

    center : bool, default=False
        Whether to subtract the mean row first. The paper does not; an embedding that is far from
        the origin then counts its mean as one strong direction.

    Returns
    -------
    rank : float
        In [1, min(n_samples, n_features)], or 0 if ``Z`` is all zeros.

    References
    ----------
    .. [1] Q. Garrido et al., "RankMe: Assessing the downstream performance of pretrained
       self-supervised representations by their rank", ICML (2023),
       https://arxiv.org/abs/2210.02885.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ssl.evaluation import effective_rank
    >>> print(f"{effective_rank(np.diag([1.0, 1.0, 1.0, 0.0])):.1f}")
    3.0
    """
    rows = check_array(Z, dtype=np.float64)
    if center:
        rows = rows - rows.mean(axis=0)
    return effective_rank_of_spectrum(svdvals(rows))


@validate_params({"Z1": ["array-like"], "Z2": ["array-like"]}, prefer_skip_nested_validation=True)
def linear_cka(Z1: npt.ArrayLike, Z2: npt.ArrayLike) -> float:
    """Similarity of two embeddings of the same rows, whatever their axes (linear CKA).

    It does not change if an embedding is shifted, rotated or scaled as a whole.

    Parameters
    ----------
    Z1 : array-like of shape (n_samples, n_features_1)
        One embedding: of an estimator, or of one of its layers.

    Z2 : array-like of shape (n_samples, n_features_2)
        The other one, of the same rows.

    Returns
    -------
    similarity : float
        In [0, 1]. 0 if one of the embeddings does not vary. It is biased upwards if rows
        are not many times as many as features.

    References
    ----------
    .. [1] S. Kornblith et al., "Similarity of neural network representations revisited", ICML
       (2019), https://arxiv.org/abs/1905.00414.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ssl.evaluation import linear_cka
    >>> Z = np.arange(10.0).reshape(5, 2) ** 2
    >>> print(f"{linear_cka(Z, 3 - Z[:, ::-1]):.1f}")
    1.0
    """
    first, second = (Z - Z.mean(axis=0) for Z in _check_pair(Z1, Z2))
    scale = _product_norm(first, first) * _product_norm(second, second)
    # A constant embedding is similar to none.
    if scale == 0:
        return 0.0
    return _product_norm(first, second) ** 2 / scale


def _product_norm(Z1: Floats, Z2: Floats) -> float:
    """Frobenius norm of ``Z1.T @ Z2``."""
    widest = max(Z1.shape[1], Z2.shape[1])
    if widest <= len(Z1):
        return float(np.linalg.norm(Z1.T @ Z2))
    # Products of rows say the same and are smaller if features are more than rows.
    first = Z1 @ Z1.T
    second = Z2 @ Z2.T
    squared_norm = np.sum(first * second)
    # Rounding may leave a sum of zero below it.
    return float(np.sqrt(max(squared_norm, 0.0)))


@validate_params(
    {
        "X": ["array-like"],
        "Z": ["array-like"],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def neighborhood_preservation(
    X: npt.ArrayLike, Z: npt.ArrayLike, *, n_neighbors: int = 10
) -> float:
    """Share of each row's nearest neighbors that stay its nearest neighbors.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows before the embedding.

    Z : array-like of shape (n_samples, n_components)
        The same rows after it.

    n_neighbors : int, default=10
        Size of a neighborhood, by Euclidean distance.

    Returns
    -------
    share : float
        Mean over the rows, in [0, 1]. Unrelated embeddings share
        ``n_neighbors / (n_samples - 1)`` on average.

    Raises
    ------
    ValueError
        If there are not more rows than neighbors.

    See Also
    --------
    sklearn.manifold.trustworthiness : Weighs intruders by how far they come from.

    References
    ----------
    .. [1] J. A. Lee and M. Verleysen, "Quality assessment of dimensionality reduction: Rank-based
       criteria", Neurocomputing 72 (2009).

    Examples
    --------
    >>> from sklearn_ssl.evaluation import neighborhood_preservation
    >>> line, bent = [[0], [1], [5], [6]], [[0, 0], [1, 1], [5, 25], [6, 36]]
    >>> neighborhood_preservation(line, bent, n_neighbors=1)
    1.0
    """
    rows, embedded = _check_pair(X, Z)
    if n_neighbors >= len(rows):
        raise ValueError(
            f"n_neighbors must be less than the number of rows, {len(rows)}; got {n_neighbors}."
        )
    before = nearest_rows(rows, n_neighbors)
    after = nearest_rows(embedded, n_neighbors)
    return share_kept(before, after)


def nearest_rows(Z: Floats, n_neighbors: int) -> RowNumbers:
    """Numbers of each row's nearest other rows, the nearest one first."""
    fitted = NearestNeighbors(n_neighbors=n_neighbors).fit(Z)
    nearest: RowNumbers = fitted.kneighbors(return_distance=False)
    return nearest


def share_kept(before: RowNumbers, after: RowNumbers) -> float:
    """Mean share of each row's neighbors that are still among them."""
    # A pair of a row and its neighbor is one number, so that one search finds all pairs.
    offsets = np.arange(len(before))[:, None] * len(before)
    return float(np.isin(before + offsets, after + offsets).mean())


def _check_pair(Z1: npt.ArrayLike, Z2: npt.ArrayLike) -> tuple[Floats, Floats]:
    first: Floats = check_array(Z1, dtype=np.float64)
    second: Floats = check_array(Z2, dtype=np.float64)
    check_consistent_length(first, second)
    return first, second
