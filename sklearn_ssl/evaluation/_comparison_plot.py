"""The panels of an ObjectiveComparison."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from sklearn_ssl.evaluation._intervals import CONFIDENCE
from sklearn_ssl.evaluation._raw import RAW
from sklearn_ssl.evaluation._style import GRAY, named_styles, tidy
from sklearn_ssl.evaluation._types import Axes, GridOfAxes, Look
from sklearn_ssl.evaluation._verdict import best_baseline

if TYPE_CHECKING:
    from sklearn_ssl.evaluation._comparison import ObjectiveComparison


def draw_comparison(
    comparison: "ObjectiveComparison", ax: "GridOfAxes | None"
) -> npt.NDArray[np.object_]:
    """Draw differences and one panel per measure, one line per estimator; return the axes."""
    import matplotlib.pyplot as plt

    panels = _panels(comparison)
    names = list(dict.fromkeys(comparison.runs["estimator"]))
    if ax is None:
        # Two panels beside each other are legible on a page of documentation, too.
        size = (8.5, 3.3 + 0.8 * len(names))
        figure, ax = plt.subplots(3, 2, figsize=size, layout="constrained", sharey=True)
        figure.suptitle(_title(comparison.runs))
    axes = np.asarray(ax, dtype=object).ravel()
    if len(axes) != 1 + len(panels):
        raise ValueError(
            f"ax must hold {1 + len(panels)} axes, one for each panel; got {len(axes)}."
        )
    looks = _looks(comparison.runs)
    _draw_differences(axes[0], comparison, looks)
    for each, (measure, (title, xlabel)) in zip(axes[1:], panels.items(), strict=True):
        _draw_measure(each, comparison.runs, comparison.table[measure], measure, looks)
        each.set(title=title, xlabel=xlabel)
    for each in axes:
        _name_rows(each, names)
    return axes


def _title(runs: pd.DataFrame) -> str:
    return (
        f"Learned features and the baselines (gray); large symbols are means of "
        f"{runs['split'].nunique()} splits\n(medians of times), small ones are single splits"
    )


def _panels(comparison: "ObjectiveComparison") -> dict[str, tuple[str, str]]:
    """Title and axis by measure."""
    score = f"{comparison.score_name} on test rows (right: better)"
    has_classes = "log_loss" in comparison.runs
    predictions = {
        "roc_auc": ("ROC AUC", "Area on test rows (right: better)"),
        "log_loss": ("Log loss", "Nats on test rows (left: better)"),
    }
    numbers = {
        "mean_absolute_error": ("Mean absolute error", "On test rows (left: better)"),
        "effective_rank": ("Effective rank", "Directions in use"),
    }
    return {
        "score": ("Score of the probe or the model", score),
        **(predictions if has_classes else numbers),
        "knn": ("5 nearest neighbors", score),
        "fit_seconds": ("Time to pretrain or fit", "Seconds (left: better)"),
    }


def _looks(runs: pd.DataFrame) -> dict[str, Look]:
    """Baselines are gray, with a marker of their own."""
    names = list(dict.fromkeys(runs["estimator"]))
    looks = named_styles(names)
    baselines = runs.loc[runs["is_baseline"], "estimator"].unique()
    for name in baselines:
        _, marker = looks[name]
        looks[name] = GRAY, marker
    return looks


def _draw_differences(ax: Axes, comparison: "ObjectiveComparison", looks: dict[str, Look]) -> None:
    """Interval of each difference from the best baseline, and the line at which there is none."""
    differences = comparison.differences()
    names = list(looks)
    baseline = best_baseline(comparison.runs, "score")
    ax.axvline(0, color=GRAY, linewidth=1)
    ax.plot([0], [names.index(baseline)], marker=looks[baseline][1], color=GRAY, markersize=9)
    for name, row in differences.iterrows():
        color, marker = looks[str(name)]
        place = names.index(str(name))
        ax.plot([row["low"], row["high"]], [place, place], color=color, linewidth=2.5, alpha=0.6)
        ax.plot([row["difference"]], [place], marker=marker, color=color, markersize=9)
    kind = "" if baseline == RAW else "the "
    ax.set(
        title=f"Difference from {kind}{baseline}",
        xlabel=(
            f"{comparison.score_name}, {CONFIDENCE * 100:.0f} % interval (right: better);\n"
            "undecided if it contains 0"
        ),
    )


def _draw_measure(
    ax: Axes,
    runs: pd.DataFrame,
    typical: pd.Series,
    measure: str,
    looks: dict[str, Look],
) -> None:
    for place, (name, look) in enumerate(looks.items()):
        color, marker = look
        values = runs.loc[runs["estimator"] == name, measure]
        height = np.full(len(values), place)
        ax.plot(values, height, ".", color=color, alpha=0.5, markersize=5)
        ax.plot([typical[name]], [place], marker=marker, color=color, markersize=9)
    # Times are compared by their ratio, which an axis that begins elsewhere would distort.
    if measure == "fit_seconds":
        ax.set_xlim(left=0)


def _name_rows(ax: Axes, names: list[str]) -> None:
    ax.set_yticks(range(len(names)), names)
    # Upside down, so that the first estimator is the topmost one.
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(axis="x", alpha=0.3)
    ax.margins(x=0.1)
    tidy(ax)
