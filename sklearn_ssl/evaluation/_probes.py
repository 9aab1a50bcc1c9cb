"""Probes: simple models that are fitted on frozen features."""

from collections.abc import Callable
from numbers import Integral
from typing import NamedTuple, Self

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.metrics import get_scorer_names
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline

from sklearn_ssl._compat import HasMethods, StrOptions
from sklearn_ssl._marks import Labels
from sklearn_ssl.evaluation._linear_probe import LogisticProbe, StandardDeviations
from sklearn_ssl.evaluation._types import Features, Model, Scoring, Transformer

PROBE_CONSTRAINTS: dict[str, list[object]] = {
    "probe": [StrOptions({"linear", "knn"}), HasMethods(["fit", "predict"])],
    "X_unlabeled": ["array-like", "sparse matrix", None],
    "cv": ["cv_object"],
    "groups": ["array-like", None],
    "scoring": [StrOptions(set(get_scorer_names())), callable, None],
    "n_jobs": [Integral, None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
TRANSFORMER = HasMethods(["fit", "transform"])
RIDGE_PENALTIES = np.logspace(-2, 4, 13)


class Probe(NamedTuple):
    """A model to be fitted on frozen features, and whether these are standardized first."""

    model: Model
    standardize: bool

    def prepare(self, transformer: Transformer) -> Transformer:
        """Append the standardization, which learns from the rows that the transformer sees."""
        if not self.standardize:
            return transformer
        prepared: Transformer = make_pipeline(transformer, StandardDeviations())
        return prepared

    def scaling_by(self, features: Features) -> Callable[[Features], Features]:
        """The same standardization as a function, learned from features that are there already."""
        if not self.standardize:
            return lambda Z: Z
        return StandardDeviations().fit(features).transform

    def as_it_is(self) -> "Probe":
        """The probe for features that have the same scale already."""
        return Probe(self.model, standardize=False)


class _AtMostAllRows:
    """Five nearest neighbors, or all rows if they are fewer: labels can be as few as classes."""

    n_neighbors: int

    def fit(self, X: Features, y: Labels) -> Self:
        # Probes are cloned for each fit, so that no other one sees this parameter.
        self.n_neighbors = min(self.n_neighbors, len(y))
        fitted: Self = super().fit(X, y)  # type: ignore[misc]
        return fitted


class NearestClassifier(_AtMostAllRows, KNeighborsClassifier):
    """The probe for classes."""


class NearestRegressor(_AtMostAllRows, KNeighborsRegressor):
    """The probe for quantities."""


def resolve_probe(probe: str | Model, has_classes: bool) -> Probe:
    """The model that a name stands for, or the one given, which takes the features as they are."""
    if not isinstance(probe, str):
        return Probe(probe, standardize=False)
    if probe == "knn":
        # The neighbors are judged at the scale of the embedding, which is part of it.
        neighbors = NearestClassifier if has_classes else NearestRegressor
        return Probe(neighbors(), standardize=False)
    # The penalty weighs all features alike once they have the same scale.
    model = LogisticProbe() if has_classes else RidgeCV(RIDGE_PENALTIES)
    return Probe(model, standardize=True)


def name_of_score(scoring: Scoring, has_classes: bool) -> str:
    """How a figure names a score."""
    if scoring is None:
        return "Accuracy" if has_classes else "R²"
    name = scoring if isinstance(scoring, str) else str(getattr(scoring, "__name__", "score"))
    return name.replace("neg_", "negative_").replace("_", " ").capitalize()
