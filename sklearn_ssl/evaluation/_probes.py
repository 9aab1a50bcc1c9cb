"""Probes: how much a simple model gets out of frozen features."""

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from sklearn_ssl._compat import HasMethods, StrOptions, num_samples, validate_params
from sklearn_ssl.evaluation._estimators import (
    RAW,
    dense,
    draw_seeds,
    embed,
    pretrain,
    raw_features,
    seeded_clone,
)
from sklearn_ssl.evaluation._splits import Split, Target, check_table_and_target, make_splits

PROBE_CONSTRAINTS: dict[str, list[Any]] = {
    "probe": [StrOptions({"linear", "knn"}), HasMethods(["fit", "predict"])],
    "cv": ["cv_object"],
    "groups": ["array-like", None],
    "scoring": [StrOptions(set(get_scorer_names())), callable, None],
    "n_jobs": [Integral, None],
    "random_state": ["random_state"],
}
TRANSFORMER = HasMethods(["fit", "transform"])
RIDGE_PENALTIES = np.logspace(-2, 4, 13)


class Probe(NamedTuple):
    """A model to be fitted on frozen features, and whether these are standardized first."""

    model: Any
    standardize: bool

    def prepare(self, transformer: Any) -> Any:
        """Append the standardization, which learns from the rows that the transformer sees."""
        if not self.standardize:
            return transformer
        return make_pipeline(transformer, *_units())

    def with_units(self) -> Any:
        """The model, behind the standardization that it asks for."""
        return make_pipeline(*_units(), self.model) if self.standardize else self.model


def _units() -> tuple[Any, Any]:
    return FunctionTransformer(dense), StandardScaler()


def resolve_probe(probe: Any, has_classes: bool) -> Probe:
    """The model that a name stands for, or the one given, which takes the features as they are."""
    if not isinstance(probe, str):
        return Probe(probe, standardize=False)
    if probe == "knn":
        # The neighbors are judged in the units of the embedding: these are part of it.
        neighbors = KNeighborsClassifier if has_classes else KNeighborsRegressor
        return Probe(neighbors(), standardize=False)
    # The penalty weighs all features alike once they have the same units.
    model = LogisticRegression(max_iter=2000) if has_classes else RidgeCV(RIDGE_PENALTIES)
    return Probe(model, standardize=True)


def name_of_score(scoring: Any, has_classes: bool) -> str:
    """How a figure names a score."""
    if scoring is None:
        return "Accuracy" if has_classes else "R²"
    name = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")
    return name.replace("neg_", "negative_").replace("_", " ").capitalize()


def score_on_split(
    transformer: Any, X: Any, target: Target, split: Split, probe: Probe, scoring: Any, seed: int
) -> float:
    """Pretrain on the training rows, fit the probe on them, and score it on the test rows."""
    frozen = pretrain(probe.prepare(transformer), X, split.train, seed)
    return score_frozen(frozen, X, target, split, probe, scoring, seed)


def score_frozen(
    frozen: Any, X: Any, target: Target, split: Split, probe: Probe, scoring: Any, seed: int
) -> float:
    """Fit the probe on the embedded training rows and score it on the embedded test rows."""
    y_train, y_test = (target.values[rows] for rows in split)
    train, test = (embed(frozen, X, rows) for rows in split)
    return fit_and_score(probe.model, seed, train, y_train, test, y_test, scoring)


def fit_and_score(
    model: Any, seed: int, train: Any, y_train: Any, test: Any, y_test: Any, scoring: Any
) -> float:
    """Fit a clone of a model on some rows and score it on others."""
    fitted = seeded_clone(model, seed).fit(train, y_train)
    return float(check_scoring(fitted, scoring=scoring)(fitted, test, y_test))


@validate_params(
    {
        "estimator": [TRANSFORMER],
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        **PROBE_CONSTRAINTS,
    },
    prefer_skip_nested_validation=False,
)
def probe_score(
    estimator,
    X,
    y,
    *,
    probe="linear",
    cv=None,
    groups=None,
    scoring=None,
    n_jobs=None,
    random_state=None,
):
    """Score a simple model on the frozen features of a transformer, by cross-validation.

    In each split the transformer is fitted on the training rows without their labels; the probe
    is fitted on the same rows, embedded, with their labels; the test rows are embedded and scored.
    In contrast to :func:`~sklearn.model_selection.cross_val_score` on a pipeline, the transformer
    gets no target, so that a supervised one cannot pass for one that learns without labels.

    Parameters
    ----------
    estimator : transformer with ``fit`` and ``transform``
        It is cloned; only its public methods are used.

    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.

    y : array-like of shape (n_samples,)
        Target. Floats with more than two distinct values are quantities, all else is classes.

    probe : {"linear", "knn"} or estimator, default="linear"
        "linear" is a logistic regression (classes) or a ridge regression with a cross-validated
        penalty (quantities), on features in standard deviations over the training rows. "knn" asks
        the five nearest neighbors, in the embedding's own units. An estimator takes the features
        as they are.

    cv : int, cross-validation generator or iterable, default=None
        Splits. None is 5-fold, stratified for classes, without shuffling.

    groups : array-like of shape (n_samples,), default=None
        Groups for a ``cv`` that keeps them together.

    scoring : str, callable or None, default=None
        A scorer as in scikit-learn. None is the probe's own: accuracy, or R² for quantities.

    n_jobs : int or None, default=None
        Splits to run at the same time. The scores do not depend on it, but for rounding.

    random_state : int, RandomState instance or None, default=None
        Source of the random states that ``estimator`` and ``probe`` leave at None.

    Returns
    -------
    scores : ndarray of shape (n_splits,)
        Score on the test rows of each split.

    Raises
    ------
    ValueError
        Where ``y`` has missing values, or as many rows as ``X`` has not.

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
    accuracy 0.95
    """
    X, target = check_table_and_target(X, y)
    splits = make_splits(X, target, cv, groups)
    seeds = draw_seeds(check_random_state(random_state), len(splits))
    resolved = resolve_probe(probe, target.has_classes)
    scores = Parallel(n_jobs=n_jobs)(
        delayed(score_on_split)(estimator, X, target, split, resolved, scoring, seed)
        for split, seed in zip(splits, seeds, strict=True)
    )
    return np.array(scores)


@validate_params(
    {
        "estimator": [TRANSFORMER],
        "X_source": ["array-like", "sparse matrix"],
        "X_target": ["array-like", "sparse matrix"],
        "y_target": ["array-like"],
        **PROBE_CONSTRAINTS,
    },
    prefer_skip_nested_validation=False,
)
def transfer_score(
    estimator,
    X_source,
    X_target,
    y_target,
    *,
    probe="linear",
    cv=None,
    groups=None,
    scoring=None,
    n_jobs=None,
    random_state=None,
):
    """Pretrain on one table, probe on another one with the same columns.

    The transformer is fitted once on all rows of the source table. A probe is then fitted on the
    embedded training rows of each split of the target table, and scored on its test rows. Two
    references tell what the score is worth: the same transformer fitted on the target's training
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

    probe : {"linear", "knn"} or estimator, default="linear"
        As in :func:`probe_score`. The units of the features are those of the source table.

    cv : int, cross-validation generator or iterable, default=None
        Splits of the target table. None is 5-fold, stratified for classes, without shuffling.

    groups : array-like of shape (n_target_samples,), default=None
        Groups for a ``cv`` that keeps them together.

    scoring : str, callable or None, default=None
        A scorer as in scikit-learn. None is the probe's own: accuracy, or R² for quantities.

    n_jobs : int or None, default=None
        Tasks to run at the same time. The scores do not depend on it, but for rounding.

    random_state : int, RandomState instance or None, default=None
        Source of the random states that ``estimator`` and ``probe`` leave at None.

    Returns
    -------
    scores : DataFrame of shape (n_splits, 3)
        Score on the test rows of each split of the target table: "transfer" with the transformer
        fitted on the source table, "within" with it fitted on the target's training rows, and "raw
        features".

    Raises
    ------
    ValueError
        Where the two tables have different columns.

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
    X_target, target = check_table_and_target(X_target, y_target)
    _check_same_columns(X_source, X_target)
    splits = make_splits(X_target, target, cv, groups)
    source_seed, *seeds = draw_seeds(check_random_state(random_state), 1 + len(splits))
    resolved = resolve_probe(probe, target.has_classes)
    every_row = np.arange(num_samples(X_source))
    frozen = pretrain(resolved.prepare(estimator), X_source, every_row, source_seed)
    rows = Parallel(n_jobs=n_jobs)(
        delayed(_transfer_on_split)(
            frozen, estimator, X_target, target, split, resolved, scoring, seed
        )
        for split, seed in zip(splits, seeds, strict=True)
    )
    return pd.DataFrame(rows, index=pd.RangeIndex(len(rows), name="split"))


def _transfer_on_split(frozen, estimator, X, target, split, probe, scoring, seed):
    rest = (X, target, split, probe, scoring, seed)
    return {
        "transfer": score_frozen(frozen, *rest),
        "within": score_on_split(estimator, *rest),
        RAW: score_on_split(raw_features(X), *rest),
    }


def _check_same_columns(X_source: Any, X_target: Any) -> None:
    names = [list(map(str, getattr(X, "columns", []))) for X in (X_source, X_target)]
    widths = [np.shape(X)[1] for X in (X_source, X_target)]
    if widths[0] != widths[1]:
        raise ValueError(
            "X_source and X_target must have the same columns; got "
            f"{widths[0]} and {widths[1]} of them."
        )
    if all(names) and names[0] != names[1]:
        differing = sorted(set(names[0]) ^ set(names[1]))
        what = f"; not in both: {', '.join(differing)}" if differing else ", in the same order"
        raise ValueError(f"X_source and X_target must have the same columns{what}.")
