"""The objectives side by side on a table: scores, geometry, time."""

from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from sklearn_ssl._compat import check_matplotlib_support, safe_indexing, validate_params
from sklearn_ssl.evaluation._comparison_plot import draw_comparison
from sklearn_ssl.evaluation._estimators import (
    RAW,
    check_estimators,
    check_transformer,
    draw_seeds,
    embed,
    pretrain,
    raw_features,
)
from sklearn_ssl.evaluation._probes import (
    PROBE_CONSTRAINTS,
    fit_and_score,
    name_of_score,
    resolve_probe,
)
from sklearn_ssl.evaluation._report import RepresentationReport
from sklearn_ssl.evaluation._splits import Split, Target, check_table_and_target, make_splits

GEOMETRY = ("effective_rank", "alignment", "uniformity", "neighbors_kept", "cka_with_raw")
TIMES = ("fit_seconds", "transform_seconds")
CONSTRAINTS = {name: rule for name, rule in PROBE_CONSTRAINTS.items() if name != "probe"}


class ObjectiveComparison:
    """What :func:`compare_objectives` measured: a table and a figure.

    Parameters
    ----------
    runs : DataFrame of shape (n_estimators * n_splits, n_measures + 2)
        One row per estimator and split.

    score_name : str, default="Score"
        What the probes were scored by.

    Attributes
    ----------
    table : DataFrame of shape (n_estimators, n_measures)
        Means over the splits, with columns

        - "linear", "linear_std": score of a linear probe, and its standard deviation;
        - "knn", "knn_std": the same of five nearest neighbors;
        - "width": number of features;
        - "effective_rank", "alignment", "uniformity", "neighbors_kept", "cka_with_raw": geometry
          on test rows, see :class:`RepresentationReport`;
        - "fit_seconds": time to pretrain, the median over the splits;
        - "transform_seconds": time to embed a thousand rows, the same.

    axes_ : ndarray of 6 matplotlib Axes
        Of the figure.

    figure_ : matplotlib Figure
        The figure.
    """

    def __init__(self, runs, *, score_name="Score"):
        self.runs = runs
        self.score_name = score_name

    @property
    def table(self) -> pd.DataFrame:
        """Means over the splits, medians of the times; one row per estimator."""
        by_estimator = self.runs.drop(columns="split").groupby("estimator", sort=False)
        table = by_estimator.mean().astype({"width": int})
        # The first fit in a process also loads what is loaded on first use.
        table[list(TIMES)] = by_estimator[list(TIMES)].median()
        for place, probe in ((1, "linear"), (3, "knn")):
            table.insert(place, f"{probe}_std", by_estimator[probe].std(ddof=0))
        return table

    def __str__(self):
        n_splits = self.runs["split"].nunique()
        return "\n".join(
            [
                f"{self.score_name} of probes on frozen features, geometry on test rows, and time; "
                f"means of {n_splits} splits, medians of times",
                "",
                self.table.T.map("{:.3g}".format).to_string(),
            ]
        )

    def plot(self, ax=None) -> "ObjectiveComparison":
        """Draw scores, geometry and time, each with the values of all splits.

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
    {
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        "estimators": [dict, None],
        "params": [dict, None],
        **CONSTRAINTS,
    },
    prefer_skip_nested_validation=False,
)
def compare_objectives(
    X,
    y,
    *,
    estimators=None,
    params=None,
    cv=3,
    groups=None,
    scoring=None,
    n_jobs=None,
    random_state=None,
):
    """Compare what the objectives learn from a table: scores, geometry and time.

    In each split every transformer is fitted on the training rows without their labels. A linear
    model and nearest neighbors are then fitted on the embedded training rows with their labels
    and scored on the test rows; the geometry is that of the test rows.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.

    y : array-like of shape (n_samples,)
        Target. Floats with more than two distinct values are quantities, all else is classes.

    estimators : dict of str to transformer or None, default=None
        What to compare, by name. None takes the three objectives of this library and a plain
        autoencoder, which is a denoising one without noise. The raw features are always added.

    params : dict or None, default=None
        Parameters of the four default estimators, such as ``{"max_iter": 10}``.

    cv : int, cross-validation generator or iterable, default=3
        Splits. An int is a number of folds, stratified for classes, without shuffling.

    groups : array-like of shape (n_samples,), default=None
        Groups for a ``cv`` that keeps them together.

    scoring : str, callable or None, default=None
        A scorer as in scikit-learn. None is the probe's own: accuracy, or R² for quantities.

    n_jobs : int or None, default=None
        Pairs of a split and an estimator to run at the same time. But for rounding, nothing but
        the times depends on it.

    random_state : int, RandomState instance or None, default=None
        Source of the random states that estimators leave at None and of the disturbed copies.

    Returns
    -------
    comparison : ObjectiveComparison
        ``print`` it, ``plot`` it, or read its ``table``.

    Raises
    ------
    ValueError
        Where both ``estimators`` and ``params`` are given.

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
    >>> comparison.table["width"]
    estimator
    DenoisingAutoencoder      3
    ContrastiveEmbedder       3
    MaskedFeaturePredictor    3
    plain autoencoder         3
    raw features              4
    Name: width, dtype: int64
    """
    X, target = check_table_and_target(X, y)
    named = {**_resolve_estimators(estimators, params), RAW: raw_features(X)}
    splits = make_splits(X, target, cv, groups)
    seeds = draw_seeds(check_random_state(random_state), len(splits))
    rows = Parallel(n_jobs=n_jobs)(
        delayed(_measure)(name, estimator, X, target, number, split, scoring, seed)
        for number, (split, seed) in enumerate(zip(splits, seeds, strict=True))
        for name, estimator in named.items()
    )
    score_name = name_of_score(scoring, target.has_classes)
    return ObjectiveComparison(pd.DataFrame(rows), score_name=score_name)


def _resolve_estimators(estimators: Any, params: Any) -> dict[str, Any]:
    if estimators is None:
        return default_objectives(**(params or {}))
    if params is not None:
        raise ValueError(
            "params are those of the default estimators; set them on the ones in estimators "
            "instead."
        )
    named = check_estimators(estimators)
    for name, estimator in named.items():
        check_transformer(name, estimator)
    return named


def default_objectives(**params: Any) -> dict[str, Any]:
    """The three objectives of this library, and the autoencoder that they have to beat."""
    # Imported late: the package itself must not need its estimators.
    from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor

    named = {
        embedder.__name__: embedder(**params)
        for embedder in (DenoisingAutoencoder, ContrastiveEmbedder, MaskedFeaturePredictor)
    }
    plain = DenoisingAutoencoder(**{**params, "noise_level": 0.0})
    return {**named, "plain autoencoder": plain}


def _measure(
    name: str,
    estimator: Any,
    X: Any,
    target: Target,
    number: int,
    split: Split,
    scoring: Any,
    seed: int,
) -> dict[str, Any]:
    """Everything about one estimator on one split."""
    began = perf_counter()
    frozen = pretrain(estimator, X, split.train, seed)
    fitted = perf_counter()
    test = embed(frozen, X, split.test)
    embedded = perf_counter()
    train = embed(frozen, X, split.train)
    y_train, y_test = (target.values[rows] for rows in split)
    scores = {
        probe: fit_and_score(
            resolve_probe(probe, target.has_classes).with_units(),
            seed,
            train,
            y_train,
            test,
            y_test,
            scoring,
        )
        for probe in ("linear", "knn")
    }
    # The seed of the split is that of all its estimators: they see the same disturbed copies.
    report = RepresentationReport.from_estimator(
        {name: frozen}, safe_indexing(X, split.test), random_state=int(seed)
    )
    return {
        "estimator": name,
        "split": number,
        **scores,
        "width": np.shape(test)[1],
        **report.measures.loc[name, list(GEOMETRY)].to_dict(),
        "fit_seconds": fitted - began,
        "transform_seconds": (embedded - fitted) * 1000 / len(split.test),
    }
