"""Intervals of differences that were measured on overlapping splits."""

from typing import NamedTuple

import numpy as np
from scipy.stats import t

CONFIDENCE = 0.9

SAME = 1e-9
"""Scores that differ by less are equal but for rounding."""


class Interval(NamedTuple):
    """A mean and the ends of its confidence interval."""

    mean: float
    low: float
    high: float


def corrected_interval(
    differences: np.ndarray, test_ratio: float, confidence: float = CONFIDENCE
) -> Interval:
    """Interval of a mean difference by the corrected resampled t-test.

    Splits share training rows, so that their differences vary less than those of new data would.
    Nadeau and Bengio (2003) add the ratio of test to training rows to ``1 / n_splits`` in the
    variance of the mean.

    Parameters
    ----------
    differences : ndarray of shape (n_splits,)
        One paired difference per split.

    test_ratio : float
        Number of test rows divided by that of training rows.

    confidence : float, default=0.9
        Probability of the interval, both sides together.

    Returns
    -------
    interval : Interval
        The ends are NaN if there is one split, or the same difference in all of them: without
        any spread, nothing is known about chance.

    References
    ----------
    .. [1] C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning 52
       (2003), https://doi.org/10.1023/A:1024068626366.
    """
    mean = float(np.mean(differences))
    n_splits = len(differences)
    # On small test sets, accuracies are multiples of a few per cent, and often equal. An interval
    # without a width would then make any difference look certain.
    is_one_value = np.allclose(differences, mean, rtol=0, atol=SAME)
    if n_splits < 2 or (is_one_value and abs(mean) > SAME):
        return Interval(mean, np.nan, np.nan)
    variance = np.var(differences, ddof=1)
    error = np.sqrt((1 / n_splits + test_ratio) * variance)
    # Both sides together have the probability that the interval misses.
    quantile = t.ppf((1 + confidence) / 2, n_splits - 1)
    half = float(quantile * error)
    return Interval(mean, mean - half, mean + half)
