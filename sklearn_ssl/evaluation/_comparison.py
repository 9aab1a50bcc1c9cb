"""The objectives side by side on a table, against models on the raw columns."""

from collections.abc import Callable, Collection, Mapping
from numbers import Integral
from time import perf_counter
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import check_random_state

from sklearn_ssl._compat import Interval, check_matplotlib_support, safe_indexing, validate_params
from sklearn_ssl._table.types import TableLike
from sklearn_ssl.evaluation._comparison_plot import draw_comparison
from sklearn_ssl.evaluation._estimators import (
    check_estimators,
    check_judged,
    check_names_are_free,
    draw_seeds,
    embed,
    pretrain,
    seeded_clone,
)
from sklearn_ssl.evaluation._html import html_table
from sklearn_ssl.evaluation._measures import measure_predictions
from sklearn_ssl.evaluation._probes import PROBE_CONSTRAINTS, name_of_score, resolve_probe
from sklearn_ssl.evaluation._progress import run_tasks
from sklearn_ssl.evaluation._raw import BOOSTING, FOREST, RAW, models_on_raw_columns
from sklearn_ssl.evaluation._report import FEWEST_ROWS, RepresentationReport
from sklearn_ssl.evaluation._runs import (
    Judged,
    fit_reader,
    judge,
    judge_raw,
    make_reader,
    score_of,
)
from sklearn_ssl.evaluation._splits import (
    LabeledTable,
    Split,
    make_splits,
    read_table,
    repeat_splits,
)
from sklearn_ssl.evaluation._types import (
    GridOfAxes,
    Model,
    RandomState,
    Scoring,
    Splits,
    Transformer,
)
from sklearn_ssl.evaluation._verdict import describe_difference, differences_of

GEOMETRY = ("effective_rank", "alignment", "uniformity", "neighbors_kept", "cka_with_raw")
TIMES = ("fit_seconds", "transform_seconds")
BASELINES = (RAW, FOREST, BOOSTING)
N_FOLDS = 3


class ObjectiveComparison:
    """What :func:`compare_objectives` measured: a verdict, a table and a figure.

    Parameters
    ----------
    runs : DataFrame of shape (n_estimators * n_splits, n_measures + 5)
        One row per estimator and split.

    score_name : str, default="Score"
        What the probes were scored by.

    Attributes
    ----------
    table : DataFrame of shape (n_estimators, n_measures)
        Means over the splits, with columns

        - "score", "score_std": score of the probe, or of an estimator that predicts by itself, and
          its standard deviation;
        - "roc_auc", "log_loss" for classes, or "mean_absolute_error" for quantities: of the same
          predictions;
        - "knn", "knn_std": score of five nearest neighbors, or of as many as there are;
        - "width": number of features;
        - "effective_rank", "alignment", "uniformity", "neighbors_kept", "cka_with_raw": geometry
          on test rows, at least three of them, see :class:`RepresentationReport`;
        - "fit_seconds": time to pretrain, or to fit an estimator that predicts by itself, the
          median over the splits;
        - "transform_seconds": time to embed a thousand rows, the same.

        What an estimator does not have is NaN.

    verdict : str
        One sentence per estimator: whether it is ahead of the best baseline.

    axes_ : ndarray of 6 matplotlib Axes
        Of the figure.

    figure_ : matplotlib Figure
        The figure.
    """

    def __init__(self, runs: pd.DataFrame, *, score_name: str = "Score") -> None:
        self.runs = runs
        self.score_name = score_name

    @property
    def table(self) -> pd.DataFrame:
        """Means over the splits, medians of the times; one row per estimator."""
        # These columns identify a run and measure nothing.
        dropped = ["split", "is_baseline", "test_ratio", "n_labels"]
        by_estimator = self.runs.drop(columns=dropped).groupby("estimator", sort=False)
        table = by_estimator.mean().astype({"width": int})
        # The first fit in a process also loads what is loaded on first use.
        table[list(TIMES)] = by_estimator[list(TIMES)].median()
        for measure in ("score", "knn"):
            place = table.columns.tolist().index(measure) + 1
            table.insert(place, f"{measure}_std", by_estimator[measure].std(ddof=0))
        return table

    def differences(self, measure: str = "score") -> pd.DataFrame:
        """Compare each estimator with the best baseline, split by split.

        The interval is that of the corrected resampled t-test [1]_, which allows for training rows
        that splits share. It holds 90 % for each estimator by itself.

        Parameters
        ----------
        measure : str, default="score"
            A column of ``table`` that each split has a value of.

        Returns
        -------
        differences : DataFrame of shape (n_estimators, 5)
            With columns "baseline", the one with the best mean; "difference" from it, above zero
            if the estimator has the higher value; "low" and "high", the interval; and "verdict":
            "ahead", "behind", or "cannot be decided with this many labels" if the interval holds
            zero.

        References
        ----------
        .. [1] C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning
           52 (2003), https://doi.org/10.1023/A:1024068626366.
        """
        measures = self.runs.columns.drop(["estimator", "split", "is_baseline", "test_ratio"])
        if measure not in measures:
            raise ValueError(f"measure must be one of {measures.tolist()}; got {measure!r}.")
        return differences_of(self.runs, measure)

    @property
    def verdict(self) -> str:
        """One sentence per estimator: ahead of the best baseline, behind, or undecided."""
        n_labels = int(self.runs["n_labels"].iloc[0])
        n_splits = self.runs["split"].nunique()
        sentences = []
        for name, row in self.differences().iterrows():
            sentences.append(describe_difference(str(name), row, n_labels, n_splits))
        return "\n".join(sentences)

    def __repr__(self) -> str:
        n_estimators = self.runs["estimator"].nunique()
        n_splits = self.runs["split"].nunique()
        n_labels = int(self.runs["n_labels"].iloc[0])
        scores = self.table["score"]
        return (
            f"<ObjectiveComparison: {n_estimators} estimators, {n_splits} splits, {n_labels:,} "
            f"labels; best {self.score_name.lower()} {scores.max():.3f}, {scores.idxmax()}>"
        )

    def __str__(self) -> str:
        # A console has room for one estimator a column, and none for one measure a column.
        cells = self.table.T.map("{:.3g}".format)
        table = cells.replace("nan", "-").to_string()
        return "\n".join([self.verdict, "", self._caption(), "", table])

    def _repr_html_(self) -> str:
        return html_table(self.table.T, self._caption(), self.verdict.splitlines())

    def _caption(self) -> str:
        return (
            f"{self.score_name} of probes on frozen features and of models on the raw columns, "
            f"geometry on test rows, and time; means of {self.runs['split'].nunique()} splits, "
            "medians of times"
        )

    def plot(self, ax: "GridOfAxes | None" = None) -> Self:
        """Draw differences from the best baseline, scores and time.

        Parameters
        ----------
        ax : array-like of 6 matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        self : ObjectiveComparison
            With the figure drawn.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        self.axes_ = draw_comparison(self, ax)
        self.figure_ = self.axes_[0].figure
        return self


@validate_params(
    PROBE_CONSTRAINTS
    | {
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        "estimators": [dict, None],
        "params": [dict, None],
        "semi_supervised": ["array-like"],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=False,
)
def compare_objectives(
    X: TableLike,
    y: npt.ArrayLike,
    *,
    X_unlabeled: TableLike | None = None,
    estimators: Mapping[str, Transformer | Model] | None = None,
    params: Mapping[str, object] | None = None,
    semi_supervised: Collection[str] = (),
    probe: str | Model = "linear",
    cv: Splits = 3,
    n_repeats: int = 2,
    groups: npt.ArrayLike | None = None,
    scoring: Scoring = None,
    n_jobs: int | None = None,
    random_state: RandomState | None = None,
    verbose: bool = False,
) -> ObjectiveComparison:
    """Compare what the objectives learn from a table: scores, a verdict, geometry and time.

    In each split every transformer is fitted on the unlabeled and the training rows, without
    labels. A probe and nearest neighbors are then fitted on the labeled training rows, embedded,
    and scored on the test rows; the geometry is that of the test rows. The same probe on the raw
    features, a random forest and gradient boosting on the raw columns are the baselines. Boosting
    is left out for sparse tables.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.

    y : array-like of shape (n_samples,)
        Target. Floats with more than two distinct values are quantities, all else is classes.
        NaN, None and ``pd.NA`` mark rows without a label, and so does -1 among classes: the
        transformers learn from these rows, and nothing is probed or scored on them.

    X_unlabeled : {array-like, sparse matrix, DataFrame} of shape (n_unlabeled, n_features), \
default=None
        More rows without labels to pretrain on, with the same columns. Rows that equal a test row
        are left out of that split.

    estimators : dict of str to estimator or None, default=None
        What to compare, by name. None takes the three objectives of this library and a plain
        autoencoder, which is a denoising one without noise. Classifiers and regressors predict by
        themselves, from the raw columns. The baselines are always added, under the names "raw
        features", "random forest" and "gradient boosting".

    params : dict or None, default=None
        Parameters of the four default estimators, such as ``{"max_iter": 10}``.

    semi_supervised : array-like of str, default=()
        Names of classifiers and regressors that are fitted on all rows that transformers are
        pretrained on. The target of a row without a label is -1 (classes) or NaN (quantities), as
        for :class:`~sklearn_ssl.FineTunedClassifier`.

    probe : {"linear", "knn"} or estimator, default="linear"
        As in :func:`probe_score`.

    cv : int, cross-validation generator or iterable, default=3
        Splits. An int is a number of shuffled folds, stratified for classes.

    n_repeats : int, default=2
        How often the folds are drawn, if ``cv`` is an int. More repeats make intervals narrower
        and take as many times longer.

    groups : array-like of shape (n_samples,), default=None
        Groups for a ``cv`` that keeps them together.

    scoring : str, callable or None, default=None
        A scorer as in scikit-learn. None is the probe's own: accuracy, or R² for quantities.

    n_jobs : int or None, default=None
        Pairs of a split and an estimator to run at the same time. Apart from rounding, nothing but
        the times depends on it.

    random_state : int, RandomState instance or None, default=None
        Source of the folds, of the random states that estimators leave at None, and of the
        disturbed copies.

    verbose : bool, default=False
        Whether to show what is done: a bar in a terminal or a notebook, lines elsewhere.

    Returns
    -------
    comparison : ObjectiveComparison
        ``print`` it, ``plot`` it, or read its ``table``.

    Raises
    ------
    ValueError
        If both ``estimators`` and ``params`` are given, an estimator has the name of a baseline,
        or a mark in ``y`` could also be a label.

    See Also
    --------
    RepresentationReport : More of the geometry.
    label_efficiency_curve : Scores with few labels, which is where pretraining may matter most.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ssl.evaluation import compare_objectives
    >>> X, y = load_iris(return_X_y=True)
    >>> small = {
    ...     "n_components": 3,
    ...     "hidden_layer_sizes": (8,),
    ...     "max_iter": 2,
    ...     "passthrough": False,
    ... }
    >>> comparison = compare_objectives(X[::2], y[::2], params=small, cv=2, random_state=0)
    >>> comparison.table["width"].head(5)
    estimator
    DenoisingAutoencoder      3
    ContrastiveEmbedder       3
    MaskedFeaturePredictor    3
    plain autoencoder         3
    raw features              4
    Name: width, dtype: int64
    >>> comparison.differences()["verdict"].unique().tolist()
    ['cannot be decided with this many labels']
    """
    named = _resolve_estimators(estimators, params)
    check_judged(named, semi_supervised)
    check_names_are_free(named, BASELINES, ", as the baselines are always added")
    table = read_table(X, y, X_unlabeled)
    has_classes = table.target.has_classes
    resolved = resolve_probe(probe, has_classes)
    # In the order of the table and of the figure: the baselines come last.
    entrants = [Entrant(each, False) for each in judge(named, resolved, semi_supervised)]
    entrants.append(Entrant(judge_raw(table.X, resolved), True))
    for name, model in models_on_raw_columns(table.X, has_classes).items():
        entrants.append(Entrant(Judged(name, model, resolved, predicts=True), True))
    rng = check_random_state(random_state)
    (cv_seed,) = draw_seeds(rng, 1)
    folds = N_FOLDS if cv is None else cv
    splits = make_splits(table, repeat_splits(folds, n_repeats, has_classes, cv_seed), groups)
    # All entrants of a split share its seed, and with it whatever is drawn for the split.
    seeds = draw_seeds(rng, len(splits))
    tasks = []
    labels = []
    for number, (split, seed) in enumerate(zip(splits, seeds, strict=True)):
        for entrant in entrants:
            tasks.append((entrant, table, number, split, scoring, seed))
            labels.append(f"{entrant.judged.name}, split {number + 1} of {len(splits)}")
    rows = run_tasks(
        _measure,
        tasks,
        labels,
        title="compare_objectives: pretrain and probe",
        verbose=verbose,
        n_jobs=n_jobs,
    )
    return ObjectiveComparison(pd.DataFrame(rows), score_name=name_of_score(scoring, has_classes))


class Entrant(NamedTuple):
    """An estimator, and whether it is a baseline."""

    judged: Judged
    is_baseline: bool


def _resolve_estimators(
    estimators: Mapping[str, Transformer | Model] | None, params: Mapping[str, object] | None
) -> dict[str, Transformer | Model]:
    if estimators is None:
        return default_objectives(params or {})
    if params is not None:
        raise ValueError(
            "params are those of the default estimators; set them on the ones in estimators "
            "instead."
        )
    return check_estimators(estimators)


def default_objectives(params: Mapping[str, object]) -> dict[str, Transformer | Model]:
    """The three objectives of this library, and the autoencoder that they have to beat."""
    # Imported late: the package itself must not need its estimators.
    from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor

    makers: dict[str, Callable[..., Transformer]] = {
        "DenoisingAutoencoder": DenoisingAutoencoder,
        "ContrastiveEmbedder": ContrastiveEmbedder,
        "MaskedFeaturePredictor": MaskedFeaturePredictor,
    }
    for name, make in makers.items():
        unknown = sorted(set(params) - set(make().get_params()))
        if unknown:
            raise ValueError(
                f"params must be parameters of all default estimators, and {name} has none named "
                f"{', '.join(unknown)}. Pass estimators of your own instead."
            )
    named = {name: make(**params) for name, make in makers.items()}
    without_noise = {**params, "noise_level": 0.0}
    return {**named, "plain autoencoder": makers["DenoisingAutoencoder"](**without_noise)}


def _measure(
    entrant: Entrant, table: LabeledTable, number: int, split: Split, scoring: Scoring, seed: int
) -> dict[str, object]:
    """Everything about one estimator on one split."""
    judged = entrant.judged
    measure = _measure_model if judged.predicts else _measure_features
    return {
        "estimator": judged.name,
        "split": number,
        "is_baseline": entrant.is_baseline,
        "test_ratio": split.test_ratio,
        "n_labels": len(split.train) + len(split.test),
        **measure(judged, table, split, scoring, seed),
    }


def _measure_model(
    judged: Judged, table: LabeledTable, split: Split, scoring: Scoring, seed: int
) -> dict[str, object]:
    """Scores and time of an estimator that predicts by itself."""
    reader = make_reader(judged, table, split, seed)
    began = perf_counter()
    fitted = fit_reader(reader, table, split, split.train, seed)
    seconds = perf_counter() - began
    return {
        **_scores(fitted, reader.see(split.test), table, split, scoring),
        "knn": np.nan,
        "width": np.shape(table.X)[1],
        **dict.fromkeys(GEOMETRY, np.nan),
        "fit_seconds": seconds,
        "transform_seconds": np.nan,
    }


def _measure_features(
    judged: Judged, table: LabeledTable, split: Split, scoring: Scoring, seed: int
) -> dict[str, object]:
    """Scores of probes on the features of a transformer, their geometry, and its times."""
    # The fit and the test rows are timed. Other rows are embedded for the probes alone.
    began = perf_counter()
    frozen = pretrain(judged.transformer, table.X, split.pretrain, seed)
    fitted = perf_counter()
    test = embed(frozen, table.X, split.test)
    embedded = perf_counter()
    train = embed(frozen, table.X, split.train)
    scale = judged.probe.scaling_by(embed(frozen, table.X, split.pretrain))
    linear = _fit(judged.probe.model, scale(train), table, split, seed)
    nearest = resolve_probe("knn", table.target.has_classes)
    knn = _fit(nearest.model, train, table, split, seed)
    return {
        **_scores(linear, scale(test), table, split, scoring),
        "knn": score_of(knn, test, table.target.of(split.test), scoring),
        "width": np.shape(test)[1],
        **_geometry(judged.name, frozen, table, split, seed),
        "fit_seconds": fitted - began,
        # Test sets differ in size, so the time is that of a thousand rows.
        "transform_seconds": (embedded - fitted) * 1000 / len(split.test),
    }


def _geometry(
    name: str, frozen: Transformer, table: LabeledTable, split: Split, seed: int
) -> dict[str, float]:
    """The geometry of the test rows, NaN if they are too few to have one."""
    if len(split.test) < FEWEST_ROWS:
        return dict.fromkeys(GEOMETRY, np.nan)
    # The seed of the split is that of all its estimators: they see the same disturbed copies.
    rows = safe_indexing(table.X, split.test)
    report = RepresentationReport.from_estimator({name: frozen}, rows, random_state=int(seed))
    measured = report.measures.loc[name, list(GEOMETRY)].to_numpy().tolist()
    return dict(zip(GEOMETRY, measured, strict=True))


def _fit(model: Model, train: TableLike, table: LabeledTable, split: Split, seed: int) -> Model:
    return seeded_clone(model, seed).fit(train, table.target.of(split.train))


def _scores(
    fitted: Model, test: TableLike, table: LabeledTable, split: Split, scoring: Scoring
) -> dict[str, float]:
    y_test = table.target.of(split.test)
    return {
        "score": score_of(fitted, test, y_test, scoring),
        **measure_predictions(fitted, test, y_test, table.target.has_classes),
    }
