"""Dates and durations: what a model is given of them, and the way back in every dtype."""

import datetime
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from embedders import ESTIMATORS, SMALL, every

from sklearn_ssl import (
    DenoisingAutoencoder,
    MaskedFeaturePredictor,
    MaskedImputer,
    OutlierDetector,
)
from sklearn_ssl._pretext.corruptions import draw_mask, hide, set_to_mean, swap
from sklearn_ssl._pretext.tasks import Mix
from sklearn_ssl._table.column import learn_column
from sklearn_ssl._table.dates import DatetimeColumn, DurationColumn
from sklearn_ssl._table.encoder import TableEncoder
from sklearn_ssl._table.kinds import kind_of
from sklearn_ssl.persistence import load, save

N = 120
TIMES = pd.Series(pd.date_range("2024-01-01", periods=N, freq="7h").as_unit("us"))
BERLIN = TIMES.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
ELAPSED = TIMES - TIMES[0]


def objects(cells):
    return pd.Series(cells, dtype=object)


DATES = {
    "nanoseconds": TIMES.astype("datetime64[ns]"),
    "microseconds": TIMES,
    "seconds": TIMES.astype("datetime64[s]"),
    "midnights": TIMES.dt.floor("D"),
    "time zone": BERLIN,
    "fixed offset": TIMES.dt.tz_localize("UTC+02:00"),
    "midnights of a time zone": pd.Series(
        pd.date_range("2024-03-01", periods=N, tz="Europe/Berlin").as_unit("us")
    ),
    "Arrow timestamp": TIMES.astype(pd.ArrowDtype(pa.timestamp("us"))),
    "Arrow time zone": BERLIN.astype(pd.ArrowDtype(pa.timestamp("us", "Europe/Berlin"))),
    "Arrow date": TIMES.dt.date.astype(pd.ArrowDtype(pa.date32())),
    "date objects": objects(TIMES.dt.date),
    "datetime objects": objects([time.to_pydatetime() for time in TIMES]),
    "Timestamp objects": objects(TIMES),
    "objects with a time zone": objects(BERLIN),
    "months": pd.Series(pd.period_range("2001-01", periods=N, freq="M")),
    "days": pd.Series(pd.period_range("2001-01-01", periods=N, freq="D")),
    "hours": pd.Series(pd.period_range("2001-01-01", periods=N, freq="h")),
}
DURATIONS = {
    "nanoseconds": ELAPSED.astype("timedelta64[ns]"),
    "seconds": ELAPSED.astype("timedelta64[s]"),
    "Arrow duration": ELAPSED.astype(pd.ArrowDtype(pa.duration("us"))),
    "timedelta objects": objects([elapsed.to_pytimedelta() for elapsed in ELAPSED]),
}
BOTH = [*DATES.items(), *((f"{name} elapsed", values) for name, values in DURATIONS.items())]
every_dtype = pytest.mark.parametrize(
    "values", [values for _, values in BOTH], ids=[name for name, _ in BOTH]
)


def learn(values):
    return learn_column(
        "day",
        values,
        declared_categorical=False,
        from_dtype=True,
        max_categories=256,
        min_frequency=1,
    )


def encoder_of(frame):
    return TableEncoder(categorical_features="from_dtype", max_categories=256, min_frequency=1).fit(
        frame
    )


def with_missing(values):
    values = values.copy()
    values.iloc[::7] = None
    return values


@pytest.mark.parametrize(
    ("kind", "columns"), [(DatetimeColumn, DATES), (DurationColumn, DURATIONS)]
)
def test_the_cells_decide_the_kind(kind, columns):
    found = {name: type(learn(values)) for name, values in columns.items()}
    assert found == dict.fromkeys(columns, kind)


@every_dtype
def test_single_precision_brings_dates_back_in_their_dtype(values):
    encoder = encoder_of(pd.DataFrame({"day": values}))
    numeric, codes = encoder.transform(pd.DataFrame({"day": values}))
    decoded = encoder.inverse_transform(numeric, codes)["day"]
    pd.testing.assert_series_equal(decoded, values, check_names=False)


@every_dtype
def test_missing_dates_are_missing_in_all_parts_and_decoded_as_something(values):
    values = with_missing(values)
    column = learn(values)
    cells = column.encode(values).reshape(N, -1)
    assert column.nullable
    assert (values.isna().to_numpy() == np.isnan(cells).T).all()
    decoded = column.decode(np.nan_to_num(cells[:, 0]))
    assert decoded.dtype == values.dtype
    assert decoded.notna().all()
    assert decoded[values.notna()].tolist() == values.dropna().tolist()


@pytest.mark.parametrize(
    ("values", "cycles"),
    [
        (DATES["microseconds"], ("time of day", "weekday", "day of year")),
        (DATES["midnights"], ("weekday", "day of year")),
        (DATES["months"], ("weekday", "day of year")),
        (DATES["days"], ("weekday", "day of year")),
        (pd.Series(pd.date_range("2024-01-01", periods=9, freq="7D")), ("day of year",)),
        (pd.Series(pd.date_range("2024-01-01", periods=9, freq="h")), ("time of day",)),
        (pd.Series([pd.Timestamp("2024-01-01 12:00")] * 3), ()),
    ],
)
def test_only_cycles_that_vary_are_features(values, cycles):
    column = learn(values)
    assert column.cycles == cycles
    assert column.encode(values).shape == (len(values), 1 + 2 * len(cycles))


def test_cycles_are_sines_and_cosines_of_the_clock_on_the_wall():
    column = learn(pd.concat([BERLIN, BERLIN + pd.DateOffset(months=5)], ignore_index=True))
    noon = pd.Series(
        [pd.Timestamp(f"2024-0{month}-01 18:00", tz="Europe/Berlin") for month in (1, 7)]
    )
    for offset in (noon, noon.dt.tz_convert("UTC"), noon.dt.tz_convert("Asia/Tokyo")):
        cells = column.encode(offset)
        np.testing.assert_allclose(cells[:, 1:3] / np.sqrt(2), [[-1, 0]] * 2, atol=1e-9)
        # Both are Mondays.
        np.testing.assert_allclose(cells[:, 3:5] / np.sqrt(2), [[0, 1]] * 2, atol=1e-9)


def test_a_time_zone_at_fit_is_asked_for_later_and_the_other_way_round():
    for then, now, zone in ((BERLIN, TIMES, "'Europe/Berlin'"), (TIMES, BERLIN, "None")):
        remedy = rf"Column 'day' held dates with .*\.dt\.tz_localize\({zone}\)"
        with pytest.raises(ValueError, match=remedy):
            learn(then).encode(now)


@pytest.mark.parametrize("seen", [TIMES, TIMES[:1], DATES["midnights"]], ids=len)
def test_time_that_goes_on_is_no_extreme_and_keeps_its_order(seen):
    later = pd.Series(pd.date_range("2025-01-01", periods=40, freq="YS").as_unit("us"))
    earlier = pd.Series(pd.date_range("1950-01-01", periods=40, freq="YS").as_unit("us"))
    column = learn(seen)
    inside, above, below = (column.encode(times)[:, 0] for times in (seen, later, earlier))
    assert (np.diff(above) >= 0).all()
    assert (np.diff(below) >= 0).all()
    assert inside.max() < above.min()
    assert below.max() < inside.min()
    assert np.abs([above, below]).max() < 10
    # A day later is next to the last one, if the days seen were many.
    if len(seen) > 1:
        tomorrow = column.encode(seen[-1:] + pd.Timedelta("1D"))[0, 0]
        assert tomorrow - inside.max() < 0.2


@pytest.mark.parametrize("last", [datetime.date(9999, 12, 31), datetime.date(1, 1, 1)])
def test_dates_far_away_are_one_step_in_a_heavy_tail(last):
    values = objects([*TIMES.dt.date, last])
    column = learn(values)
    cells = column.encode(values)
    assert np.isfinite(cells).all()
    assert np.abs(cells).max() < 20
    assert column.decode(cells[:, 0]).tolist() == values.tolist()


@pytest.mark.parametrize("limit", [pd.Timestamp.min, pd.Timestamp.max])
def test_limits_of_nanoseconds_are_decoded_within_them(limit):
    values = pd.Series([*TIMES, limit.as_unit("ns")], dtype="datetime64[ns]")
    decoded = learn(values).decode(learn(values).encode(values)[:, 0])
    assert abs(decoded.iloc[-1].value - limit.value) < 10**6


def test_objects_that_mix_time_zones_are_reported():
    values = objects([TIMES[0], BERLIN[1]])
    with pytest.raises(ValueError, match=r"Column 'day' .*utc=True"):
        learn(values)


@pytest.mark.parametrize("container", [pl.from_pandas, pa.Table.from_pandas])
def test_dates_of_other_libraries_are_columns(container):
    frame = pd.DataFrame({"day": TIMES, "zone": BERLIN, "elapsed": ELAPSED, "size": np.arange(N)})
    autoencoder = DenoisingAutoencoder(**SMALL).fit(container(frame))
    expected = DenoisingAutoencoder(**SMALL).fit(frame)
    np.testing.assert_allclose(
        autoencoder.transform(container(frame)), expected.transform(frame), atol=1e-5
    )
    assert kind_of(autoencoder.reconstruct(container(frame))["zone"]) == "dates"


@pytest.mark.parametrize("dtype", ["datetime64[s]", "timedelta64[s]"])
def test_arrays_of_dates_come_back_as_arrays(dtype):
    X = np.arange(0, 80 * 3600, 3600).reshape(40, 2).astype(dtype)
    rebuilt = DenoisingAutoencoder(**SMALL).fit(X).reconstruct(X)
    assert rebuilt.dtype == X.dtype
    assert ((rebuilt >= X.min()) & (rebuilt <= X.max())).all()


@pytest.fixture
def sales():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "sold": with_missing(TIMES),
            "zone": with_missing(BERLIN),
            "date": with_missing(objects(TIMES.dt.date)),
            "month": with_missing(DATES["months"]),
            "elapsed": with_missing(ELAPSED),
            "price": with_missing(pd.Series(rng.normal(size=N))),
            "shop": pd.Categorical(rng.choice(["a", "b"], N)),
        }
    )


@every
@pytest.mark.slow
def test_dates_are_embedded_streamed_and_saved(Embedder, sales, tmp_path):
    embedder = Embedder(**SMALL).fit(sales)
    Z = embedder.transform(sales)
    assert np.isfinite(Z).all()
    assert np.isfinite(embedder.score(sales))
    save(embedder, tmp_path / "sales.safetensors")
    assert (load(tmp_path / "sales.safetensors").transform(sales) == Z).all()
    parts = [sales[:50], sales[50:]]
    streamed = Embedder(**SMALL).fit_stream(parts, buffer_size=60)
    assert np.isfinite(streamed.partial_fit(sales[:5]).transform(sales)).all()


def test_missing_dates_are_imputed_within_the_range_of_fit(sales):
    predictor = MaskedFeaturePredictor(**SMALL).fit(sales)
    filled = predictor.impute(sales)
    pd.testing.assert_series_equal(filled.dtypes, sales.dtypes)
    for name in sales:
        present = sales[name].notna()
        assert filled[name].notna().all()
        assert filled[name][present].tolist() == sales[name][present].tolist()
        if name != "shop":
            assert filled[name].min() >= sales[name].dropna().min()
            assert filled[name].max() <= sales[name].dropna().max()


@pytest.mark.parametrize("noise", ["swap", "gaussian", "masking", "mix"])
def test_noise_levels_belong_to_columns_whatever_features_they_have(noise, sales):
    levels = [0.0, 0.3, 0.3, 0.3, 0.3, 0.3, 0.0]
    autoencoder = DenoisingAutoencoder(**SMALL, noise=noise, noise_level=levels).fit(sales)
    assert np.isfinite(autoencoder.reconstruction_error(sales)).all()


def test_rebuilt_tables_have_the_dtypes_of_fit(sales):
    autoencoder = DenoisingAutoencoder(**SMALL).fit(sales)
    pd.testing.assert_series_equal(autoencoder.reconstruct(sales).dtypes, sales.dtypes)


@pytest.mark.parametrize("name", ["swap", "hide", "mix"])
def test_the_parts_of_a_date_are_corrupted_together(name, sales):
    encoder = encoder_of(sales)
    batch = tuple(torch.from_numpy(part) for part in encoder.transform(sales.ffill().bfill()))
    leads = encoder.schema_.leads
    generator = torch.Generator().manual_seed(0)
    mask = draw_mask(batch, 0.5, generator, leads)
    corruptions = {
        "swap": partial(swap, leads=leads),
        "hide": partial(hide, leads=leads),
        "mix": Mix((partial(swap, leads=leads), set_to_mean), leads),
    }
    numeric, _ = corruptions[name](batch, mask, generator)
    for position in np.unique(encoder.order_[: encoder.schema_.n_numeric]):
        features = np.flatnonzero(encoder.order_ == position)
        chosen = mask[:, features]
        assert (chosen == chosen[:, :1]).all()
        rows = {tuple(row) for row in batch[0][:, features].tolist()}
        cells = numeric[:, features]
        is_blank = cells.isnan().all(dim=1) | (cells == 0).all(dim=1)
        assert all(tuple(row) in rows for row in cells[~is_blank].tolist())
        assert len(features) in {1, 3, 5, 7}


@pytest.mark.slow
def test_weekdays_are_learned_from_dates():
    """A model finds what depends on the weekday although elapsed time does not show it."""
    days = pd.Series(pd.date_range("2024-01-01", periods=700).as_unit("us"))
    X = pd.DataFrame({"day": days, "open": days.dt.day_of_week < 5})
    options = {"hidden_layer_sizes": (64,), "max_iter": 60, "random_state": 0}
    predictor = MaskedFeaturePredictor(**options).fit(X)
    predicted = predictor.predict_masked(X, np.tile([False, True], (700, 1)))
    assert (predicted["open"] == X["open"]).mean() > 0.95


def test_a_date_has_one_vote_in_the_score():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"seen": TIMES, "a": rng.normal(size=N)})
    autoencoder = DenoisingAutoencoder(**{**SMALL, "max_iter": 20}).fit(X)
    model, table = autoencoder.model_, autoencoder.model_.encode(X)
    losses = model.cell_losses(table, table, "cpu").numpy()
    constant = np.concatenate([table[0].numpy(), table[1].numpy()], axis=1)
    baseline = (constant - constant.mean(axis=0)) ** 2
    order = model.table_encoder.order_
    rebuilt, worst = (
        sum(part[:, order == position].mean(axis=1).sum() for position in (0, 1))
        for part in (losses, baseline)
    )
    assert autoencoder.score(X) == pytest.approx(1 - rebuilt / worst, rel=1e-4)


# Arrays of objects

PYTHON_DATES = [stamp.to_pydatetime() for stamp in TIMES]
OBJECTS = {
    "datetime": PYTHON_DATES,
    "datetime with a zone": [d.replace(tzinfo=datetime.UTC) for d in PYTHON_DATES],
    "date": [d.date() for d in PYTHON_DATES],
    "Timestamp": list(TIMES),
    "Timestamp with a zone": list(BERLIN),
    "datetime64": [np.datetime64(d) for d in PYTHON_DATES],
    "datetime and Timestamp": [t if i % 2 else TIMES[i] for i, t in enumerate(PYTHON_DATES)],
    "Period": list(TIMES.dt.to_period("D")),
    "timedelta": [e.to_pytimedelta() for e in ELAPSED],
    "Timedelta": list(ELAPSED),
    "timedelta64": [np.timedelta64(e) for e in ELAPSED],
}


def small_detector():
    return OutlierDetector(MaskedFeaturePredictor(**SMALL), n_estimators=5, random_state=0)


def small_imputer(**options):
    return MaskedImputer(width=8, n_blocks=1, max_iter=1, random_state=0, **options)


READERS = {
    **{Embedder.__name__: (lambda E=Embedder: E(**SMALL), "transform") for Embedder in ESTIMATORS},
    "MaskedImputer": (small_imputer, "transform"),
    "OutlierDetector": (small_detector, "score_samples"),
}
FAST_READERS = ["MaskedFeaturePredictor", "MaskedImputer"]
SLOW_READERS = ["DenoisingAutoencoder", "ContrastiveEmbedder", "OutlierDetector"]


def array_of(cells):
    """Numbers and times side by side, a few of them missing in several ways."""
    X = np.empty((N, 2), dtype=object)
    X[:, 0], X[:, 1] = np.linspace(0, 1, N), cells
    X[3, 1], X[7, 1], X[11, 1], X[5, 0] = None, pd.NaT, np.nan, np.nan
    return X


@pytest.mark.parametrize(
    "reader",
    [*FAST_READERS, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_READERS)],
)
@pytest.mark.parametrize("cells", OBJECTS.values(), ids=OBJECTS)
def test_arrays_of_objects_hold_times_as_frames_do(cells, reader):
    make, method = READERS[reader]
    X = array_of(cells)
    frame = pd.DataFrame({"a": X[:, 0].astype(float), "b": pd.Series(X[:, 1], dtype=object)})
    of_array = getattr(make().fit(X), method)(X)
    of_frame = getattr(make().fit(frame), method)(frame)
    if reader == "MaskedImputer":
        assert (of_array == of_frame.to_numpy()).all()
    else:
        np.testing.assert_allclose(of_array, of_frame, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cells", OBJECTS.values(), ids=OBJECTS)
def test_every_entrance_of_the_imputer_fills_times_in_arrays_of_objects(cells):
    X = array_of(cells)
    imputer = small_imputer(add_indicator=True)
    tables = [imputer.fit_transform(X), imputer.transform(X[:5]), imputer.transform(X[3:4])]
    tables += [*imputer.sample(X, 2, random_state=0), imputer.quantile(X, 0.1)]
    present = ~pd.isna(X)
    for filled in tables:
        assert not pd.isna(filled).any()
        assert filled.shape[1] == 4
    assert (tables[0][:, :2][present] == X[present]).all()
    assert np.isfinite(imputer.score(X))


def test_text_beside_dates_in_an_array_is_still_to_be_declared():
    X = np.array([["a", TIMES[0]], ["b", TIMES[1]]] * 10, dtype=object)
    with pytest.raises(ValueError, match="In an array, columns of strings are to be named"):
        MaskedFeaturePredictor(**SMALL).fit(X)
    filled = small_imputer(categorical_features=[0]).fit_transform(X)
    assert (filled == X).all()
