"""skrub in front of the transformers: its columns are read as they come."""

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from embedders import SMALL, every
from sklearn.pipeline import make_pipeline

from sklearn_ssl import MaskedFeaturePredictor
from sklearn_ssl._table.dates import learn_dates

skrub = pytest.importorskip("skrub")

N = 60
TIMES = pd.Series(pd.date_range("2024-01-01", periods=N, freq="7h").as_unit("us"), name="sold")


@pytest.fixture
def orders():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "sold": TIMES.astype(str),
            "price": [*(f"{price:.2f}" for price in rng.normal(50, 9, N - 1)), "?"],
            "note": [f"{n} apples, please" for n in range(N)],
            "shop": rng.choice(["north", "south"], N),
        }
    )


def test_the_pipelines_of_the_guide_embed_tables(orders):
    page = (Path(__file__).parent.parent / "docs" / "guide" / "tables.md").read_text("utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names = {}
    exec(block, names)
    for name, columns in {"tidy": ["sold", "shop"], "with_text": list(orders)}.items():
        model = names[name].set_params(**{f"{names[name].steps[-1][0]}__max_iter": 1})
        assert np.isfinite(model.fit_transform(orders[columns])).all()


@every
def test_vectorized_tables_are_embedded(Embedder, orders):
    model = make_pipeline(skrub.TableVectorizer(), Embedder(**SMALL))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(model.fit_transform(orders)).all()


def test_cleaned_tables_keep_their_columns(orders):
    cleaner = skrub.Cleaner()
    X = cleaner.fit_transform(orders.drop(columns="note"))
    X["price"] = pd.to_numeric(X["price"], errors="coerce")
    X.loc[::5, "sold"] = None
    filled = MaskedFeaturePredictor(**SMALL).fit(X).impute(X)
    pd.testing.assert_series_equal(filled.dtypes, X.dtypes)
    assert filled.notna().all().all()


def test_dates_are_encoded_as_skrub_does():
    encoder = skrub.DatetimeEncoder(periodic_encoding="circular", add_weekday=True)
    theirs = encoder.fit_transform(TIMES)
    column = learn_dates("sold", TIMES)
    ours = pd.DataFrame(column.encode(TIMES))
    seconds = theirs["sold_total_seconds"].astype(float)
    assert ours[0].corr(seconds) == pytest.approx(1)
    assert column.elapsed.mean == pytest.approx(seconds.mean())
    np.testing.assert_allclose(ours[1] / np.sqrt(2), theirs["sold_hour_circular_0"], atol=1e-5)
    np.testing.assert_allclose(ours[2] / np.sqrt(2), theirs["sold_hour_circular_1"], atol=1e-5)
    # skrub counts weekdays from 1, which shifts the cycle by a day.
    day = 2 * np.pi / 7
    shifted = np.sin(np.arctan2(ours[3], ours[4]) + day)
    np.testing.assert_allclose(shifted, theirs["sold_weekday_circular_0"], atol=1e-5)
