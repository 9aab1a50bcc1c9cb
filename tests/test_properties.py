"""Whatever the table: finite embeddings, row by row, and the way back to columns and dtypes.

``HYPOTHESIS_PROFILE=thorough`` tries many more tables.
"""

import datetime
import os
import warnings

import numpy as np
import pandas as pd
import pytest
from embedders import TINY, every
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from sklearn_ssl import DenoisingAutoencoder
from sklearn_ssl._table.column import CategoryColumn
from sklearn_ssl._table.encoder import TableEncoder
from sklearn_ssl._table.numeric import BinaryColumn

PROFILES = {"default": 50, "thorough": 1000}

N_EXAMPLES = PROFILES[os.environ.get("HYPOTHESIS_PROFILE", "default")]

tables_of_each_run = settings(
    derandomize=True,
    deadline=None,
    max_examples=N_EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow],
)

magnitudes = st.builds(
    lambda digits, exponent: digits * 10.0**exponent,
    st.floats(-9.99, 9.99).filter(lambda x: x == 0 or abs(x) > 1e-3),
    st.integers(-30, 29),
)
durations = st.timedeltas(datetime.timedelta(-99_999), datetime.timedelta(99_999))
words = st.text("aß東 \n'\"-1", max_size=3)


def integers(dtype):
    info = np.iinfo(dtype)
    ends = st.sampled_from([info.min, info.max, 0, 1])
    return st.one_of(ends, st.integers(max(info.min, -9), 9), st.integers(info.min, info.max))


KINDS = {
    "float64": (magnitudes, "float64"),
    "float32": (magnitudes.map(np.float32), "float32"),
    "float16": (st.floats(-6e4, 6e4, width=16), "float16"),
    "small numbers": (st.integers(-3, 3), "float64"),
    "zero and one": (st.integers(0, 1), "float64"),
    "objects that are numbers": (magnitudes, "object"),
    "int8": (integers("int8"), "int8"),
    "int64": (integers("int64"), "int64"),
    "uint64": (integers("uint64"), "uint64"),
    "bool": (st.booleans(), "bool"),
    "Int64": (integers("int64"), "Int64"),
    "UInt8": (integers("uint8"), "UInt8"),
    "Float32": (magnitudes.map(np.float32), "Float32"),
    "boolean": (st.booleans(), "boolean"),
    "objects that are booleans": (st.booleans(), "object"),
    "words": (words, "object"),
    "str": (words, "str"),
    "string": (words, "string"),
    "category": (words, "category"),
    "category of integers": (st.integers(-2, 2), "category"),
    "category of numbers": (magnitudes, "category"),
    "int64 of Arrow": (integers("int64"), "int64[pyarrow]"),
    "double of Arrow": (magnitudes, "double[pyarrow]"),
    "bool of Arrow": (st.booleans(), "bool[pyarrow]"),
    "string of Arrow": (words, "string[pyarrow]"),
    "dates": (st.datetimes(), "datetime64[us]"),
    "dates of days": (st.datetimes().map(lambda time: time.date()), "datetime64[s]"),
    "durations": (durations, "timedelta64[us]"),
    "Sparse": (st.integers(0, 2), pd.SparseDtype("float64", 0.0)),
}
COMPLETE = {"int8", "int64", "uint64", "bool"}

CLOCK = pd.Timestamp("2026-01-01")
REFUSED = {
    "dates of which one has a zone": [CLOCK, CLOCK.tz_localize("UTC")],
    "dates among numbers": [CLOCK, 1.0],
    "complex numbers": [1j],
    "infinity": [np.inf, 1.0],
    "words among numbers": ["word", 1.0],
    "lists": [[1]],
}


@st.composite
def columns(draw, n_rows, kinds):
    """A column: a few values, each in some of the rows, and missing cells."""
    cells, dtype = KINDS[draw(kinds)]
    pool = draw(st.lists(cells, min_size=1, max_size=8))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    values = pd.Series([pool[i] for i in rng.integers(len(pool), size=n_rows)], dtype="object")
    missing = 0.0 if dtype in COMPLETE else draw(st.sampled_from([0.0, 0.0, 0.2, 0.99, 1.0]))
    values[rng.random(n_rows) < missing] = None
    if dtype == "float64" and draw(st.booleans()):
        values = values.astype(dtype) * rng.standard_cauchy(n_rows)
    return values.astype(dtype)


@st.composite
def tables(draw, max_rows=200, kinds=tuple(KINDS)):
    n_rows = draw(st.one_of(st.integers(1, 4), st.integers(1, max_rows)))
    n_columns = draw(st.integers(1, 6))
    kinds = st.sampled_from(kinds)
    parts = [draw(columns(n_rows, kinds)) for _ in range(n_columns)]
    return pd.concat(parts, axis=1, keys=[f"column {i}" for i in range(n_columns)])


def fit(embedder, X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "Column .* becomes categories", UserWarning)
        return embedder.fit(X)


def assert_same_rows(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@every
@given(X=tables(), seed=st.integers(0, 99))
@tables_of_each_run
@pytest.mark.slow
def test_any_table_is_embedded_row_by_row_without_nan(Embedder, X, seed):
    embedder = fit(Embedder(**TINY), X)
    together = embedder.transform(X)
    assert np.isfinite(together).all()
    assert together.shape == (len(X), len(embedder.get_feature_names_out()))
    assert np.isfinite(embedder.score(X))
    order = np.random.default_rng(seed).permutation(len(X))
    assert_same_rows(embedder.transform(X.iloc[order]), together[order])
    some = order[: 1 + seed % len(X)]
    assert_same_rows(embedder.transform(X.iloc[some]), together[some])


@every
@given(X=tables())
@tables_of_each_run
@pytest.mark.slow
def test_rows_unlike_those_of_fit_are_embedded_without_nan(Embedder, X):
    n_seen = -(-len(X) // 3)
    embedder = fit(Embedder(**TINY), X.iloc[:n_seen])
    with warnings.catch_warnings():
        # A column without a cell, or of zeros and ones, can hold others later.
        warnings.filterwarnings("ignore", "Column .* held", UserWarning)
        assert np.isfinite(embedder.transform(X)).all()
        assert np.isfinite(embedder.score(X))


@given(X=tables())
@tables_of_each_run
@pytest.mark.slow
def test_decoded_tables_have_the_columns_dtypes_and_categories_of_fit(X):
    autoencoder = fit(DenoisingAutoencoder(**TINY), X)
    encoder = autoencoder.model_.table_encoder
    rebuilt = autoencoder.inverse_transform(autoencoder.transform(X))
    assert len(rebuilt) == len(X)
    pd.testing.assert_series_equal(rebuilt.dtypes, X.dtypes)
    for name, column in rebuilt.items():
        seen = X[name].dropna()
        # A column without a cell comes back without a cell, and no other has missing cells.
        assert column.isna().sum() == (0 if len(seen) else len(X))
        learned = encoder.columns_[X.columns.get_loc(name)]
        if isinstance(learned, CategoryColumn):
            assert column.dropna().isin(seen).all()
        elif isinstance(learned, BinaryColumn):
            assert column.isin([0, 1]).all()
        elif column.dtype.kind in "mM" and len(seen):
            slack = pd.Timedelta("1s")  # a double has 16 digits, and these cover 20,000 years
            assert (column - seen.min() >= -slack).all()
            assert (column - seen.max() <= slack).all()
        elif len(seen):
            low, high = float(seen.min()), float(seen.max())
            cells = column.astype("float64")  # integers beyond 2 ** 53 are rounded to it
            assert ((cells - cells.clip(low, high)).abs() <= 1e-15 * abs(cells)).all()


@every
@given(X=tables(max_rows=9), kind=st.sampled_from(sorted(REFUSED)), seed=st.integers(0, 99))
@tables_of_each_run
@pytest.mark.slow
def test_a_column_that_cannot_be_read_is_named_wherever_it_stands(Embedder, X, kind, seed):
    rng = np.random.default_rng(seed)
    cells = REFUSED[kind]
    X = pd.concat([X] * len(cells), ignore_index=True).assign(refused=cells * len(X))
    embedder = Embedder(**TINY)
    messages = set()
    for _ in range(2):
        with pytest.raises(ValueError, match=r"[Cc]olumn 'refused'") as caught:
            embedder.fit(X[rng.permutation(X.columns)])
        messages.add(str(caught.value))
    assert len(messages) == 1
    assert vars(embedder) == vars(Embedder(**TINY))


@given(X=tables(max_rows=20), seed=st.integers(0, 99))
@settings(tables_of_each_run, max_examples=N_EXAMPLES // 5)
def test_columns_in_another_order_than_in_fit_raise(X, seed):
    order = np.random.default_rng(seed).permutation(X.columns)
    here, there = (fit(DenoisingAutoencoder(**TINY), table) for table in (X, X[order]))
    assert sorted(here.feature_names_in_) == sorted(there.feature_names_in_)
    assert here.transform(X).shape == there.transform(X[order]).shape
    if (order != X.columns).any():
        with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
            here.transform(X[order])


@given(X=tables(), seed=st.integers(0, 99))
@tables_of_each_run
def test_columns_in_another_order_are_encoded_alike(X, seed):
    order = np.random.default_rng(seed).permutation(X.columns)
    encoded = []
    for table in (X, X[order]):
        encoder = TableEncoder(
            categorical_features="from_dtype", max_categories=256, min_frequency=1
        ).fit(table)
        numeric, codes = encoder.transform(table)
        features = table.columns[encoder.order_]
        cells = [*numeric.T, *codes.T]
        encoded.append(pd.DataFrame(dict(zip(features, cells, strict=True)), columns=X.columns))
    pd.testing.assert_frame_equal(*encoded)
