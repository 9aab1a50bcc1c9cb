"""Estimators to be judged: their names, their seeds, and the one door through which they learn."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pandas.api.types import is_numeric_dtype
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.utils import check_array

from sklearn_ssl._compat import safe_indexing

LARGEST_SEED = 2**31 - 2
RAW = "raw features"


def check_estimators(estimators: Any) -> dict[str, Any]:
    """Estimators by name, from one estimator or a mapping."""
    if not isinstance(estimators, Mapping):
        return {type(estimators).__name__: estimators}
    named = dict(estimators)
    if not named:
        raise ValueError("estimators must hold at least one estimator; got an empty dict.")
    for name, estimator in named.items():
        if not hasattr(estimator, "fit"):
            raise TypeError(
                f"Estimator {name!r} must implement 'fit'; got {estimator!r} "
                f"(type {type(estimator).__name__})."
            )
    return named


def check_transformer(name: str, estimator: Any) -> None:
    """Reject what cannot embed new rows, such as TSNE."""
    if not hasattr(estimator, "transform"):
        raise TypeError(
            f"Estimator {name!r} must implement 'fit' and 'transform' to embed rows that it has "
            f"not seen; got {estimator!r} (type {type(estimator).__name__})."
        )


def is_supervised(estimator: Any) -> bool:
    """Whether an estimator predicts by itself, so that it needs labels and no probe."""
    return bool(is_classifier(estimator) or is_regressor(estimator))


def draw_seeds(rng: np.random.RandomState, size: int) -> np.ndarray:
    """Seeds of all tasks, drawn before the first one runs, in whatever order they will."""
    return rng.randint(LARGEST_SEED, size=size)


def seeded_clone(estimator: Any, seed: int) -> Any:
    """Clone an estimator and fill in every ``random_state`` that its user left at None."""
    copy = clone(estimator)
    rng = np.random.RandomState(seed)
    unset = {
        name: int(rng.randint(LARGEST_SEED))
        for name, value in sorted(copy.get_params(deep=True).items(), key=lambda item: item[0])
        if name.rpartition("__")[2] == "random_state" and value is None
    }
    # A FrozenEstimator has nothing to set, and returns nothing where it is asked to.
    return copy.set_params(**unset) if unset else copy


def pretrain(transformer: Any, X: Any, rows: Any, seed: int) -> Any:
    """Fit a clone of a transformer on some rows of a table.

    This is the one place where a transformer learns. It takes no target, so that no label can
    reach it, and it hands over no row but those asked for.
    """
    # None is said aloud, as a FrozenEstimator insists on a second argument.
    return seeded_clone(transformer, seed).fit(safe_indexing(X, rows), None)


def embed(pretrained: Any, X: Any, rows: Any) -> Any:
    """Embed some rows of a table with a fitted transformer."""
    return pretrained.transform(safe_indexing(X, rows))


def dense(X: Any) -> Any:
    """Write a sparse matrix out; all else is handed on."""
    return X.toarray() if hasattr(X, "toarray") else X


def raw_features(X: Any) -> Any:
    """Make a transformer that hands a table on as it is, in numbers.

    Numbers are standardized and categories one-hot encoded; missing numbers become the mean, with
    a column that says so.
    """
    numbers = make_pipeline(
        FunctionTransformer(as_floats),
        SimpleImputer(add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    if hasattr(X, "tocsr"):
        # Centring would fill in the zeros.
        return StandardScaler(with_mean=False)
    if not hasattr(X, "columns"):
        return numbers
    is_number = np.array([_is_number(dtype) for dtype in X.dtypes], dtype=bool)
    categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_column_transformer(
        (numbers, np.flatnonzero(is_number)), (categories, np.flatnonzero(~is_number))
    )


def as_floats(X: Any) -> np.ndarray:
    """Numbers, counts and flags of any frame as floats, the missing ones as NaN."""
    return check_array(X, dtype=np.float64, ensure_all_finite="allow-nan")


def _is_number(dtype: Any) -> bool:
    """Whether a column of pandas or polars holds numbers or flags."""
    if hasattr(dtype, "is_numeric"):
        return dtype.is_numeric() or str(dtype) == "Boolean"
    return is_numeric_dtype(dtype)
