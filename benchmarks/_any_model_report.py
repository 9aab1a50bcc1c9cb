"""Tables and heat maps of ``any_model.py``: each model against itself on raw features."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _comparisons import count, mean_interval
from _default_models import ignores_scale, is_probe, model_names
from _methods import RAW
from _parts import read_parts

LEAST_R2 = -1.0
"""One table on which a linear model extrapolates would otherwise decide a mean."""

MEAN = "mean over the default models"


@dataclass(frozen=True)
class Metric:
    """A score, in which direction it is better, and the loss that is let pass on a table."""

    name: str
    better: int
    unit: float
    margin: float
    note: str


ACCURACY = Metric(
    "accuracy", 1, 100, 0.005, "Differences are in points, and level means within 0.5 points."
)
R2 = Metric(
    "r2",
    1,
    1,
    0.005,
    f"An R2 below {LEAST_R2:g} counts as {LEAST_R2:g}, and level means within 0.005.",
)
LOG_LOSS = Metric("log_loss", -1, 1, 0.0, "Smaller is better, and level means not above.")
METRICS = {"classification": ACCURACY, "regression": R2}


@dataclass(frozen=True)
class Comparison:
    """A model with a number of labels on new features, against the same on a reference."""

    model: str
    labels: str
    reference: str
    scores: pd.DataFrame
    """Means over the seeds, a row for each table, columns "old" and "new"."""

    @property
    def differences(self) -> pd.Series:
        return self.scores["new"] - self.scores["old"]


def report(arguments: argparse.Namespace) -> None:
    raw = prepare(read_parts(arguments.results))
    report_tables(raw, "all tables", arguments.figure)
    if arguments.by_folder:
        for folder, part in raw.groupby("folder", sort=False):
            report_tables(part, f"tables of {folder}", None)


def prepare(raw: pd.DataFrame) -> pd.DataFrame:
    """Name what each row saw, mark the fits on fewer rows than asked, and bound R2 below."""
    transformers = raw.loc[raw["transformer"] != "", "transformer"].nunique()
    named = raw["transformer"] + " " + raw["features"]
    way = raw["features"].where((raw["transformer"] == "") | (transformers < 2), named)
    most = raw.groupby(["table", "seed", "labels"])["rows"].transform("max")
    raw = raw.assign(way=way, is_capped=raw["rows"] < most)
    for name in ("error", "warning", "r2", "accuracy", "log_loss"):
        if name not in raw:
            raw[name] = np.nan
    return raw.assign(r2=raw["r2"].clip(lower=LEAST_R2))


def report_tables(raw: pd.DataFrame, title: str, figure: Path | None) -> None:
    for task, of_task in raw.groupby("task", sort=False):
        metric = METRICS[str(task)]
        models = [name for name in model_names(str(task)) if name in set(of_task["model"])]
        sizes = sorted(of_task["labels"].unique(), key=lambda n: np.inf if n == "all" else int(n))
        study = Study(of_task, models, sizes)
        print(f"\n# {task}: {title}\n\n{study.counts()}")
        new = [way for way in of_task["way"].unique() if way not in RAW]
        maps = {}
        for way in new:
            maps[way] = study.compare(way, list(RAW), metric)
            print_comparisons(f"{way} against raw features", maps[way], study, metric)
        for way in new:
            layers = way.replace("components", "layers")
            if layers != way and layers in new:
                print_comparisons(
                    f"{way} against {layers}", study.compare(way, [layers], metric), study, metric
                )
        if task == "classification":
            for way in new:
                print_log_losses(way, study)
                print_default_penalty(way, study)
        print_seconds(study)
        print_troubles(of_task)
        if figure:
            for way, comparisons in maps.items():
                path = figure.with_stem(f"{figure.stem}-{task}-{way}")
                draw(comparisons, study, metric, path)


@dataclass(frozen=True)
class Study:
    """What was measured of one task."""

    raw: pd.DataFrame
    models: list[str]
    sizes: list[str]

    def counts(self) -> str:
        """Tables and seeds of each number of labels; what the marks mean."""
        scored = self.raw.dropna(subset="fit_seconds")
        lines = [
            f"{size} labels: {part['table'].nunique()} tables, "
            f"{count(part['seed'].nunique(), 'seed')}"
            for size, part in scored.groupby("labels", sort=False)
        ]
        capped = scored[scored["is_capped"]]
        if len(capped):
            names = ", ".join(sorted(capped["model"].unique()))
            most = f"{capped['rows'].max():,.0f}"
            lines.append(f"† marks fits on only {most} of the labeled rows ({names})")
        return ". ".join(lines) + "."

    def compare(
        self, way: str, references: list[str], metric: Metric, models: list[str] | None = None
    ) -> list[Comparison]:
        """Each model and number of labels on new features, against the better reference.

        The better reference is the one with the better mean over the tables, for each model and
        number of labels.
        """
        found = []
        for model in models or self.models:
            of_model = self.raw[self.raw["model"] == model]
            for size in self.sizes:
                of_size = of_model[of_model["labels"] == size]
                wide = of_size.pivot_table(
                    index=["table", "seed"], columns="way", values=metric.name
                )
                found.extend(self._compare(wide, way, references, metric, model, size))
        return found

    def _compare(
        self,
        wide: pd.DataFrame,
        way: str,
        references: list[str],
        metric: Metric,
        model: str,
        size: str,
    ) -> list[Comparison]:
        # These were not fitted behind a scaler, which would change nothing.
        if ignores_scale(model):
            way = way.replace("standardized_", "")
            references = [name.replace("standardized_", "") for name in references]
        references = [name for name in references if name in wide]
        if way not in wide or not references:
            return []
        means = wide[[*references, way]].dropna().groupby(level="table").mean()
        if means.empty:
            return []
        best = (metric.better * means[references].mean()).idxmax()
        scores = pd.DataFrame({"old": means[best], "new": means[way]})
        return [Comparison(model, size, str(best), scores)]

    def is_capped(self, model: str, size: str) -> bool:
        chosen = (self.raw["model"] == model) & (self.raw["labels"] == size)
        return bool(self.raw.loc[chosen, "is_capped"].any())


def print_comparisons(
    title: str, comparisons: list[Comparison], study: Study, metric: Metric
) -> None:
    """A Markdown table, a row for each model and a column for each number of labels."""
    if not comparisons:
        return
    n_tables = max(len(comparison.scores) for comparison in comparisons)
    cells = pd.DataFrame("", index=study.models, columns=study.sizes)
    for comparison in comparisons:
        mark = "†" if study.is_capped(comparison.model, comparison.labels) else ""
        text = describe(comparison, metric, n_tables)
        cells.loc[comparison.model, comparison.labels] = text + mark
    if metric is not LOG_LOSS:
        for size, text in mean_over_models(comparisons, study, metric).items():
            cells.loc[MEAN, size] = text
    cells = cells[(cells != "").any(axis=1)].fillna("")
    cells = cells.loc[:, (cells != "").any(axis=0)]
    print(f"\n## {metric.name}: {title}, {n_tables} tables\n")
    print(
        "Each cell has the old mean → the new one, the difference with its 95 % interval over the "
        "tables, and the share of tables on which the new features are level or better. "
        f'{metric.note} "q" marks the quantile encoding as the old one, and parentheses hold the '
        "number of tables, or of models in a mean, if it is smaller.\n"
    )
    print(cells.rename_axis("model").to_markdown())


def describe(comparison: Comparison, metric: Metric, n_tables: int) -> str:
    old, new = comparison.scores["old"].mean(), comparison.scores["new"].mean()
    mark = "q" if comparison.reference == "quantile" else ""
    few = f" ({len(comparison.scores)})" if len(comparison.scores) < n_tables else ""
    return (
        f"{old:.3f}{mark} → {new:.3f}, {describe_difference(comparison.differences, metric)}{few}"
    )


def describe_difference(differences: pd.Series, metric: Metric) -> str:
    digits = 1 if metric.unit == 100 else 3
    low, high = mean_interval(differences.to_numpy())
    share = (metric.better * differences >= -metric.margin).mean()
    mean, low, high = (metric.unit * value for value in (differences.mean(), low, high))
    interval = f" [{low:+.{digits}f}, {high:+.{digits}f}]" if np.isfinite(low) else ""
    return f"{mean:+.{digits}f}{interval}, {share:.0%}"


def mean_over_models(comparisons: list[Comparison], study: Study, metric: Metric) -> dict[str, str]:
    """Of each number of labels: the mean over the models of every table, then over the tables."""
    texts = {}
    n_models = sum(not is_probe(model) for model in study.models)
    for size in dict.fromkeys(comparison.labels for comparison in comparisons):
        found = [c for c in comparisons if c.labels == size and not is_probe(c.model)]
        # Trees borrow their scores without a scaler, so trees alone do not make a mean.
        if any(not ignores_scale(c.model) for c in found):
            few = f" ({len(found)} models)" if len(found) < n_models else ""
            differences = pd.DataFrame({c.model: c.differences for c in found}).mean(axis=1)
            old, new = (np.mean([c.scores[side].mean() for c in found]) for side in ("old", "new"))
            difference = describe_difference(differences, metric)
            texts[size] = f"{old:.3f} → {new:.3f}, {difference}{few}"
    return texts


def print_log_losses(way: str, study: Study) -> None:
    models = ["LogisticRegression", "probe_log_loss"]
    comparisons = study.compare(way, list(RAW), LOG_LOSS, models)
    comparisons = [comparison for comparison in comparisons if comparison.model in study.models]
    print_comparisons(f"{way} against raw features", comparisons, study, LOG_LOSS)


def print_default_penalty(way: str, study: Study) -> None:
    """What the default penalty loses against one that is cross-validated, on the same features."""
    of_way = study.raw[study.raw["way"] == way]
    keys = ["labels", "table", "seed"]
    wide = of_way.pivot_table(index=keys, columns="model", values="accuracy")
    for probe in ("probe_log_loss", "probe_accuracy"):
        if not {probe, "LogisticRegression"} <= set(wide):
            continue
        differences = (wide["LogisticRegression"] - wide[probe]).dropna()
        means = differences.groupby(level=["labels", "table"]).mean()
        texts = [
            f"{size} labels {describe_difference(means[size], ACCURACY)}"
            for size in study.sizes
            if size in means.index.get_level_values("labels")
        ]
        print(
            f"\nPoints of accuracy by which a default LogisticRegression on {way} is ahead of "
            f"{probe}: {'; '.join(texts)}."
        )


def print_seconds(study: Study) -> None:
    """Mean seconds of a fit, on the tables and seeds that all kinds of features have."""
    size = study.sizes[-1]
    chosen = study.raw[study.raw["labels"] == size]
    keys = ["table", "seed", "model"]
    wide = chosen.pivot_table(index=keys, columns="way", values="fit_seconds").dropna()
    if wide.empty:
        return
    seconds = wide.groupby(level="model").mean().reindex(study.models).dropna(how="all")
    print(f"\n## Seconds of a fit, {size} labels\n")
    print(seconds.round(3).to_markdown())
    for model in ("RandomForest", "HistGradientBoosting"):
        if model in seconds.index and {"components", "layers"} <= set(seconds):
            ratio = seconds.loc[model, "layers"] / seconds.loc[model, "components"]
            print(f"\n{model} is fitted {ratio:.1f} times faster on components than on layers.")
    of_way = study.raw.groupby("way")[["columns", "learn_seconds"]].mean()
    means = pd.DataFrame(
        {
            "mean number of columns": of_way["columns"].map("{:.0f}".format),
            "seconds to learn them": of_way["learn_seconds"].map("{:.1f}".format),
        }
    )
    print("\n" + means.T.to_markdown(disable_numparse=True, stralign="right"))


def print_troubles(raw: pd.DataFrame) -> None:
    """Fits that had not converged, and those that failed; a failure has no score."""
    share = (raw["convergence_warnings"] > 0).groupby([raw["model"], raw["way"]]).mean().unstack()
    share = share[(share > 0).any(axis=1)]
    if len(share):
        print("\n## Share of fits that warned of not having converged\n")
        print(share.map("{:.0%}".format, na_action="ignore").fillna("").to_markdown())
    failed = raw.dropna(subset="error")
    for (model, error), part in failed.groupby(["model", "error"]):
        fits = sorted(f"{r.table} ({r.way}, {r.labels} labels)" for r in part.itertuples())
        print(f"\n{model} failed in {len(part)} fits, as on {', '.join(fits[:4])}: {error}")


def draw(comparisons: list[Comparison], study: Study, metric: Metric, figure: Path) -> None:
    """A heat map of models by number of labels, narrow enough to be read in a column of text."""
    import matplotlib.pyplot as plt

    points = pd.DataFrame(index=study.models, columns=study.sizes, dtype=float)
    for comparison in comparisons:
        points.loc[comparison.model, comparison.labels] = 100 * comparison.differences.mean()
    # Not every model was tried with all features and numbers of labels.
    points = points.dropna(how="all").dropna(axis="columns", how="all")
    drawing, axes = plt.subplots(figsize=(6, 1.2 + 0.32 * len(points)), layout="constrained")
    image = draw_map(axes, points)
    name = "accuracy" if metric is ACCURACY else "R2, in hundredths"
    drawing.colorbar(image, ax=axes, label="points over the same model on raw features")
    axes.set(title=f"{name}: better is blue", xlabel="number of labels")
    drawing.savefig(figure, dpi=150)
    plt.close(drawing)
    print(f"\n{figure}")


def draw_map(axes: Any, points: pd.DataFrame, most: float = 10.0) -> Any:
    """Blue gains, red loses; the numbers go on where the colors end."""
    image = axes.imshow(points, cmap="RdBu", vmin=-most, vmax=most, aspect="auto")
    axes.set_xticks(range(points.shape[1]), points.columns)
    axes.set_yticks(range(points.shape[0]), points.index)
    axes.tick_params(length=0)
    for row, column in np.argwhere(points.notna().to_numpy()):
        value = points.iloc[row, column]
        color = "white" if abs(value) > 0.6 * most else "black"
        axes.text(column, row, f"{value:+.1f}", ha="center", va="center", fontsize=9, color=color)
    return image
