"""Intervals of differences: the formula, and how often they are wrong."""

import numpy as np
import pytest
from scipy.stats import t
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold

from sklearn_ssl.evaluation._intervals import corrected_interval


def test_the_interval_follows_nadeau_and_bengio():
    differences = np.array([0.1, 0.3, 0.2, 0.0])
    error = np.sqrt((1 / 4 + 0.5) * differences.var(ddof=1))
    mean, low, high = corrected_interval(differences, 0.5, confidence=0.8)
    assert mean == pytest.approx(0.15)
    assert high - mean == pytest.approx(mean - low)
    assert high - mean == pytest.approx(t.ppf(0.9, 3) * error)


def test_one_split_has_no_interval():
    assert np.isnan(corrected_interval(np.array([0.5]), 0.5)[1:]).all()


@pytest.mark.parametrize("difference", [0.025, -0.3])
def test_equal_differences_have_no_interval(difference):
    # 0.1 + 0.2 - 0.3 is not zero either: scores are equal but for rounding.
    differences = np.full(5, difference) + np.array([0, 1e-17, 0, -1e-17, 0])
    mean, low, high = corrected_interval(differences, 0.25)
    assert mean == pytest.approx(difference)
    assert np.isnan([low, high]).all()


def test_no_difference_in_any_split_is_an_interval_around_zero():
    assert corrected_interval(np.zeros(5), 0.25) == (0, 0, 0)


@pytest.mark.slow
def test_models_that_are_equally_good_are_rarely_distinguished():
    rng = np.random.default_rng(0)
    model = LogisticRegression(C=0.3, tol=1e-2)
    y = np.arange(100) % 2
    n_wrong = 0
    for seed in range(100):
        # Two sets of features of the same distribution: neither is the better one.
        tables = [rng.normal(size=(100, 8)) + 0.25 * y[:, None] for _ in range(2)]
        splits = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=seed).split(y, y)
        scores = np.array(
            [
                [model.fit(X[train], y[train]).score(X[test], y[test]) for X in tables]
                for train, test in splits
            ]
        )
        _, low, high = corrected_interval(scores[:, 0] - scores[:, 1], 1 / 2)
        n_wrong += low > 0 or high < 0
    # Ten are expected; eighteen or more of a hundred would come by chance once in a hundred times.
    assert n_wrong <= 18
