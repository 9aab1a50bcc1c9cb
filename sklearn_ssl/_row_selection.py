"""Which rows to label first, from the embedding of unlabeled ones."""

from collections.abc import Iterator
from numbers import Integral, Real

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, clone
from sklearn.cluster import kmeans_plusplus
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state, indexable
from sklearn.utils.validation import check_is_fitted

from sklearn_ssl._compat import num_samples, safe_indexing
from sklearn_ssl._table.types import TableLike, column_names

MOST_CANDIDATES = 20_000
"""Representatives are chosen among this many rows; more would look the same."""

MOST_REPRESENTATIVES = 1_000
"""By then a row at random is about as good, and drawing the next representative takes longer."""

N_TRIALS = 7
"""Draws of which the best becomes the next representative; as many for any number of rows."""

ROWS_PER_BLOCK = 10_000


def select_rows(
    transformer: BaseEstimator,
    X: TableLike,
    n_rows: int,
    *,
    random_state: int | np.random.RandomState | None = None,
) -> npt.NDArray[np.intp]:
    """Choose the rows to label first: representatives of all rows in the embedding.

    The rows are drawn as the first centers of k-means++ are: each is far from those before it, in
    a region that holds many rows. No label is needed.

    Parameters
    ----------
    transformer : transformer
        A fitted one is used as it is. An unfitted one is cloned, and the clone is fitted on ``X``.

    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Unlabeled rows.

    n_rows : int
        Number of rows to choose.

    random_state : int, RandomState instance or None, default=None
        Source of the draws.

    Returns
    -------
    rows : ndarray of shape (n_rows,)
        Row numbers in ``X`` in the order in which to label. With an integer as ``random_state``,
        more rows continue the order of fewer.

    Raises
    ------
    TypeError
        If ``transformer`` has no method ``transform``.

    ValueError
        If ``n_rows`` is not between 1 and the number of rows, or if columns are missing from ``X``.

    See Also
    --------
    FineTunedClassifier : Learns from the labeled rows and from all others.
    sklearn.cluster.kmeans_plusplus : The algorithm.

    Notes
    -----
    Of more than 20,000 rows, a random sample of that size is considered. After the first 1,000
    representatives, the rest follows at random.

    If some rows have a label already, choose among the others, and translate their numbers:
    ``unlabeled[select_rows(transformer, X[unlabeled], n_rows)]`` with an array of the positions
    of the unlabeled rows.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ssl import MaskedFeaturePredictor, select_rows
    >>> X, y = load_iris(return_X_y=True)
    >>> transformer = MaskedFeaturePredictor(max_iter=5, random_state=0).fit(X)
    >>> rows = select_rows(transformer, X, n_rows=6, random_state=0)
    >>> rows.shape
    (6,)
    >>> sorted(set(y[rows].tolist()))  # every species is among the six
    [0, 1, 2]
    """
    if not hasattr(transformer, "transform"):
        raise TypeError(
            "transformer must implement 'fit' and 'transform', such as MaskedFeaturePredictor(); "
            f"got {transformer!r}."
        )
    (X,) = indexable(X)
    _check_n_rows(n_rows, num_samples(X))
    rng = check_random_state(random_state)
    fitted = _fitted(transformer, X)
    candidates = rng.permutation(num_samples(X))[: max(MOST_CANDIDATES, n_rows)]
    points = np.concatenate(list(_embedded(fitted, X, candidates[:MOST_CANDIDATES])))
    n_representatives = min(n_rows, MOST_REPRESENTATIVES, len(points))
    _, drawn = kmeans_plusplus(points, n_representatives, random_state=rng, n_local_trials=N_TRIALS)
    # Of rows that are all alike the same one can be drawn twice.
    _, first_places = np.unique(drawn, return_index=True)
    distinct = drawn[np.sort(first_places)]
    representatives = candidates[distinct]
    others = candidates[~np.isin(candidates, representatives)]
    return np.concatenate([representatives, others])[:n_rows]


def _check_n_rows(n_rows: object, n_samples: int) -> None:
    # A boolean is an integer to Python.
    if isinstance(n_rows, bool) or not isinstance(n_rows, Integral) or int(n_rows) < 1:
        # A whole target in this place would fill the screen.
        shown = (
            f"{n_rows!r}"
            if isinstance(n_rows, Real)
            else f"an object of type {type(n_rows).__name__}"
        )
        raise ValueError(f"n_rows must be a whole number of at least 1; got {shown}.")
    if int(n_rows) > n_samples:
        raise ValueError(
            f"n_rows={n_rows} asks for more rows than X has, which is {n_samples}. Lower n_rows."
        )


def _fitted(transformer: BaseEstimator, X: TableLike) -> BaseEstimator:
    """The transformer if it is fitted, and otherwise a clone of it fitted on ``X``."""
    try:
        check_is_fitted(transformer)
    except NotFittedError:
        # None is said aloud, as a FrozenEstimator insists on a second argument.
        return clone(transformer).fit(X, None)
    known = getattr(transformer, "feature_names_in_", ())
    names = column_names(X)
    missing = [name for name in known if names is not None and name not in names]
    if missing:
        raise ValueError(
            f"X lacks columns that {type(transformer).__name__} was fitted on: {missing}."
        )
    return transformer


def _embedded(
    transformer: BaseEstimator, X: TableLike, rows: npt.NDArray[np.intp]
) -> Iterator[npt.NDArray[np.floating]]:
    for start in range(0, len(rows), ROWS_PER_BLOCK):
        block = safe_indexing(X, rows[start : start + ROWS_PER_BLOCK])
        embedded = transformer.transform(block)
        yield embedded.toarray() if hasattr(embedded, "toarray") else np.asarray(embedded)
