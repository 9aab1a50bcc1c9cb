"""Text that looks like something else is reported; text that is categories is not."""

import re
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from embedders import SMALL, every

from sklearn_ssl._table.column import CategoryColumn, learn_column

N = 60
NUMBERS = [f"{number / 8}" for number in range(N)]
DAYS = pd.date_range("2026-01-01", periods=N)


def text(cells):
    return (cells * N)[:N]


REPORTED = {
    "one question mark": ([*NUMBERS[1:], "?"], "'0.125' beside '?'. ", "pandas.to_numeric("),
    "few numbers and a dash": (text(["1", "2", "-"]), "'1' beside '-'. ", "pandas.to_numeric("),
    "one unit among numbers": ([*NUMBERS[1:], "12 kg"], "beside '12 kg'", "pandas.to_numeric("),
    "nothing but numbers": (NUMBERS, "numbers as text, such as '0.0'. ", "pandas.to_numeric("),
    "dollars": ([f"${1000 * n:,}.00" for n in range(N)], "'$0.00'", "str.replace("),
    "thousands": ([f"{1000 * n:,}" for n in range(N)], "'1,000'", "str.replace("),
    "percent": ([f"{n}%" for n in range(N)], "'0%'", "str.replace("),
    "ISO dates": (DAYS.strftime("%Y-%m-%d"), "dates as text, such as '2026-01-01'", "to_datetime("),
    "ISO times": (DAYS.strftime("%Y-%m-%dT%H:%M:%SZ"), "dates as text", "to_datetime("),
    "slashes": (DAYS.strftime("%d/%m/%Y"), "dates as text", "to_datetime("),
    "dates and a dash": ([*DAYS.strftime("%Y-%m-%d")[1:], "-"], "dates as text", "to_datetime("),
    "a name per row": ([f"customer {n}" for n in range(N)], "60 different values in 60", "Drop it"),
    "free text": ([f"I bought {n} of them" for n in range(N)], "60 different", "skrub"),
}
UNREPORTED = {
    "names": text(["red", "blue"]),
    "codes": text(["10", "20", "A3"]),
    "grades": text(["1", "2", "3", "4", "5"]),
    "postal codes": [f"{n:05d}" for n in range(20)] * 3,
    "names of few rows": ["Ada", "Alan", "Grace"],
    "names and a question mark": text(["red", "?", "blue"]),
    "years": text(["2024", "2025", "2026"]),
    "one number among names": text(["red", "7"]),
    "price classes": text(["$", "$$", "$$$"]),
    "versions": text(["1.0.2", "1.1.0"]),
    "empty": ["", None, ""],
}
DTYPES = ["str", "string", object, pd.ArrowDtype(pa.string())]


def learn(values, declared_categorical=False):
    return learn_column(
        "price",
        values,
        declared_categorical=declared_categorical,
        from_dtype=True,
        max_categories=256,
        min_frequency=1,
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("cells", "example", "remedy"), REPORTED.values(), ids=REPORTED)
def test_the_column_an_example_and_a_remedy_are_named(cells, example, remedy, dtype):
    message = (
        rf"^Column 'price' becomes categories, but it .*{re.escape(example)}.*{re.escape(remedy)}"
    )
    with pytest.warns(UserWarning, match=message):
        assert isinstance(learn(pd.Series(list(cells), dtype=dtype)), CategoryColumn)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("cells", UNREPORTED.values(), ids=UNREPORTED)
def test_categories_are_not_reported(cells, dtype):
    assert isinstance(learn(pd.Series(list(cells), dtype=dtype)), CategoryColumn)


@pytest.mark.parametrize("cells", [cells for cells, _, _ in REPORTED.values()], ids=REPORTED)
def test_deliberate_categories_are_not_reported(cells):
    learn(pd.Series(list(cells)), declared_categorical=True)
    learn(pd.Series(list(cells), dtype="category"))


@pytest.mark.parametrize(
    "case", ["one question mark", "nothing but numbers", "dollars", "thousands", "ISO dates"]
)
def test_the_remedy_helps(case):
    cells, _, _ = REPORTED[case]
    X = pd.DataFrame({"price": list(cells)})
    with pytest.warns(UserWarning, match="Convert it|Remove all") as caught:
        learn(X["price"])
    (warning,) = caught
    remedy = re.search(r"X\['price'\] = .*?\)(?=\. If it)", str(warning.message)).group()
    exec(remedy, {"X": X, "pandas": pd})
    assert not isinstance(learn(X["price"]), CategoryColumn)


@every
def test_a_fit_reports_once_and_what_comes_after_does_not(Embedder):
    X = pd.DataFrame({"price": [*NUMBERS[1:], "?"], "size": np.arange(N)})
    with pytest.warns(UserWarning, match="'price' becomes categories") as caught:
        embedder = Embedder(**SMALL).fit(X)
    assert len([w for w in caught if "becomes categories" in str(w.message)]) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        embedder.transform(X)
        embedder.partial_fit(X)
