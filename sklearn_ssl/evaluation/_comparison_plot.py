"""The panels of an ObjectiveComparison."""

from typing import Any

import numpy as np

from sklearn_ssl.evaluation._style import named_styles, tidy


def draw_comparison(comparison: Any, ax: Any) -> np.ndarray:
    """Draw one panel per measure, one line per estimator, and return the axes."""
    import matplotlib.pyplot as plt

    panels = _panels(comparison.score_name)
    runs = comparison.runs
    names = list(dict.fromkeys(runs["estimator"]))
    if ax is None:
        size = (11, 1.8 + 0.6 * len(names))
        figure, ax = plt.subplots(2, 3, figsize=size, layout="constrained", sharey=True)
        figure.suptitle(
            f"Objectives compared (large: mean of {runs['split'].nunique()} splits, of times the "
            "median; small: each split)"
        )
    axes = np.asarray(ax, dtype=object).ravel()
    if len(axes) != len(panels):
        raise ValueError(f"ax must hold {len(panels)} axes, one for each panel; got {len(axes)}.")
    for each, (measure, (title, xlabel)) in zip(axes, panels.items(), strict=True):
        _draw_measure(each, runs, comparison.table[measure], measure)
        each.set(title=title, xlabel=xlabel)
    for each in axes[-2:]:
        each.set_xlim(left=0)
    return axes


def _panels(score_name: str) -> dict[str, tuple[str, str]]:
    """Title and axis by measure."""
    return {
        "linear": ("Linear probe", f"{score_name} on test rows"),
        "knn": ("5 nearest neighbors", f"{score_name} on test rows"),
        "effective_rank": ("Effective rank", "Directions in use"),
        "uniformity": ("Uniformity", "Nats (left: more even)"),
        "alignment": ("Alignment with disturbed copies", "Squared distance (left: closer)"),
        "fit_seconds": ("Time to pretrain", "Seconds"),
    }


def _draw_measure(ax: Any, runs: Any, typical: Any, measure: str) -> None:
    names = list(typical.index)
    for place, (name, (color, marker)) in enumerate(named_styles(names).items()):
        values = runs.loc[runs["estimator"] == name, measure]
        height = np.full(len(values), place)
        ax.plot(values, height, ".", color=color, alpha=0.5, markersize=5)
        ax.plot([typical[name]], [place], marker=marker, color=color, markersize=9)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(axis="x", alpha=0.3)
    ax.margins(x=0.1)
    tidy(ax)
