"""MaskedImputer: what it fills in, what it leaves alone, what it draws."""

import datetime
import pickle
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from column_names import every_kind_of_names
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import MissingIndicator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_ssl import MaskedFeaturePredictor, MaskedImputer
from sklearn_ssl._network.residual import ResidualEncoder
from sklearn_ssl._pretext.distribution import (
    UNKNOWN,
    PredictDistributions,
    bin_log_probabilities,
    brier_losses,
    cells_with_class,
    class_log_probabilities,
    class_losses_of_cells,
    cross_entropies,
    ranked_losses,
)
from sklearn_ssl._table.bins import learn_bins
from sklearn_ssl._table.schema import MISSING, N_RESERVED, Schema
from sklearn_ssl.persistence import load, save

SMALL = {"width": 32, "n_blocks": 1, "random_state": 0}


def mixed_table(n_rows=300, missing=0.2):
    """A table whose columns all follow from the first, and which of its cells were hidden."""
    rng = np.random.default_rng(0)
    size = rng.normal(size=n_rows)
    kind = np.where(size > 0, "large", "small")
    full = pd.DataFrame(
        {
            "size": size,
            "double": (2 * size).astype("float32"),
            "tens": pd.array((10 * size).round().astype(int), dtype="Int64"),
            "text": kind,
            "category": pd.Categorical(kind),
            "nullable": pd.array(size > 0, dtype="boolean"),
            "object": pd.Series((size > 0).astype(object)),
        }
    )
    hidden = rng.random(full.shape) < missing
    X = full.copy()
    for position, name in enumerate(X):
        X.loc[hidden[:, position], name] = None
    return full, X, hidden


@pytest.fixture(scope="module")
def mixed():
    full, X, hidden = mixed_table()
    return full, X, hidden, MaskedImputer(**SMALL, max_iter=20).fit(X)


def test_fills_every_cell_and_keeps_dtypes_index_and_observed_cells(mixed):
    _, X, hidden, imputer = mixed
    X = X.set_axis(np.arange(len(X))[::-1])
    filled = imputer.transform(X)
    assert not filled.isna().any(axis=None)
    assert filled.index.equals(X.index)
    for position, name in enumerate(X):
        assert filled[name].dtype == X[name].dtype
        seen = ~hidden[:, position]
        assert list(filled[name][seen]) == list(X[name][seen])


def test_does_not_change_the_table_that_it_fills(mixed):
    _, X, _, imputer = mixed
    before = X.copy()
    imputer.transform(X)
    pd.testing.assert_frame_equal(X, before)


@pytest.mark.slow
def test_fills_by_what_the_other_cells_say():
    full, X, hidden = mixed_table(n_rows=1000)
    filled = MaskedImputer(**SMALL).fit_transform(X)
    for position, name in enumerate(X):
        rows = hidden[:, position]
        if name in {"size", "double", "tens"}:
            error = (filled[name][rows] - full[name][rows]).astype(float)
            assert error.std() < 0.4 * full[name].astype(float).std()
        else:
            assert (filled[name][rows] == full[name][rows]).mean() > 0.9


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_keep_their_dtype(dtype):
    X = np.random.default_rng(0).normal(size=(100, 3)).astype(dtype)
    X[::7, 1] = np.nan
    filled = MaskedImputer(**SMALL, max_iter=2).fit_transform(X)
    assert filled.dtype == dtype
    assert np.isfinite(filled).all()
    np.testing.assert_array_equal(filled[~np.isnan(X)], X[~np.isnan(X)])


@pytest.mark.parametrize("dtype", ["Float64", "Int32", "float32", "Sparse[float64, nan]"])
def test_columns_of_extension_dtypes_keep_them(dtype):
    values = np.arange(60.0)
    values[::9] = np.nan
    X = pd.DataFrame({"a": pd.Series(values).astype(dtype), "b": np.arange(60.0)})
    filled = MaskedImputer(**SMALL, max_iter=2).fit_transform(X)
    assert filled["a"].dtype == X["a"].dtype
    assert not filled["a"].isna().any()


def test_predicts_cells_of_new_rows_in_columns_that_were_complete():
    X = np.repeat(np.arange(4.0), 50)[:, None] + [0, 10]
    imputer = MaskedImputer(**SMALL, max_iter=60).fit(X)
    np.testing.assert_allclose(
        imputer.transform([[2, np.nan], [np.nan, 13]]), [[2, 12], [3, 13]], atol=0.3
    )


def test_keeps_categories_that_it_has_not_seen(mixed):
    _, X, _, imputer = mixed
    new = X.head(3).assign(
        category=pd.Categorical(["other", None, "small"]), text=["new", None, "small"]
    )
    filled = imputer.transform(new)
    assert filled["category"][0] == "other"
    assert filled["text"][0] == "new"
    assert filled["category"][1] in {"small", "large"}
    assert set(new["category"].cat.categories) <= set(filled["category"].cat.categories)


@pytest.mark.parametrize(
    ("empty", "expected"),
    [
        (np.full(60, np.nan), 0.0),
        (pd.array([pd.NA] * 60, dtype="Int64"), 0),
        (pd.array([pd.NA] * 60, dtype="string"), "missing_value"),
        (pd.Categorical([None] * 60), "missing_value"),
        (pd.array([pd.NA] * 60, dtype="boolean"), False),
    ],
)
def test_columns_without_a_cell_are_dropped_or_kept(empty, expected):
    X = pd.DataFrame({"a": np.arange(60.0), "empty": empty})
    with pytest.warns(UserWarning, match="'empty'"):
        dropped = MaskedImputer(**SMALL, max_iter=1).fit(X)
    assert list(dropped.get_feature_names_out()) == ["a"]
    assert list(dropped.transform(X)) == ["a"]
    kept = MaskedImputer(**SMALL, max_iter=1, keep_empty_features=True).fit_transform(X)
    assert (kept["empty"] == expected).all()


@pytest.mark.parametrize("as_frame", [True, False])
def test_indicators_are_those_of_scikit_learn(as_frame):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=["a", "b", "c"])
    X.iloc[::4, 1] = np.nan
    table = X if as_frame else X.to_numpy()
    imputer = MaskedImputer(**SMALL, max_iter=1, add_indicator=True)
    filled = np.asarray(imputer.fit_transform(table), dtype=float)
    expected = MissingIndicator().fit_transform(table)
    np.testing.assert_array_equal(filled[:, 3:], expected)
    assert imputer.get_feature_names_out()[-1].startswith("missingindicator_")
    assert filled.shape[1] == len(imputer.get_feature_names_out())


def as_is(X):
    return X


CONTAINERS = {"pandas": as_is, "numpy": pd.DataFrame.to_numpy, "polars": pl.from_pandas}


@pytest.mark.parametrize("is_global", [False, True], ids=["set_output", "set_config"])
@pytest.mark.parametrize("output", ["default", "pandas", "polars"])
@pytest.mark.parametrize("given", CONTAINERS)
def test_tables_are_of_the_class_that_set_output_asks_for(mixed, given, output, is_global):
    X = CONTAINERS[given](mixed[1][["size", "double"]][:40])
    imputer = MaskedImputer(width=8, n_blocks=1, max_iter=1, random_state=0)
    if not is_global:
        imputer.set_output(transform=output)
    with config_context(transform_output=output if is_global else "default"):
        tables = [imputer.fit_transform(X), imputer.transform(X), imputer.quantile(X, 0.5)]
        tables += imputer.sample(X, 2, random_state=0)
    # By default a DataFrame of any library becomes one of pandas, and an array remains one.
    expected = {"default": "numpy" if given == "numpy" else "pandas"}.get(output, output)
    for filled in tables:
        assert type(filled).__module__.split(".")[0] == expected
        assert list(getattr(filled, "columns", [])) == (
            [] if expected == "numpy" else list(imputer.get_feature_names_out())
        )


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_set_output_of_a_mixed_table(mixed, output):
    _, X, _, imputer = mixed
    imputer = clone(imputer).set_params(max_iter=1, add_indicator=True)
    filled = imputer.set_output(transform=output).fit_transform(X)
    assert type(filled).__module__.startswith(output)
    assert list(filled.columns) == [*X.columns, *(f"missingindicator_{name}" for name in X)]


def test_samples_are_seeded_differ_and_hold_values_of_the_column(mixed):
    _, X, _, imputer = mixed
    first, second = imputer.sample(X, 2, random_state=0)
    again = imputer.sample(X, 1, random_state=0)[0]
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(second)
    assert not first.isna().any(axis=None)
    assert first["size"].isin(X["size"].dropna()).all()


@pytest.mark.slow
def test_samples_of_a_row_fit_together():
    coin = np.random.default_rng(0).integers(2, size=400)
    X = np.column_stack([coin, coin, coin]).astype(float)
    imputer = MaskedImputer(**SMALL, max_iter=60).fit(X)
    (drawn,) = imputer.sample(np.full((400, 3), np.nan), 1, n_steps=20, random_state=0)
    same = (drawn == drawn[:, :1]).all(axis=1)
    assert same.mean() > 0.8
    assert 0.3 < drawn[:, 0].mean() < 0.7


@pytest.mark.slow
def test_quantiles_cover_as_many_cells_as_they_say():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 1)) + rng.normal(size=(1500, 4))
    hidden = rng.random(X.shape) < 0.3
    table = np.where(hidden, np.nan, X)
    imputer = MaskedImputer(**SMALL).fit(table)
    low, high = imputer.quantile(table, 0.05), imputer.quantile(table, 0.95)
    covered = (low <= X) & (high >= X)
    assert 0.85 < covered[hidden].mean() < 0.95


def test_median_is_a_value_of_the_column():
    X = np.random.default_rng(0).integers(5, size=(200, 3)).astype(float)
    X[::5, 0] = np.nan
    filled = MaskedImputer(**SMALL, strategy="median", max_iter=3).fit_transform(X)
    assert np.isin(filled, np.arange(5)).all()


def test_stands_in_pipelines_and_searches(mixed):
    full, X, _, _ = mixed
    y = full["size"] > 0
    numbers = X[["size", "double"]]
    pipeline = make_pipeline(MaskedImputer(**SMALL, max_iter=3), LogisticRegression())
    search = GridSearchCV(pipeline, {"maskedimputer__n_bins": [8, 16]}, cv=2).fit(numbers, y)
    assert search.best_score_ > 0.8
    trees = HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype")
    make_pipeline(MaskedImputer(**SMALL, max_iter=1), trees).fit(
        X.drop(columns=["object", "text"]), y
    )


def test_score_rises_with_training(mixed):
    _, X, _, imputer = mixed
    short = clone(imputer).set_params(max_iter=1, learning_rate_init=1e-6).fit(X)
    assert abs(short.score(X)) < 0.05
    assert imputer.score(X) > 0.3


def test_same_seed_gives_the_same_table_and_global_state_is_left_alone(mixed):
    _, X, _, _ = mixed
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    tables = [MaskedImputer(**SMALL, max_iter=2).fit_transform(X) for _ in range(2)]
    pd.testing.assert_frame_equal(*tables)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


@pytest.mark.parametrize("way", ["pickle", "file"])
def test_copies_fill_alike(mixed, way, tmp_path):
    _, X, _, imputer = mixed
    if way == "file":
        pytest.importorskip("safetensors")
        save(imputer, tmp_path / "imputer.safetensors")
        copied = load(tmp_path / "imputer.safetensors")
    else:
        copied = pickle.loads(pickle.dumps(imputer))
    pd.testing.assert_frame_equal(copied.transform(X), imputer.transform(X))
    pd.testing.assert_frame_equal(
        copied.sample(X, 1, random_state=0)[0], imputer.sample(X, 1, random_state=0)[0]
    )


def test_complete_rows_pass_the_same_checks(mixed):
    _, X, _, imputer = mixed
    complete = X.dropna()
    assert len(complete)
    with pytest.raises(ValueError, match=r"infinity.* in column 'size'"):
        imputer.transform(complete.assign(size=np.inf))


def test_error_names_the_column_and_leaves_the_imputer_as_it_was(mixed):
    _, X, _, imputer = mixed
    before = imputer.transform(X)
    broken = X.assign(size=np.inf)
    with pytest.raises(ValueError, match="'size'"):
        imputer.transform(broken)
    with pytest.raises(ValueError, match="'size'"):
        imputer.fit(broken)
    pd.testing.assert_frame_equal(imputer.transform(X), before)


@pytest.mark.parametrize("mask_rate", [(0.5,), (0.0, 0.5), (0.7, 0.1), (0.1, 1.0), ("a", "b")])
def test_mask_rate_must_be_two_shares(mask_rate):
    with pytest.raises(ValueError, match="mask_rate must be"):
        MaskedImputer(mask_rate=mask_rate).fit(np.ones((30, 2)))


@pytest.mark.parametrize(
    "call",
    [
        lambda imputer, X: imputer.sample(X, 0),
        lambda imputer, X: imputer.sample(X, n_steps=0),
        lambda imputer, X: imputer.quantile(X, 1.5),
    ],
)
def test_arguments_out_of_range_are_named(mixed, call):
    _, X, _, imputer = mixed
    with pytest.raises(ValueError, match=r"must be .* got"):
        call(imputer, X)


@pytest.mark.parametrize("n_rows", [1, 2, 19, 20])
@pytest.mark.parametrize("columns", [["size"], ["text"], ["size", "text"]])
def test_small_tables(n_rows, columns):
    X = mixed_table()[0][columns].head(n_rows)
    filled = MaskedImputer(**SMALL, max_iter=1).fit(X).transform(X.assign(**{columns[0]: None}))
    assert not filled.isna().any(axis=None)


STAMPS = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(200) % 90, unit="D"))


@pytest.mark.parametrize(
    "times",
    [
        STAMPS,
        STAMPS.dt.tz_localize("Europe/Berlin"),
        STAMPS.dt.to_period("M"),
        STAMPS.dt.date.astype(object),
        STAMPS - STAMPS.min(),
    ],
    ids=["dates", "time zone", "periods", "objects", "durations"],
)
def test_times_keep_their_dtype_and_their_range(times):
    X = pd.DataFrame({"day": np.arange(200.0) % 90, "time": times})
    X.loc[::5, "time"] = None
    imputer = MaskedImputer(**SMALL, max_iter=2).fit(X)
    for filled in (imputer.transform(X), *imputer.sample(X, 1, random_state=0)):
        assert filled["time"].dtype == X["time"].dtype
        assert filled["time"].between(times.min(), times.max()).all()
    for missing in (None, np.nan, pd.NaT):
        assert not imputer.transform(X.head(3).assign(time=missing)).isna().any(axis=None)


@pytest.mark.parametrize(
    "X",
    [np.full((2, 2), np.nan), np.array([[1.0, None], [2.0, pd.NaT]], dtype=object)],
    ids=["numbers", "objects"],
)
@pytest.mark.parametrize("kind", ["dates", "text"])
def test_arrays_of_missing_cells_alone_are_filled_with_any_kind(kind, X):
    values = STAMPS if kind == "dates" else pd.Series(["a", "b"] * 100)
    frame = pd.DataFrame({"day": np.arange(200.0) % 90, "other": values})
    imputer = MaskedImputer(**SMALL, max_iter=1).fit(frame)
    with pytest.warns(UserWarning, match="valid feature names"):
        tables = [imputer.transform(X), *imputer.sample(X, 2, random_state=0)]
    for filled in tables:
        assert not pd.isna(filled).any()
        assert set(filled[:, 1]) <= set(values) or kind == "dates"


NOTHING = {
    "float64": pd.Series([np.nan] * 4),
    "objects": pd.Series([None] * 4, dtype=object),
    "string": pd.Series([None] * 4, dtype="string"),
    "category": pd.Series([None] * 4, dtype="category"),
    "dates": pd.Series([pd.NaT] * 4, dtype="datetime64[ns]"),
    "durations": pd.Series([pd.NaT] * 4, dtype="timedelta64[ns]"),
    "Int64": pd.Series([None] * 4, dtype="Int64"),
    "boolean": pd.Series([None] * 4, dtype="boolean"),
}


@pytest.mark.parametrize("missing", NOTHING.values(), ids=NOTHING)
def test_columns_of_missing_cells_alone_are_filled_with_what_was_learned(missing, mixed):
    full, X, _, imputer = mixed
    for name in X:
        filled = imputer.transform(X.head(4).assign(**{name: missing}))[name]
        assert not filled.isna().any()
        assert filled.map(float).between(-100, 100).all() if name == "size" else True
        if name in {"text", "category", "nullable", "object"} and missing.dtype == object:
            assert set(filled) <= set(full[name])


def two_columns(cells):
    """A table of a column and of row numbers."""
    return pd.DataFrame({"a": cells, "row": np.arange(len(cells)) % 11.0})


NUMBERS = two_columns(np.arange(60) % 11 * 1000.0)
WHOLE = two_columns(np.arange(60) % 11 * 1000)
SWITCH = two_columns((np.arange(60) % 11 > 4).astype(float))

NARROWER = {
    "integers": (NUMBERS, pd.array([1, None], dtype="Int8"), "float64"),
    "unsigned": (NUMBERS - 20_000, pd.array([1, None], dtype="UInt8"), "float64"),
    "whole numbers": (WHOLE, pd.array([1, None], dtype="Int8"), "int64"),
    "Arrow": (WHOLE, pd.array([1, None], dtype="int8[pyarrow]"), "int64"),
    "half precision": (NUMBERS * 1e3, pd.Series([1, None], dtype="float16"), "float64"),
    "single precision": (NUMBERS * 1e99, pd.Series([1, None], dtype="Float32"), "float64"),
    "sparse": (NUMBERS * 1e99, pd.Series([1, None]).astype("Sparse[float32]"), "float64"),
    "booleans": (NUMBERS, pd.array([True, None], dtype="boolean"), "float64"),
    "Arrow booleans": (NUMBERS, pd.array([True, None], dtype="bool[pyarrow]"), "float64"),
    "booleans of 0 and 1": (SWITCH, pd.array([True, None], dtype="boolean"), "boolean"),
    "Arrow booleans of 0 and 1": (
        SWITCH,
        pd.array([True, None], dtype="bool[pyarrow]"),
        "bool[pyarrow]",
    ),
}


@pytest.mark.parametrize(("seen", "later", "expected"), NARROWER.values(), ids=NARROWER)
def test_new_rows_in_a_narrower_dtype_are_filled_without_loss(seen, later, expected):
    imputer = MaskedImputer(**SMALL, max_iter=1).fit(seen)
    low, high = seen["a"].min(), seen["a"].max()
    tables = imputer.transform(two_columns(later)), imputer.quantile(two_columns(later), 1.0)
    for filled in tables:
        assert filled["a"].dtype == expected
        assert filled["a"][0] == 1
        assert low <= filled["a"][1] <= high


@pytest.mark.parametrize(("scale", "dtype"), [(1e3, "float16"), (1e99, "float32")])
def test_new_arrays_in_a_narrower_dtype_are_filled_without_loss(scale, dtype):
    X = (NUMBERS * scale).to_numpy()
    filled = MaskedImputer(**SMALL, max_iter=1).fit(X).transform(np.array([[np.nan, 1]], dtype))
    assert filled.dtype == np.float64
    assert np.isfinite(filled).all()


@pytest.mark.parametrize("dtype", ["Int64", "UInt64", "int64[pyarrow]", "uint64[pyarrow]"])
def test_the_largest_integers_of_a_dtype_are_filled(dtype):
    largest = np.iinfo(dtype.split("[")[0].lower()).max
    cells = pd.Series([largest - i % 7 for i in range(60)], dtype=object)
    cells[::5] = None
    X = two_columns(cells.astype(dtype))
    imputer = MaskedImputer(**SMALL, max_iter=1).fit(X)
    for filled in (imputer.transform(X)["a"], imputer.quantile(X, 1.0)["a"]):
        assert filled.dtype == dtype
        assert filled[cells.notna()].tolist() == cells.dropna().tolist()
        # A double has 53 bits.
        assert (filled.astype(float) >= largest * (1 - 2**-52)).all()


OBJECTS = {
    "decimals": [Decimal(i % 7) / 4 for i in range(60)],
    "dates": [datetime.date(2020, 1, 1 + i % 7) for i in range(60)],
    "booleans": [i % 7 > 3 for i in range(60)],
    "times": [pd.Timestamp(2020, 1, 1 + i % 7, 12) for i in range(60)],
}

OF_ANOTHER_TYPE = {
    "decimals": NUMBERS["a"] / 10_000,
    "dates": pd.Series(OBJECTS["times"]),
    "booleans": SWITCH["a"],
    "times": pd.Series(OBJECTS["dates"], dtype=object),
}


@pytest.mark.parametrize("learned", ["the same type", "another type"])
@pytest.mark.parametrize("kind", OBJECTS)
@pytest.mark.parametrize("estimator", ["imputer", "predictor"])
def test_cells_of_objects_are_of_the_type_of_the_others(kind, learned, estimator):
    X = two_columns(pd.Series(OBJECTS[kind], dtype=object).where(np.arange(60) % 5 > 0, None))
    seen = X if learned == "the same type" else X.assign(a=OF_ANOTHER_TYPE[kind])
    if estimator == "imputer":
        tables = [MaskedImputer(**SMALL, max_iter=1).fit(seen).transform(X)]
    else:
        small = {"hidden_layer_sizes": (8,), "max_iter": 1, "random_state": 0}
        tables = [MaskedFeaturePredictor(**small).fit(seen).impute(X)]
    for filled in tables:
        assert {type(cell) for cell in filled["a"]} == {type(OBJECTS[kind][0])}
        assert filled["a"].max() <= max(OBJECTS[kind])


@pytest.mark.parametrize("value", [0.1, 1 / 3, 7.7])
@pytest.mark.parametrize("n_rows", [10, 47, 61])
def test_constant_columns_stay_constant(value, n_rows):
    X = two_columns(np.full(n_rows, value))
    X.loc[3, "a"] = None
    assert (MaskedImputer(**SMALL, max_iter=1).fit_transform(X)["a"] == value).all()


@pytest.mark.parametrize("start", [0, 1.7e9, -1e15, 1.79e308])
def test_means_of_numbers_far_from_zero_are_in_their_range(start):
    cells = start + np.arange(60) % 11 * max(1.0, abs(start) * 2**-45)
    X = two_columns(np.where(np.arange(60) % 4 > 0, cells, np.nan))
    filled = MaskedImputer(**SMALL, max_iter=20).fit_transform(X)["a"]
    assert filled.between(cells.min(), cells.max()).all()


# pandas has no durations in months and years, which differ.
UNITS = ["W", "D", "h", "m", "s", "ms", "us", "ns"]
TIMES = [f"datetime64[{unit}]" for unit in ["Y", "M", *UNITS]]
TIMES += [f"timedelta64[{unit}]" for unit in UNITS]


@pytest.mark.parametrize("add_indicator", [False, True])
@pytest.mark.parametrize("dtype", TIMES)
def test_arrays_of_times_of_any_unit(dtype, add_indicator):
    # As objects, times have microseconds at least.
    step = 1000 if "ns" in dtype else 1
    X = (np.random.default_rng(0).integers(0, 9, (40, 2)) * step).astype(dtype)
    is_missing = np.zeros(X.shape, bool)
    is_missing[::5, 1] = True
    X[is_missing] = "NaT"
    filled = MaskedImputer(**SMALL, max_iter=1, add_indicator=add_indicator).fit_transform(X)
    times = filled[:, :2].astype(X.dtype)
    np.testing.assert_array_equal(times[~is_missing], X[~is_missing])
    assert not np.isnat(times).any()
    assert filled.dtype == (object if add_indicator else X.dtype)


@every_kind_of_names
@pytest.mark.parametrize("has_missing", [False, True])
def test_names_of_columns_remain_beside_those_of_indicators(names, has_missing):
    X = NUMBERS.set_axis(names, axis=1)
    if has_missing:
        X.iloc[::5, 0] = np.nan
    filled = MaskedImputer(**SMALL, max_iter=1, add_indicator=True).fit_transform(X)
    assert filled.columns.names == names.names
    assert filled.columns[:2].tolist() == names.tolist()
    assert filled.shape[1] == 2 + has_missing
    if not has_missing:
        pd.testing.assert_index_equal(filled.columns, names, exact=False)


def test_columns_with_the_name_of_an_indicator_keep_their_cells():
    X = NUMBERS.rename(columns={"row": "missingindicator_a"})
    X.loc[::5, "a"] = None
    imputer = MaskedImputer(**SMALL, max_iter=1, add_indicator=True).fit(X)
    filled = imputer.transform(X)
    assert list(filled) == list(imputer.get_feature_names_out())
    np.testing.assert_array_equal(filled.iloc[:, 1], X["missingindicator_a"])
    np.testing.assert_array_equal(filled.iloc[:, 2], X["a"].isna())


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (pd.PeriodDtype("M"), pd.Period("1970-01", "M")),
        (pd.PeriodDtype("D"), pd.Period("1970-01-01", "D")),
        (pd.ArrowDtype(pa.null()), 0.0),
    ],
)
def test_empty_columns_of_rare_dtypes_are_kept(dtype, expected):
    X = two_columns(pd.Series([None] * 30, dtype=dtype))
    filled = MaskedImputer(**SMALL, max_iter=1, keep_empty_features=True).fit_transform(X)
    assert (filled["a"] == expected).all()


@pytest.mark.slow
def test_dates_follow_the_other_cells():
    day = np.random.default_rng(0).integers(700, size=1000)
    dates = pd.Timestamp("2020-01-01") + pd.to_timedelta(day, unit="D")
    X = pd.DataFrame({"day": day.astype(float), "date": dates})
    X.loc[::5, "date"] = None
    error = (MaskedImputer(**SMALL).fit_transform(X)["date"] - dates)[::5]
    assert error.std() < pd.Timedelta(days=60)


def test_columns_without_a_category_that_has_a_name_are_filled():
    X = pd.DataFrame({"a": np.arange(60.0), "b": [None, *(f"name {i}" for i in range(59))]})
    with pytest.warns(UserWarning, match="'b'"):
        filled = MaskedImputer(**SMALL, max_iter=1, min_frequency=2).fit_transform(X)
    assert filled["b"][0] == "missing_value"


class TestBins:
    @pytest.mark.parametrize("n_distinct", [1, 2, 8, 40, 5000])
    def test_bins_hold_the_cells_of_the_column(self, n_distinct):
        rng = np.random.default_rng(0)
        values = rng.integers(n_distinct, size=4000) ** 2.0
        values[::10] = np.nan
        column = learn_bins(values, values.astype(np.float32), "a", 8)
        assert column.n_bins <= 8
        assert column.counts.min() > 0
        assert np.isin(column.cells, values).all()
        bins = np.searchsorted(column.edges, column.cells.astype(np.float32), side="right")
        np.testing.assert_array_equal(bins, np.repeat(np.arange(column.n_bins), column.counts))

    def test_mean_of_the_frequencies_is_the_mean_of_the_column(self):
        values = np.random.default_rng(0).exponential(size=1000)
        column = learn_bins(values, values.astype(np.float32), "a", 16)
        frequencies = column.counts[None] / column.counts.sum()
        assert column.mean(frequencies)[0] == pytest.approx(values.mean())

    @pytest.mark.parametrize("level", [0.0, 0.1, 0.5, 0.95, 1.0])
    def test_quantile_of_the_frequencies_is_that_of_the_column(self, level):
        values = np.random.default_rng(0).normal(size=1000)
        column = learn_bins(values, values.astype(np.float32), "a", 16)
        frequencies = column.counts[None] / column.counts.sum()
        expected = np.quantile(values, level)
        assert column.quantile(frequencies, level)[0] == pytest.approx(expected, abs=0.02)

    def test_a_column_without_cells_has_one_bin(self):
        values = np.full(5, np.nan)
        column = learn_bins(values, values.astype(np.float32), "a", 8)
        assert column.n_bins == 1
        np.testing.assert_array_equal(column.mean(np.ones((2, 1))), [0, 0])


SCHEMA = Schema(binary=(False, False), nullable=(True, True), cardinalities=(4, 5, 5))


def losses_by_definition(logits, classes, sizes, starts):
    losses = np.zeros(classes.shape)
    for row in range(len(classes)):
        for feature, (size, start) in enumerate(zip(sizes, starts, strict=True)):
            truth = classes[row, feature]
            if truth != UNKNOWN:
                own = np.exp(logits[row, start : start + size])
                losses[row, feature] = -np.log(own[truth] / own.sum())
    return losses


def drawn_cells(generator):
    """Logits of six rows of the schema, the bins of its numbers, and a class or none a cell."""
    logits = torch.randn(6, 2 * 4 + 2 + 3 + 3, generator=generator, dtype=torch.float64)
    is_bin = torch.tensor([[True] * 4, [True, True, False, False]])
    classes = [torch.randint(-1, n, (6,), generator=generator) for n in (4, 2, 2, 3, 3)]
    return logits, is_bin, torch.stack(classes, dim=1)


def test_losses_follow_their_definition():
    logits, is_bin, classes = drawn_cells(torch.Generator().manual_seed(0))
    losses = class_losses_of_cells(class_log_probabilities(logits, SCHEMA, is_bin), classes)
    expected = losses_by_definition(
        logits.numpy(), classes.numpy(), (4, 2, 2, 3, 3), (0, 4, 8, 10, 13)
    )
    np.testing.assert_allclose(losses.numpy(), expected)


def test_ranked_losses_follow_their_definition():
    generator = torch.Generator().manual_seed(0)
    n_bins = torch.tensor([4, 2, 4, 2, 2, 3])
    is_bin = torch.arange(4) < n_bins[:, None]
    bins = torch.tensor([3, 0, 1, 1, 0, 2])
    logits = torch.randn(6, 4, generator=generator, dtype=torch.float64)
    log_probabilities = bin_log_probabilities(logits, is_bin)
    expected = []
    for shares, truth, n in zip(log_probabilities.exp().numpy(), bins, n_bins, strict=True):
        errors = [(shares[: edge + 1].sum() - int(truth <= edge)) ** 2 for edge in range(n - 1)]
        expected.append(np.mean(errors))
    losses = ranked_losses(log_probabilities, bins, is_bin)
    np.testing.assert_allclose(losses.numpy(), expected)


def test_brier_losses_follow_their_definition():
    generator = torch.Generator().manual_seed(0)
    log_probabilities = torch.randn(6, 3, generator=generator).log_softmax(1)
    names = torch.randint(3, (6,), generator=generator)
    truth = torch.nn.functional.one_hot(names, 3)
    expected = (log_probabilities.exp() - truth).square().sum(dim=1)
    torch.testing.assert_close(brier_losses(log_probabilities, names), expected)


def test_cells_are_those_of_the_mask_with_a_class():
    generator = torch.Generator().manual_seed(0)
    logits, is_bin, classes = drawn_cells(generator)
    mask = torch.rand(6, 5, generator=generator) < 0.5
    losses = class_losses_of_cells(class_log_probabilities(logits, SCHEMA, is_bin), classes)
    groups = list(cells_with_class(logits, classes, mask, SCHEMA, is_bin))
    features = [slice(0, 2), slice(2, 3), slice(3, 5)]
    for cells, own in zip(groups, features, strict=True):
        chosen = (mask & (classes != UNKNOWN))[:, own]
        torch.testing.assert_close(cells.classes, classes[:, own][chosen])
        found = cross_entropies(cells.log_probabilities, cells.classes)
        torch.testing.assert_close(found, losses[:, own][chosen])


@pytest.mark.slow
def test_intervals_of_an_overtrained_network_cover_as_many_cells_as_they_say():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 1)) + rng.normal(size=(300, 4))
    hidden = rng.random(X.shape) < 0.3
    table = np.where(hidden, np.nan, X)
    imputer = MaskedImputer(random_state=0, early_stopping=False, max_iter=150).fit(table)
    low, high = imputer.quantile(table, 0.05), imputer.quantile(table, 0.95)
    covered = (low <= X) & (high >= X)
    assert 0.84 < covered[hidden].mean() < 0.96


def test_a_network_begins_with_the_frequencies_of_the_classes():
    generator = torch.Generator().manual_seed(0)
    task = PredictDistributions(
        ResidualEncoder(SCHEMA, 8, 1, generator), 8, SCHEMA, 4, (0.1, 0.7), generator
    )
    numeric = torch.randn(400, 2, generator=generator)
    codes = torch.randint(MISSING, 4, (400, 3), generator=generator, dtype=torch.int32)
    task.start_from([torch.tensor([0.0]), torch.tensor([-1.0, 0.0, 1.0])], (numeric, codes))
    numbers, *_, names = task.log_probabilities((numeric[:1], codes[:1]))
    assert numbers[0, 0].exp()[1].item() == pytest.approx(
        (numeric[:, 0] >= 0).float().mean().item(), abs=0.01
    )
    known = codes[:, 2][codes[:, 2] >= N_RESERVED]
    share = (known == N_RESERVED).float().mean().item()
    assert names[0, 1].exp()[0].item() == pytest.approx(share, abs=0.01)


def test_only_hidden_cells_with_a_known_class_cost():
    generator = torch.Generator().manual_seed(0)
    task = PredictDistributions(
        ResidualEncoder(SCHEMA, 8, 1, generator), 8, SCHEMA, 4, (0.1, 0.7), generator
    )
    missing = torch.full((50, 2), torch.nan), torch.zeros(50, 3, dtype=torch.int32)
    assert task(missing, generator).item() == 0
