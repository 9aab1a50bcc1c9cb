"""Score against the number of labels."""

from collections.abc import Collection, Mapping
from numbers import Integral
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import check_random_state

from sklearn_ssl._compat import HasMethods, Interval, validate_params
from sklearn_ssl._table.types import TableLike
from sklearn_ssl.evaluation._estimators import (
    check_estimators,
    check_judged,
    check_names_are_free,
    draw_seeds,
)
from sklearn_ssl.evaluation._probes import PROBE_CONSTRAINTS, resolve_probe
from sklearn_ssl.evaluation._progress import run_tasks
from sklearn_ssl.evaluation._raw import RAW
from sklearn_ssl.evaluation._runs import (
    Judged,
    fit_reader,
    judge,
    judge_raw,
    make_reader,
    remember,
    score_of,
)
from sklearn_ssl.evaluation._splits import (
    LabeledTable,
    Split,
    labeled_order,
    make_splits,
    read_table,
    resolve_train_sizes,
)
from sklearn_ssl.evaluation._targets import Target
from sklearn_ssl.evaluation._types import (
    Model,
    RandomState,
    RowNumbers,
    Scoring,
    Splits,
    Transformer,
)

DEFAULT_TRAIN_SIZES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
COLUMNS = ("estimator", "n_labels", "split", "repeat", "score", "test_ratio")


Run: TypeAlias = tuple[str, int, int, int, float, float]
"""A row of the curve."""


class Task(NamedTuple):
    """One estimator on one split."""

    judged: Judged
    number: int
    split: Split
    seed: int
    # Row numbers of the labeled training rows, one array per draw; the first n show their labels.
    orders: list[RowNumbers]


@validate_params(
    PROBE_CONSTRAINTS
    | {
        "estimators": [HasMethods(["fit"]), dict],
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        "train_sizes": ["array-like"],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "semi_supervised": ["array-like"],
        "baseline": ["boolean"],
    },
    prefer_skip_nested_validation=False,
)
def label_efficiency_curve(
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
) -> pd.DataFrame:
    """Score against the number of labeled rows, with pretraining on all training rows.

    In each split a transformer is fitted once on the unlabeled and all training rows, without
    labels. Then some training rows are drawn to show their labels. A probe is fitted on them,
    embedded, and scored on the test rows, which nothing has seen before. Draws are the same for
    all estimators; a larger draw contains the smaller ones, and each holds the classes in the
    proportions of the training rows, at least once.

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
        NaN, None and ``pd.NA`` mark rows without a label, and so does -1 among classes: the
        transformers learn from these rows, and nothing is probed or scored on them.

    X_unlabeled : {array-like, sparse matrix, DataFrame} of shape (n_unlabeled, n_features), \
default=None
        More rows without labels to pretrain on, with the same columns. Rows that equal a test row
        are left out of that split.

    train_sizes : array-like of shape (n_sizes,), default=(0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
        Numbers of labels (integers), or fractions of the smallest set of labeled training rows
        (floats). A
        fraction that is less than one row per class is rounded up to that.

    n_repeats : int, default=5
        Draws of the labeled rows in each split.

    semi_supervised : array-like of str, default=()
        Names of classifiers and regressors that are fitted on all rows that transformers are
        pretrained on. The target of a row without a label is -1 (classes) or NaN (quantities), as
        for :mod:`sklearn.semi_supervised` and :class:`~sklearn_ssl.FineTunedClassifier`.

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

    verbose : bool, default=False
        Whether to show what is done: a bar in a terminal or a notebook, lines elsewhere.

    Returns
    -------
    curve : DataFrame of shape (n_estimators * n_sizes * n_splits * n_repeats, 6)
        One score per row, with columns "estimator", "n_labels", "split", "repeat", "score" and
        "test_ratio", the number of test rows divided by that of training rows.

    Raises
    ------
    ValueError
        If ``train_sizes`` ask for more labels than there are, or fewer than classes, or a mark in
        ``y`` could also be a label.

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
                  60          0.97
    raw features  6           0.83
                  60          0.96
    Name: score, dtype: float64
    """
    table = read_table(X, y, X_unlabeled)
    resolved = resolve_probe(probe, table.target.has_classes)
    named = check_estimators(estimators)
    check_judged(named, semi_supervised)
    judged = judge(named, resolved, semi_supervised)
    if baseline:
        check_names_are_free(named, [RAW], ", or set baseline=False")
        judged.append(judge_raw(table.X, resolved))
    splits = make_splits(table, cv, groups)
    sizes = resolve_train_sizes(train_sizes, splits, table.target)
    tasks = _make_tasks(judged, splits, table.target, n_repeats, check_random_state(random_state))
    rows = run_tasks(
        _run_task,
        ((task, table, sizes, scoring) for task in tasks),
        [f"{task.judged.name}, split {task.number + 1} of {len(splits)}" for task in tasks],
        title="label_efficiency_curve: pretrain and probe",
        verbose=verbose,
        n_jobs=n_jobs,
    )
    return pd.DataFrame([row for part in rows for row in part], columns=COLUMNS)


def _make_tasks(
    judged: list[Judged],
    splits: list[Split],
    target: Target,
    n_repeats: int,
    rng: np.random.RandomState,
) -> list[Task]:
    """All tasks, with their seeds: those of a split are the same for each estimator."""
    tasks = []
    for number, split in enumerate(splits):
        seed, *order_seeds = draw_seeds(rng, 1 + n_repeats)
        y_train = target.of(split.train)
        orders = [
            split.train[labeled_order(y_train, target.has_classes, order_rng)]
            for order_rng in map(np.random.RandomState, order_seeds)
        ]
        tasks += [Task(each, number, split, seed, orders) for each in judged]
    return tasks


def _run_task(task: Task, table: LabeledTable, sizes: RowNumbers, scoring: Scoring) -> list[Run]:
    split = task.split
    reader = remember(make_reader(task.judged, table, split, task.seed), split)
    test = reader.see(split.test)
    y_test = table.target.of(split.test)
    rows = []
    for repeat, order in enumerate(task.orders):
        # A larger set of labels holds the smaller ones: a curve rises by labels, not by chance.
        for size in sizes:
            fitted = fit_reader(reader, table, split, order[:size], task.seed)
            score = score_of(fitted, test, y_test, scoring)
            run = (task.judged.name, int(size), task.number, repeat, score, split.test_ratio)
            rows.append(run)
    return rows
