"""Ways to choose the rows to label first, from points alone: representative, typical, far apart."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.neighbors import NearestNeighbors

from sklearn_ssl._row_selection import N_TRIALS

N_NEIGHBORS = 20
"""Neighbors whose mean distance says how typical a row is, as in TypiClust."""

Choose = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Selection:
    """A way to choose rows.

    Attributes
    ----------
    choose : callable
        From points, a number of rows and a generator to indices in the order of labeling.

    is_nested : bool
        Whether the first rows are the same however many are asked for.

    n_draws : int
        Draws to average over.
    """

    choose: Choose
    is_nested: bool
    n_draws: int


def at_random(points: np.ndarray, n_rows: int, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(len(points))[:n_rows]


def by_seeding(points: np.ndarray, n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Rows in the order in which greedy k-means++ draws them, as ``select_rows`` does."""
    seed = int(rng.integers(2**31))
    return kmeans_plusplus(points, n_rows, random_state=seed, n_local_trials=N_TRIALS)[1]


def farthest_first(points: np.ndarray, n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Each row the farthest from those before it, from the center on."""
    chosen = [int(((points - points.mean(axis=0)) ** 2).sum(axis=1).argmin())]
    distance = np.full(len(points), np.inf)
    while len(chosen) < n_rows:
        distance = np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(distance.argmax()))
    return np.array(chosen)


def greedy_medoids(power: float) -> Choose:
    """Each row the one that most lowers the mean distance of all rows to the nearest chosen."""

    def choose(points, n_rows, rng):
        costs = cdist(points, points).astype(np.float32) ** power
        nearest = np.full(len(points), costs.max(), dtype=np.float32)
        gains = (nearest - costs).sum(axis=1)
        chosen: list[int] = []
        while len(chosen) < n_rows:
            # Gains only fall, so that the first one that is up to date and largest is the best.
            while True:
                best = int(gains.argmax())
                gain = np.maximum(nearest - costs[best], 0).sum()
                if gain >= np.partition(gains, -2)[-2] or gain == gains[best]:
                    break
                gains[best] = gain
            chosen.append(best)
            nearest = np.minimum(nearest, costs[best])
            gains[best] = -1.0
        return np.array(chosen)

    return choose


def clusters(points: np.ndarray, n_rows: int, rng: np.random.Generator):
    """Rows of each cluster of k-means, and the centers; the largest cluster first."""
    seed = int(rng.integers(2**31))
    means = KMeans(n_rows, n_init=1, random_state=seed).fit(points)
    sizes = np.bincount(means.labels_, minlength=n_rows)
    for k in np.argsort(-sizes, kind="stable"):
        if sizes[k]:
            yield np.flatnonzero(means.labels_ == k), means.cluster_centers_[k]


def nearest_to_means(points: np.ndarray, n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """The row nearest to each center of k-means."""
    chosen = [
        rows[((points[rows] - center) ** 2).sum(axis=1).argmin()]
        for rows, center in clusters(points, n_rows, rng)
    ]
    return fill(np.array(chosen), len(points), n_rows, rng)


def typical(points: np.ndarray, n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """The most typical row of each cluster of k-means (TypiClust, Hacohen et al., 2022)."""
    chosen = []
    for rows, _ in clusters(points, n_rows, rng):
        n_neighbors = min(N_NEIGHBORS, len(rows))
        neighbors = NearestNeighbors(n_neighbors=n_neighbors).fit(points[rows])
        distance = neighbors.kneighbors(points[rows])[0].mean(axis=1)
        chosen.append(rows[distance.argmin()])
    return fill(np.array(chosen), len(points), n_rows, rng)


def fill(chosen: np.ndarray, n: int, n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Complete a choice at random where there were fewer distinct points than rows asked for."""
    others = rng.permutation(np.setdiff1d(np.arange(n), chosen))
    return np.concatenate([chosen, others[: n_rows - len(chosen)]])


SELECTIONS = {
    "kmeans++": Selection(by_seeding, is_nested=True, n_draws=3),
    "farthest": Selection(farthest_first, is_nested=True, n_draws=1),
    "medoids": Selection(greedy_medoids(1.0), is_nested=True, n_draws=1),
    "medoids_squared": Selection(greedy_medoids(2.0), is_nested=True, n_draws=1),
    "means": Selection(nearest_to_means, is_nested=False, n_draws=3),
    "typical": Selection(typical, is_nested=False, n_draws=3),
}
RANDOM = Selection(at_random, is_nested=True, n_draws=10)
