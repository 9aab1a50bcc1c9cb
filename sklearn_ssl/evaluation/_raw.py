"""The raw table in numbers, for the baselines that learned features have to beat."""

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Self, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import ExtensionDtype
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from sklearn.base import BaseEstimator, TransformerMixin
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
from threadpoolctl import ThreadpoolController

from sklearn_ssl._table.types import Array, TableLike, is_sparse
from sklearn_ssl.evaluation._types import Features, Floats, Frame, Model, Transformer, is_frame

RAW = "raw features"
FOREST = "random forest"
BOOSTING = "gradient boosting"

MOST_DENSE_COLUMNS = 500
"""Columns up to which one-hot categories are written out; not every model takes sparse rows."""
MOST_CODES = 254
"""Categories of a column that histogram gradient boosting can take."""
MOST_CELLS_OF_ONE_THREAD = 1_000_000
"""Cells of a table up to which boosting is not worth a second thread."""


def raw_features(X: TableLike) -> Transformer:
    """Make a transformer that hands a table on as it is, in numbers.

    Numbers, dates and durations are standardized and categories one-hot encoded; missing numbers
    become the mean, with a column that says so. Tables of many categories come out sparse.
    """
    X = in_columns(X)
    if is_sparse(X):
        # Centering would fill in the zeros.
        scaler: Transformer = StandardScaler(with_mean=False)
        return scaler
    numbers = make_pipeline(
        FunctionTransformer(as_floats),
        SimpleImputer(add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    if not is_frame(X):
        return _in_arrays(numbers)
    one_hot = OneHotEncoder(handle_unknown="ignore", dtype=np.float64)
    categories = make_pipeline(FunctionTransformer(as_texts), one_hot)
    encoder = make_column_transformer(
        (numbers, _positions(X, of_numbers=True)),
        (categories, _positions(X, of_numbers=False)),
        # The output is sparse however few zeros there are. The width decides below.
        sparse_threshold=1.0,
    )
    dense_enough = _in_arrays(FunctionTransformer(dense_if_narrow))
    pipeline: Transformer = make_pipeline(_in_arrays(encoder), dense_enough)
    return pipeline


def models_on_raw_columns(X: TableLike, has_classes: bool) -> dict[str, Model]:
    """A random forest and gradient boosting on the columns, with their default parameters.

    Boosting is left out for sparse tables, which it cannot read.
    """
    forest = RandomForestClassifier if has_classes else RandomForestRegressor
    boosting = BoostingClassifier if has_classes else BoostingRegressor
    if is_sparse(X):
        return {FOREST: forest()}
    encoder, is_category = _tree_columns(X)
    return {
        FOREST: make_pipeline(encoder, forest()),
        BOOSTING: make_pipeline(
            encoder, EmptyColumnsAsZeros(), boosting(categorical_features=is_category)
        ),
    }


class _SmallTablesInOneThread:
    """Boosting that reads small tables in one thread.

    Its threads meet at every node of a tree, and those that wait keep a processor busy: beside
    other work, a fit of 285 rows and 30 columns takes 25 seconds rather than a tenth of one.
    """

    def fit(self, X: Floats, y: npt.NDArray[np.generic]) -> Self:
        with _threads_for(X):
            fitted: Self = super().fit(X, y)  # type: ignore[misc]
        return fitted

    def predict(self, X: Floats) -> npt.NDArray[np.generic]:
        with _threads_for(X):
            predicted: npt.NDArray[np.generic] = super().predict(X)  # type: ignore[misc]
        return predicted


class BoostingClassifier(_SmallTablesInOneThread, HistGradientBoostingClassifier):
    """The baseline for classes."""

    def predict_proba(self, X: Floats) -> Floats:
        """Probabilities of the classes, of shape (n_samples, n_classes)."""
        with _threads_for(X):
            probabilities: Floats = super().predict_proba(X)
        return probabilities

    def decision_function(self, X: Floats) -> Floats:
        """Outputs before they become probabilities."""
        with _threads_for(X):
            outputs: Floats = super().decision_function(X)
        return outputs


class BoostingRegressor(_SmallTablesInOneThread, HistGradientBoostingRegressor):
    """The baseline for quantities."""


def _threads_for(X: Floats) -> AbstractContextManager[object]:
    """A context of one thread for a small table, and of the user's setting for a large one."""
    if X.size > MOST_CELLS_OF_ONE_THREAD:
        return nullcontext()
    limited: AbstractContextManager[object] = _openmp().limit(limits=1)
    return limited


@cache
def _openmp() -> ThreadpoolController:
    """The libraries whose threads boosting uses; the setting is that of one thread of Python."""
    return ThreadpoolController().select(user_api="openmp")


class EmptyColumnsAsZeros(TransformerMixin, BaseEstimator):
    """Fill columns without a cell in the rows fitted on, of which boosting cannot make bins."""

    def fit(self, X: Floats, y: None = None) -> Self:
        """Find the empty columns."""
        self.is_empty_ = np.isnan(X).all(axis=0)
        return self

    def transform(self, X: Floats) -> Floats:
        """Return a copy with zeros in these columns."""
        filled: Floats = np.where(self.is_empty_, 0.0, X)
        return filled


def _tree_columns(X: TableLike) -> tuple[Transformer, npt.NDArray[np.bool_] | None]:
    """Make a transformer to floats and codes, and say which of its columns hold codes."""
    numbers = FunctionTransformer(as_floats)
    X = in_columns(X)
    if not is_frame(X):
        return _in_arrays(numbers), None
    of_numbers = _positions(X, of_numbers=True)
    of_categories = _positions(X, of_numbers=False)
    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=MOST_CODES,
    )
    categories = make_pipeline(FunctionTransformer(as_texts), codes)
    encoder = make_column_transformer((numbers, of_numbers), (categories, of_categories))
    # The transformer puts columns in the order of its parts, not in that of the table.
    is_category = np.repeat([False, True], [len(of_numbers), len(of_categories)])
    return _in_arrays(encoder), is_category


def _in_arrays(transformer: BaseEstimator) -> Transformer:
    """Let a transformer return arrays, whatever the user has set for others."""
    in_arrays: Transformer = transformer.set_output(transform="default")
    return in_arrays


def in_columns(X: TableLike) -> TableLike:
    """An array of objects as a frame, whose columns have types; any other table as it is."""
    if isinstance(X, np.ndarray) and X.dtype.kind == "O":
        return pd.DataFrame(X).infer_objects()
    return X


def dense(X: TableLike) -> TableLike:
    """Write a sparse matrix out; all else is handed on."""
    return X.toarray() if is_sparse(X) else X


def dense_if_narrow(X: Features) -> TableLike:
    """Write a sparse matrix out unless it has too many columns for that."""
    return dense(X) if X.shape[1] <= MOST_DENSE_COLUMNS else X


def as_floats(X: TableLike) -> Floats:
    """Numbers, counts, flags, dates and durations as floats, the missing ones as NaN."""
    X = in_columns(X)
    if is_frame(X):
        if not X.shape[1]:
            return np.empty(X.shape)
        X = np.column_stack([_floats(column) for column in _columns(X)])
    floats: Floats = check_array(X, dtype=np.float64, ensure_all_finite="allow-nan")
    return floats


def as_texts(X: Frame | Array) -> npt.NDArray[np.object_]:
    """Categories of any type as texts, the missing ones as None."""
    texts = np.full(X.shape, None, dtype=object)
    for place, column in enumerate(_columns(cast(Frame, in_columns(X)))):
        # Each category is turned into text once, not once a row.
        codes, categories = pd.factorize(column)
        names = np.array([str(category) for category in categories], dtype=object)
        is_known = codes >= 0
        texts[is_known, place] = names[codes[is_known]]
    return texts


def _columns(X: Frame) -> list[pd.Series]:
    """The columns of a frame of pandas or polars."""
    if isinstance(X, pd.DataFrame):
        return [X.iloc[:, place] for place in range(X.shape[1])]
    columns = [X[:, place] for place in range(X.shape[1])]
    return [
        pd.Series(column.to_numpy() if _is_time(column.dtype) else column.to_list())
        for column in columns
    ]


def _floats(column: pd.Series) -> Floats:
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        return column.to_numpy(dtype=np.float64)
    if not _is_time(column.dtype):
        cells = column.astype(object).where(column.notna(), np.nan)
        return cells.to_numpy(dtype=np.float64)
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    elif isinstance(column.dtype, pd.ArrowDtype):
        column = pd.Series(column.to_numpy(dtype=f"{column.dtype.kind}8[ns]"))
    if getattr(column.dtype, "tz", None) is not None:
        column = column.dt.tz_convert(None)
    times = column.to_numpy()
    # The unit does not matter: what follows scales the counts or looks at their order alone.
    counted = times.astype(np.int64).astype(np.float64)
    return np.where(np.isnat(times), np.nan, counted)


def _positions(X: Frame, *, of_numbers: bool) -> list[int]:
    """Places of the columns that hold numbers, or of the others."""
    return [
        place
        for place, dtype in enumerate(X.dtypes)
        if (_is_number(dtype) or _is_time(dtype)) == of_numbers
    ]


def _is_number(dtype: object) -> bool:
    """Whether a column of pandas or polars holds numbers or flags."""
    if isinstance(dtype, np.dtype | ExtensionDtype):
        return is_numeric_dtype(dtype) or is_bool_dtype(dtype)
    return bool(hasattr(dtype, "is_numeric") and dtype.is_numeric()) or str(dtype) == "Boolean"


def _is_time(dtype: object) -> bool:
    """Whether a column holds dates or durations."""
    if hasattr(dtype, "is_temporal"):
        return bool(dtype.is_temporal() and str(dtype) != "Time")
    return isinstance(dtype, pd.PeriodDtype) or getattr(dtype, "kind", "") in ("M", "m")
