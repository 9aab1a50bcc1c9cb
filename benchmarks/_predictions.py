"""What a method predicts for the test rows of a split, kept for the methods that share it."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from _methods import features_of, make_features, make_model, reads_features
from _probe import fit_probe, predict
from _tables import Split, draw_labeled
from joblib import Memory


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a method predicts for the test rows, and how long its two steps took."""

    output: np.ndarray
    classes: np.ndarray | None
    fit_seconds: float
    probe_seconds: float


def predict_test_rows(
    table: str,
    task: str,
    seed: int,
    method: str,
    n_labels: str,
    scoring: str,
    split: Split,
    memory: Memory,
) -> Prediction | None:
    """Predictions from a number of labels; None if there are not as many.

    A method learns its features from all training rows once, however many labels it is to see.
    """
    count = None if n_labels == "all" else int(n_labels)
    labeled = draw_labeled(split.y_train, count, task, seed)
    if labeled is None:
        return None
    name = features_of(method)
    features, seconds = memory.cache(learn)(name, seed, split.X_train) if name else (None, 0.0)
    started = time.perf_counter()
    X, X_test, y = split.X_train.iloc[labeled], split.X_test, split.y_train[labeled]
    if reads_features(method):
        X, X_test = features.transform(X), features.transform(X_test)
        model = fit_probe(X, y, task, seed, scoring)
    else:
        model = make_model(method, features, task, seed).fit(X, y)
    output = predict(model, X_test)
    spent = time.perf_counter() - started
    return Prediction(output, getattr(model, "classes_", None), seconds, spent)


def learn(name: str, seed: int, X: pd.DataFrame) -> tuple[Any, float]:
    """Features fitted on the rows of a table, and the seconds that this took."""
    started = time.perf_counter()
    features = make_features(name, seed).fit(X)
    return features, time.perf_counter() - started
