"""Estimators fitted on columns of every dtype as files, pickles and copies."""

import copy
import datetime
import pickle
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sklearn
from embedders import SMALL

from sklearn_ssl import DenoisingAutoencoder, FineTunedClassifier
from sklearn_ssl._serialization.codec import Store, decode, encode
from sklearn_ssl.persistence import load, save

N = 40
DAYS = pd.Series(pd.date_range("2026-03-01", periods=N).as_unit("us"))
NOON = pd.Timestamp("2026-01-01 12:00", tz="Europe/Berlin")


def repeated(cells, dtype="category"):
    values = pd.Series([None] * N, dtype=object)
    for row in range(N):
        values[row] = cells[row % len(cells)]
    return values.astype(pd.ArrowDtype(dtype) if isinstance(dtype, pa.DataType) else dtype)


COLUMNS = {
    "Arrow decimal": repeated([Decimal("1.50"), Decimal("-2.25")], pa.decimal128(8, 2)),
    "Arrow wide decimal": repeated([Decimal("1.50"), Decimal("-2.25")], pa.decimal256(50, 2)),
    "Arrow string": repeated(["a", "b"], pa.string()),
    "Arrow large string": repeated(["a", "b"], pa.large_string()),
    "Arrow dictionary": repeated(["a", "b"], pa.dictionary(pa.int32(), pa.string())),
    "Arrow time zone": DAYS.dt.tz_localize("UTC").astype(
        pd.ArrowDtype(pa.timestamp("us", "Europe/Berlin"))
    ),
    "Arrow date": DAYS.dt.date.astype(pd.ArrowDtype(pa.date32())),
    "Arrow duration": (DAYS - DAYS[0]).astype(pd.ArrowDtype(pa.duration("us"))),
    "Arrow null": repeated([None], pa.null()),
    "dates": DAYS,
    "dates of a zone": DAYS.dt.tz_localize("Europe/Berlin"),
    "dates of an offset": DAYS.dt.tz_localize("UTC+02:00"),
    "date objects": DAYS.dt.date.astype(object),
    "periods": DAYS.dt.to_period("W"),
    "durations": DAYS - DAYS[0],
    "intervals of numbers": pd.cut(pd.Series(np.arange(float(N))), [-1, 5, 10, 70]),
    "intervals of dates": pd.cut(DAYS, 3),
    "column of intervals": pd.Series(pd.arrays.IntervalArray.from_breaks(range(N + 1))),
    "categories of tuples": repeated([(1, 2), (3, "x")]),
    "categories of tuples of one length": repeated([(1, 2), (3, 4)]),
    "categories of dates": repeated([datetime.date(2026, 1, 1), datetime.date(2027, 1, 1)]),
    "categories of times": repeated([datetime.time(3), datetime.time(4, 5, 6)]),
    "categories of datetimes": repeated([datetime.datetime(2026, 1, 1), datetime.datetime.max]),
    "categories of timestamps": repeated([NOON, NOON + pd.Timedelta("1D")]),
    "categories of NumPy's dates": repeated([np.datetime64("2026-01-01"), np.datetime64("2027")]),
    "categories of periods": DAYS.dt.to_period("M").astype("category"),
    "categories of durations": (DAYS - DAYS[0]).astype("category"),
    "categories of decimals": repeated([Decimal("1.50"), Decimal(2)]),
    "categories of bytes": repeated([b"a", b"\xff"]),
    "categories of booleans": repeated([True, False]),
}


@pytest.mark.slow
@pytest.mark.parametrize("values", COLUMNS.values(), ids=COLUMNS)
@pytest.mark.filterwarnings("ignore:Column 'cell' becomes categories")
def test_every_dtype_survives(values, tmp_path):
    X = pd.DataFrame({"cell": values, "size": np.linspace(0, 1, N)})
    fitted = DenoisingAutoencoder(**SMALL).fit(X)
    save(fitted, tmp_path / "cells.safetensors")
    rebuilt = fitted.reconstruct(X)
    assert rebuilt["cell"].dtype == values.dtype
    for again in (
        load(tmp_path / "cells.safetensors"),
        pickle.loads(pickle.dumps(fitted)),
        copy.deepcopy(fitted),
    ):
        assert (again.transform(X) == fitted.transform(X)).all()
        pd.testing.assert_frame_equal(again.reconstruct(X), rebuilt)


@pytest.mark.parametrize(
    "cell",
    [
        np.datetime64("2026-01-01T00:00:00.123456789"),
        np.timedelta64(5, "D"),
        np.datetime64("NaT"),
        pd.NaT,
        NOON,
        NOON.tz_convert("UTC").as_unit("ns"),
        datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        datetime.timedelta(days=1, microseconds=1),
        pd.Timedelta("3ns"),
        pd.Interval(NOON, NOON + pd.Timedelta("1D"), closed="both"),
        pd.Period("2026Q1"),
        Decimal("1E-9"),
        b"\x00\xff",
    ],
    ids=repr,
)
def test_cells_survive_with_their_type(cell):
    store = Store()
    again = decode(encode(cell, store, "cell"), store)
    assert type(again) is type(cell)
    assert repr(again) == repr(cell)


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([(1, 2), (3, 4)], tupleize_cols=False),
        pd.MultiIndex.from_tuples([(1, "a"), (2, "b")], names=["x", None]),
        pd.interval_range(0, 3),
        pd.date_range("2026", periods=3, tz="Europe/Berlin")._with_freq(None),
        pd.period_range("2026", periods=3, freq="M"),
        pd.Index(["a", None], dtype=object, name="letters"),
    ],
    ids=lambda index: type(index).__name__,
)
def test_indices_survive(index):
    store = Store()
    again = decode(encode(index, store, "index"), store)
    assert type(again) is type(index)
    pd.testing.assert_index_equal(again, index)


def test_cells_that_cannot_be_saved_get_a_remedy_that_helps(tmp_path):
    X = pd.DataFrame({"cell": repeated([frozenset({1}), frozenset({2})]), "size": np.arange(N)})
    fitted = DenoisingAutoencoder(**SMALL).fit(X)
    with pytest.raises(ValueError, match=r"type frozenset.*with \.astype\(str\), and fit again"):
        save(fitted, tmp_path / "cells.safetensors")
    X["cell"] = X["cell"].astype(str)
    save(fitted.fit(X), tmp_path / "cells.safetensors")


@pytest.mark.parametrize("method", ["fit", "score"])
def test_requests_of_metadata_survive(method, tmp_path):
    X, y = np.random.default_rng(0).normal(size=(N, 2)), np.arange(N) % 2
    with sklearn.config_context(enable_metadata_routing=True):
        model = FineTunedClassifier(DenoisingAutoencoder(**SMALL), mode="frozen")
        getattr(model, f"set_{method}_request")(sample_weight=True)
        save(model.fit(X, y), tmp_path / "model.safetensors")
        again = load(tmp_path / "model.safetensors")
        assert repr(again.get_metadata_routing()) == repr(model.get_metadata_routing())
