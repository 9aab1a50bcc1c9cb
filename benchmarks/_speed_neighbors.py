"""Neighbors among many rows: scikit-learn's exact search against an approximate index."""

import time
from collections.abc import Callable

import numpy as np
from _speed_timing import PeakMemory, show
from sklearn.neighbors import NearestNeighbors

from sklearn_ssl import MaskedFeaturePredictor

N_CAUSES = 8
N_NEIGHBORS = 10
N_QUERIES = 1_000
MOST_ROWS_TO_LEARN_FROM = 20_000

Search = Callable[[np.ndarray], np.ndarray]
"""From queries to the positions of their neighbors."""


def dependent_numbers(n_rows: int, n_columns: int) -> np.ndarray:
    """Columns with a few common causes: rows of independent ones have no near neighbors."""
    rng = np.random.default_rng(0)
    causes = rng.normal(size=(n_rows, N_CAUSES))
    noise = rng.normal(size=(n_rows, n_columns), scale=0.3)
    return (causes @ rng.normal(size=(N_CAUSES, n_columns)) + noise).astype(np.float32)


def exact(places: np.ndarray) -> Search:
    index = NearestNeighbors(n_neighbors=N_NEIGHBORS).fit(places)
    return lambda queries: index.kneighbors(queries, return_distance=False)


def approximate(places: np.ndarray) -> Search:
    from pynndescent import NNDescent

    index = NNDescent(places, random_state=0)
    index.prepare()
    return lambda queries: index.query(queries, k=N_NEIGHBORS)[0]


def neighbors(rows: list[int], n_columns: int) -> None:
    """Print the time and memory of both searches, and how many neighbors both of them find."""
    X = dependent_numbers(N_QUERIES + max(rows), n_columns)
    model = MaskedFeaturePredictor(random_state=0).fit(X[:MOST_ROWS_TO_LEARN_FROM])
    Z = model.transform(X)
    queries = Z[:N_QUERIES]
    approximate(queries)(queries)  # the first index compiles its code
    shown = []
    for n_rows in rows:
        places = Z[N_QUERIES : N_QUERIES + n_rows]
        true = None
        for name, build in {"exact": exact, "pynndescent": approximate}.items():
            found, cost = build_and_search(build, places, queries)
            true = found if true is None else true
            row = {"rows": n_rows, "index": name, **cost}
            shown.append(row | {"neighbors found": share_found(found, true)})
    print(
        f"\n{N_NEIGHBORS} neighbors of {N_QUERIES} rows, {n_columns} numbers "
        f"that became {Z.shape[1]} columns\n"
    )
    show(shown)


def build_and_search(
    build: Callable[[np.ndarray], Search], places: np.ndarray, queries: np.ndarray
) -> tuple[np.ndarray, dict[str, float]]:
    """The neighbors of the queries, and what the index and the search cost."""
    started = time.perf_counter()
    with PeakMemory() as peak:
        search = build(places)
    built = time.perf_counter()
    found = search(queries)
    searched = time.perf_counter()
    return found, {
        "s to build": built - started,
        "memory to build, MB": peak.megabytes,
        "ms a query": 1e3 * (searched - built) / len(queries),
    }


def share_found(found: np.ndarray, exact: np.ndarray) -> float:
    """Mean share of the exact neighbors of a row that were found."""
    shared = [len(np.intersect1d(a, b)) for a, b in zip(found, exact, strict=True)]
    return float(np.mean(shared)) / N_NEIGHBORS
