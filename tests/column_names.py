"""Names that the two columns of a DataFrame can have."""

import pandas as pd
import pytest

NAMES = {
    "levels": pd.MultiIndex.from_tuples([("p", "a"), ("p", "b")], names=["one", "two"]),
    "tuples": pd.Index([("p", "a"), ("p", "b")], tupleize_cols=False),
    "named": pd.Index(["a", "b"], name="columns"),
    "categories": pd.CategoricalIndex(["a", "b"]),
    "dates": pd.DatetimeIndex(["2020-01-01", "2020-01-03"]),
    "numbers": pd.RangeIndex(2),
}

every_kind_of_names = pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
