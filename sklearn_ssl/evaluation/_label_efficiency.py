"""Score against the number of labels, and the labels that pretraining saves."""

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from sklearn_ssl._compat import HasMethods, Interval, safe_indexing, validate_params
from sklearn_ssl.evaluation._estimators import (
    RAW,
    check_estimators,
    check_transformer,
    draw_seeds,
    embed,
    is_supervised,
    pretrain,
    raw_features,
)
from sklearn_ssl.evaluation._probes import PROBE_CONSTRAINTS, Probe, fit_and_score, resolve_probe
from sklearn_ssl.evaluation._splits import (
    Split,
    Target,
    check_table_and_target,
    hide_labels,
    labeled_order,
    make_splits,
    resolve_train_sizes,
)

DEFAULT_TRAIN_SIZES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
COLUMNS = ("estimator", "n_labels", "split", "repeat", "score")


class Task(NamedTuple):
    """One estimator on one split."""

    name: str
    estimator: Any
    number: int
    split: Split
    seed: int
    # Places in the training set, one array per draw; the first n of it are labeled.
    orders: list[np.ndarray]
    sees_unlabeled: bool


@validate_params(
    {
        "estimators": [HasMethods(["fit"]), dict],
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        "train_sizes": ["array-like"],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "semi_supervised": ["array-like"],
        "baseline": ["boolean"],
        **PROBE_CONSTRAINTS,
    },
    prefer_skip_nested_validation=False,
)
def label_efficiency_curve(
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
):
    """Score against the number of labeled rows, with pretraining on all training rows.

    In each split a transformer is fitted once on all training rows, without labels. A probe is
    then fitted on the labeled ones among them, embedded, and scored on the test rows, which
    nothing has seen before. Draws of labeled rows are the same for all estimators; a larger draw
    contains the smaller ones, and each holds the classes in the proportions of the training rows,
    at least once.

    Parameters
    ----------
    estimators : estimator or dict of str to estimator
        What to compare, by name. Transformers are pretrained and probed. Classifiers and
        regressors are baselines without pretraining: they are fitted on the labeled rows alone,
        unless they are among ``semi_supervised``.

    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.

    y : array-like of shape (n_samples,)
        Target. Floats with more than two distinct values are quantities, all else is classes.

    train_sizes : array-like of shape (n_sizes,), default=(0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
        Numbers of labels (integers), or fractions of the smallest training set (floats). A
        fraction that is less than one row per class is rounded up to that.

    n_repeats : int, default=5
        Draws of the labeled rows in each split.

    semi_supervised : array-like of str, default=()
        Names of classifiers and regressors that are fitted on all training rows, where the target
        of an unlabeled one is -1 (classes) or NaN (quantities), as for
        :mod:`sklearn.semi_supervised` and :class:`~sklearn_ssl.FineTunedClassifier`.

    baseline : bool, default=True
        Whether to add "raw features": the table itself, standardized and one-hot encoded, behind
        the same probe.

    probe : {"linear", "knn"} or estimator, default="linear"
        As in :func:`probe_score`.

    cv : int, cross-validation generator or iterable, default=None
        Splits. None is 5-fold, stratified for classes, without shuffling.

    groups : array-like of shape (n_samples,), default=None
        Groups for a ``cv`` that keeps them together.

    scoring : str, callable or None, default=None
        A scorer as in scikit-learn. None is the model's own: accuracy, or R² for quantities.

    n_jobs : int or None, default=None
        Pairs of a split and an estimator to run at the same time. The scores do not depend
        on it, but for rounding.

    random_state : int, RandomState instance or None, default=None
        Source of the draws and of the random states that estimators leave at None.

    Returns
    -------
    curve : DataFrame of shape (n_estimators * n_sizes * n_splits * n_repeats, 5)
        One score per row, with columns "estimator", "n_labels", "split", "repeat" and "score".

    Raises
    ------
    ValueError
        Where ``train_sizes`` ask for more labels than there are, or fewer than classes.

    See Also
    --------
    labels_saved : Labels that pretraining saves at equal score.
    LabelEfficiencyDisplay : Plots the curve.
    sklearn.model_selection.learning_curve : Fits everything on the labeled rows alone.

    References
    ----------
    .. [1] O. Hénaff et al., "Data-efficient image recognition with contrastive predictive coding",
       ICML (2020), https://arxiv.org/abs/1905.09272.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_ssl.evaluation import label_efficiency_curve
    >>> X, y = load_iris(return_X_y=True)
    >>> curve = label_efficiency_curve(
    ...     {"PCA": PCA(n_components=2)}, X, y, train_sizes=[6, 60], cv=3, random_state=0
    ... )
    >>> curve.groupby(["estimator", "n_labels"])["score"].mean().round(2)
    estimator     n_labels
    PCA           6           0.74
                  60          0.91
    raw features  6           0.84
                  60          0.95
    Name: score, dtype: float64
    """
    X, target = check_table_and_target(X, y)
    named = _with_baseline(check_estimators(estimators), baseline, X)
    splits = make_splits(X, target, cv, groups)
    sizes = resolve_train_sizes(train_sizes, splits, target)
    _check_semi_supervised(semi_supervised, named)
    tasks = _make_tasks(
        named, splits, target, n_repeats, semi_supervised, check_random_state(random_state)
    )
    resolved = resolve_probe(probe, target.has_classes)
    rows = Parallel(n_jobs=n_jobs)(
        delayed(_run_task)(task, X, target, sizes, resolved, scoring) for task in tasks
    )
    return pd.DataFrame([row for part in rows for row in part], columns=COLUMNS)


def _with_baseline(named: dict[str, Any], baseline: bool, X: Any) -> dict[str, Any]:
    for name, estimator in named.items():
        if not is_supervised(estimator):
            check_transformer(name, estimator)
    if not baseline:
        return named
    if RAW in named:
        raise ValueError(
            f"estimators has an estimator named {RAW!r}, which is the name of the baseline. Give "
            "it another name, or set baseline=False."
        )
    return {**named, RAW: raw_features(X)}


def _check_semi_supervised(names: Any, named: dict[str, Any]) -> None:
    supervised = [name for name, estimator in named.items() if is_supervised(estimator)]
    for name in names:
        if name not in supervised:
            raise ValueError(
                "semi_supervised must name classifiers or regressors among the estimators, which "
                f"are {supervised}; got {name!r}."
            )


def _make_tasks(
    named: dict[str, Any],
    splits: list[Split],
    target: Target,
    n_repeats: int,
    semi_supervised: Any,
    rng: np.random.RandomState,
) -> list[Task]:
    """All tasks, with their seeds: those of a split are the same for each estimator."""
    tasks = []
    for number, split in enumerate(splits):
        seed, *order_seeds = draw_seeds(rng, 1 + n_repeats)
        orders = [
            labeled_order(target.values[split.train], target.has_classes, order_rng)
            for order_rng in map(np.random.RandomState, order_seeds)
        ]
        tasks += [
            Task(name, each, number, split, seed, orders, name in semi_supervised)
            for name, each in named.items()
        ]
    return tasks


def _run_task(
    task: Task, X: Any, target: Target, sizes: np.ndarray, probe: Probe, scoring: Any
) -> list[tuple[Any, ...]]:
    model, train, test = _model_and_features(task, X, probe)
    y_train, y_test = (target.values[rows] for rows in task.split)
    rows = []
    for repeat, order in enumerate(task.orders):
        for size in sizes:
            labeled = order[:size]
            if task.sees_unlabeled:
                known = train, hide_labels(y_train, labeled, target.has_classes)
            else:
                known = safe_indexing(train, labeled), y_train[labeled]
            score = fit_and_score(model, task.seed, *known, test, y_test, scoring)
            rows.append((task.name, int(size), task.number, repeat, score))
    return rows


def _model_and_features(task: Task, X: Any, probe: Probe) -> tuple[Any, Any, Any]:
    """What learns from labels, and the training and the test rows as it sees them."""
    train, test = task.split
    if is_supervised(task.estimator):
        return task.estimator, safe_indexing(X, train), safe_indexing(X, test)
    frozen = pretrain(probe.prepare(task.estimator), X, train, task.seed)
    return probe.model, embed(frozen, X, train), embed(frozen, X, test)


@validate_params(
    {"curve": [pd.DataFrame], "baseline": [str]},
    prefer_skip_nested_validation=False,
)
def labels_saved(curve, *, baseline=RAW):
    """Labels that each estimator saves, compared with a baseline at equal mean score.

    The baseline's mean score is interpolated between the measured numbers of labels, on their
    logarithm, after its dips are evened out: what it reached with fewer labels it keeps.

    Parameters
    ----------
    curve : DataFrame
        As :func:`label_efficiency_curve` returns it.

    baseline : str, default="raw features"
        Name of the estimator to compare with.

    Returns
    -------
    saved : DataFrame
        One row per other estimator and number of labels, with columns "estimator", "n_labels",
        "score", the mean score; "baseline_labels", the labels that the baseline needs for that
        score; "saved", their difference, below zero where pretraining costs labels; and "bound",
        which says whether the two are "equal" to that number or, where the baseline was not
        measured that far, "at least" or "at most" that.

    Raises
    ------
    ValueError
        Where the baseline is not in the curve.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ssl.evaluation import labels_saved
    >>> curve = pd.DataFrame(
    ...     {
    ...         "estimator": ["PCA", "raw", "raw"],
    ...         "n_labels": [10, 10, 1000],
    ...         "score": [0.8, 0.7, 0.9],
    ...     }
    ... )
    >>> labels_saved(curve, baseline="raw")
      estimator  n_labels  score  baseline_labels  saved  bound
    0       PCA        10    0.8            100.0   90.0  equal
    """
    means = curve.groupby(["estimator", "n_labels"], sort=False)["score"].mean()
    names = list(dict.fromkeys(curve["estimator"]))
    if baseline not in names:
        raise ValueError(f"baseline must be one of {names}; got {baseline!r}.")
    reference = means[baseline].sort_index()
    measured, reached = reference.index.to_numpy(float), np.maximum.accumulate(reference.to_numpy())
    saved = means.drop(index=baseline, level="estimator").reset_index()
    needed = np.exp(np.interp(saved["score"], *_steps(reached, np.log(measured))))
    saved["baseline_labels"] = needed
    saved["saved"] = needed - saved["n_labels"]
    bounds = [saved["score"] > reached[-1], saved["score"] < reached[0]]
    saved["bound"] = np.select(bounds, ["at least", "at most"], default="equal")
    return saved


def _steps(reached: np.ndarray, log_labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Drop the later of equal scores: the fewest labels that reach a score are what it takes."""
    reached, first = np.unique(reached, return_index=True)
    return reached, log_labels[first]
