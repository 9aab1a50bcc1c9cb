"""The four panels of a RepresentationReport."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sklearn_ssl.evaluation._raw import RAW
from sklearn_ssl.evaluation._style import GRAY, legend_name, named_styles, tidy, without_math
from sklearn_ssl.evaluation._types import Axes, GridOfAxes, Look

if TYPE_CHECKING:
    from sklearn_ssl.evaluation._report import RepresentationReport


def draw_report(report: "RepresentationReport", ax: "GridOfAxes | None") -> npt.NDArray[np.object_]:
    """Draw the four panels and return their axes."""
    import matplotlib.pyplot as plt

    if ax is None:
        figure, ax = plt.subplots(2, 2, figsize=(10, 8), layout="constrained")
        figure.suptitle(f"Geometry of the representations of {report.n_rows:,} rows")
    axes = np.asarray(ax, dtype=object).ravel()
    if len(axes) != 4:
        raise ValueError(f"ax must hold 4 axes, one for each panel; got {len(axes)}.")
    looks = named_styles(report.measures.index.tolist())
    _draw_spectra(axes[0], report, looks)
    _draw_sphere(axes[1], report, looks)
    _draw_neighbors(axes[2], report, looks)
    _draw_similarity(axes[3], report)
    return axes


def _draw_spectra(ax: Axes, report: "RepresentationReport", looks: dict[str, Look]) -> None:
    for name, values in report.spectra.items():
        # Rounding errors would pull the axis of logarithms down to where nothing is.
        is_signal = values > values.max() * 1e-6
        shares = values[is_signal] / values.sum()
        places = np.arange(1, len(shares) + 1)
        rank, width = report.measures.loc[name, ["effective_rank", "width"]]
        color, _ = looks[name]
        label = legend_name(f"{name}: {rank:.1f} of {width:.0f}")
        ax.plot(places, shares, color=color, label=label)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="Direction, by strength (log scale)",
        ylabel="Share of all singular values (log scale)",
        title="Spectrum",
    )
    without_math(ax.legend(title="Effective rank", frameon=False, fontsize="small"))
    tidy(ax)


def _draw_sphere(ax: Axes, report: "RepresentationReport", looks: dict[str, Look]) -> None:
    for name, row in report.measures.iterrows():
        color, marker = looks[str(name)]
        # Embeddings without disturbed copies are shown on the axis, by their uniformity.
        height = 0.0 if np.isnan(row["alignment"]) else row["alignment"]
        label = legend_name(str(name))
        ax.plot(row["uniformity"], height, marker, color=color, markersize=9, label=label)
    is_measured = report.measures["alignment"].notna().any()
    ax.set(
        xlabel="Uniformity in nats (left: more even)",
        ylabel="Alignment (down: closer)" if is_measured else "Alignment (not measured)",
        title="Alignment with disturbed copies, uniformity",
    )
    ax.margins(0.15)
    # The limit is set after the margins, which would move it.
    ax.set_ylim(bottom=0)
    without_math(ax.legend(frameon=False, fontsize="small"))
    ax.grid(alpha=0.3)
    tidy(ax)


def _draw_neighbors(ax: Axes, report: "RepresentationReport", looks: dict[str, Look]) -> None:
    kept = report.neighbors
    reference = RAW if RAW in kept else kept.columns[0]
    for name in kept.columns.drop(reference):
        color, marker = looks[name]
        ax.plot(kept.index, kept[name], color=color, marker=marker, label=name)
    # Any other row is among k random ones of the n - 1 with this probability.
    chance = kept.index.to_numpy() / (report.n_rows - 1)
    ax.plot(kept.index, chance, color=GRAY, linestyle=":")
    ax.annotate(
        "by chance",
        (kept.index[-1], chance[-1]),
        (-4, 4),
        textcoords="offset points",
        ha="right",
        fontsize="small",
        color=GRAY,
    )
    ax.set_xscale("log")
    ax.set_xticks(kept.index, [str(size) for size in kept.index])
    ax.set_xticks([], minor=True)
    ax.set(
        ylim=(0, 1.03),
        xlabel="Nearest neighbors (log scale)",
        ylabel="Share kept",
        title=f"Neighbors in {reference} that stay neighbors",
    )
    ax.grid(alpha=0.3)
    tidy(ax)


def _draw_similarity(ax: Axes, report: "RepresentationReport") -> None:
    values = report.similarity.to_numpy()
    image = ax.imshow(values, cmap="cividis", vmin=0, vmax=1)
    names = report.similarity.index
    ax.set_xticks(range(len(names)), names, rotation=30, ha="right", fontsize="small")
    ax.set_yticks(range(len(names)), names, fontsize="small")
    for (row, column), value in np.ndenumerate(values):
        # The color map ends in yellow, on which white cannot be read.
        color = "black" if value > 0.5 else "white"
        text = f"{value:.2f}"
        ax.text(column, row, text, ha="center", va="center", color=color, fontsize="small")
    ax.set_title("Similarity (linear CKA)")
    ax.figure.colorbar(image, ax=ax, label="Linear CKA (1: the same up to rotation)", shrink=0.8)
