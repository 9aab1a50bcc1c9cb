"""Tables of every kind: what is accepted, which columns are categories, and the way back."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.pandas import column, data_frames, range_indexes
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA

from sklearn_ssl._table import encoder as encoder_module
from sklearn_ssl._table.chunks import buffers
from sklearn_ssl._table.encoder import TableEncoder
from sklearn_ssl._table.schema import INFREQUENT, MISSING, N_RESERVED, Schema
from sklearn_ssl._table.types import to_pandas
from sklearn_ssl._table.validation import categorical_positions, check_rows, check_table


def check(X, has_categories=False):
    return check_table(X, has_categories=has_categories, estimator=PCA())


def fit(X, categorical_features="from_dtype", max_categories=256, min_frequency=1):
    return TableEncoder(
        categorical_features=categorical_features,
        max_categories=max_categories,
        min_frequency=min_frequency,
    ).fit(X)


@pytest.fixture
def mixed():
    return pd.DataFrame(
        {
            "town": ["Köln", "Łódź", "Köln", "東京", None, "Köln"],
            "size": [1.5, np.nan, -2.0, 0.5, 3.0, 8.0],
            "open": [True, False, True, True, False, True],
            "stars": pd.array([3, None, 5, 1, 1, 4], dtype="Int64"),
            "color": pd.Categorical(["red", "blue", None, "red", "red", "blue"]),
            "constant": 7,
            "empty": np.nan,
        }
    )


# Encoding


def test_numbers_come_first_and_categories_go_by_their_cardinality(mixed):
    encoder = fit(mixed)
    names = mixed.columns[encoder.order_].tolist()
    assert names == ["size", "open", "stars", "constant", "empty", "color", "town"]
    assert encoder.schema_ == Schema(
        binary=(False, True, False, False, False),
        nullable=(True, False, True, False, True),
        cardinalities=(N_RESERVED + 2, N_RESERVED + 3),
    )


def test_encoded_table_is_its_encoded_columns_side_by_side(mixed):
    encoder = fit(mixed)
    numeric, codes = encoder.transform(mixed)
    assert (numeric.dtype, codes.dtype) == (np.float32, np.int32)
    for feature, position in enumerate(encoder.order_):
        expected = encoder.columns_[position].encode(mixed.iloc[:, position])
        np.testing.assert_allclose(np.hstack([numeric, codes])[:, feature], expected, rtol=1e-6)


def test_blocks_of_rows_do_not_show(mixed, monkeypatch):
    encoder = fit(mixed)
    whole = encoder.transform(mixed)
    monkeypatch.setattr(encoder_module, "ROWS_PER_BLOCK", 4)
    for part, expected in zip(encoder.transform(mixed), whole, strict=True):
        np.testing.assert_array_equal(part, expected)


def test_rows_are_encoded_once_and_a_block_at_a_time(mixed, monkeypatch):
    encoder, sizes = fit(mixed), []

    def columns_of(block, columns=encoder_module._columns):
        sizes.append(len(block))
        return columns(block)

    monkeypatch.setattr(encoder_module, "ROWS_PER_BLOCK", 4)
    monkeypatch.setattr(encoder_module, "_columns", columns_of)
    encoder.transform(mixed)
    assert sizes == [4, 2]


@pytest.mark.parametrize(
    "index",
    [[9.5, 0.5, 1.5, 2.5, 3.5, 4.5], [7, 7, 7, 0, 0, 0], pd.date_range("2026", periods=6)],
    ids=["numbers", "repeated", "dates"],
)
def test_index_of_a_frame_does_not_matter(mixed, index):
    encoder = fit(mixed)
    for part, expected in zip(
        encoder.transform(mixed.set_axis(index, axis=0)), encoder.transform(mixed), strict=True
    ):
        np.testing.assert_array_equal(part, expected)


def test_order_of_rows_does_not_matter(mixed):
    shuffled = mixed.sample(frac=1, random_state=0)
    encoder, again = fit(mixed), fit(shuffled)
    assert encoder.schema_ == again.schema_
    for part, expected in zip(again.transform(mixed), encoder.transform(mixed), strict=True):
        np.testing.assert_allclose(part, expected, rtol=1e-6)


def test_unseen_categories_and_new_missing_cells_have_a_place(mixed):
    new = pd.DataFrame(
        {
            **mixed.iloc[:2].astype({"open": object, "constant": float}),
            "town": ["Roma", None],
            "color": ["violet", None],
        }
    )
    new.loc[0, ["open", "constant"]] = None
    numeric, codes = fit(mixed).transform(new)
    assert np.isnan(numeric).tolist() == [
        [False, True, False, True, True],
        [True, False, True, False, True],
    ]
    assert codes.tolist() == [[INFREQUENT, INFREQUENT], [MISSING, MISSING]]


def test_rare_categories_share_the_place_of_unseen_ones(mixed):
    for options in ({"min_frequency": 2}, {"max_categories": 1}):
        encoder = fit(mixed[["town"]], **options)
        _, codes = encoder.transform(mixed[["town"]])
        assert codes.ravel().tolist() == [2, INFREQUENT, 2, INFREQUENT, MISSING, 2]


SAME_TABLE = {
    "array": np.asarray,
    "single precision": lambda X: np.asarray(X, dtype=np.float32),
    "Fortran order": np.asfortranarray,
    "list": lambda X: X.tolist(),
    "object array": lambda X: X.astype(object),
    "CSR": sp.csr_array,
    "CSC": sp.csc_matrix,
    "COO": sp.coo_array,
    "DataFrame": pd.DataFrame,
    "Arrow": lambda X: pd.DataFrame(X).convert_dtypes(dtype_backend="pyarrow"),
    "Polars": lambda X: pl.DataFrame(X, schema=[str(i) for i in range(X.shape[1])]),
}


@pytest.mark.parametrize("convert", SAME_TABLE.values(), ids=SAME_TABLE)
def test_containers_of_the_same_numbers_are_encoded_alike(convert):
    X = np.round(load_breast_cancer().data, 1).astype(np.float32).astype(np.float64)
    X[X < 0.1] = 0
    table = check(convert(X))
    numeric, codes = fit(table).transform(table)
    np.testing.assert_allclose(numeric, fit(X).transform(X)[0], rtol=1e-5, atol=1e-6)
    assert codes.shape == (len(X), 0)


@pytest.mark.parametrize("cells_in_cache", [1, 60, 65_536])
def test_arrays_read_by_rows_and_frames_read_by_columns_are_encoded_alike(
    cells_in_cache, monkeypatch
):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 6))
    X[:, 1] = rng.integers(2, size=50)
    X[:, 3] = np.exp(5 * X[:, 3])  # mapped through its quantiles
    X[::7, 4] = np.nan
    X[:, 5] = 1.0
    monkeypatch.setattr(encoder_module, "CELLS_IN_CACHE", cells_in_cache)
    encoder = fit(X)
    assert encoder.columns_[3].knots.size
    for part, expected in zip(
        encoder.transform(X), encoder.transform(check(pd.DataFrame(X))), strict=True
    ):
        np.testing.assert_array_equal(part, expected)


def test_infinity_in_an_array_raises_with_its_column():
    encoder = fit(np.arange(12.0).reshape(4, 3))
    X = np.zeros((4, 3))
    X[2, 1] = np.inf
    with pytest.raises(ValueError, match=r"contains infinity .* in column 1"):
        encoder.transform(X)


def test_polars_frames_keep_names_categories_and_missing_cells(mixed):
    frame = pl.from_pandas(mixed)
    table = check(frame)
    encoder, expected = fit(table), fit(mixed)
    assert table.columns.tolist() == frame.columns
    assert encoder.schema_ == expected.schema_
    for part, same in zip(encoder.transform(table), expected.transform(mixed), strict=True):
        np.testing.assert_allclose(part, same, rtol=1e-6)


LARGEST = {"Int64": 2**63 - 1, "UInt64": 2**64 - 1, "Int8": 127, "UInt32": 2**32 - 1}


@pytest.mark.parametrize("convert", [lambda T: T, pl.DataFrame.to_arrow], ids=["Polars", "Arrow"])
@pytest.mark.parametrize("dtype", LARGEST)
def test_integers_of_other_libraries_keep_all_digits_beside_missing_cells(dtype, convert):
    cells = [LARGEST[dtype], None, LARGEST[dtype] - 1]
    frame = pl.DataFrame({"a": pl.Series(cells, dtype=getattr(pl, dtype)), "b": [0.5, None, 1]})
    for table in (check(convert(frame)), *buffers([convert(frame)], 3)):
        assert table["a"].dtype == dtype
        assert table["a"].dropna().tolist() == [LARGEST[dtype], LARGEST[dtype] - 1]
        assert table["b"].dtype == "float64"


ROWS = [[1.0, "a"], [np.nan, "b"], [3.0, np.nan]] * 10


@pytest.mark.parametrize("rows", [ROWS, [tuple(row) for row in ROWS], tuple(ROWS)])
def test_lists_of_rows_keep_the_types_of_their_cells(rows):
    for table in (check(rows, has_categories=True), *buffers([rows], 100)):
        encoder = fit(table, [1])
        numeric, codes = encoder.transform(table)
        np.testing.assert_array_equal(np.isnan(numeric[:, 0]), [False, True, False] * 10)
        assert encoder.columns_[1].categories.tolist() == ["a", "b"]
        assert codes[:3].ravel().tolist() == [2, 3, MISSING]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
def test_missing_cells_of_objects_are_missing_numbers(missing):
    X = np.array([[1.0, 2], [missing, 3], [4, missing]], dtype=object)
    table = check(X)
    assert table.dtype == float
    np.testing.assert_array_equal(np.isnan(table), pd.isna(X))


def test_bytes_of_one_width_are_categories():
    X = np.array([["a", "b"], ["b", "b"]], dtype="S3")
    table = check(X, has_categories=True)
    encoder = fit(table, [0, 1])
    assert encoder.columns_[0].categories.tolist() == [b"a", b"b"]


# Decoding


def test_decoding_restores_columns_dtypes_and_scale(mixed):
    encoder = fit(mixed)
    numeric, codes = encoder.transform(mixed)
    numeric = np.where(np.isnan(numeric), 0, numeric)
    codes = np.where(codes == MISSING, N_RESERVED, codes)
    decoded = encoder.inverse_transform(numeric, codes, mixed.index)
    pd.testing.assert_series_equal(decoded.dtypes, mixed.dtypes)
    expected = mixed.assign(
        size=mixed["size"].fillna(mixed["size"].mean()),
        stars=mixed["stars"].fillna(3),
        town=mixed["town"].fillna("Köln"),
        color=mixed["color"].fillna("red"),
    )
    pd.testing.assert_frame_equal(decoded, expected)


def test_rows_are_numbered_if_no_index_is_given():
    frame = pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]}, index=[7, 9])
    encoder = fit(frame)
    decoded = encoder.inverse_transform(*encoder.transform(frame))
    pd.testing.assert_frame_equal(decoded, frame.reset_index(drop=True))


cells = st.one_of(st.just(np.nan), st.floats(-1e6, 1e6))


@given(
    frame=data_frames(
        [
            column("float", elements=cells, dtype=float),
            column("integer", elements=st.integers(-(10**6), 10**6), dtype="int64"),
            column("flag", elements=st.booleans(), dtype=bool),
            column("name", elements=st.sampled_from(["a", "ß", "", "東"]), dtype=object),
        ],
        index=range_indexes(min_size=1),
    )
)
@settings(derandomize=True, deadline=None, max_examples=25)
def test_any_table_comes_back(frame):
    encoder = fit(frame)
    decoded = encoder.inverse_transform(*encoder.transform(frame), frame.index)
    pd.testing.assert_frame_equal(decoded, frame, atol=2.0, rtol=0)
    pd.testing.assert_frame_equal(decoded[["flag", "name"]], frame[["flag", "name"]])


NAMES = {
    "integers": [3, 1, 2],
    "non-ASCII": ["größe", "色", "😀"],
    "mixed": ["a", 1, None],
    "two levels": pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)]),
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_columns_keep_names_of_every_kind(names):
    frame = pd.DataFrame(np.arange(12.0).reshape(4, 3), index=[5, 5, 6, 7]).set_axis(names, axis=1)
    encoder = fit(frame)
    decoded = encoder.inverse_transform(*encoder.transform(frame), frame.index)
    pd.testing.assert_frame_equal(decoded, frame, rtol=1e-6)


def test_arrays_come_back_as_arrays():
    X = np.array([[1.5, 2], [2.5, 3], [9, 1]])
    encoder = fit(X)
    np.testing.assert_allclose(encoder.inverse_transform(*encoder.transform(X)), X, rtol=1e-6)


def test_object_arrays_come_back_with_their_categories():
    X = np.array([[1.0, "a", True], [2.0, "b", False], [4.0, "a", True]], dtype=object)
    encoder = fit(X, categorical_features=[1])
    decoded = encoder.inverse_transform(*encoder.transform(X))
    np.testing.assert_allclose(decoded[:, 0].astype(float), [1, 2, 4], rtol=1e-6)
    assert decoded[:, 1:].tolist() == X[:, 1:].tolist()


# Categorical features


@pytest.mark.parametrize(
    ("declared", "positions"),
    [
        ("from_dtype", []),
        (None, []),
        ([], []),
        (["town"], [0]),
        (["stars", "town"], [0, 3]),
        (pd.Index(["open"]), [2]),
        ([3, 0], [0, 3]),
        (np.array([5]), [5]),
        ([True, False, False, True, False, False, False], [0, 3]),
        (np.zeros(7, dtype=bool), []),
    ],
)
def test_categorical_features_are_names_indices_or_a_mask(mixed, declared, positions):
    assert categorical_positions(mixed, declared) == set(positions)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (
            [[0, 1]],
            r"^categorical_features must be 'from_dtype', None, or a 1-d array-like of names, "
            r"indices or a boolean mask; got an array of shape \(1, 2\)\.$",
        ),
        ([True, False], r"must have shape \(n_features,\); got \(2,\) for 7 features"),
        ([7], r"in \[0, n_features - 1\] = \[0, 6\]; got \[7\]"),
        ([-1, 2], r"got \[-1\]"),
        (["town", "city"], r"does not have: \['city'\].*The columns of X are \['town', 'size'"),
    ],
)
def test_categorical_features_that_do_not_fit_raise(mixed, declared, message):
    with pytest.raises(ValueError, match=message):
        categorical_positions(mixed, declared)


def test_names_of_categorical_features_need_a_table_with_names():
    with pytest.raises(ValueError, match=r"does not have: \['town'\].*\[\]"):
        categorical_positions(np.ones((2, 2)), ["town"])


def test_integers_are_indices_even_if_they_are_names():
    frame = pd.DataFrame({3: [1, 2], 0: [3, 4]})
    assert categorical_positions(frame, [0]) == {0}


@pytest.mark.parametrize(
    ("declared", "categories"),
    [
        ("from_dtype", {"color", "town"}),
        (["color", "town", "stars"], {"color", "town", "stars"}),
        ([0, 2, 4], {"color", "town", "open"}),
        ([True, False, False, False, True, True, False], {"color", "town", "constant"}),
    ],
)
def test_declared_columns_are_categories_and_no_others(mixed, declared, categories):
    encoder = fit(mixed, categorical_features=declared)
    found = encoder.order_[encoder.schema_.n_numeric :]
    assert set(mixed.columns[found]) == categories


@pytest.mark.parametrize("declared", [None, [], ["color"]])
def test_names_that_are_not_declared_raise(mixed, declared):
    with pytest.raises(ValueError, match=r"Column 'town' must hold numbers.*categorical_features"):
        fit(mixed, categorical_features=declared)


def test_nothing_is_categorical_if_the_user_says_so():
    frame = pd.DataFrame({"grade": pd.Categorical([1, 2, 5]), "text": ["1", "2.5", "7"]})
    assert fit(frame, categorical_features=None).schema_.n_categorical == 0


# What is accepted


def test_a_frame_is_neither_copied_nor_changed(mixed):
    before = mixed.copy()
    assert check(mixed) is mixed
    fit(mixed).transform(mixed)
    pd.testing.assert_frame_equal(mixed, before)


class Frame:
    """A table of another library, as far as we know it."""

    def __init__(self, table):
        self.table = table

    def to_pandas(self):
        return self.table


def test_a_table_is_what_it_says_it_is_to_pandas(mixed):
    assert check(Frame(mixed)) is mixed


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array, pd.DataFrame])
def test_missing_cells_are_accepted(convert):
    table = check(convert(np.array([[1.0, np.nan], [2.0, 3.0]])))
    numeric, _ = fit(table).transform(table)
    assert np.isnan(numeric).tolist() == [[False, True], [False, False]]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT], ids=str)
@pytest.mark.parametrize("second", [[3.0, 4.0], pd.to_datetime(["2020", "2021"]).tolist()])
def test_missing_cells_of_objects_are_accepted(missing, second):
    table = np.array([[1.0, missing], second], dtype=object).T
    numeric, _ = fit(check(table)).transform(check(table))
    assert np.isnan(numeric[:, 0]).tolist() == [False, True]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (pd.DataFrame({"a": []}), r"0 sample\(s\) \(shape=\(0, 1\)\).*required by PCA"),
        (pd.DataFrame(index=range(3)), r"0 feature\(s\) \(shape=\(3, 0\)\).*required by PCA"),
        (np.empty((0, 2)), r"0 sample\(s\).*required by PCA"),
        (np.empty((3, 0)), r"0 feature\(s\).*required by PCA"),
        (pd.DataFrame(index=range(1)), r"0 feature\(s\) \(shape=\(1, 0\)\)"),
        (pd.DataFrame(), r"0 sample\(s\) \(shape=\(0, 0\)\)"),
        (np.ones(3), "Expected 2D array"),
        (pd.Series([1.0, 2.0]), "Expected a 2-dimensional container"),
        (np.ones((2, 2, 2)), "dim 3"),
        (pd.DataFrame(np.ones((2, 3)), columns=list("aba")), r"duplicate column names: \['a'\]"),
        (np.array([["a", "b"]]), "convert|Convert"),
        (np.array([[1, "b"]], dtype=object), "could not convert.*named in categorical_features"),
    ],
)
def test_tables_that_cannot_be_read_raise(X, message):
    with pytest.raises(ValueError, match=message):
        check(X)


def test_arrays_of_strings_are_read_if_columns_are_declared():
    X = check(np.array([["a", "1"], ["b", "2.5"]]), has_categories=True)
    encoder = fit(X, categorical_features=[0])
    numeric, codes = encoder.transform(X)
    assert numeric.ravel().tolist() == [-1, 1]
    assert codes.ravel().tolist() == [2, 3]


@pytest.mark.parametrize("categorical_features", ["from_dtype", None])
def test_arrays_of_strings_are_numbers_if_no_column_is_declared(categorical_features):
    numbers = np.array([["1", "2.5"], [None, "3"]], dtype=object)
    X = check_rows(PCA(), numbers, categorical_features, reset=True)
    np.testing.assert_array_equal(X, [[1, 2.5], [np.nan, 3]])
    message = (
        r"explicitly instead\. In an array, columns of strings are to be named in "
        r"categorical_features; in a DataFrame they are recognized\."
    )
    with pytest.raises(ValueError, match=message):
        check_rows(PCA(), np.array([["a", "1"]]), categorical_features, reset=True)
    assert check_rows(PCA(), np.array([["a", "1"]]), [0], reset=True).tolist() == [["a", "1"]]


def test_columns_are_those_of_fit(mixed):
    model = PCA()
    with pytest.raises(ValueError, match="required by PCA"):
        check_rows(model, mixed.iloc[:0], "from_dtype", reset=True)
    assert check_rows(model, mixed, "from_dtype", reset=True) is mixed
    assert model.feature_names_in_.tolist() == mixed.columns.tolist()
    with pytest.raises(ValueError, match="names should match"):
        check_rows(model, mixed.rename(columns={"town": "city"}), "from_dtype", reset=False)
    with pytest.raises(ValueError, match="PCA is expecting 7 features"):
        check_rows(model.fit(np.eye(7)), np.ones((2, 3)), "from_dtype", reset=False)


@pytest.mark.parametrize("form", [pa.table, pa.record_batch])
def test_arrow_tables_may_have_two_columns_of_one_name(form):
    large = 2**53 + 1
    cells = [pa.array([large, None]), pa.array([0.5, 1.5])]
    frame = to_pandas(form(cells, names=["a", "a"]))
    assert list(frame.columns) == ["a", "a"]
    assert frame.iloc[0, 0] == large
    assert frame.iloc[:, 1].tolist() == [0.5, 1.5]
