"""Comparisons over tables: differences, wins, ranks."""

import numpy as np
import pandas as pd
from scipy.stats import bootstrap, friedmanchisquare, studentized_range


def compare(scores: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Compare the methods with one of them over tables.

    Parameters
    ----------
    scores : DataFrame of shape (n_tables, n_methods)
        Mean over the seeds; larger is better.

    reference : str
        Column of ``scores``.

    Returns
    -------
    comparison : DataFrame
        A row per method: mean score, mean difference with its 95 % bootstrap interval over the
        tables, share of tables won (half for ties), mean rank.
    """
    ranks = scores.rank(axis=1, ascending=False).mean()
    rows = []
    for method in scores:
        difference = (scores[method] - scores[reference]).to_numpy()
        low, high = mean_interval(difference)
        wins = np.mean((difference > 0) + 0.5 * (difference == 0))
        rows.append((method, scores[method].mean(), difference.mean(), low, high, wins))
    columns = ["method", "mean", "difference", "low", "high", "wins"]
    return pd.DataFrame(rows, columns=columns).set_index("method").assign(rank=ranks)


def count(number: int, name: str) -> str:
    """A number and what it counts, as in "1 seed" and "5 seeds"."""
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def heading(text: str, n_tables: int) -> str:
    """A Markdown heading of a comparison over tables."""
    return f"\n## {text[0].upper()}{text[1:]}: {count(n_tables, 'table')}\n"


def to_markdown(table: pd.DataFrame, floatfmt: str | tuple[str, ...]) -> str:
    """A Markdown table whose cells are empty if a value is missing."""
    return table.astype(object).where(table.notna(), None).to_markdown(floatfmt=floatfmt)


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """Bounds of the 95 % bootstrap interval of a mean; NaN if the values do not vary."""
    if len(values) < 2 or np.ptp(values) == 0:
        return np.nan, np.nan
    rng = np.random.default_rng(0)
    interval = bootstrap((values,), np.mean, method="percentile", rng=rng).confidence_interval
    return float(interval.low), float(interval.high)


def win_matrix(scores: pd.DataFrame) -> pd.DataFrame:
    """Of the tables on which two methods differ, the share that the one of the row wins."""
    wins = pd.DataFrame(index=scores.columns, columns=scores.columns, dtype=float)
    for row in scores:
        for column in scores:
            better = (scores[row] > scores[column]).sum()
            worse = (scores[row] < scores[column]).sum()
            wins.loc[row, column] = better / (better + worse) if better + worse else np.nan
    return wins


def critical_difference(n_methods: int, n_tables: int, alpha: float = 0.05) -> float:
    """Least difference of mean ranks that Nemenyi's test calls significant (Demsar, 2006)."""
    quantile = studentized_range.ppf(1 - alpha, n_methods, np.inf) / np.sqrt(2)
    return float(quantile * np.sqrt(n_methods * (n_methods + 1) / (6 * n_tables)))


def friedman_p_value(scores: pd.DataFrame) -> float:
    """Probability of ranks as different as these if all methods were alike."""
    return float(friedmanchisquare(*scores.to_numpy().T).pvalue)
