"""How much a simple model gets out of frozen features, on one table or across two."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import check_random_state

from sklearn_ssl._compat import num_samples, validate_params
from sklearn_ssl._table.types import TableLike
from sklearn_ssl.evaluation._estimators import draw_seeds, pretrain
from sklearn_ssl.evaluation._probes import PROBE_CONSTRAINTS, TRANSFORMER, resolve_probe
from sklearn_ssl.evaluation._progress import run_tasks, show
from sklearn_ssl.evaluation._raw import RAW
from sklearn_ssl.evaluation._runs import Judged, judge_raw, reader_of, score_on_split, score_reader
from sklearn_ssl.evaluation._splits import LabeledTable, Split, make_splits, read_table
from sklearn_ssl.evaluation._stacking import check_same_columns
from sklearn_ssl.evaluation._types import (
    Floats,
    Model,
    RandomState,
    Scoring,
    Splits,
    Transformer,
    from_arrow,
)


@validate_params(
    PROBE_CONSTRAINTS
    | {
        "estimator": [TRANSFORMER],
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
    },
    prefer_skip_nested_validation=False,
)
def probe_score(
    estimator: Transformer,
    X: TableLike,
    y: npt.ArrayLike,
    *,
    X_unlabeled: TableLike | None = None,
    probe: str | Model = "linear",
    cv: Splits = None,
    groups: npt.ArrayLike | None = None,
    scoring: Scoring = None,
    n_jobs: int | None = None,
    random_state: RandomState | None = None,
    verbose: bool = False,
) -> Floats:
    """Score a simple model on the frozen features of a transformer, by cross-validation.

    In each split the transformer is fitted on the unlabeled and the training rows, without labels;
    the probe is fitted on the labeled training rows, embedded, and scored on the test rows. In
    contrast to :func:`~sklearn.model_selection.cross_val_score` on a pipeline, the transformer
    gets no target, so that a supervised one cannot pass for one that learns without labels.

    Parameters
    ----------
    estimator : transformer with ``fit`` and ``transform``
        It is cloned; only its public methods are used.

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

    probe : {"linear", "knn"} or estimator, default="linear"
        "linear" is a logistic regression whose penalty has the lowest log loss on held-out
        training rows (classes), or a ridge regression with a cross-validated penalty (quantities),
        on features in standard deviations over the rows pretrained on. "knn" asks the five nearest
        neighbors, or all training rows if they are fewer, at the scale of the embedding. An
        estimator takes the features as they are.

    cv : int, cross-validation generator or iterable, default=None
        Splits. None is 5-fold, stratified for classes, without shuffling.

    groups : array-like of shape (n_samples,), default=None
        Groups for a ``cv`` that keeps them together.

    scoring : str, callable or None, default=None
        A scorer as in scikit-learn. None is the probe's own: accuracy, or R² for quantities.

    n_jobs : int or None, default=None
        Splits to run at the same time. Apart from rounding, the scores do not depend on it.

    random_state : int, RandomState instance or None, default=None
        Source of the random states that ``estimator`` and ``probe`` leave at None.

    verbose : bool, default=False
        Whether to show what is done: a bar in a terminal or a notebook, lines elsewhere.

    Returns
    -------
    scores : ndarray of shape (n_splits,)
        Score on the test rows of each split.

    Raises
    ------
    ValueError
        If a mark in ``y`` could also be a label, or a split has no labeled rows to test on.

    See Also
    --------
    transfer_score : Pretrains on another table.
    label_efficiency_curve : Scores against the number of labels.

    References
    ----------
    .. [1] G. Alain and Y. Bengio, "Understanding intermediate layers using linear classifier
       probes", ICLR workshop (2017), https://arxiv.org/abs/1610.01644.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_ssl.evaluation import probe_score
    >>> X, y = load_iris(return_X_y=True)
    >>> scores = probe_score(PCA(n_components=2), X, y)
    >>> print(f"accuracy {scores.mean():.2f}")
    accuracy 0.97
    """
    table = read_table(X, y, X_unlabeled)
    splits = make_splits(table, cv, groups)
    seeds = draw_seeds(check_random_state(random_state), len(splits))
    # There is one estimator only, which needs no name.
    judged = Judged("", estimator, resolve_probe(probe, table.target.has_classes))
    tasks = [
        (judged, table, split, scoring, seed) for split, seed in zip(splits, seeds, strict=True)
    ]
    scores = run_tasks(
        score_on_split,
        tasks,
        names_of_splits(splits),
        title="probe_score: pretrain and probe",
        verbose=verbose,
        n_jobs=n_jobs,
    )
    return np.array(scores)


def names_of_splits(splits: list[Split]) -> list[str]:
    """What progress calls the splits."""
    return [f"split {number} of {len(splits)}" for number in range(1, len(splits) + 1)]


@validate_params(
    PROBE_CONSTRAINTS
    | {
        "estimator": [TRANSFORMER],
        "X_source": ["array-like", "sparse matrix"],
        "X_target": ["array-like", "sparse matrix"],
        "y_target": ["array-like"],
    },
    prefer_skip_nested_validation=False,
)
def transfer_score(
    estimator: Transformer,
    X_source: TableLike,
    X_target: TableLike,
    y_target: npt.ArrayLike,
    *,
    X_unlabeled: TableLike | None = None,
    probe: str | Model = "linear",
    cv: Splits = None,
    groups: npt.ArrayLike | None = None,
    scoring: Scoring = None,
    n_jobs: int | None = None,
    random_state: RandomState | None = None,
    verbose: bool = False,
) -> pd.DataFrame:
    """Pretrain on one table, probe on another one with the same columns.

    The transformer is fitted once on all rows of the source table. A probe is then fitted on the
    embedded training rows of each split of the target table, and scored on its test rows. Two
    references show what the score is worth: the same transformer fitted on the target's training
    rows, and the target's raw features.

    Parameters
    ----------
    estimator : transformer with ``fit`` and ``transform``
        It is cloned; only its public methods are used.

    X_source : {array-like, sparse matrix, DataFrame} of shape (n_source_samples, n_features)
        Rows to pretrain on. None of them may also be a row of the target table: a row in both
        would have been seen before it is tested.

    X_target : {array-like, sparse matrix, DataFrame} of shape (n_target_samples, n_features)
        Rows to probe on.

    y_target : array-like of shape (n_target_samples,)
        Target. Floats with more than two distinct values are quantities, all else is classes.
        NaN, None and ``pd.NA`` mark rows without a label, and so does -1 among classes: the
        transformers learn from these rows, and nothing is probed or scored on them.

    X_unlabeled : {array-like, sparse matrix, DataFrame} of shape (n_unlabeled, n_features), \
default=None
        More rows without labels to pretrain on, with the same columns. Rows that equal a test row
        are left out of that split.

    probe : {"linear", "knn"} or estimator, default="linear"
        As in :func:`probe_score`. The scale of the features is that of the source table.

    cv : int, cross-validation generator or iterable, default=None
        Splits of the target table. None is 5-fold, stratified for classes, without shuffling.

    groups : array-like of shape (n_target_samples,), default=None
        Groups for a ``cv`` that keeps them together.

    scoring : str, callable or None, default=None
        A scorer as in scikit-learn. None is the probe's own: accuracy, or R² for quantities.

    n_jobs : int or None, default=None
        Tasks to run at the same time. Apart from rounding, the scores do not depend on it.

    random_state : int, RandomState instance or None, default=None
        Source of the random states that ``estimator`` and ``probe`` leave at None.

    verbose : bool, default=False
        Whether to show what is done: a bar in a terminal or a notebook, lines elsewhere.

    Returns
    -------
    scores : DataFrame of shape (n_splits, 3)
        Score on the test rows of each split of the target table: "transfer" with the transformer
        fitted on the source table, "within" with it fitted on the target's training rows, and "raw
        features".

    Raises
    ------
    ValueError
        If the two tables have different columns, or a mark in ``y_target`` could also be a label.

    See Also
    --------
    probe_score : Pretrains and probes on the same table.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_ssl.evaluation import transfer_score
    >>> X, y = load_wine(return_X_y=True, as_frame=True)
    >>> scores = transfer_score(PCA(n_components=2), X[::2], X[1::2], y[1::2], cv=3)
    >>> scores.columns.tolist()
    ['transfer', 'within', 'raw features']
    """
    X_source, X_target = from_arrow(X_source), from_arrow(X_target)
    check_same_columns(X_source, X_target, ("X_source", "X_target"), in_order=True)
    table = read_table(X_target, y_target, X_unlabeled)
    splits = make_splits(table, cv, groups)
    source_seed, *seeds = draw_seeds(check_random_state(random_state), 1 + len(splits))
    judged = Judged("", estimator, resolve_probe(probe, table.target.has_classes))
    source = judged.probe.prepare(estimator)
    # One fit serves all splits, because no row of the target is in the source.
    every_row = np.arange(num_samples(X_source))
    (frozen,) = show(
        (pretrain(each, X_source, every_row, source_seed) for each in [source]),
        ["done"],
        title="transfer_score: pretrain on the source",
        verbose=verbose,
    )
    tasks = [
        (frozen, judged, table, split, scoring, seed)
        for split, seed in zip(splits, seeds, strict=True)
    ]
    rows = run_tasks(
        _transfer_on_split,
        tasks,
        names_of_splits(splits),
        title="transfer_score: pretrain on the target, and probe",
        verbose=verbose,
        n_jobs=n_jobs,
    )
    return pd.DataFrame(rows, index=pd.RangeIndex(len(rows), name="split"))


def _transfer_on_split(
    frozen: Transformer,
    judged: Judged,
    table: LabeledTable,
    split: Split,
    scoring: Scoring,
    seed: int,
) -> dict[str, float]:
    transferred = reader_of(frozen, table, judged.probe)
    return {
        "transfer": score_reader(transferred, table, split, scoring, seed),
        "within": score_on_split(judged, table, split, scoring, seed),
        RAW: score_on_split(judge_raw(table.X, judged.probe), table, split, scoring, seed),
    }
