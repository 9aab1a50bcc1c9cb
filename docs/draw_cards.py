"""Draw the pictures of the first page: ``python docs/draw_cards.py`` writes ``docs/_static/cards``.

Each picture shows what a task gives on a table that comes with scikit-learn, or that a page of the
guide makes up. They are kept, so that the first page needs no computation when it is built.
"""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from sklearn.datasets import load_diabetes, load_digits, load_wine
from sklearn.manifold import TSNE
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors

from sklearn_ssl import (
    DenoisingAutoencoder,
    MaskedFeaturePredictor,
    MaskedImputer,
    OutlierDetector,
)
from sklearn_ssl.evaluation import LabelEfficiencyDisplay, label_efficiency_curve
from sklearn_ssl.persistence import save

FOLDER = Path(__file__).parent / "_static" / "cards"
BLUE, ORANGE, GRAY = "#0072B2", "#D55E00", "#767676"

# A card is 250 pixels wide on a screen and 330 on a telephone, where text of 10 points is legible.
STYLE = {
    "figure.dpi": 200,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
CARD = (3.4, 2.2)
FIRST_FIGURE = (5, 3.9)


def card() -> tuple[Figure, Axes]:
    """A figure of the size of a card."""
    return plt.subplots(figsize=CARD)


def efficiency_of_digits() -> pd.DataFrame:
    """Accuracy on digits against the number of labels, with and without pretraining."""
    X, y = load_digits(return_X_y=True)
    return label_efficiency_curve(
        {"learned features": MaskedFeaturePredictor()},
        X,
        y,
        train_sizes=[20, 50, 100, 200, 400],
        cv=5,
        random_state=0,
    )


def draw_labels_saved(curve: pd.DataFrame) -> Figure:
    """The first figure: two curves and an arrow between them at equal accuracy."""
    _, ax = plt.subplots(figsize=FIRST_FIGURE)
    display = LabelEfficiencyDisplay(curve, score_name="Accuracy on digits")
    return display.plot_saving(n_labels=100, ax=ax).figure_


def draw_few_labels(curve: pd.DataFrame) -> Figure:
    """The same curves for a card: no bands, two words beside the lines."""
    figure, ax = card()
    means = curve.groupby(["estimator", "n_labels"])["score"].mean()
    for name, color in {"learned features": BLUE, "raw features": GRAY}.items():
        ax.plot(means[name], color=color, marker="o", markersize=4, label=name)
    ax.set_xscale("log")
    ax.set_xticks([20, 50, 100, 200, 400], ["20", "50", "100", "200", "400"])
    ax.set_xticks([], minor=True)
    ax.set(xlabel="labels", ylabel="accuracy")
    ax.legend(frameon=False)
    return figure


def draw_impute() -> Figure:
    """Rows of a table; the cells that were missing are filled in and colored."""
    patients, _ = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    patients["sex"] = patients["sex"].map({1: "female", 2: "male"}).astype("category")
    patients = patients.rename(columns={"s2": "ldl", "s3": "hdl", "s4": "ratio"})
    is_missing = np.random.default_rng(0).random(patients.shape) < 0.1
    X = patients.mask(is_missing)
    filled = MaskedImputer(random_state=0).fit_transform(X)

    figure, ax = card()
    names = ["age", "sex", "bmi", "ldl", "ratio"]
    rows = np.flatnonzero(X[names].isna().any(axis=1))[:5]
    cells = [
        [value if isinstance(value, str) else f"{value:.0f}" for value in row]
        for row in filled.iloc[rows][names].to_numpy(dtype=object)
    ]
    was_missing = X.iloc[rows][names].isna().to_numpy()
    colors = np.where(was_missing, "#9ECAE1", "white").tolist()
    table = ax.table(cells, cellColours=colors, colLabels=names, loc="center", cellLoc="center")
    table.auto_set_font_size(False)
    table.set_fontsize(10)
    table.scale(1, 1.55)
    ax.set_axis_off()
    return figure


def draw_outliers() -> Figure:
    """Heights and weights of the page on outliers, with the outliers marked."""
    rng = np.random.default_rng(0)
    height = rng.normal(170, 10, size=500)
    X = pd.DataFrame({"height": height, "weight": height - 100 + 3 * rng.normal(size=500)})
    X.loc[7], X.loc[8] = [187.0, 58.0], [215.0, 113.0]
    is_outlier = OutlierDetector(contamination=0.01, random_state=0).fit_predict(X) == -1

    figure, ax = card()
    ax.scatter(*X[~is_outlier].to_numpy().T, s=6, color=GRAY, alpha=0.5, linewidths=0)
    ax.scatter(*X[is_outlier].to_numpy().T, s=40, color=ORANGE, marker="X", linewidths=0)
    ax.annotate("does not fit the row", X.loc[7], (6, -12), textcoords="offset points", ha="center")
    ax.set(xlabel="height, cm", ylabel="weight, kg", xlim=(None, 225))
    return figure


def draw_similar_rows() -> Figure:
    """A map of wines, one of them and its nearest ones."""
    X, cultivar = load_wine(return_X_y=True)
    places = MaskedFeaturePredictor(output="bottleneck", random_state=0).fit_transform(X)
    plane = TSNE(random_state=0).fit_transform(places)
    nearest = NearestNeighbors(n_neighbors=6).fit(places).kneighbors(places[[0]])[1][0]

    figure, ax = card()
    ax.scatter(*plane.T, s=8, c=np.array([BLUE, ORANGE, "#009E73"])[cultivar], linewidths=0)
    ax.scatter(*plane[nearest[1:]].T, s=70, facecolors="none", edgecolors="black")
    ax.scatter(*plane[nearest[0]], s=110, color="black", marker="*")
    ax.set_axis_off()
    return figure


def draw_stream() -> Figure:
    """Score on new rows while a stream is read."""
    X, _ = load_digits(return_X_y=True)
    X, X_new = train_test_split(X, test_size=300, random_state=0)
    # The first part decides what a column is: a pixel that is empty there is left out.
    is_used = X[:100].max(axis=0) > 1
    X, X_new = X[:, is_used], X_new[:, is_used]
    transformer = DenoisingAutoencoder(learning_rate="constant", random_state=0)
    n_read, scores = [], []
    for epoch in range(5):
        for start in range(0, 1400, 100):
            transformer.partial_fit(X[start : start + 100])
            n_read.append(1400 * epoch + start + 100)
            scores.append(transformer.score(X_new))

    figure, ax = card()
    ax.plot(n_read, scores, color=BLUE)
    ax.set(xlabel="rows read, 100 at a time", ylabel="score on new rows")
    return figure


def draw_share() -> Figure:
    """From a fitted transformer to a file, and from there to another process."""
    X, _ = load_digits(return_X_y=True)
    path = FOLDER / "digits.safetensors"
    save(MaskedFeaturePredictor(random_state=0).fit(X), path)
    megabytes = path.stat().st_size / 1e6
    path.unlink()

    figure, ax = card()
    boxes = {
        0.0: ("fit", "save", "#EEEEEE"),
        1.4: (f"{megabytes:.1f} MB", "no code", "#9ECAE1"),
        2.8: ("load", "transform", "#EEEEEE"),
    }
    for left, (above, below, color) in boxes.items():
        shape = "round,pad=0.02,rounding_size=0.08"
        ax.add_patch(FancyBboxPatch((left, 0), 1, 1, shape, facecolor=color, edgecolor=GRAY))
        ax.text(left + 0.5, 0.66, above, ha="center", va="center")
        ax.text(left + 0.5, 0.34, below, ha="center", va="center")
    arrow = {"arrowstyle": "-|>", "color": "black"}
    for left in (1.04, 2.44):
        ax.annotate("", (left + 0.34, 0.5), (left, 0.5), arrowprops=arrow)
    ax.text(1.9, 1.2, "digits.safetensors", ha="center")
    ax.set(xlim=(-0.1, 3.9), ylim=(-0.6, 1.6), aspect="equal")
    ax.set_axis_off()
    return figure


def main() -> None:
    """Draw all pictures, which takes about a minute."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        curve = efficiency_of_digits()
        figures = {
            "labels_saved": draw_labels_saved(curve),
            "few_labels": draw_few_labels(curve),
            "impute": draw_impute(),
            "outliers": draw_outliers(),
            "similar_rows": draw_similar_rows(),
            "stream": draw_stream(),
            "share": draw_share(),
        }
        for name, figure in figures.items():
            figure.savefig(FOLDER / f"{name}.png", metadata={"Software": None})
            plt.close(figure)


if __name__ == "__main__":
    mpl.use("agg")
    main()
