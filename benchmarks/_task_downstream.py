"""Imputing for a model on top, with three reasons why cells are missing.

About three tenths of the cells of at most 2,000 rows are hidden: at random; more often if another
column is high (a category: rare), so that observed cells say which are missing; or more often if
the value itself is high, which no imputer can know. Every method fills the same table, and never
sees a target. The errors are those of the task ``impute``. Then gradient boosting and a logistic
regression are fitted on 70 % of the filled rows; ``boosting`` and ``logistic`` are their accuracies
on the others.
"""

import time
from pathlib import Path

import numpy as np
import pandas as pd
from _methods import standardized
from _tables import read_index
from _task_impute import METHODS as IMPUTERS
from _task_impute import errors, is_number, print_comparison
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from sklearn_ssl import MaskedImputer

MOST_ROWS = 2_000
RATE = 0.3
SHARPNESS = 4.0
MECHANISMS = ("at random", "by another column", "by the value")
METRICS = {
    "error": "error of numbers, in standard deviations",
    "right": "share of categories right",
    "boosting": "accuracy of boosting",
    "logistic": "accuracy of logistic regression",
}
METHODS = IMPUTERS


def installed_methods() -> list[str]:
    return list(METHODS)


def table_names(folder: Path, names: list[str] | None) -> list[str]:
    index = read_index(folder, names)
    return list(index.index[index["task"] == "classification"])


def read_table(path: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers as floats, all else as categories; and the classes."""
    X = pd.read_parquet(path)
    X = X.sample(min(MOST_ROWS, len(X)), random_state=0).reset_index(drop=True)
    y = X.pop("target").astype(str).to_numpy()
    kinds = {n: float if c.dtype.kind in "biuf" else "category" for n, c in X.items()}
    return X.astype(kinds), y


def hide(X: pd.DataFrame, mechanism: str, seed: int) -> np.ndarray:
    """Cells to hide, about three tenths of each column."""
    rng = np.random.default_rng(seed)
    if mechanism == "at random":
        return rng.random(X.shape) < RATE
    ranks = np.column_stack([rank(column) for _, column in X.items()])
    if mechanism == "by another column":
        ranks = np.roll(ranks, 1, axis=1)
    # The rate rises with the rank from near 0 to SHARPNESS times that of the middle.
    rates = ranks**SHARPNESS
    return rng.random(X.shape) < rates * (RATE / rates.mean(axis=0))


def rank(column: pd.Series) -> np.ndarray:
    """Share of the cells that are not higher, or for categories not more frequent."""
    values = column if is_number(column) else -column.map(column.value_counts()).astype(float)
    return values.rank(pct=True).fillna(0.5).to_numpy()


def measure(folder: Path, table: str, seed: int, method: str) -> pd.DataFrame:
    """Score one method on one table: a row for each mechanism."""
    X, y = read_table(folder / f"{table}.parquet")
    rows = []
    for mechanism in MECHANISMS:
        hidden = hide(X, mechanism, seed) & X.notna().to_numpy()
        H = X.mask(hidden)
        started = time.perf_counter()
        fill = METHODS[method]
        if fill is None:
            filled = MaskedImputer(keep_empty_features=True, random_state=seed).fit_transform(H)
        else:
            filled = fill(H, seed)
        seconds = time.perf_counter() - started
        row = {"mechanism": mechanism, "seconds": seconds, **errors(X, filled, hidden)}
        rows.append(row | accuracies(filled, y, seed))
    return pd.DataFrame(rows)


def accuracies(X: pd.DataFrame, y: np.ndarray, seed: int) -> dict[str, float]:
    is_common = pd.Series(y).map(pd.Series(y).value_counts()).to_numpy() > 1
    train, test = train_test_split(
        np.flatnonzero(is_common), train_size=0.7, stratify=y[is_common], random_state=seed
    )
    models = {
        "boosting": HistGradientBoostingClassifier(random_state=seed),
        "logistic": LogisticRegression(max_iter=1000),
    }
    return {
        name: make_pipeline(standardized(), model)
        .fit(X.iloc[train], y[train])
        .score(X.iloc[test], y[test])
        for name, model in models.items()
    }


def report(raw: pd.DataFrame, results: Path) -> None:
    """Print a comparison for each mechanism and metric."""
    for mechanism in MECHANISMS:
        part = raw[raw["mechanism"] == mechanism]
        for metric, description in METRICS.items():
            print_comparison(part, metric, f"{description}, missing {mechanism}")
