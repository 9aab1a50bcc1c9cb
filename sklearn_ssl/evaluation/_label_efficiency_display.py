"""Figure of scores against the number of labels."""

from sklearn_ssl._compat import check_matplotlib_support
from sklearn_ssl.evaluation._label_efficiency import DEFAULT_TRAIN_SIZES, label_efficiency_curve
from sklearn_ssl.evaluation._probes import name_of_score
from sklearn_ssl.evaluation._splits import check_target
from sklearn_ssl.evaluation._style import make_axes, named_styles, tidy


class LabelEfficiencyDisplay:
    """Score against the number of labeled rows, one line per estimator.

    Make one with :meth:`from_estimator`, or with :meth:`from_predictions` where the curve is
    there already.

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

    bands_ : dict of str to matplotlib PolyCollection
        Bands around them, by name of the estimator; empty without bands.

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
    'Accuracy'
    """

    def __init__(self, curve, *, score_name="Score"):
        self.curve = curve
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls,
        estimators,
        X,
        y,
        *,
        train_sizes=DEFAULT_TRAIN_SIZES,
        n_repeats=5,
        semi_supervised=(),
        baseline=True,
        probe="linear",
        cv=None,
        groups=None,
        scoring=None,
        n_jobs=None,
        random_state=None,
        ax=None,
    ):
        """Compute and plot the curve; see :func:`label_efficiency_curve` for the parameters.

        Parameters
        ----------
        estimators : estimator or dict of str to estimator
            What to compare, by name.

        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,)
            Target.

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
        )
        score_name = name_of_score(scoring, check_target(y).has_classes)
        return cls.from_predictions(curve, score_name=score_name, ax=ax)

    @classmethod
    def from_predictions(cls, curve, *, score_name="Score", ax=None):
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

    def plot(self, ax=None, *, band=True):
        """Draw the mean score of each estimator and a band of one standard deviation.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        band : bool, default=True
            Whether to draw the standard deviation over splits and draws.

        Returns
        -------
        self : LabelEfficiencyDisplay
            With the figure drawn.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        self.ax_ = ax = make_axes(ax)
        self.figure_ = ax.figure
        self.lines_, self.bands_ = {}, {}
        names = list(dict.fromkeys(self.curve["estimator"]))
        for name, (color, marker) in named_styles(names).items():
            scores = self.curve[self.curve["estimator"] == name].groupby("n_labels")["score"]
            mean, spread = scores.mean(), scores.std(ddof=0)
            (self.lines_[name],) = ax.plot(
                mean.index, mean, color=color, marker=marker, markersize=5, label=name
            )
            if band:
                self.bands_[name] = ax.fill_between(
                    mean.index, mean - spread, mean + spread, color=color, alpha=0.12, linewidth=0
                )
        self._explain()
        return self

    def _explain(self):
        sizes = sorted(self.curve["n_labels"].unique())
        n_runs = self.curve.groupby(["estimator", "n_labels"]).size().max()
        runs = f"mean and standard deviation of {n_runs} runs" if self.bands_ else "mean"
        self.ax_.set_xscale("log")
        self.ax_.set_xticks(sizes, [f"{size:,}" for size in sizes])
        self.ax_.set_xticks([], minor=True)
        self.ax_.set(
            xlabel="Labeled rows (log scale)",
            ylabel=self.score_name,
            title=f"Labels needed on frozen features ({runs})",
        )
        self.ax_.title.set_fontsize("medium")
        self.ax_.grid(axis="y", alpha=0.3)
        self.ax_.legend(frameon=False, fontsize="small")
        tidy(self.ax_)
