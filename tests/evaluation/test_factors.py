"""Tables with known factors are what they say."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import PolynomialFeatures

from sklearn_ssl.evaluation import make_factors_table


def test_shapes_names_and_owners():
    table = make_factors_table(
        50, n_factors=3, columns_per_factor=2, n_noise_columns=2, random_state=0
    )
    assert table.data.columns.tolist() == ["x0", "x1", "x2", "x3", "x4", "x5", "noise0", "noise1"]
    assert table.factors.shape == (50, 3)
    assert table.owner.tolist() == [0, 0, 1, 1, 2, 2, -1, -1]


@pytest.mark.parametrize("n_values", [None, 2, 5])
def test_factors_have_unit_variance_and_are_independent(n_values):
    factors = make_factors_table(20_000, n_values=n_values, random_state=0).factors
    np.testing.assert_allclose(np.cov(factors.T), np.eye(4), atol=0.03)
    if n_values:
        assert (factors.nunique() == n_values).all()


def test_without_entanglement_a_column_depends_on_its_factor_alone():
    table = make_factors_table(2000, noise=0, random_state=0)
    for column, owner in enumerate(table.owner):
        powers = PolynomialFeatures(9).fit_transform(table.factors.iloc[:, [owner]])
        values = table.data.iloc[:, column]
        assert LinearRegression().fit(powers, values).score(powers, values) > 0.99


def test_straight_columns_are_their_factors_plus_noise():
    table = make_factors_table(5000, nonlinear=False, noise=0.5, random_state=0)
    rest = table.data.to_numpy() - table.factors.to_numpy()[:, table.owner]
    np.testing.assert_allclose(rest.std(axis=0), 0.5, atol=0.02)


@pytest.mark.parametrize("entanglement", [0.3, 1.0])
def test_entanglement_mixes_factors_and_keeps_the_variance(entanglement):
    table = make_factors_table(
        5000, nonlinear=False, noise=0, entanglement=entanglement, random_state=0
    )
    weights = LinearRegression().fit(table.factors, table.data).coef_
    np.testing.assert_allclose(np.linalg.norm(weights, axis=1), 1)
    own = np.abs(weights[np.arange(len(weights)), table.owner]).mean()
    assert own < (0.98 if entanglement < 1 else 0.7)


def test_categories_are_equally_frequent():
    data = make_factors_table(400, n_categorical=3, random_state=0).data
    categorical = data.select_dtypes("category")
    assert categorical.shape[1] == 3
    assert (categorical.apply(pd.Series.value_counts) == 100).all(axis=None)


def test_it_is_reproducible():
    one, two = (make_factors_table(20, random_state=3).data for _ in range(2))
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"n_factors": 1}, "'n_factors' parameter of make_factors_table must be an int in the ra"),
        ({"entanglement": 1.5}, "'entanglement' parameter of make_factors_table"),
        ({"noise": -1}, "'noise' parameter of make_factors_table"),
        ({"n_categorical": 21}, r"at most n_factors \* columns_per_factor = 20; got 21"),
    ],
)
def test_bad_arguments(bad, message):
    with pytest.raises(ValueError, match=message):
        make_factors_table(**bad)
