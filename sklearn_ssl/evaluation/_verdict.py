"""Whether learned features are ahead of the best baseline."""

import numpy as np
import pandas as pd

from sklearn_ssl.evaluation._intervals import CONFIDENCE, corrected_interval

LOWER_IS_BETTER = ("log_loss", "mean_absolute_error")
UNDECIDED = "cannot be decided with this many labels"


def best_baseline(runs: pd.DataFrame, measure: str) -> str:
    """Name of the baseline with the best mean."""
    baselines = runs[runs["is_baseline"]]
    # A baseline can lack a measure: one without probabilities has no log loss.
    means = baselines.groupby("estimator", sort=False)[measure].mean().dropna()
    if means.empty:
        raise ValueError(f"No baseline has a value of {measure!r}.")
    return str(means.idxmin() if measure in LOWER_IS_BETTER else means.idxmax())


def differences_of(runs: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Difference of each estimator from the best baseline, with an interval and a verdict.

    Parameters
    ----------
    runs : DataFrame
        One row per estimator and split.

    measure : str
        Column to compare.

    Returns
    -------
    differences : DataFrame of shape (n_estimators, 5)
        Columns "baseline", "difference", "low", "high" and "verdict".
    """
    baseline = best_baseline(runs, measure)
    ratio = float(runs["test_ratio"].mean())
    values = runs.pivot_table(index="split", columns="estimator", values=measure, dropna=False)
    names = runs.loc[~runs["is_baseline"], "estimator"].unique()
    rows = {}
    for name in names:
        differences = values[name] - values[baseline]
        interval = corrected_interval(differences.to_numpy(), ratio)
        verdict = _verdict(interval.low, interval.high, measure)
        rows[name] = (baseline, *interval, verdict)
    columns = ["baseline", "difference", "low", "high", "verdict"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("estimator")


def _verdict(low: float, high: float, measure: str) -> str:
    if not (low > 0 or high < 0):
        return UNDECIDED
    is_higher = low > 0
    is_better = is_higher != (measure in LOWER_IS_BETTER)
    return "ahead" if is_better else "behind"


def describe_difference(name: str, row: pd.Series, n_labels: int, n_splits: int) -> str:
    """Say in a sentence how an estimator compares with the best baseline."""
    if np.isnan(row["low"]):
        reason = _why_no_interval(row["difference"], n_splits)
        return f"{name} against {row['baseline']}: {UNDECIDED} ({n_labels:,}); {reason}."
    interval = f"{CONFIDENCE * 100:.0f} % interval {row['low']:+.3f} to {row['high']:+.3f}"
    difference = f"difference {row['difference']:+.3f}, {interval}"
    if row["verdict"] == UNDECIDED:
        return f"{name} against {row['baseline']}: {UNDECIDED} ({n_labels:,}); {difference}."
    place = "ahead of" if row["verdict"] == "ahead" else "behind"
    return f"{name} is {place} {row['baseline']}: {difference}."


def _why_no_interval(difference: float, n_splits: int) -> str:
    if np.isnan(difference):
        return "a score is not defined in some splits"
    if n_splits == 1:
        return f"there is one split, with a difference of {difference:+.3f}"
    return f"all splits have the same difference, {difference:+.3f}"
