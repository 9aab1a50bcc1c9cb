"""Cells that are predicted: which ones the mask means, and the dtype that takes them."""

import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from column_names import every_kind_of_names
from embedders import SMALL

from sklearn_ssl import DenoisingAutoencoder, MaskedFeaturePredictor, MaskedImputer
from sklearn_ssl._table.filling import check_mask, fill

N = 60


@pytest.fixture(scope="module")
def shops():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "shop": pd.Categorical(rng.choice(["north", "south", "east"], N)),
            "grade": pd.Categorical(rng.choice([1, 2, 3], N), ordered=True),
            "town": rng.choice(["Köln", "Łódź"], N),
            "size": rng.normal(size=N),
            "count": rng.integers(0, 9, N),
        }
    )
    return X, MaskedFeaturePredictor(**SMALL).fit(X)


LATER = {
    "the same": ["north", "south", "east"],
    "fewer": ["north"],
    "more": ["north", "south", "east", "west"],
    "in another order": ["south", "east", "north"],
    "others": ["west", "center"],
    "none": [],
}


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("categories", LATER.values(), ids=LATER)
@pytest.mark.parametrize("n_rows", [1, 5])
def test_missing_categories_are_filled_whatever_categories_there_are(
    categories, ordered, n_rows, shops
):
    X, predictor = shops
    cells = [None, *categories, None, None, None, None][:n_rows]
    later = X[:n_rows].assign(shop=pd.Categorical(cells, categories, ordered=ordered))
    filled = predictor.impute(later)["shop"]
    assert filled.notna().all()
    assert filled[later["shop"].notna()].tolist() == later["shop"].dropna().tolist()
    assert filled[later["shop"].isna()].isin(X["shop"].cat.categories).all()
    assert filled.cat.ordered == ordered
    assert filled.cat.categories[: len(categories)].tolist() == list(categories)


@pytest.mark.parametrize("estimator", ["imputer", "predictor"])
@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (["low", "mid", "high"], ["low", "mid", "high"]),
        (["mid"], ["low", "mid", "high"]),
        (["low", "high"], ["low", "mid", "high"]),
        ([], ["low", "mid", "high"]),
    ],
)
def test_the_order_of_categories_is_that_of_the_fit(later, expected, estimator):
    levels = pd.CategoricalDtype(["low", "mid", "high"], ordered=True)
    seen = pd.DataFrame({"level": pd.Series(["high", "low", "mid"] * 20, dtype=levels)})
    seen["row"] = np.arange(60) % 3.0
    cells = pd.Categorical([*later, None, None], later, ordered=True)
    rows = pd.DataFrame({"level": cells, "row": np.arange(len(cells)) % 3.0})
    if estimator == "imputer":
        filled = MaskedImputer(width=8, max_iter=1, random_state=0).fit(seen).transform(rows)
    else:
        filled = MaskedFeaturePredictor(**SMALL).fit(seen).impute(rows)
    assert filled["level"].cat.ordered
    assert filled["level"].cat.categories.tolist() == expected
    assert filled["level"].notna().all()
    assert filled["level"].tolist()[: len(later)] == later


FILLED = {
    "text by categories": ("shop", "string", "string"),
    "objects by categories": ("shop", object, object),
    "nullable integers by integers": ("count", "Int64", "Int64"),
    "Arrow integers by integers": ("count", pd.ArrowDtype(pa.int64()), pd.ArrowDtype(pa.int64())),
    "floats by integers": ("count", "float64", "float64"),
    "single precision by double": ("size", "float32", "float32"),
    "nullable floats by floats": ("size", "Float64", "Float64"),
    "integers by floats": ("size", "Int64", "float64"),
    "Arrow text by text": ("town", pd.ArrowDtype(pa.string()), pd.ArrowDtype(pa.string())),
    "categories by text": ("town", "category", "category"),
}


@pytest.mark.parametrize(("name", "now", "expected"), FILLED.values(), ids=FILLED)
def test_columns_of_another_dtype_are_filled(name, now, expected, shops):
    X, predictor = shops
    values = X[name].round() if name == "size" else X[name]
    later = X.assign(**{name: values.astype(object).where(np.arange(N) % 5 > 0, None).astype(now)})
    filled = predictor.impute(later)[name]
    assert filled.notna().all()
    assert filled.dtype == expected
    assert filled[later[name].notna()].tolist() == later[name].dropna().tolist()


def test_replacements_that_a_dtype_cannot_hold_are_kept_as_they_are():
    mask = np.array([True, False])
    for values, others, expected in (
        (pd.Series([1, 2], dtype="int8"), pd.Series([300, 7]), [300, 2]),
        (pd.Series([1, 2]), pd.Series([0.5, 7.0]), [0.5, 2]),
        (pd.Series([1, 2]), pd.Series(["a", "b"], dtype=object), ["a", 2]),
        (
            pd.Series([Decimal("1.5")] * 2, dtype=pd.ArrowDtype(pa.decimal128(3, 1))),
            pd.Series([Decimal("12345.25")] * 2, dtype=pd.ArrowDtype(pa.decimal128(9, 2))),
            [Decimal("12345.25"), Decimal("1.5")],
        ),
    ):
        assert fill(values, mask, others).tolist() == expected


@pytest.mark.parametrize("dtype", [object, "float64", "datetime64[ns]", "category"])
def test_columns_of_which_nothing_was_learned_keep_their_dtype(dtype):
    X = pd.DataFrame({"size": np.arange(30.0), "empty": pd.Series([None] * 30, dtype=dtype)})
    predictor = MaskedFeaturePredictor(**SMALL).fit(X)
    for later in (X, X.assign(empty=[None, *np.arange(29.0)])):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Column 'empty' held no value")
            filled = predictor.impute(later)
        pd.testing.assert_frame_equal(filled, later)


def test_masks_are_matched_by_name(shops):
    X, predictor = shops
    mask = pd.DataFrame(False, index=X.index, columns=X.columns)
    mask.loc[::2, "town"] = True
    expected = predictor.predict_masked(X, mask.to_numpy())
    for same in (mask[mask.columns[::-1]], mask.astype("boolean"), pl.from_pandas(mask)):
        pd.testing.assert_frame_equal(predictor.predict_masked(X, same), expected)
    shuffled = X.sample(frac=1, random_state=0)
    for same in (mask.loc[shuffled.index], pl.from_pandas(mask.loc[shuffled.index])):
        found = predictor.predict_masked(shuffled, same)
        pd.testing.assert_frame_equal(found.sort_index(), expected)
    pd.testing.assert_series_equal(expected["size"], X["size"])
    assert not (expected["town"] == X["town"])[::2].all()


BAD_MASKS = {
    "a column is missing": (lambda m: m.drop(columns="town"), r"It lacks \['town'\]"),
    "another name": (lambda m: m.rename(columns={"town": "city"}), r"and has \['city'\] besides"),
    "other rows": (lambda m: m.set_axis(m.index[::-1], axis=0), "have the index of X"),
    "fewer rows": (lambda m: m[:3], "shape of X"),
    "numbers": (lambda m: m.astype(int), "boolean"),
    "missing cells": (lambda m: m.astype("boolean").mask(~m), "boolean"),
    "an array of another shape": (lambda m: m.to_numpy()[:, :2], "shape of X"),
}


@pytest.mark.parametrize(("change", "problem"), BAD_MASKS.values(), ids=BAD_MASKS)
def test_masks_that_do_not_fit_are_refused(change, problem, shops):
    X, predictor = shops
    mask = pd.DataFrame(False, index=X.index, columns=X.columns)
    with pytest.raises(ValueError, match=f"mask must .*{problem}"):
        predictor.predict_masked(X, change(mask))


def test_a_mask_without_names_goes_by_position():
    X = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    mask = np.array([[True, False], [False, False]])
    assert (check_mask(pd.DataFrame(mask), X) == mask).all()
    numbered = X.set_axis([1, 0], axis=1)
    assert (check_mask(pd.DataFrame(mask), numbered) == mask[:, ::-1]).all()


# Reconstruction errors


@pytest.fixture(scope="module")
def machines():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "heat": rng.normal(size=200),
            "speed": rng.normal(size=200),
            "on": rng.integers(0, 2, 200).astype(float),
            "kind": pd.Categorical(rng.choice(["a", "b"], 200)),
            "seen": pd.date_range("2026-01-01", periods=200, freq="5h").as_unit("us"),
        }
    )
    return X, DenoisingAutoencoder(**{**SMALL, "max_iter": 10}).fit(X)


def test_the_error_of_a_row_is_the_mean_over_its_present_cells(machines):
    X, autoencoder = machines
    whole = autoencoder.reconstruction_error(X)
    assert np.isfinite(whole).all()
    rng = np.random.default_rng(1)
    lacking = X.mask(rng.random(X.shape) < 0.4)
    errors = autoencoder.reconstruction_error(lacking)
    # Missing cells neither lower the error nor raise it, over many rows.
    assert np.nanmean(errors) == pytest.approx(whole.mean(), rel=0.25)
    assert (np.isnan(errors) == lacking.isna().all(axis=1)).all()


def test_a_row_without_a_cell_has_no_error(machines):
    X, autoencoder = machines
    empty = X[:3].mask(np.ones((3, X.shape[1]), dtype=bool))
    assert np.isnan(autoencoder.reconstruction_error(empty)).all()


@pytest.mark.parametrize("outside", [-9999.0, -1.0, 2.0, 1.5, 9999.0])
def test_numbers_outside_zero_and_one_cost_more_than_either(outside, machines):
    X, autoencoder = machines
    with pytest.warns(UserWarning, match="'on' held only 0 and 1"):
        error = autoencoder.reconstruction_error(X.assign(on=outside))
    for inside in (0.0, 1.0):
        assert (error > autoencoder.reconstruction_error(X.assign(on=inside))).all()


def test_a_date_counts_as_one_cell(machines):
    X, autoencoder = machines
    model, table = autoencoder.model_, autoencoder.model_.encode(X)
    losses = model.cell_losses(table, table, "cpu").numpy()
    order = model.table_encoder.order_
    by_column = np.stack([losses[:, order == position].mean(axis=1) for position in range(5)])
    np.testing.assert_allclose(
        autoencoder.reconstruction_error(X), by_column.mean(axis=0), rtol=1e-5
    )


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "datetime64[D]"])
def test_arrays_keep_their_dtype(dtype):
    X = np.random.default_rng(0).integers(0, 9, (40, 2)).astype(dtype)
    if dtype == "int64":
        X += 2**60  # beyond what a double holds
    else:
        X[::5, 1] = "NaT" if dtype.startswith("date") else np.nan
    filled = MaskedFeaturePredictor(**SMALL).fit(X).impute(X)
    assert filled.dtype == X.dtype
    is_present = ~pd.isna(X)
    np.testing.assert_array_equal(filled[is_present], X[is_present])
    assert not pd.isna(filled).any()


STAMPS = pd.Series(pd.Timestamp("2020-01-31 12:34") + pd.to_timedelta(np.arange(60) % 7, unit="D"))

TIMES = {
    "dates and times": STAMPS,
    "nanoseconds": STAMPS.astype("datetime64[ns]"),
    "months": STAMPS.dt.to_period("M"),
    "days of Arrow": STAMPS.astype(pd.ArrowDtype(pa.date32())),
    "times of Arrow": STAMPS.astype(pd.ArrowDtype(pa.timestamp("us"))),
    "objects that are dates": STAMPS.dt.date.astype(object),
    "objects that are times": STAMPS.astype(object),
}


@pytest.mark.parametrize("now", TIMES)
@pytest.mark.parametrize("then", TIMES)
@pytest.mark.parametrize("estimator", ["imputer", "predictor"])
def test_dates_are_filled_with_dates_of_their_own_type(then, now, estimator):
    row = np.arange(60) % 7.0
    seen = pd.DataFrame({"date": TIMES[then], "row": row})
    later = pd.DataFrame({"date": TIMES[now], "row": row})
    later.loc[::5, "date"] = None
    if estimator == "imputer":
        filled = MaskedImputer(width=8, max_iter=1, random_state=0).fit(seen).transform(later)
    else:
        filled = MaskedFeaturePredictor(**SMALL).fit(seen).impute(later)
    assert filled["date"].dtype == later["date"].dtype
    assert len({type(cell) for cell in filled["date"]}) == 1
    assert filled["date"][later["date"].notna()].tolist() == later["date"].dropna().tolist()


@pytest.mark.parametrize("dtype", ["float16", "float[pyarrow]", "halffloat[pyarrow]"])
@pytest.mark.parametrize("then", ["Int64", "UInt64", "decimal"])
@pytest.mark.parametrize("estimator", ["imputer", "predictor"])
def test_floats_are_filled_by_numbers_of_any_dtype(dtype, then, estimator):
    cells = pd.Series([2**60 + 2**12 * (i % 7) for i in range(60)])
    small = pd.Series([Decimal(i % 7) / 4 for i in range(60)])
    is_decimal = then == "decimal"
    seen = small.astype(pd.ArrowDtype(pa.decimal128(9, 2))) if is_decimal else cells.astype(then)
    later = pd.DataFrame({"a": pd.Series([0.5, None, 1.0], dtype=dtype), "row": [0.0, 1.0, 2.0]})
    X = pd.DataFrame({"a": seen, "row": np.arange(60) % 7.0})
    if estimator == "imputer":
        filled = MaskedImputer(width=8, max_iter=1, random_state=0).fit(X).transform(later)
    else:
        filled = MaskedFeaturePredictor(**SMALL).fit(X).impute(later)
    assert [filled["a"][0], filled["a"][2]] == [0.5, 1.0]
    assert float(seen.min()) <= float(filled["a"][1]) <= float(seen.max()) * (1 + 1e-3)


def test_arrays_that_cannot_hold_the_replacements_become_wider():
    X = np.arange(60.0)[:, None] * [1e5, 1.0]
    filled = MaskedFeaturePredictor(**SMALL).fit(X).impute(np.array([[np.nan, 30]], "float16"))
    assert np.isfinite(filled).all()


@pytest.mark.parametrize("estimator", ["imputer", "predictor"])
@pytest.mark.parametrize("later", [[None, "a"], [None, "b"], [None, None]])
def test_categories_that_are_tuples_are_filled(later, estimator):
    def column(letters):
        cells = pd.Series([letter and (letter, 1) for letter in letters], dtype=object)
        return pd.DataFrame({"pair": cells.astype("category"), "row": np.arange(len(cells)) % 7.0})

    seen, rows = column(["a", "c", None] * 20), column(later)
    if estimator == "imputer":
        imputer = MaskedImputer(width=8, max_iter=1, random_state=0).fit(seen)
        tables = imputer.transform(rows), imputer.transform(seen)
    else:
        predictor = MaskedFeaturePredictor(**SMALL).fit(seen)
        tables = predictor.impute(rows), predictor.impute(seen)
    for filled, given in zip(tables, (rows, seen), strict=True):
        is_present = given["pair"].notna()
        assert filled["pair"][is_present].tolist() == given["pair"][is_present].tolist()
        assert set(filled["pair"][~is_present]) <= {("a", 1), ("c", 1)}


@every_kind_of_names
def test_names_of_columns_and_rows_remain(names):
    X = pd.DataFrame(np.arange(60.0).reshape(30, 2), columns=names).rename_axis(index="row")
    X.iloc[::5, 0] = np.nan
    filled = MaskedFeaturePredictor(**SMALL).fit(X).impute(X)
    pd.testing.assert_index_equal(filled.columns, names)
    pd.testing.assert_index_equal(filled.index, X.index)
