"""Figures of scores against the number of labels."""

from collections.abc import Collection, Mapping
from textwrap import fill
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from sklearn_ssl._compat import check_matplotlib_support
from sklearn_ssl._table.types import TableLike
from sklearn_ssl.evaluation._html import html_table
from sklearn_ssl.evaluation._label_efficiency import DEFAULT_TRAIN_SIZES, label_efficiency_curve
from sklearn_ssl.evaluation._labels_saved import (
    Saving,
    describe_saving,
    labels_saved,
    savings_of,
)
from sklearn_ssl.evaluation._probes import name_of_score
from sklearn_ssl.evaluation._raw import RAW
from sklearn_ssl.evaluation._style import (
    GRAY,
    legend_name,
    make_axes,
    named_styles,
    tidy,
    without_math,
)
from sklearn_ssl.evaluation._targets import read_target
from sklearn_ssl.evaluation._types import (
    Axes,
    Model,
    RandomState,
    Scoring,
    Splits,
    Transformer,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.container import Container
    from matplotlib.lines import Line2D
    from matplotlib.text import Annotation

CHARACTERS_PER_INCH = 13
"""Of a title in a medium font, by which it is broken into lines."""

BAR_SHIFT = 1.04
"""Factor between the error bars of neighbors on the axis of logarithms."""
MOST_BANDS = 3
"""Bands that can be distinguished when they overlap; more estimators get error bars."""


class LabelEfficiencyDisplay:
    """Score against the number of labeled rows, one line per estimator.

    Make one with :meth:`from_estimator`, or with :meth:`from_predictions` if the curve is there
    already. :meth:`plot_saving` draws what a single estimator saves, for readers in a hurry.

    Parameters
    ----------
    curve : DataFrame
        As :func:`label_efficiency_curve` returns it.

    score_name : str, default="Score"
        Label of the vertical axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the figure.

    figure_ : matplotlib Figure
        The figure.

    lines_ : dict of str to matplotlib Line2D
        Mean scores, by name of the estimator.

    bands_ : dict of str to matplotlib artist
        Bands around them, or error bars for more than three estimators, by name of the estimator;
        empty without bands.

    arrow_ : matplotlib Annotation or None
        What :meth:`plot_saving` draws between two curves.

    See Also
    --------
    label_efficiency_curve : Computes the curve.
    labels_saved : Reads off it how many labels pretraining saves.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_ssl.evaluation import LabelEfficiencyDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> display = LabelEfficiencyDisplay.from_estimator(
    ...     PCA(n_components=2), X, y, train_sizes=[6, 30, 90], cv=3, random_state=0
    ... )
    >>> display.ax_.get_ylabel()
    'Accuracy (higher is better)'
    """

    def __init__(self, curve: pd.DataFrame, *, score_name: str = "Score") -> None:
        self.curve = curve
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls,
        estimators: Transformer | Model | Mapping[str, Transformer | Model],
        X: TableLike,
        y: npt.ArrayLike,
        *,
        X_unlabeled: TableLike | None = None,
        train_sizes: npt.ArrayLike = DEFAULT_TRAIN_SIZES,
        n_repeats: int = 5,
        semi_supervised: Collection[str] = (),
        baseline: bool = True,
        probe: str | Model = "linear",
        cv: Splits = None,
        groups: npt.ArrayLike | None = None,
        scoring: Scoring = None,
        n_jobs: int | None = None,
        random_state: RandomState | None = None,
        verbose: bool = False,
        ax: "Axes | None" = None,
    ) -> Self:
        """Compute and plot the curve; see :func:`label_efficiency_curve` for the parameters.

        Parameters
        ----------
        estimators : estimator or dict of str to estimator
            What to compare, by name.

        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,)
            Target; -1 among classes and missing values mark unlabeled rows.

        X_unlabeled : {array-like, sparse matrix, DataFrame} of shape (n_unlabeled, n_features) \
or None, default=None
            More rows without labels to pretrain on.

        train_sizes : array-like of shape (n_sizes,), default=(0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
            Numbers of labels, or fractions of the training rows.

        n_repeats : int, default=5
            Draws of the labeled rows in each split.

        semi_supervised : array-like of str, default=()
            Names of estimators that see all training rows, with the labeled targets alone.

        baseline : bool, default=True
            Whether to add the raw features.

        probe : {"linear", "knn"} or estimator, default="linear"
            Model on frozen features.

        cv : int, cross-validation generator or iterable, default=None
            Splits.

        groups : array-like of shape (n_samples,), default=None
            Groups for ``cv``.

        scoring : str, callable or None, default=None
            Scorer.

        n_jobs : int or None, default=None
            Tasks to run at the same time.

        random_state : int, RandomState instance or None, default=None
            Source of all draws.

        verbose : bool, default=False
            Whether to show what is done.

        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        display : LabelEfficiencyDisplay
            With the figure drawn.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        curve = label_efficiency_curve(
            estimators,
            X,
            y,
            X_unlabeled=X_unlabeled,
            train_sizes=train_sizes,
            n_repeats=n_repeats,
            semi_supervised=semi_supervised,
            baseline=baseline,
            probe=probe,
            cv=cv,
            groups=groups,
            scoring=scoring,
            n_jobs=n_jobs,
            random_state=random_state,
            verbose=verbose,
        )
        score_name = name_of_score(scoring, read_target(y).has_classes)
        return cls.from_predictions(curve, score_name=score_name, ax=ax)

    @classmethod
    def from_predictions(
        cls, curve: pd.DataFrame, *, score_name: str = "Score", ax: "Axes | None" = None
    ) -> Self:
        """Plot scores that are there already.

        Parameters
        ----------
        curve : DataFrame
            As :func:`label_efficiency_curve` returns it.

        score_name : str, default="Score"
            Label of the vertical axis.

        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        display : LabelEfficiencyDisplay
            With the figure drawn.
        """
        return cls(curve, score_name=score_name).plot(ax=ax)

    def plot(self, ax: "Axes | None" = None, *, band: bool = True) -> Self:
        """Draw the mean score of each estimator, with one standard deviation around it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        band : bool, default=True
            Whether to draw the standard deviation over splits and draws: bands for up to three
            estimators, error bars beside each other for more.

        Returns
        -------
        self : LabelEfficiencyDisplay
            With the figure drawn.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        self._draw(self.curve, ax, band)
        n_runs = self.curve.groupby(["estimator", "n_labels"]).size().max()
        runs = f"mean and standard deviation of {n_runs} runs" if band else "mean"
        self.ax_.set_title(f"Labels needed on frozen features ({runs})", fontsize="medium")
        without_math(self.ax_.legend(frameon=False, fontsize="small"))
        return self

    def plot_saving(
        self,
        estimator: str | None = None,
        n_labels: int | None = None,
        *,
        baseline: str = RAW,
        ax: "Axes | None" = None,
    ) -> Self:
        """Draw one estimator, the baseline, and an arrow between them at equal score.

        The arrow leads from the number of labels of the estimator to the number that the baseline
        needs for the same score. A sentence above it says so, with an interval, see
        :func:`labels_saved`.

        Parameters
        ----------
        estimator : str or None, default=None
            Name of the estimator; None takes the one with the highest mean score.

        n_labels : int or None, default=None
            Number of labels of the estimator, one that was measured. None takes the middle one of
            those at which the baseline was measured far enough.

        baseline : str, default="raw features"
            Name of the estimator to compare with.

        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        self : LabelEfficiencyDisplay
            With the figure drawn.

        Raises
        ------
        ValueError
            If the curve has no such estimator, baseline, or number of labels.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot_saving")
        row = self._row_to_draw(estimator, n_labels, baseline)
        curve = self.curve[self.curve["estimator"].isin([row.estimator, baseline])]
        self._draw(curve, ax, band=True)
        self._draw_arrow(row, baseline)
        self._name_curves(curve)
        return self

    def __repr__(self) -> str:
        sizes = self.curve["n_labels"]
        return (
            f"<LabelEfficiencyDisplay: {self.curve['estimator'].nunique()} estimators, "
            f"{sizes.min():,} to {sizes.max():,} labels, {len(self.curve):,} runs>"
        )

    def _repr_html_(self) -> str:
        means = self.curve.pivot_table(
            index="estimator", columns="n_labels", values="score", sort=False
        )
        means.columns = [f"{size:,} labels" for size in means.columns]
        return html_table(means, f"Mean {self.score_name.lower()}", self.describe())

    def describe(self, baseline: str = RAW) -> list[str]:
        """Say in sentences what :func:`labels_saved` measures.

        Parameters
        ----------
        baseline : str, default="raw features"
            Name of the estimator to compare with.

        Returns
        -------
        sentences : list of str
            One per other estimator and number of labels; none if the baseline is not in the curve,
            or a score is NaN or infinite.
        """
        has_baseline = baseline in set(self.curve["estimator"])
        if not (has_baseline and np.isfinite(self.curve["score"]).all()):
            return []
        measured = self._measured(baseline)
        saved = labels_saved(self.curve, baseline=baseline)
        return [describe_saving(row, baseline, measured) for row in savings_of(saved)]

    def _measured(self, name: str) -> list[int]:
        is_named = self.curve["estimator"] == name
        sizes = self.curve.loc[is_named, "n_labels"].unique()
        return sorted(sizes.tolist())

    def _row_to_draw(self, estimator: str | None, n_labels: int | None, baseline: str) -> Saving:
        """The row of :func:`labels_saved` that was asked for, or the clearest one."""
        saved = labels_saved(self.curve, baseline=baseline)
        if estimator is None:
            means = saved.groupby("estimator", sort=False)["score"].mean()
            estimator = str(means.idxmax())
        own = saved[saved["estimator"] == estimator]
        if own.empty:
            raise ValueError(
                f"estimator must be one of {saved['estimator'].unique().tolist()}; got "
                f"{estimator!r}."
            )
        if n_labels is None:
            # An arrow that ends at a measured score says more than a bound, and in the middle of
            # the curve there is room for it.
            is_measured = own["bound"] == "equal"
            chosen = own[is_measured] if is_measured.any() else own
            (row,) = savings_of(chosen.iloc[[len(chosen) // 2]])
            return row
        chosen = own[own["n_labels"] == n_labels]
        if chosen.empty:
            raise ValueError(
                f"n_labels must be one of {own['n_labels'].tolist()}, which were measured; got "
                f"{n_labels!r}."
            )
        return savings_of(chosen)[0]

    def _draw(self, curve: pd.DataFrame, ax: "Axes | None", band: bool) -> None:
        self.ax_ = ax = make_axes(ax)
        self.figure_ = ax.figure
        self.lines_: dict[str, Line2D] = {}
        self.bands_: dict[str, Artist | Container] = {}
        self.arrow_: Annotation | None = None
        names = list(dict.fromkeys(curve["estimator"]))
        for place, (name, (color, marker)) in enumerate(named_styles(names).items()):
            scores = curve[curve["estimator"] == name].groupby("n_labels")["score"]
            mean = scores.mean()
            # The spread describes these runs and estimates nothing: that of one run is 0, not NaN.
            spread = scores.std(ddof=0)
            (line,) = ax.plot(mean.index, mean, color=color, marker=marker, markersize=5, zorder=3)
            line.set_label(legend_name(name))
            self.lines_[name] = line
            if band and len(names) <= MOST_BANDS:
                self.bands_[name] = _draw_band(ax, mean, spread, color)
            elif band:
                # Beside each other, as bars on one line would hide each other.
                shift = BAR_SHIFT ** (place - (len(names) - 1) / 2)
                self.bands_[name] = ax.errorbar(
                    mean.index * shift, mean, spread, color=color, fmt="none", elinewidth=0.8
                )
        self._explain(curve)

    def _explain(self, curve: pd.DataFrame) -> None:
        sizes = sorted(curve["n_labels"].unique())
        self.ax_.set_xscale("log")
        self.ax_.set_xticks(sizes, [f"{size:,}" for size in sizes])
        self.ax_.set_xticks([], minor=True)
        self.ax_.set(
            xlabel="Labeled rows (log scale)", ylabel=f"{self.score_name} (higher is better)"
        )
        self.ax_.grid(axis="y", alpha=0.3)
        tidy(self.ax_)

    def _draw_arrow(self, row: Saving, baseline: str) -> None:
        """The arrow, where it starts and ends, and the interval of its end."""
        ax = self.ax_
        end = row.baseline_labels
        measured = self._measured(baseline)
        bottom, _ = ax.get_ylim()
        for labels in {row.n_labels, end}:
            ax.plot([labels, labels], [bottom, row.score], color=GRAY, linestyle=":", linewidth=1)
        # The lines down to the axis would move the axis away from them.
        ax.set_ylim(bottom=bottom)
        if not np.isnan(row.low):
            # An interval that is open at an end is drawn as far as was measured.
            ends = np.clip([row.low, row.high], measured[0], measured[-1])
            ax.plot(ends, [row.score] * 2, color=GRAY, linewidth=7, alpha=0.45, zorder=2)
        style = {
            "arrowstyle": "-|>",
            "color": "black",
            "linewidth": 1.6,
            "linestyle": "-" if row.bound == "equal" else ":",
            "shrinkA": 0,
            "shrinkB": 0,
        }
        start = (row.n_labels, row.score)
        self.arrow_ = ax.annotate("", (end, row.score), start, arrowprops=style, zorder=4)
        sentence = describe_saving(row, baseline, measured)
        inches = ax.bbox.width / self.figure_.dpi
        lines = fill(sentence, int(inches * CHARACTERS_PER_INCH))
        ax.set_title(lines, fontsize="medium", loc="left")

    def _name_curves(self, curve: pd.DataFrame) -> None:
        """Names at the ends of the curves, and what is around them."""
        ends = {}
        for name, line in self.lines_.items():
            ends[name] = np.asarray(line.get_xydata())[-1]
        # The name of the highest curve stands above its end, and the others below theirs, where
        # they are less likely to cover a curve.
        highest = max(ends, key=lambda name: ends[name][1])
        for name, line in self.lines_.items():
            above = name == highest
            self.ax_.annotate(
                name,
                tuple(ends[name]),
                (0, 12 if above else -18),
                textcoords="offset points",
                ha="right",
                va="bottom" if above else "top",
                color=line.get_color(),
                fontweight="bold",
                fontsize="small",
            )
        n_runs = curve.groupby(["estimator", "n_labels"]).size().max()
        self.ax_.set_xlabel(
            f"{self.ax_.get_xlabel()}\n"
            f"bands: standard deviation of {n_runs} runs; gray bar: the interval"
        )


def _draw_band(ax: Axes, mean: pd.Series, spread: pd.Series, color: str) -> "Artist":
    """Fill what is within a standard deviation, with thin edges that show where bands overlap."""
    low, high = mean - spread, mean + spread
    band: Artist = ax.fill_between(mean.index, low, high, color=color, alpha=0.18, linewidth=0)
    for edge in (low, high):
        ax.plot(mean.index, edge, color=color, linewidth=0.6, alpha=0.6)
    return band
