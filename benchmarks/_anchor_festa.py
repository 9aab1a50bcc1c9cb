"""FeSTa: 1 and 5 labels per class, frozen features, a default logistic regression."""

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _anchor_parts import Measure, measure_all
from _comparisons import count, to_markdown
from _methods import FEATURES, make_features, split_method, standardized
from _published import FESTA_IDS, read_festa
from _range_limited import RangeLimitedContrast
from _tables import read_indexes
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import QuantileTransformer

SHOTS = (1, 5)
MOST_VALUES_OF_A_CATEGORY = 20
PROTOCOL = """\
Protocol, as published: columns are dropped if half of their cells or more are missing, then rows
with missing cells. 80 % of the rows, drawn at random, are for training, and features are learned
from all of them without labels. A LogisticRegression with default parameters sees 1 or 5 rows of
each class. "raw" and the range-limited contrast see the published encoding: categories are codes,
columns of at most 20 values are divided by 20, and quantiles map the others to [0, 1].
"standardized" and our transformers see the table with its types; "@encoded" gives them the
published encoding.

Differences: there are {draws} draws of the labels on each of {seeds} splits, rather than one draw
on each of about 20 splits. The tables come from another collection than OpenML, and vowel has a
column that states which rows were once for training."""


@dataclass(frozen=True)
class Split:
    """Training and test rows, as they are and as published."""

    X_train: pd.DataFrame
    X_test: pd.DataFrame
    encoded_train: np.ndarray
    encoded_test: np.ndarray
    is_number: np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray


def split_festa(path: Path, seed: int) -> Split:
    """Drop, split and encode as published."""
    X = pd.read_parquet(path)
    X = X.loc[:, X.isna().mean() < 0.5].dropna().reset_index(drop=True)
    y = np.unique(X.pop("target").astype(str), return_inverse=True)[1]
    encoded = np.column_stack([to_codes(X[name]) for name in X])
    is_number = np.array([len(np.unique(c)) > MOST_VALUES_OF_A_CATEGORY for c in encoded.T])
    encoded[:, ~is_number] /= MOST_VALUES_OF_A_CATEGORY
    train, test = train_test_split(np.arange(len(X)), train_size=0.8, random_state=seed)
    if is_number.any():
        quantiles = QuantileTransformer(n_quantiles=min(1000, len(train)), random_state=42)
        quantiles.fit(encoded[np.ix_(train, is_number)])
        encoded[:, is_number] = quantiles.transform(encoded[:, is_number])
    return Split(
        X.iloc[train], X.iloc[test], encoded[train], encoded[test], is_number, y[train], y[test]
    )


def to_codes(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=float)
    return np.unique(column.astype(str), return_inverse=True)[1].astype(float)


def learn(method: str, split: Split, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of the training and the test rows."""
    name, changes = split_method(method.removesuffix("@encoded"))
    if name == "raw":
        return split.encoded_train, split.encoded_test
    if name == "RangeLimitedContrast":
        model = RangeLimitedContrast(random_state=seed, **changes)
        model.fit(split.encoded_train, is_number=split.is_number)
        return model.transform(split.encoded_train), model.transform(split.encoded_test)
    train, test = split.X_train, split.X_test
    if method.endswith("@encoded"):
        train, test = pd.DataFrame(split.encoded_train), pd.DataFrame(split.encoded_test)
    features = (
        standardized()
        if name == "standardized"
        else make_features(method.removesuffix("@encoded"), seed)
    )
    return features.fit(train).transform(train), features.transform(test)


def check_method(method: str) -> str:
    """Return a name that is known, or raise."""
    known = {"raw", "standardized", "RangeLimitedContrast", *FEATURES}
    if split_method(method.removesuffix("@encoded"))[0] not in known:
        raise ValueError(f"{method} is none of {sorted(known)}")
    return method


def draw_shots(y: np.ndarray, shots: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of as many rows of each class."""
    shuffled = rng.permutation(len(y))
    return np.concatenate([shuffled[y[shuffled] == c][:shots] for c in np.unique(y)])


def measure(path: Path, seed: int, n_draws: int, methods: list[str]) -> list[dict[str, Any]]:
    """Mean accuracy over the draws; every method sees the same draws."""
    split = split_festa(path, seed)
    rows = []
    for method in methods:
        Z_train, Z_test = learn(method, split, seed)
        for shots in SHOTS:
            rng = np.random.default_rng([seed, shots])
            scores = []
            for _ in range(n_draws):
                labeled = draw_shots(split.y_train, shots, rng)
                model = LogisticRegression().fit(Z_train[labeled], split.y_train[labeled])
                scores.append(model.score(Z_test, split.y_test))
            rows.append({"method": method, "shots": shots, "accuracy": np.mean(scores)})
    return rows


def run(arguments: argparse.Namespace) -> None:
    """Measure what is missing, and print it beside what is published."""
    published = read_festa(arguments.festa)
    index = read_indexes(arguments.data, arguments.tables or list(FESTA_IDS))
    jobs: list[tuple[dict[str, Any], Measure]] = [
        (
            {"table": name, "seed": seed, "draws": arguments.draws},
            partial(measure, folder / f"{name}.parquet", seed, arguments.draws),
        )
        for seed in range(arguments.seeds)
        for name, folder in index["folder"].items()
    ]
    raw = measure_all(arguments, jobs)
    print(f"\n{PROTOCOL.format(draws=arguments.draws, seeds=arguments.seeds)}")
    for shots in SHOTS:
        of_shots = raw[raw["shots"] == shots]
        print_shots(shots, of_shots, published.xs(shots, level="shots"), arguments.methods)


def print_shots(shots: int, raw: pd.DataFrame, published: pd.DataFrame, methods: list[str]) -> None:
    ours = raw.pivot_table(index="table", columns="method", values="accuracy")[methods]
    theirs = published[ours.index].T.add_suffix(" (published)")
    table = theirs.join(ours)
    seeds = raw.pivot_table(index="seed", columns="method", values="accuracy")
    table.loc["mean"] = table.mean()
    errors = seeds.std() / np.sqrt(len(seeds))
    table.loc["standard error over splits"] = errors.reindex(table.columns)
    print(f"\n## Accuracy with {count(shots, 'label')} per class, {len(ours)} tables\n")
    print(to_markdown(table, ".3f"))
