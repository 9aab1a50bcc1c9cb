"""What the anchors share: fits of several methods on one split, and their parts."""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _methods import make_features, standardized
from _parts import read_parts, write_part
from _probe import fit_probe, label_scores
from joblib import Parallel, delayed
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import mean_squared_error, r2_score

from sklearn_ssl import FineTunedClassifier, FineTunedRegressor

METHODS = (
    "raw default",
    "raw probe",
    "raw forest",
    "features default",
    "features probe",
    "fine-tuned",
)
"""Linear models with default and with cross-validated penalty, on either; a forest; a network."""


@dataclass(frozen=True)
class Rows:
    """A split: the rows that features are learned from, and which of them have labels."""

    X_train: pd.DataFrame
    labeled: np.ndarray
    y: np.ndarray
    task: str
    seed: int
    transformer: str

    @cached_property
    def raw(self) -> Any:
        """The standardized encoding."""
        return standardized().fit(self.X_train)

    @cached_property
    def learned(self) -> Any:
        """The fitted transformer."""
        return make_features(self.transformer, self.seed).fit(self.X_train)

    def fit(self, method: str) -> Callable[[pd.DataFrame], np.ndarray]:
        """Fit a method on the labeled rows, and return what predicts others."""
        X = self.X_train.iloc[self.labeled]
        if method == "fine-tuned":
            FineTuned = FineTunedClassifier if self._has_classes else FineTunedRegressor
            return FineTuned(self.learned, random_state=self.seed).fit(X, self.y).predict
        source, kind = method.split()
        features = self.raw if source == "raw" else self.learned
        model = self._fit_model(kind, features.transform(X))
        return lambda rows: model.predict(features.transform(rows))

    @property
    def _has_classes(self) -> bool:
        return self.task == "classification"

    def _fit_model(self, kind: str, Z: np.ndarray) -> Any:
        if kind == "probe":
            return fit_probe(Z, self.y, self.task, self.seed, scoring="neg_log_loss")
        if kind == "forest":
            Forest = RandomForestClassifier if self._has_classes else RandomForestRegressor
            return Forest(n_estimators=300, random_state=self.seed).fit(Z, self.y)
        return (LogisticRegression() if self._has_classes else Ridge()).fit(Z, self.y)


def score_predictions(y: np.ndarray, predicted: np.ndarray, task: str) -> dict[str, float]:
    if task == "classification":
        return label_scores(y, predicted)
    return {"mse": mean_squared_error(y, predicted), "r2": r2_score(y, predicted)}


def score_methods(
    rows: Rows, methods: list[str], others: dict[str, tuple[pd.DataFrame, np.ndarray]]
) -> Iterator[dict[str, Any]]:
    """Scores of each method on each of several sets of rows, such as "test"."""
    for method in methods:
        started = time.perf_counter()
        predict = rows.fit(method)
        seconds = time.perf_counter() - started
        for name, (X, y) in others.items():
            scores = score_predictions(y, predict(X), rows.task)
            yield {"method": method, "rows": name, "seconds": seconds, **scores}


Measure = Callable[[list[str]], list[dict[str, Any]]]
"""From methods that have no rows yet to their rows."""


def measure_part(results: Path, keys: dict[str, Any], methods: list[str], measure: Measure) -> None:
    """Measure the methods that the part of these keys does not hold, and write it."""
    part = results / "parts" / ("-".join(map(str, keys.values())) + ".parquet")
    known = pd.read_parquet(part) if part.exists() else None
    done = set() if known is None else set(known["method"])
    missing = [method for method in methods if method not in done]
    if not missing:
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        frame = pd.DataFrame(measure(missing)).assign(**keys)
    frame["convergence_warnings"] = 0
    frame.loc[0, "convergence_warnings"] = repeat_others(caught)
    write_part(part, frame if known is None else pd.concat([known, frame]))
    print(" ".join(map(str, keys.values())), flush=True)


def repeat_others(caught: list[warnings.WarningMessage]) -> int:
    """Show the warnings that are not of convergence, and count those that are."""
    others = [w for w in caught if not issubclass(w.category, ConvergenceWarning)]
    for warning in others:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return len(caught) - len(others)


def measure_all(
    arguments: argparse.Namespace, jobs: list[tuple[dict[str, Any], Measure]]
) -> pd.DataFrame:
    """Measure what is missing, and return what was measured for these jobs."""
    (arguments.results / "parts").mkdir(parents=True, exist_ok=True)
    Parallel(arguments.jobs)(
        delayed(measure_part)(arguments.results, keys, arguments.methods, measure)
        for keys, measure in jobs
    )
    wanted = pd.DataFrame([keys for keys, _ in jobs])
    raw = read_parts(arguments.results).merge(wanted)
    raw = raw[raw["method"].isin(arguments.methods)]
    if count := raw["convergence_warnings"].sum():
        print(f"\n{count:.0f} fits warned that they had not converged.")
    return raw


def with_error(values: pd.Series) -> str:
    """A mean over seeds with its standard error."""
    error = f" ± {values.std() / np.sqrt(len(values)):.3f}" if len(values) > 1 else ""
    return f"{values.mean():.3f}{error}"
