"""One column: what its dtype makes of it, and the way to numbers or codes and back."""

import datetime
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from sklearn_ssl._table.column import CategoryColumn, EmptyColumn, learn_column
from sklearn_ssl._table.numeric import (
    FARTHEST,
    N_KNOTS,
    BinaryColumn,
    NumericColumn,
    range_of_integers,
)
from sklearn_ssl._table.schema import INFREQUENT, MISSING, N_RESERVED

few = settings(derandomize=True, deadline=None, max_examples=40)


def learn(values, **changes):
    options = {
        "declared_categorical": False,
        "from_dtype": True,
        "max_categories": 256,
        "min_frequency": 1,
    }
    return learn_column("size", values, **{**options, **changes})


def series(values, dtype=None):
    return pd.Series(
        values, dtype=pd.ArrowDtype(dtype) if isinstance(dtype, pa.DataType) else dtype
    )


def there_and_back(column, values):
    """Decode as a network would have it, in single precision."""
    cells = column.encode(values)
    return column.decode(cells if isinstance(column, CategoryColumn) else cells.astype(np.float32))


NUMBERS = {
    "float64": series([1.5, 2.5, -7.0]),
    "float32": series([1.5, 2.5, -7.0], "float32"),
    "float16": series([1.5, 2.5, -7.0], "float16"),
    "int64": series([1, 2, -7]),
    "int8": series([-128, 3, 127], "int8"),
    "uint8": series([0, 3, 255], "uint8"),
    "uint16": series([0, 3, 65535], "uint16"),
    "Int64": series([1, 2, -7], "Int64"),
    "UInt8": series([0, 3, 255], "UInt8"),
    "Float32": series([1.5, 2.5, -7.0], "Float32"),
    "Arrow integer": series([1, 2, -7], pa.int16()),
    "Arrow double": series([1.5, 2.5, -7.0], pa.float64()),
    "Arrow decimal": series([Decimal("1.50"), Decimal("2.50")], pa.decimal128(5, 2)),
    "Sparse float": series([0.0, 0.0, 1.5], pd.SparseDtype(float)),
    "Sparse integer": series([0, 0, 3], pd.SparseDtype("int64")),
    "object of numbers": series([1.5, 2, -7], object),
    "object of floats": series([1.5, 2.5, -7.0], object),
    "object of integers": series([1, 2, -7], object),
    "object of decimals": series([Decimal("1.5"), Decimal("2.5")], object),
}
BOOLEANS = {
    "bool": series([True, False, True]),
    "boolean": series([True, False, True], "boolean"),
    "Arrow boolean": series([True, False, True], pa.bool_()),
    "Sparse boolean": series([True, False, True], pd.SparseDtype(bool)),
    "object of booleans": series([True, False, True], object),
    "bool, all alike": series([True, True, True]),
    "object of booleans, all alike": series([True, True, True], object),
    "float of 0 and 1": series([1.0, 0.0, 1.0]),
    "int of 0 and 1": series([1, 0, 1], "int8"),
    "Int64 of 0 and 1": series([1, 0, 1], "Int64"),
}
NAMES = {
    "str": series(["b", "a", "b"]),
    "string": series(["b", "a", "b"], "string"),
    "Arrow string": series(["b", "a", "b"], pa.string()),
    "Arrow dictionary": series(["b", "a", "b"], pa.dictionary(pa.int32(), pa.string())),
    "object of strings": series(["b", "a", "b"], object),
    "category of strings": series(["b", "a", "b"], "category"),
    "category of integers": series([7, 3, 7], "category"),
    "category of booleans": series([True, False, True], "category"),
    "ordered category": series(["b", "a", "b"], pd.CategoricalDtype(["b", "a"], ordered=True)),
    "interval": pd.cut(pd.Series([1, 9, 1]), [0, 5, 10]),
}
NULLABLE = [
    "float64", "Int64", "Float32", "Arrow integer", "Arrow double", "object of numbers",
    "object of floats", "object of integers", "boolean", "Arrow boolean", "object of booleans",
    "Int64 of 0 and 1", "float of 0 and 1", "str", "string", "Arrow string", "object of strings",
    "category of strings", "category of integers", "ordered category",
]  # fmt: skip
ALL = {**NUMBERS, **BOOLEANS, **NAMES}
every_dtype = pytest.mark.parametrize("values", ALL.values(), ids=ALL)


@pytest.mark.parametrize(
    ("kind", "columns"),
    [(NumericColumn, NUMBERS), (BinaryColumn, BOOLEANS), (CategoryColumn, NAMES)],
)
def test_the_dtype_decides_the_kind(kind, columns):
    assert {name: type(learn(values)) for name, values in columns.items()} == dict.fromkeys(
        columns, kind
    )


@every_dtype
def test_decoding_restores_values_and_dtype(values):
    decoded = there_and_back(learn(values), values)
    assert decoded.dtype == values.dtype
    if isinstance(learn(values), NumericColumn):
        np.testing.assert_allclose(decoded.astype(float), values.astype(float), atol=1e-6)
    else:
        assert decoded.tolist() == values.tolist()
        assert [type(cell) for cell in decoded] == [type(cell) for cell in values]


@pytest.mark.parametrize("name", NULLABLE)
def test_missing_cells_are_encoded_as_missing_and_decoded_as_something(name):
    values = pd.concat([ALL[name], pd.Series([None], dtype=ALL[name].dtype)], ignore_index=True)
    column = learn(values)
    cells = column.encode(values)
    if isinstance(column, CategoryColumn):
        assert (cells == MISSING).tolist() == [False, False, False, True]
        cells[-1] = N_RESERVED
    else:
        assert np.isnan(cells).tolist() == [False, False, False, True]
        assert column.nullable
        cells[-1] = 0.0
    decoded = column.decode(cells)
    assert decoded.dtype == values.dtype
    assert decoded.notna().all()
    if isinstance(column, NumericColumn):
        np.testing.assert_allclose(decoded[:-1].astype(float), ALL[name].astype(float))
    else:
        assert decoded.tolist()[:-1] == ALL[name].tolist()
        assert [type(cell) for cell in decoded[:-1]] == [type(cell) for cell in ALL[name]]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA], ids=str)
@pytest.mark.parametrize("container", [np.array, pd.Series])
def test_missing_objects_among_numbers_are_missing(container, missing):
    values = container([1.5, missing, 2], dtype=object)
    column = learn(values)
    assert column.nullable
    np.testing.assert_allclose(column.encode(values), [-1, np.nan, 1])


@pytest.mark.parametrize(
    "values",
    [
        np.array([1.5, 2.5, -7.0]),
        np.array([1, 2, -7]),
        np.array([1.0, 0.0, 1.0]),
        np.array([True, False, True]),
        np.array(["b", "a", "b"], dtype=object),
    ],
    ids=["floats", "integers", "zeros and ones", "booleans", "names"],
)
def test_columns_of_arrays_are_decoded_as_arrays(values):
    decoded = there_and_back(learn(values), values)
    assert isinstance(decoded, np.ndarray)
    assert decoded.dtype == (np.float64 if values.dtype.kind == "i" else values.dtype)
    if decoded.dtype.kind == "f":
        np.testing.assert_allclose(decoded, values, atol=1e-6)
    else:
        assert decoded.tolist() == values.tolist()


@pytest.mark.parametrize("names", [["a"], ["b", "a", "c"]])
@pytest.mark.parametrize("dtype", [None, "str", "string", object, "category", pa.string()])
def test_codes_without_a_name_are_decoded_as_missing(names, dtype):
    column = learn(np.array(names, dtype=object) if dtype is None else series(names, dtype))
    decoded = pd.Series(column.decode(np.array([MISSING, N_RESERVED, INFREQUENT])))
    assert decoded.isna().tolist() == [True, False, True]
    assert decoded[1] == min(names)


@pytest.mark.parametrize(
    "dtype",
    [
        "float64", "Int64", "boolean", object, "category", "string", pa.int64(), pa.null(),
        "datetime64[ns]", "datetime64[us, UTC]", "timedelta64[s]", "period[M]", pa.date32(),
        pa.duration("s"), pa.string(),
    ],
)  # fmt: skip
def test_column_without_a_present_cell_is_encoded_and_stays_missing(dtype):
    values = series([None, None], dtype)
    column = learn(values)
    cells = column.encode(values)
    if isinstance(column, EmptyColumn):
        assert np.isnan(cells).all()
        # Nothing is known of the scale of later values, nor has the network seen any.
        assert np.isnan(column.encode(pd.Series([3.0]))).all()
    else:
        assert isinstance(column, CategoryColumn)
    decoded = column.decode(cells)
    assert decoded.dtype == values.dtype
    assert decoded.isna().all()


@pytest.mark.parametrize("constant", [0.0, 1.0, 7.0, -1e300, 0.1])
def test_constant_column_is_zero_and_new_values_stay_finite(constant):
    values = np.full(30, constant)
    column = learn(values)
    np.testing.assert_allclose(column.encode(values), 0, atol=1e-9)
    assert np.isfinite(column.encode(np.array([-1e300, 1e300]))).all()
    np.testing.assert_array_equal(column.decode(np.array([-5.0, 0.0, 5.0])), constant)


def test_new_values_of_a_constant_column_keep_their_scale():
    assert learn(np.full(3, 7.0)).encode(np.array([6.0, 7.0, 9.5])).tolist() == [-1, 0, 2.5]


def test_column_that_varies_by_rounding_alone_is_constant():
    values = np.array([0.1 + 0.2, 0.3] * 20)
    np.testing.assert_allclose(learn(values).encode(values), 0, atol=1e-9)


finite = st.floats(-1e150, 1e150, allow_subnormal=False)


@given(values=st.lists(finite, min_size=2, max_size=60))
@few
def test_numbers_come_back_on_their_scale(values):
    values = np.array(values)
    column = learn(values)
    cells = column.encode(values)
    assert (np.abs(cells) <= FARTHEST).all()
    np.testing.assert_allclose(column.decode(cells), values, atol=1e-6 * (np.ptp(values) or 1))


@given(
    values=st.lists(finite, min_size=2, max_size=60),
    cells=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1),
)
@few
def test_decoded_numbers_stay_in_the_range_of_the_column(values, cells):
    decoded = learn(np.array(values)).decode(np.array(cells, dtype=np.float32))
    assert (decoded >= min(values)).all()
    assert (decoded <= max(values)).all()


@pytest.mark.parametrize("values", [[1.0, 2.0, 4.0], [0.0, 1.0], [7.0, 7.0], [1e-200, 4e-200]])
def test_values_far_from_all_seen_are_brought_near(values):
    cells = learn(np.array(values)).encode(np.array([-1e300, 1e300]))
    assert cells.tolist() == [-FARTHEST, FARTHEST]


def test_numbers_as_large_as_doubles_can_be_are_decoded_in_their_range():
    values = np.array([-1.7e308, 0.0, 1.7e308])
    assert learn(values).decode(np.array([-9.0, 0.0, 9.0])).tolist() == values.tolist()


def test_numbers_as_small_as_doubles_can_be_are_encoded_as_finite():
    assert np.isfinite(learn(np.array([0.0, 5e-324, 0.0])).encode(np.array([0.0, 1.0]))).all()


@pytest.mark.parametrize(
    "dtype", ["int64", "uint64", "Int64", "int32", "UInt8", "int64[pyarrow]", "Sparse[int64]"]
)
def test_integers_are_decoded_up_to_the_limits_of_their_dtype(dtype):
    limits = np.iinfo(re.search(r"u?int\d+", dtype.lower()).group())
    column = learn(pd.Series([limits.min, limits.max], dtype=dtype))
    decoded = column.decode(np.array([-9.0, 9.0], dtype=np.float32))
    assert decoded.dtype == dtype
    assert decoded[0] == limits.min
    assert float(decoded[1]) == pytest.approx(limits.max)


@pytest.mark.parametrize("units", [1e-300, 1e-200, 1e-100, 1e-3, 1.0, 1e200])
@pytest.mark.parametrize("center", [0.0, 100.0])
def test_numbers_are_encoded_in_standard_deviations(units, center):
    values = center + np.random.default_rng(0).normal(size=500)
    cells = learn(units * values).encode(units * values)
    np.testing.assert_allclose(cells, (values - values.mean()) / values.std(), atol=1e-9)


def test_small_differences_of_large_numbers_count():
    values = 1e9 + np.random.default_rng(0).normal(size=500)
    assert learn(values).encode(values).std() == pytest.approx(1)


HEAVY_TAILS = {
    "lognormal": lambda rng: np.exp(3 * rng.normal(size=2000)),
    "Cauchy": lambda rng: rng.standard_cauchy(2000),
    "inflated zero": lambda rng: np.where(rng.random(2000) < 0.95, 0, rng.exponential(size=2000)),
    "one outlier": lambda rng: np.append(rng.normal(size=1999), 1e9),
}


@pytest.mark.parametrize("draw", HEAVY_TAILS.values(), ids=HEAVY_TAILS)
def test_heavy_tails_are_mapped_through_quantiles_and_back(draw):
    values = draw(np.random.default_rng(0))
    column = learn(values)
    cells = column.encode(values)
    assert column.knots.size
    assert cells.mean() == pytest.approx(0, abs=1e-9)
    assert cells.std() == pytest.approx(1)
    assert np.abs(cells).max() < 10
    order = np.argsort(values, kind="stable")
    assert (np.diff(cells[order]) >= 0).all()
    np.testing.assert_allclose(column.decode(cells), values, rtol=1e-6, atol=1e-9)


def test_quantiles_of_a_heavy_tail_become_those_of_a_normal_distribution():
    values = np.exp(3 * np.random.default_rng(0).normal(size=5000))
    column = learn(values)
    assert column.knots.size == N_KNOTS
    cells = column.encode(values)
    shares = np.linspace(0.05, 0.95, 19)
    np.testing.assert_allclose(np.quantile(cells, shares), norm.ppf(shares), atol=0.05)


@pytest.mark.parametrize("distribution", ["normal", "uniform", "exponential"])
def test_ordinary_columns_keep_their_shape(distribution):
    values = getattr(np.random.default_rng(0), distribution)(size=2000)
    column = learn(values)
    assert column.knots.size == column.normal_scores.size == 0
    np.testing.assert_allclose(np.diff(column.encode(values)), np.diff(values) / values.std())


@pytest.mark.parametrize(("last", "is_heavy"), [(40, False), (10**9, True)])
def test_name_dtype_range_and_missing_cells_are_kept_whatever_the_shape(last, is_heavy):
    column = learn(pd.Series([*range(1, 40), last, None], dtype="Int64"))
    assert bool(column.knots.size) == is_heavy
    assert (column.name, column.dtype, column.nullable) == ("size", "Int64", True)
    assert (column.low, column.high) == (1, last)


def test_missing_and_far_values_of_a_heavy_tail_stay_where_they_are():
    values = np.exp(3 * np.random.default_rng(0).normal(size=2000))
    column = learn(values)
    missing, below, above = column.encode(np.array([np.nan, -1e300, 1e300]))
    assert np.isnan(missing)
    assert [below, above] == column.encode(np.array([values.min(), values.max()])).tolist()


def test_frequent_categories_come_first_and_ties_go_by_name():
    column = learn(pd.Series(["c", "b", "c", "a", "d", "c", "d"]))
    assert column.categories.tolist() == ["c", "d", "a", "b"]
    assert column.encode(pd.Series(["c", "d", "a", "b"])).tolist() == [2, 3, 4, 5]
    assert column.n_codes == 6


@given(
    names=st.lists(st.text(max_size=3), min_size=1, max_size=30),
    max_categories=st.one_of(st.none(), st.integers(1, 5)),
    min_frequency=st.integers(1, 3),
    seed=st.integers(0, 9),
)
@few
@pytest.mark.slow
def test_order_of_rows_does_not_matter_to_categories(names, max_categories, min_frequency, seed):
    shuffled = np.random.default_rng(seed).permutation(np.array(names, dtype=object))
    first, again = (
        learn(
            series(list(part), object), max_categories=max_categories, min_frequency=min_frequency
        )
        for part in (names, shuffled)
    )
    assert first.categories.tolist() == again.categories.tolist()
    assert len(first.categories) <= (max_categories or len(names))
    assert all(names.count(name) >= min_frequency for name in first.categories)
    codes = first.encode(series(names, object))
    assert (codes == INFREQUENT).tolist() == [name not in first.categories for name in names]


@pytest.mark.parametrize("dtype", ["str", "string", object, "category", pa.string()])
def test_unseen_and_missing_categories_have_a_place(dtype):
    column = learn(pd.Series(["a", "b", "b"]))
    codes = column.encode(series(["b", "violet", None, "a"], dtype))
    assert codes.dtype == np.int32
    assert codes.tolist() == [2, INFREQUENT, MISSING, 3]


@pytest.mark.parametrize("dtype", ["int64", "float64", "Int64", object, "category"])
def test_integer_categories_are_found_in_any_dtype(dtype):
    column = learn(pd.Series([3, 1, 3]), declared_categorical=True)
    assert column.encode(series([1, 3, 2], dtype)).tolist() == [3, 2, INFREQUENT]


@pytest.mark.parametrize("dtype", ["int64", "bool", "Int64", "float64", "category", "str", object])
def test_column_without_a_frequent_category_is_decoded_as_missing(dtype):
    values = series([0, 1, 1], dtype)
    column = learn(values, declared_categorical=True, min_frequency=9)
    assert column.encode(values).tolist() == [INFREQUENT] * 3
    decoded = column.decode(np.array([MISSING, INFREQUENT]))
    assert decoded.isna().all()
    # NumPy's integers and booleans hold no missing cell.
    assert decoded.dtype == (object if dtype in {"int64", "bool"} else values.dtype)


def test_names_of_categories_are_kept_as_objects():
    # An index of strings would depend on the version of pandas, and files with it.
    for cells in (["a", "b"], [1, 2], [True, False]):
        assert learn(series(cells, object), declared_categorical=True).categories.dtype == object


def test_column_of_strings_is_read_as_numbers_if_nothing_is_categorical():
    column = learn(pd.Series(["1", "2.5", None]), from_dtype=False)
    assert isinstance(column, NumericColumn)
    message = (
        r"'size' must hold numbers, but .*'a'.*\. "
        r"Declare it in categorical_features if it names categories\.$"
    )
    with pytest.raises(ValueError, match=message):
        learn(pd.Series(["1", "a"]), from_dtype=False)


NEITHER = {
    "complex": (series([1j]), "Split it into its real and imaginary parts"),
    "Arrow time": (series([5], pa.time32("s")), "pandas.to_timedelta(column.astype(str))"),
    "time objects": (
        series([datetime.time(3), None], object),
        "pandas.to_timedelta(column.astype(str))",
    ),
}


@pytest.mark.parametrize(("values", "remedy"), NEITHER.values(), ids=NEITHER)
def test_dtypes_that_are_neither_get_a_remedy(values, remedy):
    with pytest.raises(ValueError, match=rf"'size' has dtype .*{re.escape(remedy)}, or drop it\.$"):
        learn(values)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([1, "a"], r"mixes values of types \['int', 'str'\]"),
        ([1, "a", np.nan, pd.NA, pd.NaT, None], r"mixes values of types \['int', 'str'\]"),
        ([True, 3, None], r"mixes values of types \['bool', 'int'\]"),
        ([b"a", b"b"], r"holds values of types \['bytes'\]"),
        ([(1,), (2,)], r"holds values of types \['tuple'\]"),
        ([np.array([1, 2]), np.array([3])], r"holds values of types \['ndarray'\]"),
        ([1.5, datetime.date(2026, 1, 1)], r"mixes values of types \['date', 'float'\]"),
    ],
)
def test_objects_of_no_known_kind_are_reported(cells, message):
    remedy = r"strings, dates or durations: convert it, .* \.astype\(str\), or drop it\.$"
    values = pd.Series([None] * len(cells), dtype=object)
    values[:] = cells
    with pytest.raises(ValueError, match=f"'size' {message}.*{remedy}"):
        learn(values)


def test_a_text_among_numbers_is_shown_with_both_remedies():
    message = r"'size' mixes .*the text 'n/a'.*to_numeric\(column, errors='coerce'\).*astype\(str\)"
    with pytest.raises(ValueError, match=message):
        learn(pd.Series([1.5, None, "n/a", "?"], dtype=object))
    with pytest.raises(ValueError, match=r"'n/a'.*write NaN instead.*categorical_features"):
        learn(pd.Series([1.5, 2.5])).encode(pd.Series([1.5, "n/a"], dtype=object))


@pytest.mark.parametrize("container", [np.array, pd.Series])
@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([1.0, pd.NaT, 3.0], [-1, np.nan, 1]),
        ([Decimal(1), 3, None], [-1, 1, np.nan]),
        ([Decimal(1), 3.0], [-1, 1]),
    ],
)
def test_numbers_of_several_types_are_numbers(container, cells, expected):
    values = container(cells, dtype=object)
    np.testing.assert_allclose(learn(values).encode(values), expected)


@pytest.mark.parametrize("cells", [[10**400, 1], [1.0, -(10**400)]])
def test_integers_beyond_doubles_are_reported_with_their_column(cells):
    with pytest.raises(ValueError, match=r"too large for dtype\('float64'\) in column 'size'"):
        learn(series(cells, object))


@pytest.mark.parametrize(
    "values", [series([[1], [2], [1]], object), series([[1], [2]], pa.list_(pa.int64()))]
)
def test_lists_cannot_be_categories(values):
    with pytest.raises(TypeError, match="'size' holds a value that cannot be a category"):
        learn(values, declared_categorical=True).encode(values)


@pytest.mark.parametrize("values", [series([1, np.inf]), np.array([-np.inf, 1.0])])
def test_infinity_raises_with_its_column(values):
    with pytest.raises(ValueError, match=r"infinity or a value too large .* column 'size'"):
        learn(values)
    for numbers in ([0.0, 1.0], [0.0, 1.0, 2.0]):
        with pytest.raises(ValueError, match=r"infinity or a value too large .* column 'size'"):
            learn(np.array(numbers)).encode(values)


@pytest.mark.parametrize("convert", [np.asarray, pd.Series])
def test_numbers_of_half_precision_can_be_categories(convert):
    values = convert(np.array([0.5, 1.5, np.nan, 0.5], dtype=np.float16))
    column = learn(values, declared_categorical=True)
    assert column.encode(values).tolist() == [2, 3, MISSING, 2]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "Int16", "uint64", "int64", "Sparse[int8]"])
def test_the_range_of_a_dtype_of_integers_is_held_by_it(dtype):
    dtype = pd.api.types.pandas_dtype(dtype)
    ends = pd.Series(range_of_integers(dtype))
    assert (ends.astype(dtype).astype(float) == ends).all()
