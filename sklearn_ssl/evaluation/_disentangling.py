"""Whether the features of a representation are the factors behind a table."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import entr
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import mutual_info_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch, check_array, check_consistent_length, check_random_state

from sklearn_ssl._compat import HasMethods, Interval, validate_params
from sklearn_ssl._table.types import Array
from sklearn_ssl.evaluation._estimators import draw_seeds, seeded_clone
from sklearn_ssl.evaluation._progress import run_tasks
from sklearn_ssl.evaluation._targets import Target, read_target
from sklearn_ssl.evaluation._types import Floats, ModelWithScore, Name, RandomState, RowNumbers

Factors: TypeAlias = pd.DataFrame | Array | Sequence[Sequence[object]]
"""A table of known factors."""


@validate_params(
    {
        "Z": ["array-like"],
        "factors": ["array-like"],
        "model": [HasMethods(["fit", "score"]), None],
        "test_size": [Interval(Real, 0, 1, closed="neither")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=False,
)
def dci(
    Z: npt.ArrayLike,
    factors: Factors,
    *,
    model: ModelWithScore | None = None,
    test_size: float = 0.25,
    n_jobs: int | None = None,
    random_state: RandomState | None = None,
    verbose: bool = False,
) -> Bunch:
    """Disentanglement, completeness and informativeness of a representation.

    A model learns each factor from all features. How much it relies on each feature makes a matrix
    of importances, scaled to a sum of one per factor. Features are disentangled if their rows
    of it point at one factor, and complete if columns point at one feature.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_features)
        Representation.

    factors : {array-like, DataFrame} of shape (n_samples, n_factors)
        Known factors, at least two. Floats with more than two distinct values are quantities, all
        else is classes. Rows in which a factor is missing are left out for this factor.

    model : estimator, default=None
        With ``feature_importances_`` or ``coef_`` once it is fitted. It gets standardized
        features. None is a random forest, a regressor or a classifier as the factor requires.

    test_size : float, default=0.25
        Share of rows on which the informativeness is measured, in (0, 1).

    n_jobs : int or None, default=None
        Factors to learn at the same time. The result does not depend on it, but for rounding.

    random_state : int, RandomState instance or None, default=None
        Source of the split and of the random states that ``model`` leaves at None.

    verbose : bool, default=False
        Whether to show what is done: a bar in a terminal or a notebook, lines elsewhere.

    Returns
    -------
    result : Bunch
        With

        - disentanglement : float in [0, 1], the mean over features, weighted by importance;
        - completeness : float in [0, 1], the mean over factors;
        - informativeness : float, the mean score on held-out rows: R² for quantities, accuracy for
          classes. The paper has an error instead;
        - importances : DataFrame of shape (n_features, n_factors);
        - scores : Series of shape (n_factors,), the informativeness of each factor.

    Raises
    ------
    ValueError
        If there are fewer than two factors.

    See Also
    --------
    mutual_information_gap : Needs no model, and looks at one feature at a time.
    make_factors_table : Tables with known factors.

    References
    ----------
    .. [1] C. Eastwood and C. K. I. Williams, "A framework for the quantitative evaluation of
       disentangled representations", ICLR (2018), https://openreview.net/forum?id=By-7dz-AZ.

    Examples
    --------
    >>> from sklearn.linear_model import LassoCV
    >>> from sklearn_ssl.evaluation import dci, make_factors_table
    >>> factors = make_factors_table(300, n_factors=3, random_state=0).factors
    >>> result = dci(factors @ [[1, 1, 0], [0, 1, 0], [0, 0, 1]], factors, model=LassoCV(cv=3))
    >>> result.importances.round(1).to_numpy().tolist()
    [[1.0, 0.4, 0.0], [0.0, 0.6, 0.0], [0.0, 0.0, 1.0]]
    """
    Z, names, targets = _check_factors(Z, factors)
    split_seed, *seeds = draw_seeds(check_random_state(random_state), 1 + len(targets))
    split = train_test_split(np.arange(len(Z)), test_size=test_size, random_state=split_seed)
    # The coefficients of linear models measure importance only between features of one scale.
    scaled = StandardScaler().fit(Z[split[0]]).transform(Z)
    tasks = [
        (scaled, target, split, model, seed) for target, seed in zip(targets, seeds, strict=True)
    ]
    learned = run_tasks(
        _learn_factor,
        tasks,
        [f"factor {name}" for name in names],
        title="dci: learn the factors",
        verbose=verbose,
        n_jobs=n_jobs,
    )
    importances = np.column_stack([importance for importance, _ in learned])  # (width, n_factors)
    scores = pd.Series([score for _, score in learned], index=names)
    return Bunch(
        disentanglement=disentanglement_of(importances),
        completeness=completeness_of(importances),
        informativeness=float(scores.mean()),
        importances=pd.DataFrame(importances, columns=names),
        scores=scores,
    )


def disentanglement_of(importances: Floats) -> float:
    """One minus the entropy of each feature over factors, in units of its largest value."""
    weights = importances.sum(axis=1)
    return _weighted(_concentration(importances), weights)


def completeness_of(importances: Floats) -> float:
    """One minus the entropy of each factor over features, in units of its largest value."""
    return _weighted(_concentration(importances.T), np.ones(importances.shape[1]))


def _concentration(importances: Floats) -> Floats:
    """1 for a row with one entry that is not zero, 0 if all are equal or zero."""
    total = importances.sum(axis=1, keepdims=True)
    n_columns = importances.shape[1]
    # The logarithm of one column is 0, by which nothing can be divided.
    if n_columns == 1:
        is_used: Floats = (total[:, 0] > 0).astype(float)
        return is_used
    # A row of zeros points nowhere, which is what equal shares say.
    shares = np.full(importances.shape, 1 / n_columns)
    np.divide(importances, total, out=shares, where=total > 0)
    entropy: Floats = entr(shares).sum(axis=1)
    return 1 - entropy / float(np.log(n_columns))


def _weighted(values: Floats, weights: Floats) -> float:
    return float(np.average(values, weights=weights)) if weights.sum() > 0 else 0.0


def _learn_factor(
    Z: Floats, target: Target, split: list[RowNumbers], model: ModelWithScore | None, seed: int
) -> tuple[Floats, float]:
    """Importance of each feature for a factor, and the score on held-out rows."""
    if model is None:
        forest = RandomForestClassifier if target.has_classes else RandomForestRegressor
        # Trees that have to do without the best feature would spread importance over others.
        model = forest(min_samples_leaf=3, max_features=1.0)
    train, test = (rows[target.is_labeled[rows]] for rows in split)
    fitted = seeded_clone(model, seed).fit(Z[train], target.of(train))
    importance = _importance(fitted)
    total = importance.sum()
    score = float(fitted.score(Z[test], target.of(test)))
    return importance / total if total > 0 else importance, score


def _importance(fitted: ModelWithScore) -> Floats:
    if hasattr(fitted, "feature_importances_"):
        return np.asarray(fitted.feature_importances_, dtype=float)
    if hasattr(fitted, "coef_"):
        # A classifier has one row of coefficients for each class.
        weights = np.abs(np.atleast_2d(fitted.coef_))
        return np.asarray(weights.sum(axis=0), dtype=float)
    raise ValueError(
        "model must have feature_importances_ or coef_ once it is fitted; "
        f"{type(fitted).__name__} has neither."
    )


@validate_params(
    {
        "Z": ["array-like"],
        "factors": ["array-like"],
        "n_bins": [Interval(Integral, 2, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def mutual_information_gap(Z: npt.ArrayLike, factors: Factors, *, n_bins: int = 20) -> Bunch:
    """Gap between the two features that are most informative about a factor (MIG).

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_features)
        Representation.

    factors : {array-like, DataFrame} of shape (n_samples, n_factors)
        Known factors, at least two. Floats with more values than ``n_bins`` are cut into bins.

    n_bins : int, default=20
        Bins of equal width into which features are cut.

    Returns
    -------
    result : Bunch
        With

        - gap : float in [0, 1], the mean over factors;
        - gaps : Series of shape (n_factors,), each in units of the factor's entropy;
        - mutual_information : DataFrame of shape (n_features, n_factors), in nats.

    Raises
    ------
    ValueError
        If there are fewer than two factors.

    See Also
    --------
    dci : Sees factors that only several features predict together.

    References
    ----------
    .. [1] R. T. Q. Chen et al., "Isolating sources of disentanglement in variational
       autoencoders", NeurIPS (2018), https://arxiv.org/abs/1802.04942.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ssl.evaluation import mutual_information_gap
    >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> result = mutual_information_gap(np.c_[factors, factors[:, 0]], factors)
    >>> result.gaps.round(2).tolist()
    [0.0, 1.0]
    """
    Z, names, targets = _check_factors(Z, factors)
    codes = [_bin(feature, n_bins) for feature in Z.T]
    values = [_codes(target, n_bins) for target in targets]
    known = [target.is_labeled for target in targets]
    information = np.empty((len(codes), len(values)))
    for row, feature in enumerate(codes):
        # A factor can be unknown for some rows, which then say nothing about it.
        for column, (rows, factor) in enumerate(zip(known, values, strict=True)):
            information[row, column] = mutual_info_score(feature[rows], factor)
    # A factor's information about itself is its entropy.
    entropy = np.array([mutual_info_score(factor, factor) for factor in values])
    # With a single feature, the second one knows nothing.
    nothing = np.zeros(len(values))
    ordered = np.sort(np.vstack([nothing, information]), axis=0)
    gaps = np.divide(ordered[-1] - ordered[-2], entropy, out=nothing.copy(), where=entropy > 0)
    return Bunch(
        gap=float(gaps.mean()),
        gaps=pd.Series(gaps, index=names),
        mutual_information=pd.DataFrame(information, columns=names),
    )


def _codes(target: Target, n_bins: int) -> RowNumbers:
    """Codes or bins of the labeled rows."""
    codes, distinct = pd.factorize(target.known)
    if target.has_classes or len(distinct) <= n_bins:
        return codes
    return _bin(target.known.astype(np.float64), n_bins)


def _bin(values: Floats, n_bins: int) -> RowNumbers:
    inner_edges = np.histogram_bin_edges(values, n_bins)[1:-1]
    return np.digitize(values, inner_edges)


def _check_factors(Z: npt.ArrayLike, factors: Factors) -> tuple[Floats, list[Name], list[Target]]:
    rows: Floats = check_array(Z, dtype=np.float64)
    check_consistent_length(rows, factors)
    frame = pd.DataFrame(factors)
    if frame.shape[1] < 2:
        raise ValueError(f"factors must have at least two columns; got {frame.shape[1]}.")
    targets = [
        # A value of -1 is as good as any other among known factors.
        read_target(frame.iloc[:, j], name=f"Factor {name!r}", minus_one_marks=False)
        for j, name in enumerate(frame.columns)
    ]
    return rows, list(frame.columns), targets
