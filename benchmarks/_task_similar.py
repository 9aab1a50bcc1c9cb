"""Similar rows: are the ten nearest rows of the same class, and are clusters the classes?

Every method places the same rows, at most 3,000 of a table, and has not seen their targets. A row's
ten nearest others are compared with it: the share of them that has its class; for numbers, one less
the mean distance of their targets to its own, relative to that of rows drawn at random (1 is equal
targets, 0 is chance). Clusters are as many as there are classes (k-means) or as HDBSCAN finds, with
its rows of noise as one cluster, and are compared with the classes by the adjusted Rand index.
"""

import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from _comparisons import compare, heading, to_markdown
from _methods import standardized, umap
from _tables import read_index
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder

from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor

MOST_ROWS = 3_000
N_NEIGHBORS = 10
MEAN_ABSOLUTE_DIFFERENCE_ROWS = 1_000
METRICS = {
    "precision": "share of the ten nearest rows with the same class",
    "nearness": "nearness of the targets of the ten nearest rows",
    "kmeans": "adjusted Rand index of k-means",
    "hdbscan": "adjusted Rand index of HDBSCAN",
}
REFERENCE = "raw"
BLUE, GREY = "#0072B2", "#999999"

Place = Callable[[pd.DataFrame, int], tuple[np.ndarray, str]]
"""Coordinates of rows, and the metric by which they are compared."""


def gower(X: pd.DataFrame, seed: int) -> tuple[np.ndarray, str]:
    """Coordinates whose city-block distances are Gower's, times the number of columns.

    A number is divided by its range; two categories are 0 or 1 apart, which is half of what their
    one-hot columns are. A missing number stands at the column's median, a missing name is one.
    """
    columns = []
    for _, column in X.items():
        if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            cells = column.astype("float64")
            cells = cells.fillna(cells.median()).fillna(0.0).to_frame()
            columns.append(MinMaxScaler().fit_transform(cells.to_numpy()))
        else:
            cells = column.astype(object).where(column.notna(), "missing").astype(str).to_frame()
            columns.append(OneHotEncoder(sparse_output=False).fit_transform(cells.to_numpy()) / 2)
    return np.hstack(columns), "manhattan"


def embedded(estimator: Callable, **parameters) -> Place:
    return lambda X, seed: (
        estimator(random_state=seed, **parameters).fit_transform(X),
        "euclidean",
    )


BOTTLENECK = {"output": "bottleneck", "passthrough": False}

METHODS: dict[str, Place] = {
    "raw": lambda X, seed: (standardized().fit_transform(X), "euclidean"),
    "gower": gower,
    "umap": lambda X, seed: (umap().fit_transform(X), "euclidean"),
    "DenoisingAutoencoder": embedded(DenoisingAutoencoder),
    "ContrastiveEmbedder": embedded(ContrastiveEmbedder),
    "MaskedFeaturePredictor": embedded(MaskedFeaturePredictor),
    "DenoisingAutoencoder, bottleneck": embedded(DenoisingAutoencoder, **BOTTLENECK),
    "ContrastiveEmbedder, bottleneck": embedded(ContrastiveEmbedder, **BOTTLENECK),
    "MaskedFeaturePredictor, bottleneck": embedded(MaskedFeaturePredictor, **BOTTLENECK),
}


def installed_methods() -> list[str]:
    return [name for name in METHODS if name != "umap" or find_spec("umap")]


def table_names(folder: Path, names: list[str] | None) -> list[str]:
    return list(read_index(folder, names).index)


def measure(folder: Path, table: str, seed: int, method: str) -> pd.DataFrame:
    """Score one method on one table: a row."""
    X = pd.read_parquet(folder / f"{table}.parquet")
    X = X.sample(min(MOST_ROWS, len(X)), random_state=seed).reset_index(drop=True)
    y = X.pop("target").to_numpy()
    is_classification = read_index(folder, [table])["task"].iloc[0] == "classification"
    started = time.perf_counter()
    places, metric = METHODS[method](X, seed)
    row: dict[str, float] = {"seconds": time.perf_counter() - started}
    model = NearestNeighbors(n_neighbors=N_NEIGHBORS, metric=metric).fit(places)
    nearest = model.kneighbors(return_distance=False)
    if is_classification:
        classes = np.unique(y.astype(str), return_inverse=True)[1]
        row |= {"precision": float((classes[nearest] == classes[:, None]).mean())}
        row |= clusters(np.asarray(places, dtype=float), metric, classes, seed)
    else:
        row |= {"nearness": nearness(y.astype(float), nearest)}
    return pd.DataFrame([row])


def nearness(y: np.ndarray, nearest: np.ndarray) -> float:
    """One less the mean distance to the targets of neighbors, relative to that of any rows."""
    some = np.random.default_rng(0).permutation(y)[:MEAN_ABSOLUTE_DIFFERENCE_ROWS]
    by_chance = np.abs(y[:, None] - some).mean()
    return float(1 - np.abs(y[nearest] - y[:, None]).mean() / by_chance)


def clusters(places: np.ndarray, metric: str, classes: np.ndarray, seed: int) -> dict[str, float]:
    """Adjusted Rand indices; k-means knows Euclidean distances alone."""
    kmeans = KMeans(len(np.unique(classes)), n_init=3, random_state=seed).fit_predict(places)
    hdbscan = HDBSCAN(min_cluster_size=20, metric=metric, copy=True).fit_predict(places)
    return {
        "kmeans": adjusted_rand_score(classes, kmeans),
        "hdbscan": adjusted_rand_score(classes, hdbscan),
    }


def report(raw: pd.DataFrame, results: Path) -> None:
    """Print a comparison for each metric, and draw the first two into ``similar.png``."""
    comparisons = {}
    for metric, description in METRICS.items():
        if metric not in raw or raw[metric].isna().all():
            continue
        wide = raw.pivot_table(index=["table", "seed"], columns="method", values=metric)
        scores = wide.dropna().groupby(level="table").mean()
        comparisons[metric] = compare(scores, REFERENCE).sort_values("mean", ascending=False)
        print(heading(description, len(scores)))
        print(to_markdown(comparisons[metric], ".3f"))
        print("\n" + scores.round(3).to_markdown())
    seconds = raw.groupby("method")["seconds"].mean().sort_values()
    texts = [f"{name} {value:.1f}" for name, value in seconds.items()]
    print("\nMean seconds to learn the features of a table: " + "; ".join(texts) + ".")
    draw(comparisons, results / "similar.png")


def draw(comparisons: dict[str, pd.DataFrame], path: Path) -> None:
    import matplotlib.pyplot as plt

    drawn = [metric for metric in METRICS if metric in comparisons][:2]
    figure, axes = plt.subplots(
        1, len(drawn), figsize=(4.8 * len(drawn), 3.4), layout="constrained", squeeze=False
    )
    for panel, metric in zip(axes[0], drawn, strict=True):
        means = comparisons[metric]["mean"].sort_values()
        bars = panel.barh(
            means.index, means, color=[BLUE if name[0].isupper() else GREY for name in means.index]
        )
        panel.bar_label(bars, fmt="%.3f", padding=2, fontsize=8)
        panel.set_xlabel(f"mean {METRICS[metric]}", fontsize=8)
        panel.set_xlim(0, 1.2 * means.max())
    figure.savefig(path, dpi=120)
    plt.close(figure)
