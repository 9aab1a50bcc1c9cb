"""The raw table in numbers, for the baselines that learned features have to beat."""

from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.utils import check_array

RAW = "raw features"
FOREST = "random forest"
BOOSTING = "gradient boosting"

MOST_DENSE_COLUMNS = 500
MOST_CODES = 254
"""Categories of a column that histogram gradient boosting can take."""


def raw_features(X: Any) -> Any:
    """Make a transformer that hands a table on as it is, in numbers.

    Numbers, dates and durations are standardized and categories one-hot encoded; missing numbers
    become the mean, with a column that says so. Tables of many categories come out sparse.
    """
    if hasattr(X, "tocsr"):
        # Centering would fill in the zeros.
        return StandardScaler(with_mean=False)
    numbers = make_pipeline(
        FunctionTransformer(as_floats),
        SimpleImputer(add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    if not hasattr(X, "columns"):
        return _in_arrays(numbers)
    one_hot = OneHotEncoder(handle_unknown="ignore", dtype=np.float64)
    encoder = make_column_transformer(
        (numbers, _positions(X, of_numbers=True)),
        (make_pipeline(FunctionTransformer(as_texts), one_hot), _positions(X, of_numbers=False)),
        sparse_threshold=1.0,
    )
    return make_pipeline(_in_arrays(encoder), _in_arrays(FunctionTransformer(dense_if_narrow)))


def models_on_raw_columns(X: Any, has_classes: bool) -> dict[str, Any]:
    """A random forest and gradient boosting on the columns, with their default parameters.

    Boosting is left out for sparse tables, which it cannot read.
    """
    forest = RandomForestClassifier if has_classes else RandomForestRegressor
    boosting = HistGradientBoostingClassifier if has_classes else HistGradientBoostingRegressor
    if hasattr(X, "tocsr"):
        return {FOREST: forest()}
    encoder, is_category = _tree_columns(X)
    return {
        FOREST: make_pipeline(encoder, forest()),
        BOOSTING: make_pipeline(encoder, boosting(categorical_features=is_category)),
    }


def _tree_columns(X: Any) -> tuple[Any, Any]:
    """Make a transformer to floats and codes, and say which of its columns hold codes."""
    numbers = FunctionTransformer(as_floats)
    if not hasattr(X, "columns"):
        return _in_arrays(numbers), None
    places = [_positions(X, of_numbers=of_numbers) for of_numbers in (True, False)]
    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=MOST_CODES,
    )
    encoder = make_column_transformer(
        (numbers, places[0]), (make_pipeline(FunctionTransformer(as_texts), codes), places[1])
    )
    return _in_arrays(encoder), np.repeat([False, True], [len(place) for place in places])


def _in_arrays(transformer: Any) -> Any:
    """Let a transformer return arrays, whatever the user has set for others."""
    return transformer.set_output(transform="default")


def dense(X: Any) -> Any:
    """Write a sparse matrix out; all else is handed on."""
    return X.toarray() if hasattr(X, "toarray") else X


def dense_if_narrow(X: Any) -> Any:
    """Write a sparse matrix out unless it has too many columns for that."""
    return dense(X) if X.shape[1] <= MOST_DENSE_COLUMNS else X


def as_floats(X: Any) -> np.ndarray:
    """Numbers, counts, flags, dates and durations as floats, the missing ones as NaN."""
    if hasattr(X, "columns"):
        columns = [_floats(column) for column in _columns(X)]
        X = np.column_stack(columns) if columns else np.empty((len(X), 0))
        if not X.shape[1]:
            return X
    return check_array(X, dtype=np.float64, ensure_all_finite="allow-nan")


def as_texts(X: Any) -> np.ndarray:
    """Categories of any type as texts, the missing ones as None."""
    texts = np.full(X.shape, None, dtype=object)
    for place, column in enumerate(_columns(X)):
        codes, categories = pd.factorize(column)
        is_known = codes >= 0
        texts[is_known, place] = np.array(list(map(str, categories)), dtype=object)[codes[is_known]]
    return texts


def _columns(X: Any) -> list[pd.Series]:
    """The columns of a frame of pandas or polars."""
    if hasattr(X, "iloc"):
        return [X.iloc[:, place] for place in range(X.shape[1])]
    columns = [X[:, place] for place in range(X.shape[1])]
    return [
        pd.Series(column.to_numpy() if _is_time(column.dtype) else column.to_list())
        for column in columns
    ]


def _floats(column: pd.Series) -> np.ndarray:
    if getattr(column.dtype, "kind", "") in "biuf" and isinstance(column.dtype, np.dtype):
        return column.to_numpy(dtype=np.float64)
    if not _is_time(column.dtype):
        return column.astype(object).where(column.notna(), np.nan).to_numpy(dtype=np.float64)
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    elif isinstance(column.dtype, pd.ArrowDtype):
        column = pd.Series(column.to_numpy(dtype=f"{column.dtype.kind}8[ns]"))
    if getattr(column.dtype, "tz", None) is not None:
        column = column.dt.tz_convert(None)
    times = column.to_numpy()
    return np.where(np.isnat(times), np.nan, times.astype(np.int64).astype(np.float64))


def _positions(X: Any, *, of_numbers: bool) -> list[int]:
    """Places of the columns that hold numbers, or of the others."""
    return [
        place
        for place, dtype in enumerate(X.dtypes)
        if (_is_number(dtype) or _is_time(dtype)) == of_numbers
    ]


def _is_number(dtype: Any) -> bool:
    """Whether a column of pandas or polars holds numbers or flags."""
    if hasattr(dtype, "is_numeric"):
        return dtype.is_numeric() or str(dtype) == "Boolean"
    return is_numeric_dtype(dtype) or is_bool_dtype(dtype)


def _is_time(dtype: Any) -> bool:
    """Whether a column holds dates or durations."""
    if hasattr(dtype, "is_temporal"):
        return dtype.is_temporal() and str(dtype) != "Time"
    return isinstance(dtype, pd.PeriodDtype) or getattr(dtype, "kind", "") in ("M", "m")
