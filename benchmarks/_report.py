"""Tables and figures from the parts of a run."""

from pathlib import Path

import numpy as np
import pandas as pd
from _comparisons import (
    compare,
    count,
    critical_difference,
    friedman_p_value,
    to_markdown,
    win_matrix,
)
from _methods import OURS, RAW
from _parts import read_parts

METRICS = {
    "classification": ["accuracy", "balanced_accuracy", "auc", "log_loss"],
    "regression": ["r2"],
}
SAFE_TABLES = ["vehicle", "credit_g", "diabetes"]
SHORT_NAMES = {
    "ContrastiveEmbedder": "contrast",
    "DenoisingAutoencoder": "denoising",
    "MaskedFeaturePredictor": "masked",
    "hist_gradient_boosting": "boosting",
    "random_forest": "forest",
    "random_trees": "trees",
}
FORMATS = ("", ".3f", "+.4f", "+.4f", "+.4f", ".0%", ".1f")
BLUE, GREY = "#0072B2", "#999999"


def report(results: Path) -> None:
    """Print the comparisons of every number of labels, and draw a figure of each."""
    raw = read_parts(results)
    for task, metrics in METRICS.items():
        of_task = raw[raw["task"] == task]
        for n_labels in of_task["labels"].unique():
            chosen = of_task[of_task["labels"] == n_labels]
            print_size(chosen, n_labels, metrics, results)


def print_size(chosen: pd.DataFrame, n_labels: str, metrics: list[str], results: Path) -> None:
    scores = table_means(chosen, metrics[0])
    if scores.empty:
        return
    scores.insert(0, "better raw", scores[list(RAW)].max(axis=1))
    comparison = compare(scores, "better raw")
    distance = critical_difference(scores.shape[1], len(scores))
    n_seeds = chosen["seed"].nunique()
    print(f"\n## {metrics[0]}, {n_labels} labels: {len(scores)} tables, {count(n_seeds, 'seed')}\n")
    print(to_markdown(comparison.sort_values("mean", ascending=False), FORMATS))
    print(f"\nCritical difference of mean ranks (Nemenyi, 5 %): {distance:.2f}; ", end="")
    print(f"Friedman p = {friedman_p_value(scores):.1e}")
    print("\nShare of tables won, of those that differ (by the row over the column):\n")
    ours = [name for name in scores if name.partition(":")[0] in OURS]
    print(win_matrix(scores).loc[ours].round(2).to_markdown())
    left_out = sorted(set(chosen["table"]) - set(scores.index))
    if left_out:
        print(f"Left out, for want of a score of every method: {', '.join(left_out)}")
    for metric in metrics[1:]:
        means = table_means(chosen, metric).mean().sort_values()
        print(f"{metric}: " + ", ".join(f"{k} {v:.3f}" for k, v in means.items()))
    seconds = chosen.groupby("method")["fit_seconds"].mean().sort_values()
    print("seconds to learn features: " + ", ".join(f"{k} {v:.1f}" for k, v in seconds.items()))
    print("\n" + scores.rename(columns=SHORT_NAMES).to_markdown(floatfmt=".3f"))
    safe = [name for name in SAFE_TABLES if name in scores.index]
    if safe:
        loss = scores.loc[safe].sub(scores.loc[safe, "raw"], axis=0).mean()
        print(f"\nAgainst standardized raw features on {safe}: {loss.round(4).to_dict()}")
    draw(comparison.drop(index="better raw"), metrics[0], n_labels, len(scores), results)


def report_against(results: Path, method: str) -> None:
    """Print how far every other method is from one, by number of labels and score."""
    raw = read_parts(results)
    for task in raw["task"].unique():
        for n_labels in raw.loc[raw["task"] == task, "labels"].unique():
            chosen = raw[(raw["task"] == task) & (raw["labels"] == n_labels)]
            for metric in METRICS[task]:
                print_against(chosen, n_labels, metric, method)


def print_against(chosen: pd.DataFrame, n_labels: str, metric: str, method: str) -> None:
    scores = table_means(chosen, metric)
    if scores.empty:
        return
    encodings = [name for name in RAW if name in scores]
    # Lower is better in the log loss, and its better encoding has the lower one.
    sign = -1 if metric == "log_loss" else 1
    if encodings:
        scores["better raw"] = sign * (sign * scores[encodings]).max(axis=1)
    comparison = compare(sign * scores, method).sort_values("mean", ascending=False)
    comparison["mean"] *= sign
    seeds = chosen.dropna(subset=[metric]).groupby("table")["seed"].nunique()[scores.index]
    print(f"\n## {metric}, {n_labels} labels: {len(scores)} tables, ", end="")
    range_of_seeds = "" if seeds.min() == seeds.max() else f"{seeds.min()} to "
    print(f"{range_of_seeds}{count(seeds.max(), 'seed')}; positive differences are better\n")
    print(to_markdown(comparison, FORMATS))


def table_means(chosen: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Means over the seeds that all methods have, of shape (n_tables, n_methods)."""
    wide = chosen.pivot_table(index=["table", "seed"], columns="method", values=metric)
    return wide.dropna().groupby(level="table").mean()


def draw(comparison: pd.DataFrame, metric: str, n_labels: str, n_tables: int, results: Path):
    import matplotlib.pyplot as plt

    rows = comparison.sort_values("difference")
    points = 100 * rows[["difference", "low", "high"]]
    figure, axes = plt.subplots(figsize=(7, 0.35 * len(rows) + 1.2), layout="constrained")
    spread = np.abs(points[["low", "high"]].sub(points["difference"], axis=0)).fillna(0).to_numpy()
    colors = [BLUE if name[0].isupper() else GREY for name in rows.index]
    axes.barh(rows.index, points["difference"], xerr=spread.T, color=colors)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel(f"{metric}: difference to the better raw encoding (points, 95 % interval)")
    axes.set_title(f"{n_labels} labels, {n_tables} tables")
    figure.savefig(results / f"{metric}-{n_labels}.png", dpi=120)
    plt.close(figure)
