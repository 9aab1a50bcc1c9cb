"""A regressor that trains a pretrained encoder further on targets."""

from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from sklearn_ssl._base import BaseEmbedder
from sklearn_ssl._compat import fit_context, safe_indexing
from sklearn_ssl._finetuning.base import BaseFineTuned
from sklearn_ssl._labels import (
    as_numbers,
    check_numbers,
    plain_labels,
    rows_to_score,
    scale_numbers,
)
from sklearn_ssl._marks import require_one_per_row
from sklearn_ssl._parameters import Memory, RandomState
from sklearn_ssl._table.types import FloatArray, TableLike
from sklearn_ssl._training.safety import safe_fit


class FineTunedRegressor(RegressorMixin, BaseFineTuned):
    """Regressor that trains a pretrained encoder further on targets.

    It works as :class:`FineTunedClassifier` does, with the squared error as its loss and without
    a temperature.

    Parameters
    ----------
    transformer : DenoisingAutoencoder, ContrastiveEmbedder, MaskedFeaturePredictor, \
FrozenEstimator or None, default=None
        A fitted one is copied and stays as it is. An unfitted one is cloned and fitted on all rows
        given, the unlabeled ones too; it uses targets only if its own ``supervision_weight`` is
        positive. None stands for ``MaskedFeaturePredictor()``. If the estimator itself is cloned,
        as in cross-validation, wrap a fitted transformer in
        :class:`~sklearn.frozen.FrozenEstimator`; otherwise, ``clone`` discards what it has learned.

    mode : {"gradual", "full", "frozen"}, default="gradual"
        "gradual" trains the head first and then the encoder with it; "full" trains both
        together from a head at zero; "frozen" trains the head alone, a linear probe.

    encoder_rate : float, default=1.0
        Learning rate of the encoder in "gradual", as a factor on that of the head. Lower values
        keep the encoder closer to its pretrained weights.

    consistency_weight : float, default=0.0
        Weight of the variance of the outputs over three corrupted copies of unlabeled rows.
        The outputs of a regressor are in standard deviations of its targets. Without unlabeled
        rows, and in mode "frozen", it has no effect.

    batch_size : int or "auto", default="auto"
        Labeled rows per step. "auto" is a 32nd of the rows, between 32 and 256.

    learning_rate : {"constant", "cosine", "one_cycle"}, default="constant"
        Schedule of the learning rate. "cosine" and "one_cycle" end at rates near zero: the search
        for the number of epochs reaches them after ``max_iter`` epochs, the last fit after the
        number found, so the two fits differ.

    learning_rate_init : float, default=1e-3
        Highest learning rate.

    weight_decay : float, default=1e-5
        Decoupled weight decay of AdamW.

    max_iter : int, default=50
        Highest number of epochs over the labeled rows.

    early_stopping : bool, default=True
        Whether held-out rows choose the number of epochs; with False it is ``max_iter``.

    validation_fraction : float, default=0.2
        Share of the labeled rows that is held out at a time, at most 0.5.

    n_iter_no_change : int, default=10
        Epochs without an improvement after which the search for the best number ends.

    tol : float, default=1e-4
        Smallest improvement of the held-out loss that counts.

    random_state : int, RandomState instance or None, default=None
        Source of folds, shuffling and corruptions, and of the seed of an unfitted transformer
        that has no ``random_state``.

    memory : str, object with the joblib.Memory interface or None, default=None
        Where to keep pretrained transformers, as in :class:`~sklearn.pipeline.Pipeline`: candidates
        of a search that share the transformer and its rows then pretrain once. Needs an integer
        ``random_state``, here or in the transformer.

    verbose : bool, default=False
        Whether to report progress: a bar in terminals and notebooks, lines in a log.

    Attributes
    ----------
    transformer_ : object
        The fitted transformer with the fine-tuned encoder. The head reads all of its layers.

    coef_ : ndarray of shape (n_targets, n_layer_columns)
        Weights of the head, on the scale of the targets.

    intercept_ : ndarray of shape (n_targets,)
        Intercepts of the head, on the scale of the targets.

    C_ : float
        The penalty chosen for the head; the inverse of ``alpha`` in
        :class:`~sklearn.linear_model.Ridge`.

    best_iter_ : int
        Epochs of training after the linear probe; 0 if no epoch beat the probe.

    n_iter_ : int
        Epochs tried.

    validation_scores_ : list of float
        Negative held-out loss before the first epoch and after each that all folds have made. Only
        if it chooses the number of epochs.

    loss_curve_ : list of float
        Mean training loss of each of the ``best_iter_`` epochs.

    n_features_in_ : int
        Number of columns seen while fitting.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns; only if all are strings.

    See Also
    --------
    FineTunedClassifier : The same for classes.

    Notes
    -----
    A batch is a random part of the rows. Repeating a row and doubling its weight therefore agree
    only on average. A row of weight zero counts as unlabeled.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_ssl import DenoisingAutoencoder, FineTunedRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> few = np.where(np.arange(442) % 2 == 0, y, np.nan)
    >>> transformer = DenoisingAutoencoder(
    ...     hidden_layer_sizes=(16,), max_iter=5, random_state=0
    ... )
    >>> regressor = FineTunedRegressor(transformer, max_iter=2, random_state=0).fit(X, few)
    >>> bool(regressor.score(X, y) > 0.4)
    True
    """

    _calibrates = False

    def __init__(
        self,
        transformer: BaseEmbedder | FrozenEstimator | None = None,
        *,
        mode: str = "gradual",
        encoder_rate: float = 1.0,
        consistency_weight: float = 0.0,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 1e-3,
        weight_decay: float = 1e-5,
        max_iter: int = 50,
        early_stopping: bool = True,
        validation_fraction: float = 0.2,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        random_state: RandomState | None = None,
        memory: Memory | None = None,
        verbose: bool = False,
    ) -> None:
        self.transformer = transformer
        self.mode = mode
        self.encoder_rate = encoder_rate
        self.consistency_weight = consistency_weight
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.weight_decay = weight_decay
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.random_state = random_state
        self.memory = memory
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: TableLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Learn targets from the labeled rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Labeled and unlabeled rows.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets, NaN if unknown. A row without any target is unlabeled.

        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows in the labeled loss.

        Returns
        -------
        self : object
            The fitted regressor.

        Raises
        ------
        ValueError
            If the table cannot be read, or a target is never known.
        """
        fit_task = self._begin(X, y, sample_weight, lambda: None)
        with safe_fit(self):
            table = self._check_X(X, reset=True)
            name = type(self).__name__
            values, is_labeled = check_numbers(y, name)
            require_one_per_row(table, values)
            weight = self._check_weight(sample_weight, table)
            # Standardized targets make one learning rate and one set of penalties suit all.
            target, center, scale = scale_numbers(values, weight * is_labeled, name)
            self._is_1d = values.ndim == 1
            self._learn(table, target, fit_task, (center, scale))
        fit_task.end(fitted=dict)
        return self

    def predict(self, X: TableLike) -> FloatArray:
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predictions.
        """
        output = self._output(X)
        # Predictions have the shape of the targets.
        return output[:, 0] if self._is_1d else output

    def score(
        self, X: TableLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """R2 on the rows that have a target.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets, NaN if unknown. Of several targets, each is scored on the rows that have it.

        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows.

        Returns
        -------
        score : float
            Share of the variance that is explained, at most 1; the mean over several targets.

        Raises
        ------
        ValueError
            If no row has a target.
        """
        check_is_fitted(self)
        name = type(self).__name__
        X, y, sample_weight = rows_to_score(X, y, sample_weight, None, name)
        numbers = as_numbers(plain_labels(y))
        if not np.isnan(numbers).any():
            score: float = super().score(X, numbers, sample_weight)
            return score
        return mean_r2_where_known(numbers, self.predict(X), sample_weight)


def mean_r2_where_known(
    y: FloatArray, predicted: FloatArray, sample_weight: npt.ArrayLike | None
) -> float:
    """Mean over the targets of R2 on the rows that have this target."""
    if y.shape != predicted.shape:
        raise ValueError(
            f"y must have a column for each target, {predicted.shape[1:]}; got {y.shape[1:]}."
        )
    scores = []
    for target, guess in zip(y.T, predicted.T, strict=True):
        rows = np.flatnonzero(~np.isnan(target))
        weight = None if sample_weight is None else safe_indexing(sample_weight, rows)
        # A target that none of these rows has is left out.
        if len(rows):
            scores.append(r2_score(target[rows], guess[rows], sample_weight=weight))
    return float(np.mean(scores))
