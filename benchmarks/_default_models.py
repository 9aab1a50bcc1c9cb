"""Scikit-learn's models with default parameters, and the cross-validated linear probe."""

import time
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from _probe import fit_probe, predict, score_output
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import (
    BayesianRidge,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier

DEFAULT_MODELS: dict[str, dict[str, Callable[[], Any]]] = {
    "classification": {
        "LogisticRegression": LogisticRegression,
        "RidgeClassifier": RidgeClassifier,
        "LinearSVC": LinearSVC,
        "SVC": SVC,
        "SGD": SGDClassifier,
        "KNeighbors": KNeighborsClassifier,
        "GaussianNB": GaussianNB,
        "LDA": LinearDiscriminantAnalysis,
        "DecisionTree": DecisionTreeClassifier,
        "RandomForest": RandomForestClassifier,
        "HistGradientBoosting": HistGradientBoostingClassifier,
        "MLP": MLPClassifier,
    },
    "regression": {
        "Ridge": Ridge,
        "SVR": SVR,
        "KNeighbors": KNeighborsRegressor,
        "RandomForest": RandomForestRegressor,
        "HistGradientBoosting": HistGradientBoostingRegressor,
        "MLP": MLPRegressor,
        # The default kernel has a fixed length scale of 1; this one learns its own.
        "GaussianProcess": lambda: GaussianProcessRegressor(RBF()),
        "BayesianRidge": BayesianRidge,
    },
}
PROBES: dict[str, dict[str, str]] = {
    "classification": {"probe_log_loss": "neg_log_loss", "probe_accuracy": "accuracy"},
    "regression": {"probe": "r2"},
}
"""What chooses the penalty of each probe."""

SLOW = ("SVC", "SVR", "GaussianProcess", "MLP")
"""Models whose fit takes time quadratic in the rows, or worse, or many epochs over them."""

TREES = ("DecisionTree", "RandomForest", "HistGradientBoosting")

FAILURES = (ValueError, np.linalg.LinAlgError)
"""What models raise on rows that they cannot be fitted on."""


def model_names(task: str) -> list[str]:
    return [*DEFAULT_MODELS[task], *PROBES[task]]


def is_probe(name: str) -> bool:
    return any(name in probes for probes in PROBES.values())


def ignores_scale(name: str) -> bool:
    """Whether a ``StandardScaler`` in front of a model changes nothing but rounding."""
    return is_probe(name) or name in TREES


def make_fit(name: str, task: str, seed: int, scaled: bool) -> Callable[[Any, np.ndarray], Any]:
    """What fits the model of a name; ``scaled`` puts a ``StandardScaler`` in front of it."""
    if name in PROBES[task]:
        return partial(fit_probe, task=task, seed=seed, scoring=PROBES[task][name])
    model = DEFAULT_MODELS[task][name]()
    if "random_state" in model.get_params():
        model.set_params(random_state=seed)
    return (make_pipeline(StandardScaler(), model) if scaled else model).fit


def fit_and_score(
    fit: Callable[[Any, np.ndarray], Any],
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    task: str,
) -> dict[str, Any]:
    """Test scores of a model, its seconds and its warnings; or what it raised."""
    row: dict[str, Any] = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            started = time.perf_counter()
            model = fit(*train)
            fitted = time.perf_counter()
            output = predict(model, test[0])
            row |= {
                "fit_seconds": fitted - started,
                "predict_seconds": time.perf_counter() - fitted,
                **score_output(output, getattr(model, "classes_", None), test[1], task),
            }
        except FAILURES as error:
            row["error"] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return row | count_warnings(caught)


def count_warnings(caught: list[warnings.WarningMessage]) -> dict[str, Any]:
    """How often a fit had not converged, and the warning that came most often otherwise."""
    is_convergence = [issubclass(warning.category, ConvergenceWarning) for warning in caught]
    others = Counter(
        str(warning.message).splitlines()[0]
        for warning, known in zip(caught, is_convergence, strict=True)
        if not known
    )
    return {
        "convergence_warnings": sum(is_convergence),
        "other_warnings": others.total(),
        "warning": others.most_common(1)[0][0] if others else None,
    }
