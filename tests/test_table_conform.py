"""Columns of one dtype while fitting and of another later: every pair has a stated outcome."""

import datetime
import os
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from embedders import SMALL, every
from sklearn.exceptions import DataConversionWarning

from sklearn_ssl import (
    ContrastiveEmbedder,
    DenoisingAutoencoder,
    FineTunedClassifier,
    FineTunedRegressor,
    MaskedFeaturePredictor,
    MaskedImputer,
    OutlierDetector,
    distributed,
)
from sklearn_ssl._table.encoder import TableEncoder

N = 24
CODES = ["10", "20", "A3"]
TIMES = pd.Series(pd.date_range("2026-01-01", periods=N, freq="7h").as_unit("us"))
ELAPSED = TIMES - TIMES[0]


def arrow(data_type):
    return pd.ArrowDtype(data_type)


def repeated(cells, dtype=None):
    values = pd.Series([None] * N, dtype=object)
    for row in range(N):
        values[row] = cells[row % len(cells)]
    return values if dtype is None else values.astype(dtype)


DTYPES = {
    "numbers": {
        "float64": repeated([1.5, 2.5, -7.0], float),
        "float32": repeated([1.5, 2.5, -7.0], "float32"),
        "int64": repeated([4, 2, 20], "int64"),
        "uint8": repeated([4, 2, 20], "uint8"),
        "Int64": repeated([4, 2, 20], "Int64"),
        "Float32": repeated([4, 2.5, 20], "Float32"),
        "Arrow integer": repeated([4, 2, 20], arrow(pa.int32())),
        "Arrow decimal": repeated([Decimal("1.5"), Decimal("7.5")], arrow(pa.decimal128(5, 2))),
        "Sparse float": repeated([0.0, 2.5], pd.SparseDtype(float)),
        "objects of numbers": repeated([4, 2.5, Decimal(3)]),
    },
    "zeros and ones": {
        "int64": repeated([0, 1], "int64"),
        "float64": repeated([0.0, 1.0], float),
    },
    "booleans": {
        "bool": repeated([True, False], bool),
        "boolean": repeated([True, None, False], "boolean"),
        "Arrow boolean": repeated([True, False], arrow(pa.bool_())),
        "objects of booleans": repeated([True, False]),
    },
    "text": {
        "str": repeated(["b", "a"], "str"),
        "string": repeated(["b", "a"], "string"),
        "Arrow string": repeated(["b", "a"], arrow(pa.string())),
        "objects of text": repeated(["b", None, "a"]),
        "category": repeated(["b", "a"], "category"),
        "Arrow dictionary": repeated(["b", "a"], arrow(pa.dictionary(pa.int32(), pa.string()))),
    },
    "codes": {
        "str": repeated(CODES, "str"),
        "objects of codes": repeated(CODES),
        "category of codes": repeated(CODES, "category"),
    },
    "dates": {
        "nanoseconds": TIMES.astype("datetime64[ns]"),
        "seconds": TIMES.astype("datetime64[s]"),
        "Arrow timestamp": TIMES.astype(arrow(pa.timestamp("us"))),
        "Arrow date": TIMES.dt.date.astype(arrow(pa.date32())),
        "date objects": TIMES.dt.date.astype(object),
        "Timestamp objects": TIMES.astype(object),
        "period": TIMES.dt.to_period("D"),
    },
    "dates of a zone": {
        "time zone": TIMES.dt.tz_localize("Europe/Berlin"),
        "UTC": TIMES.dt.tz_localize("UTC"),
        "Arrow time zone": TIMES.dt.tz_localize("UTC").astype(arrow(pa.timestamp("us", "UTC"))),
    },
    "durations": {
        "nanoseconds": ELAPSED.astype("timedelta64[ns]"),
        "Arrow duration": ELAPSED.astype(arrow(pa.duration("us"))),
        "timedelta objects": pd.Series([e.to_pytimedelta() for e in ELAPSED], dtype=object),
    },
    "missing": {
        "float64": repeated([np.nan], float),
        "objects": repeated([None]),
        "NaT": repeated([pd.NaT], "datetime64[ns]"),
        "NaT of durations": repeated([pd.NaT], "timedelta64[ns]"),
        "NaT objects": repeated([pd.NaT]),
        "period": repeated([pd.NaT], "period[D]"),
        "Arrow null": repeated([None], arrow(pa.null())),
    },
}

ONLY_LATER = {
    "numbers as categories": {"category": repeated([1.5, 2.5], "category")},
    "numbers as text": {"str": repeated(["1.5", "2.5"], "str"), "objects": repeated(["1", "2"])},
    "dates as text": {"str": TIMES.astype(str).astype("str")},
    "durations as text": {"str": ELAPSED.astype(str).astype("str")},
    "complex": {"complex128": repeated([1j, 2.0], complex), "objects": repeated([1j, 2.0])},
    "mixed": {"lists": repeated([[1, 2], [3]]), "dates and numbers": repeated([TIMES[0], 1.5])},
}

ALIKE = [
    {"numbers", "zeros and ones", "booleans", "numbers as categories"},
    {"text", "codes", "numbers as text", "dates as text", "durations as text"},
]
LEAVE_0_AND_1 = {"numbers", "numbers as text", "numbers as categories"}

CONVERTED = {
    ("numbers", "numbers as text"),
    ("dates", "dates as text"),
    ("durations", "durations as text"),
    ("codes", "numbers"),
}
"""Pairs of which the later one is read as the earlier one, with a warning."""


def outcome(then, now):
    """What is to happen if a column held ``then`` while fitting and holds ``now``."""
    if then == "missing":
        return "works" if now == "missing" else "warns"
    if then in {"zeros and ones", "booleans"} and now in LEAVE_0_AND_1:
        return "warns"
    if now in {then, "missing"}:
        return "works"
    if any({then, now} <= kinds for kinds in ALIKE):
        return "works"
    return "warns" if (then, now) in CONVERTED else "raises"


def seen(call, *rows):
    """What happens, and what it says."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            call(*rows)
        except (TypeError, ValueError) as error:
            return "raises", str(error)
    messages = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    messages = [text for text in messages if "collapsed" not in text]
    return ("warns", messages[0]) if messages else ("works", "")


def table(values):
    return pd.DataFrame({"size": values, "other": np.linspace(0, 1, N)})


def flat(columns):
    return [
        pytest.param(kind, values, id=f"{kind}, {name}")
        for kind, dtypes in columns.items()
        for name, values in dtypes.items()
    ]


def codes_shared(then, now, values):
    """Whether numbers are among the codes "10" and "20"."""
    return then != "codes" or now != "numbers" or 20 in pd.Series(values).astype(float).tolist()


@pytest.mark.slow
@pytest.mark.parametrize(("then", "values"), flat(DTYPES))
def test_every_dtype_at_fit_meets_every_dtype_later(then, values):
    encoder = TableEncoder(
        categorical_features="from_dtype", max_categories=256, min_frequency=1
    ).fit(table(values))
    for now, dtypes in {**DTYPES, **ONLY_LATER}.items():
        for name, later in dtypes.items():
            X = table(later)
            happened, message = seen(lambda X: encoder.transform(encoder.conform(X)), X)
            expected = outcome(then, now) if codes_shared(then, now, later) else "raises"
            assert happened == expected, (now, name, message)
            if happened != "works":
                assert "'size'" in message


DAYS = pd.Series(pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03"] * 8))
DATES_OF_TYPES = {
    "datetime64": DAYS,
    "date objects": DAYS.dt.date.astype(object),
    "Timestamp objects": DAYS.astype(object),
    "datetime objects": pd.Series([day.to_pydatetime() for day in DAYS], dtype=object),
    "Arrow date": DAYS.dt.date.astype(arrow(pa.date32())),
    "period": DAYS.dt.to_period("D"),
    "category": DAYS.astype("category"),
}


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        (["10", "20", "A3"], [10, 20], [10, 20]),
        (["10", "20", "A3"], [10.0, None, 20.0], [10, None, 20]),
        (["10", "20", "A3"], [Decimal(10), 20], [10, 20]),
        (["10", "20", "A3"], ["A3", 10], ["A3", 10]),
        ([10, 20], ["10", "20"], [10, 20]),
        ([True, False], ["True", "False"], [True, False]),
        ([datetime.date(2026, 1, 1)], ["2026-01-01"], [datetime.date(2026, 1, 1)]),
        (pd.cut([1, 9], [0, 5, 10]), ["(0, 5]", "(5, 10]"], ["(0, 5]", "(5, 10]"]),
    ],
)
def test_categories_that_are_spelled_alike_are_the_same(then, now, expected):
    frame = pd.DataFrame({"code": pd.Categorical(then)})
    encoder = TableEncoder(
        categorical_features="from_dtype", max_categories=256, min_frequency=1
    ).fit(frame)
    later = pd.DataFrame({"code": pd.Series(now, dtype=object)})
    with pytest.warns(DataConversionWarning, match="'code' held .*read as the categories"):
        conformed = encoder.conform(later)
    spelled = {
        str(category): code
        for category, code in zip(encoder.columns_[0].categories, range(2, 99), strict=False)
    }
    _, codes = encoder.transform(conformed)
    assert codes.ravel().tolist() == [
        0 if cell is None else spelled[str(cell)] for cell in expected
    ]


@pytest.mark.parametrize("then", DATES_OF_TYPES.values(), ids=DATES_OF_TYPES)
@pytest.mark.parametrize("now", DATES_OF_TYPES.values(), ids=DATES_OF_TYPES)
def test_dates_as_categories_are_found_in_every_type(then, now):
    encoder = TableEncoder(categorical_features=["day"], max_categories=256, min_frequency=1).fit(
        pd.DataFrame({"day": then})
    )
    _, codes = encoder.transform(encoder.conform(pd.DataFrame({"day": now})))
    assert codes.ravel().tolist() == [2, 3, 4] * 8


@pytest.mark.parametrize("later", [[7, 8], [1.5], [pd.Timestamp("2026-01-01")], [True]])
def test_categories_of_another_kind_that_share_no_value_are_reported(later):
    encoder = TableEncoder(
        categorical_features="from_dtype", max_categories=256, min_frequency=1
    ).fit(pd.DataFrame({"code": ["10", "20", "A3"] * 9}))
    message = (
        r"'code' held text, such as '10', while fitting and now holds .*, such as .* fit again\.$"
    )
    with pytest.raises(ValueError, match=message):
        encoder.conform(pd.DataFrame({"code": later}))


# Entrances

THEN = {kind: next(iter(dtypes.values())) for kind, dtypes in DTYPES.items()}
NOW = {kind: next(iter(dtypes.values())) for kind, dtypes in {**DTYPES, **ONLY_LATER}.items()}

LABELS = np.arange(N) % 2


def pairs_of(dtypes):
    """Every kind and column of a dictionary of kinds."""
    return [(kind, column) for kind, columns in dtypes.items() for column in columns.values()]


# All dtypes meet all later ones at one entrance above; here one of each kind stands for the others.
LATER = (
    pairs_of({**DTYPES, **ONLY_LATER})
    if os.environ.get("CHECKED_DTYPES") == "all"
    else list(NOW.items())
)


def use(method):
    return lambda fitted, X: getattr(fitted, method)(X)


def fit_again(fitted, X):
    fitted.set_params(warm_start=True).fit(X)


def fit_stream_again(fitted, X):
    fitted.set_params(warm_start=True).fit_stream([X])


def predict_masked(fitted, X):
    fitted.predict_masked(X, np.zeros(X.shape, dtype=bool))


def score_of_labels(fitted, X):
    fitted.score(X, LABELS)


EMBEDDING = {
    "transform": use("transform"),
    "score": use("score"),
    "partial_fit": use("partial_fit"),
    "fit with warm_start": fit_again,
    "fit_stream with warm_start": fit_stream_again,
}
ENTRANCES = {
    DenoisingAutoencoder: {
        **EMBEDDING,
        "reconstruct": use("reconstruct"),
        "reconstruction_error": use("reconstruction_error"),
    },
    ContrastiveEmbedder: EMBEDDING,
    MaskedFeaturePredictor: {
        **EMBEDDING,
        "impute": use("impute"),
        "predict_masked": predict_masked,
    },
    MaskedImputer: {
        "transform": use("transform"),
        "sample": lambda fitted, X: fitted.sample(X, 1, random_state=0),
        "quantile": lambda fitted, X: fitted.quantile(X, 0.5),
        "score": use("score"),
    },
    OutlierDetector: {
        "score_samples": use("score_samples"),
        "predict": use("predict"),
        "score_cells": use("score_cells"),
        "explain": use("explain"),
    },
    FineTunedClassifier: {
        "predict": use("predict"),
        "predict_proba": use("predict_proba"),
        "score": score_of_labels,
    },
    FineTunedRegressor: {"predict": use("predict"), "score": score_of_labels},
}


def fitted_on(Estimator, X):
    tiny = {**SMALL, "max_iter": 1}
    if Estimator in {FineTunedClassifier, FineTunedRegressor}:
        return Estimator(DenoisingAutoencoder(**tiny), mode="frozen", random_state=0).fit(X, LABELS)
    if Estimator is OutlierDetector:
        transformer = MaskedFeaturePredictor(**tiny)
        return OutlierDetector(transformer, n_estimators=2, random_state=0).fit(X)
    if Estimator is MaskedImputer:
        return MaskedImputer(width=8, max_iter=1, keep_empty_features=True, random_state=0).fit(X)
    return Estimator(**tiny).fit(X)


@pytest.mark.parametrize(
    ("Estimator", "entrance", "call"),
    [
        pytest.param(Estimator, name, call, id=f"{Estimator.__name__}.{name}")
        for Estimator, calls in ENTRANCES.items()
        for name, call in calls.items()
    ],
)
@pytest.mark.slow
def test_every_entrance_makes_the_same_checks(Estimator, entrance, call):
    for then, values in pairs_of(DTYPES):
        fitted = fitted_on(Estimator, table(values))
        for now, later in LATER:
            happened, message = seen(call, fitted, table(later))
            shares = codes_shared(then, now, later)
            assert happened == (outcome(then, now) if shares else "raises"), (then, now, message)
            assert happened == "works" or "'size'" in message


@pytest.mark.slow
def test_processes_make_the_same_checks(monkeypatch):
    environment = {"RANK": 0, "WORLD_SIZE": 1, "LOCAL_RANK": 0, "MASTER_PORT": 29544}
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))
    embedder = fitted_on(DenoisingAutoencoder, table(THEN["numbers"])).set_params(warm_start=True)
    for now in ("dates", "durations", "complex"):
        happened, message = seen(distributed.fit, embedder, table(NOW[now]))
        assert happened == "raises", message
        assert "'size'" in message
    assert seen(distributed.fit, embedder, table(NOW["missing"])) == ("works", "")


@every
def test_missing_dates_in_a_column_of_numbers_are_missing_numbers(Embedder):
    embedder = fitted_on(Embedder, table(THEN["numbers"]))
    expected = embedder.transform(table(repeated([np.nan], float)))
    for later in DTYPES["missing"].values():
        assert (embedder.transform(table(later)) == expected).all()


# Objects after a frame


def test_arrays_of_objects_are_read_as_the_frame_was():
    X = pd.DataFrame(
        {"size": THEN["numbers"], "town": THEN["text"], "day": TIMES, "open": THEN["booleans"]}
    )
    autoencoder = DenoisingAutoencoder(**SMALL).fit(X)
    expected = autoencoder.transform(X)
    with pytest.warns(UserWarning, match="valid feature names"):
        found = autoencoder.transform(X.to_numpy())
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_stream_that_counts_later_than_in_its_first_rows_is_reported():
    first = pd.DataFrame({"count": [0, 1] * 20, "size": np.arange(40.0)})
    later = first.assign(count=[7, 3] * 20)
    with pytest.warns(UserWarning, match="'count' held only 0 and 1 .* such as 7"):
        DenoisingAutoencoder(**{**SMALL, "max_iter": 1}).fit_stream([first, later], buffer_size=40)


@pytest.mark.parametrize("attribute", [np.arange(3), {"a": np.arange(3)}])
@every
def test_attributes_of_frames_do_not_matter(Embedder, attribute):
    X = table(THEN["numbers"])
    expected = fitted_on(Embedder, X).transform(X)
    X.attrs["source"] = attribute
    assert (fitted_on(Embedder, X).transform(X) == expected).all()
    Embedder(**SMALL).fit_stream([X[:9], X[9:]])
    assert X.attrs["source"] is attribute
    if Embedder is MaskedFeaturePredictor:
        Embedder(**SMALL).fit(X).impute(X)
