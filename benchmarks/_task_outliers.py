"""Outliers: fit a detector on a table without labels, and rank the rows of that table.

Tables of ADBench (``NAME.npz``) have labeled outliers; at most 6,000 rows are drawn, in the shares
of the whole. In a table of ``index.csv``, at most 4,000 rows, every 20th row is corrupted: half of
its cells take the value of another row, so that each cell is ordinary and the row is not. The other
detectors see numbers in standard deviations, missing ones at their mean with an indicator column,
and one-hot categories. All methods have their default parameters.
"""

import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _comparisons import compare, heading, to_markdown
from _methods import standardized
from _tables import read_index
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

from sklearn_ssl import OutlierDetector

MOST_LABELED_ROWS = 6_000
MOST_CORRUPTED_ROWS = 4_000
SHARE_CORRUPTED = 0.05
N_NEIGHBORS = 5
METRICS = {"auc": "area under the ROC curve", "average_precision": "average precision"}
OURS = "OutlierDetector"
BLUE, GREY = "#0072B2", "#999999"

Rank = Callable[[pd.DataFrame, int], np.ndarray]
"""Scores of all rows of a table, larger for outliers, from the table and a seed."""


def on_numbers(score: Callable[[np.ndarray, int], np.ndarray]) -> Rank:
    """Let a method that reads numbers alone rank the rows of any table."""
    return lambda X, seed: score(np.asarray(standardized().fit_transform(X), dtype=float), seed)


def isolation_forest(X: np.ndarray, seed: int) -> np.ndarray:
    return -IsolationForest(random_state=seed).fit(X).score_samples(X)


def local_outlier_factor(X: np.ndarray, seed: int) -> np.ndarray:
    return -LocalOutlierFactor().fit(X).negative_outlier_factor_


def nearest_neighbors(X: np.ndarray, seed: int) -> np.ndarray:
    distances, _ = NearestNeighbors(n_neighbors=N_NEIGHBORS).fit(X).kneighbors()
    return distances[:, -1]


def of_pyod(module: str, name: str, **parameters: Any) -> Rank:
    def score(X: np.ndarray, seed: int) -> np.ndarray:
        from importlib import import_module

        seeded = {} if name in {"ECOD", "COPOD"} else {"random_state": seed}
        detector = getattr(import_module(f"pyod.models.{module}"), name)(**seeded, **parameters)
        return detector.fit(X).decision_scores_

    return on_numbers(score)


METHODS: dict[str, Rank] = {
    OURS: lambda X, seed: OutlierDetector(random_state=seed).fit(X).decision_scores_,
    "IsolationForest": on_numbers(isolation_forest),
    "LOF": on_numbers(local_outlier_factor),
    "kNN": on_numbers(nearest_neighbors),
    "ECOD": of_pyod("ecod", "ECOD"),
    "COPOD": of_pyod("copod", "COPOD"),
    "PCA": of_pyod("pca", "PCA"),
    "AutoEncoder": of_pyod("auto_encoder", "AutoEncoder", verbose=0),
    "VAE": of_pyod("vae", "VAE", verbose=0),
}
OF_PYOD = {"ECOD", "COPOD", "PCA", "AutoEncoder", "VAE"}


def installed_methods() -> list[str]:
    """All methods, or all but those of PyOD if it is not installed."""
    return [name for name in METHODS if name not in OF_PYOD or find_spec("pyod")]


def table_names(folder: Path, names: list[str] | None) -> list[str]:
    if (folder / "index.csv").exists():
        return list(read_index(folder, names).index)
    found = sorted(path.stem for path in folder.glob("*.npz"))
    unknown = sorted(set(names or []) - set(found))
    if unknown:
        raise SystemExit(f"--tables names {unknown}, which {folder} does not hold.")
    return names or found


def measure(folder: Path, table: str, seed: int, method: str) -> pd.DataFrame:
    """Score one method on one table: a row."""
    labeled = folder / f"{table}.npz"
    X, y = read_labeled(labeled) if labeled.exists() else read_corrupted(folder, table)
    started = time.perf_counter()
    # A score that is not finite is the highest there can be.
    scores = np.nan_to_num(METHODS[method](X, seed), nan=1e30, posinf=1e30)
    row = {
        "auc": roc_auc_score(y, scores),
        "average_precision": average_precision_score(y, scores),
        "seconds": time.perf_counter() - started,
    }
    return pd.DataFrame([row])


def read_labeled(path: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows of a table of ADBench, and which of them are outliers."""
    with np.load(path, allow_pickle=True) as arrays:
        X, y = arrays["X"].astype(float), arrays["y"].astype(int)
    if len(X) > MOST_LABELED_ROWS:
        kept, _ = train_test_split(
            np.arange(len(X)), train_size=MOST_LABELED_ROWS, stratify=y, random_state=0
        )
        X, y = X[kept], y[kept]
    return pd.DataFrame(X).add_prefix("x"), y


def read_corrupted(folder: Path, table: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows of a table of which every 20th takes half of its cells from other rows."""
    X = pd.read_parquet(folder / f"{table}.parquet").drop(columns="target")
    rng = np.random.default_rng(0)
    X = X.iloc[rng.permutation(len(X))[:MOST_CORRUPTED_ROWS]].reset_index(drop=True)
    corrupted = rng.permutation(len(X))[: int(SHARE_CORRUPTED * len(X))]
    chosen = rng.random((len(corrupted), X.shape[1])).argsort(axis=1) < X.shape[1] / 2
    columns = {}
    for position, (name, column) in enumerate(X.items()):
        rows = corrupted[chosen[:, position]]
        cells = column.array.copy()
        cells[rows] = column.array[rng.integers(len(X), size=len(rows))]
        columns[name] = cells
    y = np.zeros(len(X), dtype=int)
    y[corrupted] = 1
    return pd.DataFrame(columns), y


def report(raw: pd.DataFrame, results: Path) -> None:
    """Print the comparisons, and draw both metrics into ``outliers.png``."""
    comparisons = {}
    for metric, description in METRICS.items():
        wide = raw.pivot_table(index=["table", "seed"], columns="method", values=metric)
        scores = wide.dropna().groupby(level="table").mean()
        comparisons[metric] = compare(scores, OURS).sort_values("mean", ascending=False)
        print(heading(description, len(scores)))
        print(to_markdown(comparisons[metric], ".3f"))
        print("\n" + scores.round(3).to_markdown())
        left_out = sorted(set(raw["table"]) - set(scores.index))
        if left_out:
            print(f"Left out, since a method has no score: {', '.join(left_out)}")
    seconds = raw.groupby("method")["seconds"].mean().sort_values()
    texts = [f"{name} {value:.1f}" for name, value in seconds.items()]
    print("\nMean seconds to fit a table and to rank its rows: " + "; ".join(texts) + ".")
    draw(comparisons, results / "outliers.png")


def draw(comparisons: dict[str, pd.DataFrame], path: Path) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(comparisons), figsize=(9, 3.2), layout="constrained")
    for panel, (metric, comparison) in zip(axes, comparisons.items(), strict=True):
        means = comparison["mean"].sort_values()
        colors = [BLUE if name == OURS else GREY for name in means.index]
        bars = panel.barh(means.index, means, color=colors)
        panel.bar_label(bars, fmt="%.3f", padding=2, fontsize=8)
        panel.set_xlabel(f"mean {METRICS[metric]}")
        panel.set_xlim(0.5 if metric == "auc" else 0, 1.08 * means.max())
    figure.savefig(path, dpi=120)
    plt.close(figure)
