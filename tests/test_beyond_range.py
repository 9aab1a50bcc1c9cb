"""Numbers beyond the range seen while fitting: farther away is never less unusual."""

import numpy as np
import pandas as pd
import pytest
from embedders import SMALL

from sklearn_ssl import DenoisingAutoencoder, MaskedFeaturePredictor, OutlierDetector

N = 240
rng = np.random.default_rng(0)
HOURS = pd.to_timedelta(rng.integers(1, 500, N), unit="h")
LONG = pd.to_timedelta(np.exp(3 * rng.normal(size=N)), unit="h").round("s")

TABLE = pd.DataFrame(
    {
        "ordinary": rng.normal(size=N),
        "whole": pd.Series(rng.integers(0, 30, N), dtype="Int64"),
        "single": rng.normal(size=N).astype("float32"),
        "heavy": np.exp(3 * rng.normal(size=N)),
        "zero or one": rng.integers(0, 2, N).astype(float),
        "date": pd.Series(pd.date_range("2026-01-01", periods=N).as_unit("us")),
        "heavy date": pd.Series((pd.Timestamp("1999-06-01") + LONG).as_unit("us")),
        "duration": pd.Series(HOURS.as_unit("us")),
        "heavy duration": pd.Series(LONG.as_unit("us")),
        "shop": rng.choice(["north", "south"], N),
    }
)
KINDS = [name for name in TABLE if name != "shop"]

CYCLE = pd.Timedelta(days=28 * 365 + 7)
"""Time after which weekdays and days of the year are the same, so that dates differ in age only."""


def beyond(kind, sign):
    """Cells ever farther beyond an end of a column, the first of which is that end."""
    values = TABLE[kind]
    end = values.max() if sign > 0 else values.min()
    if "date" in kind:
        return [end + sign * step * CYCLE for step in (0, 1, 2)]
    width = values.max() - values.min()
    steps = [0, 1, 3, 100, 10_000] if "duration" in kind else [0, 0.5, 1, 3, 100, 1e4, 1e8]
    return [end + sign * step * width for step in steps]


def rows_with(kind, cell, n_rows=20):
    rows = TABLE[:n_rows].copy()
    dtype = "float64" if kind in {"whole", "single"} else TABLE[kind].dtype
    rows[kind] = pd.Series([cell] * n_rows, dtype=dtype)
    return rows


@pytest.fixture(scope="module")
def autoencoder():
    return DenoisingAutoencoder(**{**SMALL, "max_iter": 10}).fit(TABLE)


@pytest.fixture(scope="module")
def detector():
    transformer = MaskedFeaturePredictor(**{**SMALL, "max_iter": 10})
    return OutlierDetector(transformer, random_state=0).fit(TABLE)


def check_order(scores, tolerance=0.0):
    """Each row of scores belongs to a cell farther away than the one above it."""
    assert (np.diff(scores, axis=0) >= -tolerance).all()
    assert (scores[1:] > scores[0]).all()


@pytest.mark.slow
@pytest.mark.parametrize("sign", [-1, 1], ids=["below", "above"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:Column 'zero or one' held only 0 and 1")
def test_reconstruction_error_grows_with_the_distance(kind, sign, autoencoder):
    cells = beyond(kind, sign)
    errors = np.stack([autoencoder.reconstruction_error(rows_with(kind, c)) for c in cells])
    check_order(errors)
    other_end = autoencoder.reconstruction_error(rows_with(kind, beyond(kind, -sign)[0]))
    assert (errors[-1] > other_end).all()


@pytest.mark.slow
@pytest.mark.parametrize("sign", [-1, 1], ids=["below", "above"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:Column 'zero or one' held only 0 and 1")
def test_scores_of_cells_grow_with_the_distance(kind, sign, detector):
    cells = beyond(kind, sign)
    scores = np.stack([detector.score_cells(rows_with(kind, c))[kind] for c in cells])
    check_order(scores)
    # Rarer than one row in all that were seen, less the factor of 2 for two ends.
    assert (scores[1:] > np.log10(N / 2)).all()


@pytest.mark.parametrize("sign", [-1, 1], ids=["below", "above"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:Column 'zero or one' held only 0 and 1")
@pytest.mark.slow
def test_rows_with_a_cell_far_away_are_no_more_normal_and_it_is_named(kind, sign, detector):
    cells = beyond(kind, sign)
    nearest, farthest = rows_with(kind, cells[0]), rows_with(kind, cells[-1])
    scores = detector.score_samples(pd.concat([nearest, farthest], ignore_index=True))
    assert (scores[len(nearest) :] < scores[: len(nearest)]).all()
    assert (detector.explain(farthest, n_cells=1)["column"] == kind).all()


@pytest.mark.parametrize("kind", KINDS)
def test_missing_cells_and_those_within_the_range_are_not_beyond_it(kind, autoencoder):
    model = autoencoder.model_
    for X in (TABLE, TABLE.assign(**{kind: TABLE[kind].where(TABLE.index > 9)})):
        table, excess = model.within_range(model.encode(X), X)
        assert not excess.any()
        np.testing.assert_array_equal(table[0], model.encode(X)[0])


@pytest.mark.parametrize("container", [np.asarray, lambda X: X.to_numpy(np.float32)])
def test_arrays_are_scored_as_frames_are(container, autoencoder):
    X = TABLE[["ordinary", "heavy", "zero or one"]]
    far = X[:5].assign(heavy=[1e12, -5.0, 1e6, 1e7, 1e8])
    of_frame = DenoisingAutoencoder(**SMALL).fit(X).reconstruction_error(far)
    of_array = DenoisingAutoencoder(**SMALL).fit(container(X)).reconstruction_error(container(far))
    np.testing.assert_allclose(of_array, of_frame, rtol=1e-3)
