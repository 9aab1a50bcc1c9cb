"""Linear probes whose penalty is chosen by their loss on held-out rows."""

from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.linalg import svd
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from sklearn_ssl._marks import Labels
from sklearn_ssl._table.types import is_sparse
from sklearn_ssl.evaluation._measures import log_loss_of
from sklearn_ssl.evaluation._types import Features, Floats, RowNumbers

N_FOLDS = 5
STRENGTHS = tuple(10.0**power for power in (-1.0, 0.0, 1.0, 2.0, 3.0, 4.0))
"""Values of ``C`` for rows of mean squared length one; the first is the strongest penalty."""

MAX_STEPS = 1000


class StandardDeviations(TransformerMixin, BaseEstimator):
    """Features in standard deviations over the rows seen; sparse ones stay sparse."""

    def fit(self, X: Features, y: None = None) -> Self:
        """Learn means and standard deviations."""
        self.scaler_ = StandardScaler(with_mean=not is_sparse(X)).fit(X)
        # Other transformers may return frames. Here a row is a row of numbers.
        self.scaler_.set_output(transform="default")
        return self

    def transform(self, X: Features) -> Features:
        """Subtract means, except from sparse features, and divide by standard deviations."""
        check_is_fitted(self)
        scaled: Features = self.scaler_.transform(X)
        return scaled


class LogisticProbe(ClassifierMixin, BaseEstimator):
    """Logistic regression whose penalty has the lowest log loss on held-out rows.

    Labeled rows are split into as many as five folds, in which classes are spread evenly. A class
    of one row is never held out, as no model could know it. The search begins at the strongest
    penalty and ends when the loss begins to rise: the fits beyond would be the slowest. Nothing is
    drawn at random: the rows of a class go to the folds in turn.

    Attributes
    ----------
    C_ : float
        The inverse strength of the penalty.

    classes_ : ndarray of shape (n_classes,)
        The classes.

    model_ : LogisticRegression
        Fitted on all rows.
    """

    def fit(self, X: Features, y: npt.ArrayLike) -> Self:
        """Choose the penalty, and fit on all rows with it."""
        y = np.asarray(y)
        rows, basis = _narrow(X)
        folds = assign_folds(y)
        scale = _mean_squared_length(rows)
        # Strengths are those of rows of mean squared length 1. Dividing the penalty is the same as
        # dividing the rows, and copies nothing.
        self.C_ = _choose_strength(rows, y, folds) / scale
        self.model_ = _logistic_regression(self.C_).fit(rows, y)
        if basis is not None:
            # The rows of other tables come in their own columns.
            self.model_.coef_ = self.model_.coef_ @ basis
            self.model_.n_features_in_ = basis.shape[1]
        self.classes_ = self.model_.classes_
        return self

    def decision_function(self, X: Features) -> Floats:
        """Log-odds, up to a constant of the row for more than two classes."""
        check_is_fitted(self)
        scores: Floats = self.model_.decision_function(X)
        return scores

    def predict_proba(self, X: Features) -> Floats:
        """Probabilities of the classes, in the order of ``classes_``."""
        scores = self.decision_function(X)
        if scores.ndim == 1:
            # The difference of two outputs is the log-odds.
            scores = np.column_stack([np.zeros_like(scores), scores])
        probabilities: Floats = softmax(scores, axis=1)
        return probabilities

    def predict(self, X: Features) -> Labels:
        """Most probable classes."""
        check_is_fitted(self)
        classes: Labels = self.model_.predict(X)
        return classes


def assign_folds(y: Labels) -> RowNumbers:
    """Number of the fold that each row is held out in, -1 for the only row of its class."""
    codes, _ = pd.factorize(y)
    folds = np.empty(len(y), dtype=int)
    # Rows of a class lie in different folds; the next class goes on where the last one ended.
    folds[np.argsort(codes, kind="stable")] = np.arange(len(y)) % N_FOLDS
    folds[np.bincount(codes)[codes] == 1] = -1
    return folds


def _choose_strength(rows: Features, y: Labels, folds: RowNumbers) -> float:
    """The strength with the lowest mean log loss over all held-out rows."""
    held_out = [np.flatnonzero(folds == fold) for fold in range(N_FOLDS)]
    # Few rows leave some folds empty.
    held_out = [rows_of_fold for rows_of_fold in held_out if len(rows_of_fold)]
    best, lowest = 1.0, np.inf
    if not held_out:
        return best
    scale = _mean_squared_length(rows)
    parts = [(np.setdiff1d(np.arange(len(y)), test), test) for test in held_out]
    # From the strongest penalty on, each fit starts at the solution before it, which is near.
    models = [_logistic_regression(1.0, warm_start=True) for _ in parts]
    for strength in STRENGTHS:
        total = 0.0
        for model, (train, test) in zip(models, parts, strict=True):
            model.set_params(C=strength / scale).fit(rows[train], y[train])
            probabilities = model.predict_proba(rows[test])
            total += len(test) * log_loss_of(y[test], probabilities, model.classes_)
        # The loss falls and then rises; the remaining fits would take the longest.
        if total >= lowest:
            break
        best, lowest = strength, total
    return best


def _logistic_regression(C: float, *, warm_start: bool = False) -> LogisticRegression:
    return LogisticRegression(C=C, max_iter=MAX_STEPS, tol=1e-3, warm_start=warm_start)


def _narrow(X: Features) -> tuple[Features, Floats | None]:
    """Rows in as few coordinates as they span, and the basis that leads back.

    The weights of a penalized model lie in the span of its rows, so that few rows make a small
    problem however many features there are. Lengths and products of rows stay what they are.
    """
    if is_sparse(X):
        return X.tocsr(), None
    rows = np.asarray(X, dtype=np.float64)
    # The decomposition takes time, too: it pays if it leaves less than half of the columns.
    if 2 * len(rows) >= rows.shape[1]:
        return rows, None
    left, values, basis = svd(rows, full_matrices=False)
    return left * values, basis


def _mean_squared_length(rows: Features) -> float:
    if is_sparse(rows):
        squares = rows.multiply(rows).sum()
    else:
        squares = float(np.square(np.asarray(rows, dtype=np.float64)).sum())
    # Features that are all zero have nothing to penalize.
    return squares / rows.shape[0] or 1.0
