"""DCI and MIG: closed forms, and the order of representations that are known."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ortho_group
from sklearn.linear_model import Lasso, LogisticRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeRegressor

from sklearn_ssl.evaluation import dci, make_factors_table, mutual_information_gap
from sklearn_ssl.evaluation._disentangling import completeness_of, disentanglement_of


@pytest.fixture
def factors():
    return make_factors_table(400, n_factors=3, random_state=0).factors


@pytest.fixture
def all_combinations():
    return np.array(list(itertools.product(range(4), range(4))))


@pytest.mark.parametrize(
    ("importances", "disentanglement", "completeness"),
    [
        (np.eye(3), 1, 1),
        (np.ones((4, 3)), 0, 0),
        # One feature for both factors, and one that is never used.
        ([[1, 1], [0, 0]], 0, 1),
        # Two features for each factor.
        ([[1, 0], [1, 0], [0, 1], [0, 1]], 1, 0.5),
        ([[1, 1, 1]], 0, 1),
        (np.zeros((2, 2)), 0, 0),
    ],
)
def test_closed_forms_of_dci(importances, disentanglement, completeness):
    importances = np.array(importances, dtype=float)
    assert disentanglement_of(importances) == pytest.approx(disentanglement)
    assert completeness_of(importances) == pytest.approx(completeness)


def test_dci_follows_its_definition():
    R = np.random.default_rng(0).random((5, 3))

    def entropy(shares, base):
        return -sum(p * math.log(p, base) for p in shares)

    D = [1 - entropy(row / row.sum(), 3) for row in R]
    C = [1 - entropy(column / column.sum(), 5) for column in R.T]
    weights = [row.sum() / R.sum() for row in R]
    assert disentanglement_of(R) == pytest.approx(np.dot(weights, D))
    assert completeness_of(R) == pytest.approx(np.mean(C))


@pytest.mark.parametrize("model", [None, Lasso(0.01)])
def test_the_factors_are_disentangled_and_a_rotation_of_them_is_not(factors, model):
    rotation = ortho_group.rvs(3, random_state=0)
    good = dci(2 * factors + 1, factors, model=model, random_state=0)
    bad = dci(factors @ rotation, factors, model=model, random_state=0)
    assert good.disentanglement > 0.9
    assert good.completeness > 0.9
    assert good.informativeness > 0.95
    assert bad.disentanglement < 0.5
    assert bad.completeness < 0.5
    assert bad.informativeness > 0.8


def test_noise_is_not_informative(factors):
    Z = np.random.default_rng(0).normal(size=(400, 3))
    assert dci(Z, factors, random_state=0).informativeness < 0.1


def test_factors_of_classes(factors):
    classes = (factors > 0).astype(int)
    for model in (None, LogisticRegression()):
        result = dci(factors, classes, model=model, random_state=0)
        assert result.scores.min() > 0.9
        assert result.disentanglement > 0.8


def test_names_and_units_of_importances(factors):
    result = dci(factors, factors, random_state=0)
    assert result.importances.columns.tolist() == ["factor0", "factor1", "factor2"]
    np.testing.assert_allclose(result.importances.sum(), 1)


@pytest.mark.slow
def test_dci_does_not_depend_on_n_jobs(factors):
    one, two = (dci(factors, factors, random_state=0, n_jobs=n) for n in (1, 2))
    pd.testing.assert_frame_equal(one.importances, two.importances)
    assert one.informativeness == two.informativeness


def test_gap_of_factors_that_are_fully_crossed(all_combinations):
    f = all_combinations
    assert mutual_information_gap(f, f).gap == pytest.approx(1)
    assert mutual_information_gap(-5 * f[:, ::-1], f).gap == pytest.approx(1)
    assert mutual_information_gap(np.c_[f, f], f).gap == pytest.approx(0)
    assert mutual_information_gap(np.c_[f, f[:, 0]], f).gaps.tolist() == pytest.approx([0, 1])


def test_gap_of_a_feature_that_determines_half(all_combinations):
    # The second feature states one of the two bits of the first factor.
    f = all_combinations
    Z = np.c_[f, f[:, 0] // 2]
    result = mutual_information_gap(Z, f)
    assert result.mutual_information.iloc[2, 0] == pytest.approx(math.log(2))
    assert result.gaps.tolist() == pytest.approx([0.5, 1])


def test_gap_of_one_feature_and_of_a_constant(all_combinations):
    f = all_combinations
    assert mutual_information_gap(f[:, :1], f).gaps.tolist() == pytest.approx([1, 0])
    assert mutual_information_gap(np.ones((16, 2)), f).gap == 0


def test_the_gap_distinguishes_factors_from_a_rotation_of_them():
    factors = make_factors_table(5000, n_factors=3, random_state=0).factors
    rotation = ortho_group.rvs(3, random_state=0)
    assert mutual_information_gap(factors, factors).gap > 0.9
    assert mutual_information_gap(factors @ rotation, factors).gap < 0.3


def test_bad_arguments(factors):
    Z = factors.to_numpy()
    with pytest.raises(ValueError, match="at least two columns; got 1"):
        dci(Z, factors[["factor0"]])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        mutual_information_gap(Z[:10], factors)
    with pytest.raises(ValueError, match="'n_bins' parameter of mutual_information_gap"):
        mutual_information_gap(Z, factors, n_bins=1)
    with pytest.raises(ValueError, match="'test_size' parameter of dci"):
        dci(Z, factors, test_size=1.0)
    with pytest.raises(ValueError, match="KNeighborsRegressor has neither"):
        dci(Z, factors, model=KNeighborsRegressor())
    with pytest.raises(ValueError, match="no row with a label"):
        dci(Z, factors.where(factors > 99))


def test_rows_without_a_factor_are_left_out_for_it(factors):
    factors = factors.round()
    gaps = factors.copy()
    gaps.iloc[::3, 0] = np.nan
    kept = np.arange(len(factors)) % 3 > 0
    Z = factors.to_numpy()
    score = mutual_information_gap(Z, gaps).gaps.iloc[0]
    assert score == mutual_information_gap(Z[kept], factors[kept]).gaps.iloc[0]
    assert np.isfinite(dci(Z, gaps, model=DecisionTreeRegressor(), random_state=0).scores).all()
