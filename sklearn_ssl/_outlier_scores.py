"""How unusual numbers are: pure functions of arrays, learned on one table and applied to others."""

from typing import Protocol, TypedDict

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.ensemble import IsolationForest

FloatArray = npt.NDArray[np.float64]


class BinaryTree(Protocol):
    """What is read of the ``tree_`` of a fitted tree of scikit-learn."""

    node_count: int
    children_left: npt.NDArray[np.intp]
    children_right: npt.NDArray[np.intp]
    n_node_samples: npt.NDArray[np.intp]


N_TAIL_KNOTS = 256
"""Values of a column that are kept to look up how rare others are."""

FAR = 8.0
"""Interquartile ranges from which on a score grows like a logarithm, so that one cannot decide."""

SHARE_OF_MISFIT = 0.75
"""Of how badly the cells of a row fit together; the rest is the distance in the ellipsoid."""

SHARE_OF_LARGER = 0.9
"""Of the score; the rest orders rows that are level in the larger measure."""

NORMAL_IQR = 1.349
"""Interquartile range of a normal distribution, in standard deviations."""

ROUNDING = 1e-6
"""Share of the range of some values below which a difference between them is none."""

Tail = tuple[FloatArray, FloatArray, int]
"""Ascending values, the logarithm of the share of rows that are at least as large, and the rows."""


class Forest(TypedDict):
    """Trees of an isolation forest, one after the other, as arrays.

    Children are positions among the nodes of all trees; a leaf is its own child. ``length`` is the
    expected length of the path of a row that ends in a leaf.
    """

    root: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int32]
    threshold: FloatArray
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    length: FloatArray
    depth: int
    typical_length: float


class Ellipsoid(TypedDict):
    """The cloud of the training rows.

    With many rows, ``directions`` are those along which it has variance 1, and the distance is the
    sum of squares along them. With fewer rows than columns, most directions have the same, smallest
    variance: the distance is that to a sphere, ``outer``, less what it is too long along the
    ``directions`` in which the rows lie.
    """

    center: FloatArray
    directions: FloatArray
    outer: FloatArray
    n_directions: int


class Spread(TypedDict):
    """Median and interquartile range of scores, of shape (n_scores,) each."""

    median: FloatArray
    iqr: FloatArray


def write_forest(forest: IsolationForest) -> Forest:
    """Copy the trees of a fitted :class:`~sklearn.ensemble.IsolationForest` into arrays.

    Arrays can be saved in a file that holds no code, which scikit-learn's trees cannot.
    """
    trees = [tree.tree_ for tree in forest.estimators_]
    root = np.cumsum([0, *(tree.node_count for tree in trees[:-1])])
    # Trees number their nodes from 0; in one array, each begins at its root.
    left = np.concatenate(
        [tree.children_left + start for tree, start in zip(trees, root, strict=True)]
    )
    right = np.concatenate(
        [tree.children_right + start for tree, start in zip(trees, root, strict=True)]
    )
    own = np.arange(len(left))
    is_leaf = np.concatenate([tree.children_left < 0 for tree in trees])
    depths = np.concatenate([_depths(tree) for tree in trees])
    n_rows = np.concatenate([tree.n_node_samples for tree in trees])
    feature = np.concatenate([tree.feature for tree in trees])
    return Forest(
        root=root.astype(np.int32),
        feature=np.where(is_leaf, 0, feature).astype(np.int32),
        threshold=np.concatenate([tree.threshold for tree in trees]),
        # A leaf is its own child: rows that have come to one stay there, whatever is compared.
        left=np.where(is_leaf, own, left).astype(np.int32),
        right=np.where(is_leaf, own, right).astype(np.int32),
        length=depths + average_path_length(n_rows),
        depth=int(depths.max()),
        typical_length=float(average_path_length(np.array([forest.max_samples_]))[0]),
    )


def _depths(tree: BinaryTree) -> FloatArray:
    depths = np.zeros(tree.node_count)
    # A parent stands before its children.
    for node in np.flatnonzero(tree.children_left >= 0):
        depth_of_children = depths[node] + 1
        depths[tree.children_left[node]] = depth_of_children
        depths[tree.children_right[node]] = depth_of_children
    return depths


def average_path_length(n_rows: npt.NDArray[np.intp]) -> FloatArray:
    """Mean depth at which a random binary tree isolates one of so many rows (Liu et al., 2008)."""
    n = np.asarray(n_rows, dtype=np.float64)
    # The formula needs at least three rows; fewer have a length of their own below.
    several = np.maximum(n, 3)
    harmonic = np.log(several - 1) + np.euler_gamma
    length = 2 * harmonic - 2 * (several - 1) / several
    return np.select([n <= 1, n == 2], [0.0, 1.0], default=length)


def forest_scores(X: npt.NDArray[np.float32], forest: Forest) -> FloatArray:
    """Anomaly scores between 0 and 1; the easier a row is to isolate, the higher."""
    columns = np.ascontiguousarray(X.T)
    rows = np.arange(len(X))
    total = np.zeros(len(X))
    for root in forest["root"]:
        node = np.full(len(X), root, dtype=np.int32)
        # All rows go down by a level at a time, as many times as the deepest tree has levels.
        for _ in range(forest["depth"]):
            cells = columns[forest["feature"][node], rows]
            goes_left = cells <= forest["threshold"][node]
            node = np.where(goes_left, forest["left"][node], forest["right"][node])
        total += forest["length"][node]
    mean = total / len(forest["root"])
    # A forest that has seen one row has no lengths to compare with.
    typical = forest["typical_length"] or 1.0
    return np.exp2(-(mean / typical))


def learn_ellipsoid(X: FloatArray) -> Ellipsoid:
    """Learn the covariance of rows, shrunk so that it can be inverted (Ledoit and Wolf, 2004)."""
    center = X.mean(axis=0)
    scale = X.std(axis=0)
    # Deviations of constant columns are rounding errors, which grow with the numbers.
    varies = scale > 1e-6 * np.maximum(1.0, np.abs(center))
    factor = 1 / np.where(varies, scale, 1.0)
    unit = np.where(varies, factor, 0.0)
    rows = (X - center) * unit
    shrinkage = ledoit_wolf_shrinkage(rows, assume_centered=True) if len(rows) > 1 else 1.0
    if len(rows) < X.shape[1]:
        return _ellipsoid_of_few_rows(rows, center, unit, shrinkage)
    variances, axes = eigh(rows.T @ rows / len(rows))
    typical = max(variances.mean(), 1e-12)
    variances = (1 - shrinkage) * variances + shrinkage * typical
    kept = variances > 1e-6 * variances.max()
    directions = unit[:, None] * axes[:, kept] / np.sqrt(variances[kept])
    return Ellipsoid(
        center=center,
        directions=directions,
        outer=np.zeros_like(center),
        n_directions=int(kept.sum()),
    )


def _ellipsoid_of_few_rows(
    rows: FloatArray, center: FloatArray, unit: FloatArray, shrinkage: float
) -> Ellipsoid:
    """The same from products of rows, whose matrix is the smaller one."""
    n_rows, width = rows.shape
    variances, weights = eigh(rows @ rows.T / n_rows)
    # Directions in which no row lies have this variance, and the others have more.
    smallest = max(shrinkage * max(variances.sum() / width, 1e-12), 1e-6 * variances.max(), 1e-12)
    held = variances > 1e-10 * max(variances.max(), 1e-12)
    axes = rows.T @ weights[:, held] / np.sqrt(n_rows * variances[held])  # (width, n_held)
    excess = 1 / smallest - 1 / ((1 - shrinkage) * variances[held] + smallest)
    return Ellipsoid(
        center=center,
        directions=unit[:, None] * axes * np.sqrt(excess),
        outer=unit / np.sqrt(smallest),
        n_directions=width,
    )


def ellipsoid_distances(X: FloatArray, ellipsoid: Ellipsoid) -> FloatArray:
    """Squared Mahalanobis distances from the center, per direction."""
    centered = X - ellipsoid["center"]
    along = ((centered @ ellipsoid["directions"]) ** 2).sum(axis=1)
    if ellipsoid["outer"].any():
        along = ((centered * ellipsoid["outer"]) ** 2).sum(axis=1) - along
    # A table of constant columns has no directions, and no row of it is far away.
    distances: FloatArray = along / max(ellipsoid["n_directions"], 1)
    return distances


def category_rarity(codes: npt.NDArray[np.int32], n_codes: int) -> FloatArray:
    """Negative logarithm of the share of rows that have each code; unseen ones count as one row."""
    counts = np.bincount(codes, minlength=n_codes)
    return -np.log(np.maximum(counts, 1) / len(codes))


def learn_tails(columns: FloatArray) -> list[Tail]:
    """Learn how rare large values of each column are; missing ones are left out."""
    return [_learn_tail(values) for values in columns.T]


def _learn_tail(values: FloatArray) -> Tail:
    ordered = np.sort(values[~np.isnan(values)])
    n = len(ordered)
    if not n:
        return np.zeros(1), np.zeros(1), 1
    # Ranks from the top that grow by a factor: the tail is kept best where it is thin.
    ranks = np.unique(np.geomspace(1, n, min(n, N_TAIL_KNOTS)).astype(int))
    knots = np.unique(ordered[n - ranks])
    at_least = n - np.searchsorted(ordered, knots, side="left")
    return knots, np.log(at_least / n), n


def surprises(columns: FloatArray, tails: list[Tail]) -> FloatArray:
    """Negative logarithm of the share of training rows with values at least as large.

    Beyond the largest one the share is that of one row and falls as in a Pareto distribution, in
    widths of the range. A missing value is no surprise.
    """
    result = np.empty(columns.shape)
    for position, (knots, log_share, n_rows) in enumerate(tails):
        values = columns[:, position]
        width = (knots[-1] - knots[0]) or 1.0
        distance = np.nan_to_num(values) - knots[-1]
        beyond = np.maximum(distance, 0.0) / width
        inside = -np.interp(values, knots, log_share)
        # The largest value may differ by rounding from itself.
        surprise = np.where(beyond > ROUNDING, np.log(n_rows) + np.log1p(beyond), inside)
        result[:, position] = np.where(np.isnan(values), 0.0, surprise)
    return result


def learn_spread(scores: FloatArray) -> Spread:
    """Learn median and interquartile range of each column of scores."""
    low, median, high = np.quantile(scores, [0.25, 0.5, 0.75], axis=0)
    rounding = 1e-6 * np.maximum(np.abs(median), 1e-6)
    iqr = high - low
    # If most rows are alike, the others set the scale.
    iqr_by_deviation = NORMAL_IQR * scores.std(axis=0)
    iqr = np.where(iqr > rounding, iqr, iqr_by_deviation)
    # If all are alike, their scores are rounding and count as 0.
    iqr = np.where(iqr > rounding, iqr, np.inf)
    return Spread(median=median, iqr=iqr)


def combine(scores: FloatArray, spread: Spread) -> FloatArray:
    """How extreme a row is, or how badly its cells fit together, whichever is larger.

    A mean of the two would hide a row that is an outlier in one way only. The smaller one counts a
    little, so that a row with a cell farther away never looks more normal.
    """
    extreme, ellipsoid, misfit = compress((scores - spread["median"]) / spread["iqr"]).T
    apart = (1 - SHARE_OF_MISFIT) * ellipsoid + SHARE_OF_MISFIT * misfit
    # A measure by which all rows are alike must not lift those that the other finds typical.
    tells_extreme, *tell_apart = np.isfinite(spread["iqr"])
    if not tells_extreme:
        extreme = apart
    if not any(tell_apart):
        apart = extreme
    larger, smaller = np.maximum(extreme, apart), np.minimum(extreme, apart)
    combined: FloatArray = SHARE_OF_LARGER * larger + (1 - SHARE_OF_LARGER) * smaller
    return combined


def compress(unit: FloatArray) -> FloatArray:
    """Interquartile ranges as they are up to ``FAR``, and on a logarithmic scale beyond."""
    near = np.clip(unit, -FAR, FAR)
    beyond = unit - near
    compressed: FloatArray = near + np.sign(beyond) * np.log1p(np.abs(beyond))
    return compressed
