"""Draw a figure for each question of README.md from the tables in results/.

    python benchmarks/draw_results.py

Nothing is measured, and no number stands in this file: each figure is read from the Markdown tables
of a page of results, and is written to benchmarks/figures/.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

HERE = Path(__file__).parent
RESULTS, FIGURES = HERE / "results", HERE / "figures"
OURS, OTHERS = "#0072B2", "#767676"
OUR_NAMES = (
    "MaskedFeaturePredictor",
    "DenoisingAutoencoder",
    "ContrastiveEmbedder",
    "MaskedImputer",
    "OutlierDetector",
    "fine_tuned",
    "transform",
)
NUMBER = re.compile(r"[+-]?\d+\.?\d*")


def tables(page: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Tables of a page of results, each with the heading above it; cells are texts."""
    heading, lines = "", []
    for line in [*(RESULTS / f"{page}.md").read_text().splitlines(), ""]:
        if line.startswith("|"):
            lines.append([cell.strip() for cell in line.strip("|").split("|")])
            continue
        if lines:
            # The second line of a Markdown table holds the alignments.
            yield heading, pd.DataFrame(lines[2:], columns=lines[0])
            lines = []
        if line.startswith("#"):
            heading = line.lstrip("# ")


def table(page: str, heading: str = "") -> pd.DataFrame:
    """The first table under a heading that begins so."""
    for found, rows in tables(page):
        if found.startswith(heading):
            return rows
    raise ValueError(f"{page}.md has no table under a heading that begins with {heading!r}.")


def numbers(cells: pd.Series, place: int = 0) -> pd.Series:
    """The first number of each cell, or a later one; NaN if a cell has none there."""
    found = cells.map(NUMBER.findall)
    return found.map(lambda each: float(each[place]) if len(each) > place else float("nan"))


def means(page: str, heading: str = "", column: int | str = 1, most: int = 7) -> pd.Series:
    """One number for each of the first rows of a table."""
    rows = table(page, heading)
    values = rows.iloc[:, column] if isinstance(column, int) else rows[column]
    return numbers(values).set_axis(rows.iloc[:, 0]).head(most)


def bars(values: pd.Series, label: str) -> plt.Figure:
    """Horizontal bars, the first row on top; ours have a color."""
    values = values.dropna()[::-1]
    figure, axes = plt.subplots(figsize=(6, 0.7 + 0.27 * len(values)), layout="constrained")
    colors = [OURS if name.startswith(OUR_NAMES) else OTHERS for name in values.index]
    drawn = axes.barh(values.index, values, color=colors)
    digits = 3 if values.abs().max() < 2 else 1
    axes.bar_label(drawn, fmt=f"%.{digits}f", padding=3)
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    axes.set_xlim(1.12 * low, 1.12 * high)
    figure.supxlabel(label, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def intervals(values: pd.DataFrame, label: str) -> plt.Figure:
    """Differences with their intervals; columns "difference", "low" and "high"."""
    values = values.dropna()[::-1]
    figure, axes = plt.subplots(figsize=(6, 0.7 + 0.27 * len(values)), layout="constrained")
    axes.axvline(0, color="#bbbbbb", linewidth=1)
    for name, (difference, low, high) in values.iterrows():
        color = OURS if name.startswith(OUR_NAMES) else OTHERS
        axes.plot([low, high], [name, name], color=color)
        axes.plot(difference, name, "o", color=color)
    figure.supxlabel(label, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def differences(page: str, heading: str, unit: float = 1.0, most: int = 12) -> pd.DataFrame:
    """Differences of a table that has a column for them and for the ends of their intervals."""
    rows = table(page, heading).head(most)
    values = {name: unit * numbers(rows[name]) for name in ("difference", "low", "high")}
    return pd.DataFrame(values).set_axis(rows.iloc[:, 0])


def pairs(values: pd.DataFrame, label: str) -> plt.Figure:
    """Two points on a line for each row: before and after."""
    values = values[::-1]
    figure, axes = plt.subplots(figsize=(6, 0.9 + 0.27 * len(values)), layout="constrained")
    before, after = values.columns
    axes.hlines(values.index, values[before], values[after], color="#bbbbbb")
    axes.plot(values[before], values.index, "o", color=OTHERS, label=before)
    axes.plot(values[after], values.index, "s", color=OURS, label=after)
    figure.supxlabel(label, fontsize=10)
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def two_of(rows: pd.DataFrame, first: tuple[str, int], second: tuple[str, int]) -> pd.DataFrame:
    """Two numbers of each row, by the column and the place of the number in its cell."""
    return pd.DataFrame(
        [numbers(rows[column], place).to_numpy() for column, place in (first, second)],
        columns=rows.iloc[:, 0],
    ).T


def any_model() -> plt.Figure:
    rows = table("any-model", "Accuracy: components against raw features, 30 tables")
    values = two_of(rows, ("50", 0), ("50", 1)).set_axis(["raw columns", "transform"], axis=1)
    return pairs(values, "mean accuracy with 50 labels, 30 tables")


def transfer() -> plt.Figure:
    values = differences("transfer", "50 labels", unit=100, most=9)
    return intervals(values, "points over the better raw encoding, 50 labels, 17 tables")


def public_tables() -> plt.Figure:
    rows = table("public-tables")
    places = enumerate(("difference", "low", "high"), start=1)
    values = {name: numbers(rows["50 labels"], place) for place, name in places}
    values = pd.DataFrame(values).set_axis(rows.iloc[:, 0])
    return intervals(values, "points over the better raw encoding, 50 labels, 13 tables")


def few_labels() -> plt.Figure:
    values = differences("few-labels", "Accuracy, 50 labels", unit=100)
    return intervals(values, "points over FineTunedClassifier, 50 labels, 30 tables")


def libraries() -> plt.Figure:
    return bars(means("libraries", most=20), "mean accuracy with 50 labels, 17 tables")


def penalty() -> plt.Figure:
    rows = table("penalty")
    rows = rows[rows["labels"] == "50"].drop(columns="labels")
    chosen = two_of(rows, ("log loss, by accuracy", 0), ("log loss, by log loss", 0))
    chosen.columns = ["chosen by accuracy", "chosen by log loss"]
    return pairs(chosen, "mean log loss with 50 labels, 17 tables: less is better")


def select_rows() -> plt.Figure:
    rows = table("select-rows").head(4)
    rows.iloc[:, 0] = numbers(rows.iloc[:, 0]).map("{:.0f} labels".format)
    values = two_of(rows, ("random", 0), ("k-means++", 0))
    return pairs(
        values.set_axis(["random rows", "select_rows"], axis=1), "mean accuracy, 29 tables"
    )


def imputing() -> plt.Figure:
    values = means("imputing", "Error of numbers, in standard deviations, 20% hidden")
    return bars(values, "error of numbers, 20 % of the cells hidden: less is better")


def outliers() -> plt.Figure:
    values = means("outliers", "Area under the ROC curve: 43 tables", most=9)
    return bars(values, "mean area under the ROC curve, 43 tables")


QUESTIONS: list[Callable[[], plt.Figure]] = [
    any_model,
    transfer,
    public_tables,
    few_labels,
    libraries,
    penalty,
    select_rows,
    imputing,
    outliers,
]


def main() -> None:
    # Equal results give equal files: no date, and names of elements that are not drawn at random.
    plt.rcParams["svg.hashsalt"] = "sklearn_ssl"
    FIGURES.mkdir(exist_ok=True)
    for question in QUESTIONS:
        figure = question()
        name = FIGURES / f"{question.__name__.replace('_', '-')}.svg"
        figure.savefig(name, metadata={"Date": None})
        plt.close(figure)
        print(name.relative_to(HERE.parent))


if __name__ == "__main__":
    main()
