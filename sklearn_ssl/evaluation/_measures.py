"""What predictions are scored by beside the score of the estimator."""

import numpy as np
from sklearn.metrics import mean_absolute_error, roc_auc_score

from sklearn_ssl._marks import Labels
from sklearn_ssl._table.types import TableLike
from sklearn_ssl.evaluation._types import (
    Floats,
    Model,
    predicts_probabilities,
    predicts_scores,
)

CLASS_MEASURES = ("roc_auc", "log_loss")
QUANTITY_MEASURES = ("mean_absolute_error",)


def measure_predictions(
    fitted: Model, X: TableLike, y: Labels, has_classes: bool
) -> dict[str, float]:
    """Measures of a fitted model on test rows; NaN for what it does not predict."""
    if not has_classes:
        return {QUANTITY_MEASURES[0]: float(mean_absolute_error(y, fitted.predict(X)))}
    if predicts_probabilities(fitted):
        probabilities = fitted.predict_proba(X)
        return {
            "roc_auc": roc_auc_of(y, probabilities, fitted.classes_),
            "log_loss": log_loss_of(y, probabilities, fitted.classes_),
        }
    if predicts_scores(fitted):
        scores = fitted.decision_function(X)
        # Two classes have one column of scores, which grows with the second class.
        if scores.ndim == 1:
            scores = np.column_stack([-scores, scores])
        return {"roc_auc": roc_auc_of(y, scores, fitted.classes_), "log_loss": np.nan}
    return dict.fromkeys(CLASS_MEASURES, np.nan)


def roc_auc_of(y: Labels, scores: Floats, classes: Labels) -> float:
    """Mean area under the curve of each class against the others.

    Of two classes both have the same area. Classes without test rows are left out, and so is the
    whole measure if one class has all of them.
    """
    areas = []
    for place, label in enumerate(classes):
        is_label = y == label
        # A class that no test row has, or that all have, has no curve.
        if 0 < np.count_nonzero(is_label) < len(y):
            areas.append(roc_auc_score(is_label, scores[:, place]))
    return float(np.mean(areas)) if areas else np.nan


def log_loss_of(y: Labels, probabilities: Floats, classes: Labels) -> float:
    """Mean negative logarithm of the true class's probability, which is 0 for unknown classes."""
    is_true = np.asarray(y)[:, None] == np.asarray(classes)[None, :]
    probability = (probabilities * is_true).sum(axis=1)
    # As in scikit-learn's log_loss, a wrong prediction without a doubt costs 36 nats.
    smallest = np.finfo(np.float64).eps
    losses = -np.log(np.clip(probability, smallest, 1.0))
    return float(losses.mean())
