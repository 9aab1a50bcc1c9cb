"""The linear probe, and how a prediction is scored."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    log_loss,
    r2_score,
    roc_auc_score,
)
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SMALLEST_PROBABILITY = 1e-6

Fold = tuple[np.ndarray, np.ndarray]
"""Positions of the rows to fit on, and of those to score."""


class KnownClasses(StratifiedKFold):
    """Stratified folds that hold out no row whose class the other folds lack.

    Such a row cannot be predicted, and would choose the strongest penalty.
    """

    def split(self, X: Any, y: np.ndarray, groups: None = None) -> Iterator[Fold]:
        for train, test in super().split(X, y):
            is_known = np.isin(y[test], y[train])
            yield np.concatenate([train, test[~is_known]]), test[is_known]


def fit_probe(Z: np.ndarray, y: np.ndarray, task: str, seed: int, scoring: str = "accuracy") -> Any:
    """Scale the features and fit a linear model whose penalty cross-validation chooses.

    By accuracy, several penalties are often equally good on few rows, and the strongest is taken.
    The rotation between scaling and regression leaves the penalized problem as it is, and makes it
    small where there are fewer rows than features.
    """
    rotation = PCA(svd_solver="full") if Z.shape[1] > len(Z) else None
    if task == "regression":
        head: Any = RidgeCV(alphas=np.logspace(-3, 5, 17))
        return make_pipeline(StandardScaler(), rotation, head).fit(Z, y)
    most = int(np.bincount(y).max())
    if len(y) <= 1000:
        grid, n_folds = np.logspace(-5, 1, 7), min(5, most)
    else:
        grid, n_folds = np.logspace(-4, 0, 5), 2
    head = LogisticRegressionCV(
        Cs=grid,
        cv=KnownClasses(n_folds, shuffle=True, random_state=seed),
        l1_ratios=(0.0,),
        max_iter=200,
        tol=1e-3,
        use_legacy_attributes=False,
        scoring=scoring,
    )
    with warnings.catch_warnings():
        # Rare classes have fewer labeled rows than there are folds: a fact of few labels.
        warnings.filterwarnings("ignore", message="The least populated class")
        # The path's weakest penalties may stop early; cross-validation sees what they are worth.
        warnings.filterwarnings("ignore", message="lbfgs failed to converge")
        return make_pipeline(StandardScaler(), rotation, head).fit(Z, y)


def score(model: Any, Z: Any, y: np.ndarray, task: str) -> dict[str, float]:
    """Test scores of a fitted model."""
    return score_output(predict(model, Z), getattr(model, "classes_", None), y, task)


def predict(model: Any, Z: Any) -> np.ndarray:
    """Probabilities of the classes if the model has them, or else its predictions."""
    return model.predict_proba(Z) if hasattr(model, "predict_proba") else model.predict(Z)


def score_output(
    output: np.ndarray, known: np.ndarray | None, y: np.ndarray, task: str
) -> dict[str, float]:
    """Scores of what ``predict`` returned; columns of probabilities are those of ``known``."""
    if task == "regression":
        return {"r2": r2_score(y, output)}
    if output.ndim == 1:
        return label_scores(y, output)
    classes = np.arange(max(y.max(), known.max()) + 1)
    # What `predict` returns, too; a forest would spend as long on it once more.
    predicted = known[output.argmax(axis=1)]
    probabilities = np.full((len(y), len(classes)), SMALLEST_PROBABILITY)
    probabilities[:, known] = output.clip(SMALLEST_PROBABILITY)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    scores = {**label_scores(y, predicted), "log_loss": log_loss(y, probabilities, labels=classes)}
    if len(classes) == 2:
        scores["auc"] = roc_auc_score(y, probabilities[:, 1])
    elif len(np.unique(y)) == len(classes):
        scores["auc"] = roc_auc_score(y, probabilities, multi_class="ovr", labels=classes)
    return scores


def label_scores(y: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    return {
        "accuracy": accuracy_score(y, predicted),
        "balanced_accuracy": balanced_accuracy_score(y, predicted),
    }
