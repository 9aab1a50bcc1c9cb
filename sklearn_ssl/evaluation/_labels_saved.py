"""Labels that pretraining saves: two curves read at the same height."""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from sklearn_ssl._compat import validate_params
from sklearn_ssl.evaluation._intervals import CONFIDENCE, corrected_interval
from sklearn_ssl.evaluation._raw import RAW
from sklearn_ssl.evaluation._types import Floats

N_STEPS = 400
"""Numbers of labels of the baseline that the ends of an interval are chosen from."""


class Saving(NamedTuple):
    """A row of :func:`labels_saved`."""

    estimator: str
    n_labels: int
    score: float
    baseline_labels: int
    saved: int
    bound: str
    low: float
    high: float


@validate_params(
    {"curve": [pd.DataFrame], "baseline": [str]},
    prefer_skip_nested_validation=False,
)
def labels_saved(curve: pd.DataFrame, *, baseline: str = RAW) -> pd.DataFrame:
    """Labels that each estimator saves, compared with a baseline at equal mean score.

    The baseline's mean score is interpolated between the measured numbers of labels, on their
    logarithm, after its dips are evened out: what it reached with fewer labels it keeps. The
    interval holds the numbers of labels at which the scores of the two do not differ, by the
    corrected resampled t-test [1]_ on their differences in each split.

    Parameters
    ----------
    curve : DataFrame
        As :func:`label_efficiency_curve` returns it. Without a column "split" there is no interval.

    baseline : str, default="raw features"
        Name of the estimator to compare with.

    Returns
    -------
    saved : DataFrame
        One row per other estimator and number of labels, with columns

        - "estimator", "n_labels", and "score", the mean score;
        - "baseline_labels": the labels that the baseline needs for that score, rounded;
        - "saved": their difference, below zero if pretraining costs labels;
        - "bound": "equal", or, if the baseline was not measured that far, "at least" or "at most";
        - "low", "high": 90 % interval of "baseline_labels", rounded; 0 and infinity stand for
          numbers of labels that the baseline was not measured with, and NaN for no interval.

    Raises
    ------
    ValueError
        If the baseline is not in the curve, or a score is NaN or infinite.

    See Also
    --------
    LabelEfficiencyDisplay.plot_saving : Draws it for one estimator, and says it in a sentence.

    References
    ----------
    .. [1] C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning 52
       (2003), https://doi.org/10.1023/A:1024068626366.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ssl.evaluation import labels_saved
    >>> curve = pd.DataFrame(
    ...     {
    ...         "estimator": ["PCA", "raw", "raw"],
    ...         "n_labels": [10, 10, 1000],
    ...         "score": [0.8, 0.7, 0.9],
    ...     }
    ... )
    >>> labels_saved(curve, baseline="raw")
      estimator  n_labels  score  baseline_labels  saved  bound  low  high
    0       PCA        10    0.8              100     90  equal  NaN   NaN
    """
    n_undefined = int((~np.isfinite(curve["score"])).sum())
    if n_undefined:
        raise ValueError(
            f"curve has {n_undefined} scores that are NaN or infinite, with which no score can be "
            "equal. Use another scoring, or test on more rows."
        )
    means = curve.groupby(["estimator", "n_labels"], sort=False)["score"].mean()
    names = list(dict.fromkeys(curve["estimator"]))
    if baseline not in names:
        raise ValueError(f"baseline must be one of {names}; got {baseline!r}.")
    reference = means[baseline].sort_index()
    measured = reference.index.to_numpy(float)
    # What the baseline reached with fewer labels, it keeps.
    reached = np.maximum.accumulate(reference.to_numpy())
    saved = means.drop(index=baseline, level="estimator").reset_index()
    # As in the figure, lines between the measured points are straight on a logarithmic axis.
    scores, log_labels = _steps(reached, np.log(measured))
    needed = np.exp(np.interp(saved["score"], scores, log_labels))
    saved["baseline_labels"] = needed.round().astype(int)
    saved["saved"] = saved["baseline_labels"] - saved["n_labels"]
    bounds = [saved["score"] > reached[-1], saved["score"] < reached[0]]
    saved["bound"] = np.select(bounds, ["at least", "at most"], default="equal")
    intervals = [
        _interval(curve, baseline, name, size)
        for name, size in zip(saved["estimator"], saved["n_labels"], strict=True)
    ]
    low, high = np.array(intervals).reshape(-1, 2).T
    return saved.assign(low=low, high=high)


def savings_of(saved: pd.DataFrame) -> list[Saving]:
    """The rows of what :func:`labels_saved` returns."""
    rows = saved[list(Saving._fields)].itertuples(index=False)
    return [Saving(*row) for row in rows]


def describe_saving(row: Saving, baseline: str, measured: Collection[int]) -> str:
    """Say in a sentence what a row of :func:`labels_saved` holds.

    Parameters
    ----------
    row : Saving
        The row.

    baseline : str
        Name of the baseline.

    measured : collection of int
        Numbers of labels that the baseline was measured with.
    """
    fewest, most = min(measured), max(measured)
    start = f"With {row.n_labels:,} labels, {row.estimator} {_is_or_are(row.estimator)}"
    interval = _in_words(row, fewest, most)
    if row.bound == "at least":
        sentence = (
            f"{start} ahead of {baseline} with {most:,}, the largest number measured{interval}."
        )
    elif row.bound == "at most":
        sentence = (
            f"{start} behind {baseline} with {fewest:,}, the smallest number measured{interval}."
        )
    else:
        sentence = f"{start} as good as {baseline} with {row.baseline_labels:,}{interval}."
    # The ends themselves are numbers of labels that the test rejects.
    if row.low < row.n_labels < row.high:
        sentence += " Whether labels are saved cannot be decided."
    return sentence


def _is_or_are(name: str) -> str:
    """The verb for a name, such as that of the raw features."""
    return "are" if name.endswith("features") else "is"


def _in_words(row: Saving, fewest: int, most: int) -> str:
    """The interval in parentheses; nothing if it says no more than the bound."""
    starts, ends = row.low > 0, np.isfinite(row.high)
    if row.bound == "at least" and not row.low < most:
        return ""
    if row.bound == "at most" and not row.high > fewest:
        return ""
    name = f"{CONFIDENCE * 100:.0f} % interval"
    if starts and ends:
        return f" ({name} {row.low:,.0f} to {row.high:,.0f})"
    if starts:
        return f" ({name} {row.low:,.0f} to more than the {most:,} measured)"
    if ends:
        return f" ({name} fewer than the {fewest:,} measured to {row.high:,.0f})"
    return "" if np.isnan(row.low) else f" ({name} wider than the numbers measured)"


def _interval(curve: pd.DataFrame, baseline: str, name: str, size: int) -> tuple[float, float]:
    """Numbers of the baseline's labels at which its scores may be those of an estimator."""
    if "split" not in curve or curve["split"].nunique() < 2:
        return np.nan, np.nan
    by_split = curve.groupby(["estimator", "split", "n_labels"])["score"].mean()
    own = by_split[name].xs(size, level="n_labels")
    reference = by_split[baseline].unstack("n_labels").loc[own.index]
    # A curve of the user's may lack the ratio, which is this one for folds of equal size.
    test_ratio = curve["test_ratio"].mean() if "test_ratio" in curve else 1 / (len(own) - 1)
    measured = reference.columns.to_numpy(float)
    labels = np.geomspace(measured.min(), measured.max(), N_STEPS)
    log_labels, log_measured = np.log(labels), np.log(measured)
    curves = [np.interp(log_labels, log_measured, row) for row in reference.to_numpy()]
    # Scores of the baseline, of shape (n_splits, N_STEPS).
    scores = np.array(curves)
    differences = own.to_numpy()[:, None] - scores  # (n_splits, N_STEPS)
    ends = [corrected_interval(each, test_ratio) for each in differences.T]
    too_few = np.array([end.low > 0 for end in ends])
    too_many = np.array([end.high < 0 for end in ends])
    # A rejected number within the interval is a dip of the curve: the ends alone count.
    low, high = 0.0, np.inf
    if too_few[0]:
        low = labels[_last_of_run(too_few)]
    if too_many[-1]:
        from_the_end = _last_of_run(too_many[::-1])
        high = labels[len(labels) - 1 - from_the_end]
    return float(np.round(low)), float(np.round(high))


def _last_of_run(flags: npt.NDArray[np.bool_]) -> int:
    """Place of the last flag in the run that the first one begins."""
    # argmin finds the first flag that is not set, and 0 if all are.
    return len(flags) - 1 if flags.all() else int(np.argmin(flags)) - 1


def _steps(reached: Floats, log_labels: Floats) -> tuple[Floats, Floats]:
    """Drop the later of equal scores: the fewest labels that reach a score are what it takes."""
    reached, first = np.unique(reached, return_index=True)
    return reached, log_labels[first]
