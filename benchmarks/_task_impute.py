"""Imputing: hide known cells at random, fill them in, and look at the errors.

A fifth or a half of the cells of at most 4,000 rows are hidden; every method sees and fills the
same table. Numbers: root of the mean squared error in standard deviations of the column.
Categories: share that is right. The imputers of scikit-learn see numbers in standard deviations and
one-hot categories, and a category is the column that they fill with the largest number. ``forests``
are one forest of extremely randomized trees per column, fitted in four rounds, as MissForest does.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from _comparisons import compare, heading, to_markdown
from _tables import read_index
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer

from sklearn_ssl import MaskedImputer

MOST_ROWS = 4_000
RATES = (0.2, 0.5)
MOST_COLUMNS_OF_ALL = 100
N_ROUNDS = 4
COVERAGE = 0.9
FEWEST_DISTINCT = 20
MOST_SHARED = 0.01
METRICS = {
    "error": "error of numbers, in standard deviations",
    "right": "share of categories right",
}
OURS = "MaskedImputer"

Fill = Callable[[pd.DataFrame, int], pd.DataFrame]
"""A table without missing cells, from one with and a seed."""


def is_number(column: pd.Series) -> bool:
    return column.dtype.kind == "f"


def mean_and_mode(H: pd.DataFrame, seed: int) -> pd.DataFrame:
    return pd.DataFrame(
        {n: c.fillna(c.mean() if is_number(c) else c.mode()[0]) for n, c in H.items()}
    )


def on_numbers(make: Callable[[int, int], object], *, drops_first: bool = False) -> Fill:
    """Let an imputer of numbers fill one-hot categories, too; ``make`` gets columns and seed.

    The columns of a category sum to 1 and are missing together. A regression predicts each of them
    exactly from the others of its category, and never leaves the values that it started with. With
    ``drops_first`` one column is left out, and is what the others lack to 1.
    """

    def fill(H: pd.DataFrame, seed: int) -> pd.DataFrame:
        parts = []
        for _, column in H.items():
            if is_number(column):
                parts.append(((column - column.mean()) / (column.std() or 1.0)).to_frame())
            else:
                one_hot = pd.get_dummies(column.cat.remove_unused_categories(), dtype=float)
                parts.append(one_hot.mask(column.isna()))
        left_out = [
            int(drops_first and not is_number(column) and part.shape[1] > 1)
            for part, (_, column) in zip(parts, H.items(), strict=True)
        ]
        seen = [part.to_numpy()[:, n:] for part, n in zip(parts, left_out, strict=True)]
        stops = np.cumsum([block.shape[1] for block in seen])
        numbers = np.hstack(seen)
        blocks = np.split(make(numbers.shape[1], seed).fit_transform(numbers), stops[:-1], axis=1)
        filled = H.copy()
        for part, block, n, (name, column) in zip(parts, blocks, left_out, H.items(), strict=True):
            rows = column.isna()
            if n:
                block = np.column_stack([1 - block.sum(axis=1), block])
            if is_number(column):
                filled.loc[rows, name] = block[rows, 0] * (column.std() or 1.0) + column.mean()
            else:
                filled.loc[rows, name] = part.columns.to_numpy()[block[rows].argmax(axis=1)]
        return filled

    return fill


def iterative(n_columns: int, seed: int) -> IterativeImputer:
    nearest = None if n_columns <= MOST_COLUMNS_OF_ALL else MOST_COLUMNS_OF_ALL // 2
    return IterativeImputer(n_nearest_features=nearest, keep_empty_features=True, random_state=seed)


def forests(H: pd.DataFrame, seed: int) -> pd.DataFrame:
    """One forest per column, each on the others as they are filled in so far."""
    missing = H.isna().to_numpy()
    start = mean_and_mode(H, seed)
    cells = np.column_stack(
        [c if is_number(c) else c.cat.codes.to_numpy(float) for _, c in start.items()]
    )
    for _ in range(N_ROUNDS):
        for position in np.argsort(missing.sum(axis=0), kind="stable"):
            rows = missing[:, position]
            if rows.all() or not rows.any():
                continue
            others = np.delete(cells, position, axis=1)
            options = {"n_estimators": 40, "random_state": seed}
            if others.shape[1] > 6:
                options["max_features"] = 1 / 3
            if is_number(H.iloc[:, position]):
                forest = ExtraTreesRegressor(min_samples_leaf=2, **options)
            else:
                forest = ExtraTreesClassifier(**options)
            forest.fit(others[~rows], cells[~rows, position])
            cells[rows, position] = forest.predict(others[rows])
    filled = {}
    for position, (name, column) in enumerate(start.items()):
        codes = cells[:, position]
        filled[name] = (
            codes
            if is_number(column)
            else pd.Categorical.from_codes(codes.astype(int), dtype=column.dtype)
        )
    return pd.DataFrame(filled)


METHODS: dict[str, Fill | None] = {
    OURS: None,  # measured with its intervals
    "mean, mode": mean_and_mode,
    "IterativeImputer": on_numbers(iterative, drops_first=True),
    "KNNImputer": on_numbers(
        lambda n_columns, seed: KNNImputer(n_neighbors=10, keep_empty_features=True)
    ),
    "forests": forests,
}


def installed_methods() -> list[str]:
    return list(METHODS)


def table_names(folder: Path, names: list[str] | None) -> list[str]:
    return list(read_index(folder, names).index)


def read_table(path: Path) -> pd.DataFrame:
    """At most 4,000 rows; numbers as floats, all else as categories."""
    X = pd.read_parquet(path).drop(columns="target")
    if len(X) > MOST_ROWS:
        X = X.sample(MOST_ROWS, random_state=0)
    return pd.DataFrame(
        {
            name: column.astype(float if column.dtype.kind in "biuf" else "category")
            for name, column in X.reset_index(drop=True).items()
        }
    )


def measure(folder: Path, table: str, seed: int, method: str) -> pd.DataFrame:
    """Errors of one method on one table: a row for each share of hidden cells."""
    X = read_table(folder / f"{table}.parquet")
    rows = []
    for rate in RATES:
        hidden = np.random.default_rng(seed).random(X.shape) < rate
        hidden &= X.notna().to_numpy()
        H = X.mask(hidden)
        started = time.perf_counter()
        fill = METHODS[method]
        imputer = None
        if fill is None:
            imputer = MaskedImputer(keep_empty_features=True, random_state=seed).fit(H)
            filled = imputer.transform(H)
        else:
            filled = fill(H, seed)
        seconds = time.perf_counter() - started
        row = {"rate": rate, "seconds": seconds, **errors(X, filled, hidden)}
        if imputer is not None:
            row |= coverage(X, H, hidden, imputer)
        rows.append(row)
    return pd.DataFrame(rows)


def errors(X: pd.DataFrame, filled: pd.DataFrame, hidden: np.ndarray) -> dict[str, float]:
    squares, right = [np.empty(0)], [np.empty(0)]
    for position, (name, column) in enumerate(X.items()):
        rows = hidden[:, position]
        if not is_number(column):
            right.append((filled[name][rows].astype(object) == column[rows]).to_numpy(float))
        elif column.std() > 0:
            squares.append((((filled[name] - column)[rows] / column.std()) ** 2).to_numpy())
    numbers, names = np.concatenate(squares), np.concatenate(right)
    return {
        "error": np.sqrt(numbers.mean()) if numbers.size else np.nan,
        "right": names.mean() if names.size else np.nan,
    }


def coverage(
    X: pd.DataFrame, H: pd.DataFrame, hidden: np.ndarray, imputer: MaskedImputer
) -> dict[str, float]:
    """Share of hidden numbers in their intervals, by whether values of the column recur.

    An interval can end only at a value of its column. If many cells share that value, the interval
    holds all of them, and more than its share. Columns of few values are left out.
    """
    low, high = (imputer.quantile(H, q) for q in ((1 - COVERAGE) / 2, (1 + COVERAGE) / 2))
    inside: dict[str, list[np.ndarray]] = {"covered_distinct": [], "covered_recurring": []}
    for position, (name, column) in enumerate(X.items()):
        if not is_number(column) or column.nunique() <= FEWEST_DISTINCT:
            continue
        recurs = column.value_counts(normalize=True).iloc[0] > MOST_SHARED
        is_inside = (low[name] <= column) & (column <= high[name])
        kind = "covered_recurring" if recurs else "covered_distinct"
        inside[kind].append(is_inside[hidden[:, position]].to_numpy())
    inside["covered"] = [*inside["covered_distinct"], *inside["covered_recurring"]]
    return {
        kind: float(np.concatenate(parts).mean()) if parts else np.nan
        for kind, parts in inside.items()
    }


def print_comparison(part: pd.DataFrame, metric: str, title: str) -> pd.DataFrame:
    """Print how far each method is from ours; return its scores by table, without a row if none."""
    wide = part.pivot_table(index=["table", "seed"], columns="method", values=metric)
    scores = wide.dropna().groupby(level="table").mean()
    if scores.empty:
        return scores
    sign = -1 if metric == "error" else 1
    comparison = compare(sign * scores, OURS).sort_values("mean", ascending=False)
    comparison["mean"] *= sign
    print(heading(title, len(scores)))
    columns = ["mean", "difference", "low", "high", "wins"]
    print(to_markdown(comparison[columns], ".3f"))
    return scores


def print_coverage(part: pd.DataFrame) -> None:
    """Print means over the tables of the share of hidden numbers in their intervals."""
    kinds = {
        "covered": "of the hidden numbers",
        "covered_distinct": "in columns no value of which fills more than 1 % of the cells",
        "covered_recurring": "in the other columns",
    }
    shares = [
        f"{part[kind].mean():.1%} {description} ({part[kind].count()} tables)"
        for kind, description in kinds.items()
    ]
    print(f"\nIntervals of {COVERAGE:.0%} cover {', '.join(shares)}.")


def report(raw: pd.DataFrame, results: Path) -> None:
    """Print the comparisons for each share of hidden cells."""
    for rate, part in raw.groupby("rate"):
        for metric, description in METRICS.items():
            scores = print_comparison(part, metric, f"{description}, {rate:.0%} hidden")
            if not scores.empty:
                print("\n" + scores.round(3).to_markdown())
        print_coverage(part)
    seconds = raw.groupby("method")["seconds"].mean().sort_values()
    texts = [f"{name} {value:.1f}" for name, value in seconds.items()]
    print("\nMean seconds to fit a table and to fill it in: " + "; ".join(texts) + ".")
