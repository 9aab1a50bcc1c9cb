"""A classifier that trains a pretrained encoder further on labels."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Tags, compute_sample_weight
from sklearn.utils.validation import check_is_fitted

from sklearn_ssl._base import BaseEmbedder
from sklearn_ssl._compat import StrOptions, fit_context
from sklearn_ssl._finetuning.base import BaseFineTuned
from sklearn_ssl._labels import check_classes, index_classes, rows_to_score
from sklearn_ssl._marks import require_one_per_row
from sklearn_ssl._parameters import Memory, RandomState
from sklearn_ssl._table.types import FloatArray, TableLike
from sklearn_ssl._training.safety import safe_fit

ClassWeight: TypeAlias = Mapping[object, float] | Sequence[Mapping[int, float]] | str | None
"""What scikit-learn takes: weights of the classes, a dictionary for each label, or a rule."""


class FineTunedClassifier(ClassifierMixin, BaseFineTuned):
    """Classifier that trains a pretrained encoder further on labels.

    A linear head is first fitted on the frozen embedding, with a penalty that held-out rows
    choose. Encoder and head are then trained together [1]_, and the running mean of their weights
    is kept [2]_. The number of epochs is the one after which this mean predicts held-out rows
    best, with its overconfidence removed [3]_. If no epoch beats the linear probe by more than
    chance, the probe is kept. With at most 2,000 labels, every labeled row is held out once.
    Finally, the network is trained on all labeled rows for that many epochs.

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

    class_weight : dict, list of dict, "balanced" or None, default=None
        Weights of the classes in the labeled loss, as in
        :func:`sklearn.utils.class_weight.compute_sample_weight`.

    consistency_weight : float, default=0.0
        Weight of the variance of the outputs over three corrupted copies of unlabeled rows [4]_.
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
    classes_ : ndarray of shape (n_classes,)
        Labels of the classes; for multilabel targets the numbers of the labels.

    transformer_ : object
        The fitted transformer with the fine-tuned encoder. The head reads all of its layers.

    coef_ : ndarray of shape (n_outputs, n_layer_columns)
        Weights of the head; one output for two classes, otherwise one for each class.

    intercept_ : ndarray of shape (n_outputs,)
        Intercepts of the head.

    temperature_ : float
        Divisor of the outputs, contained in ``coef_`` and ``intercept_``, for the lowest loss of
        held-out rows; at least 1, and 1 if no number of epochs was chosen.

    C_ : float
        The penalty chosen for the head, as in
        :class:`~sklearn.linear_model.LogisticRegression`.

    best_iter_ : int
        Epochs of training after the linear probe; 0 if no epoch beat the probe.

    n_iter_ : int
        Epochs tried.

    validation_scores_ : list of float
        Negative held-out loss, at the best temperature, before the first epoch and after each that
        all folds have made. Only if it chooses the number of epochs.

    loss_curve_ : list of float
        Mean training loss of each of the ``best_iter_`` epochs.

    n_features_in_ : int
        Number of columns seen while fitting.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns; only if all are strings.

    See Also
    --------
    FineTunedRegressor : The same for numbers.
    sklearn.semi_supervised.SelfTrainingClassifier : Labels the unlabeled rows by itself.

    Notes
    -----
    ``y=-1`` marks an unlabeled row, and so does a multilabel row of -1. Strings need
    ``dtype=object`` to stand beside -1. If ``y`` consists of -1 and 1 and nothing else, both
    are classes: a single class could not be learned, and the coding is common.

    A batch is a random part of the rows. Repeating a row and doubling its weight therefore agree
    only on average. A row of weight zero counts as unlabeled.

    References
    ----------
    .. [1] A. Kumar et al., "Fine-tuning can distort pretrained features and underperform
       out-of-distribution", ICLR (2022).
    .. [2] B. T. Polyak and A. B. Juditsky, "Acceleration of stochastic approximation by
       averaging", SIAM Journal on Control and Optimization 30 (1992).
    .. [3] C. Guo et al., "On calibration of modern neural networks", ICML (2017).
    .. [4] J. Yoon et al., "VIME: Extending the success of self- and semi-supervised learning to
       tabular domain", NeurIPS (2020).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ssl import DenoisingAutoencoder, FineTunedClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> few = np.where(np.arange(150) % 10 == 0, y, -1)
    >>> transformer = DenoisingAutoencoder(hidden_layer_sizes=(32,), random_state=0)
    >>> classifier = FineTunedClassifier(transformer, max_iter=5, random_state=0).fit(X, few)
    >>> bool(classifier.score(X, y) > 0.85)
    True
    """

    classes_: npt.NDArray[np.generic]

    _parameter_constraints = {
        **BaseFineTuned._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
    }

    _calibrates = True

    def __init__(
        self,
        transformer: BaseEmbedder | FrozenEstimator | None = None,
        *,
        mode: str = "gradual",
        encoder_rate: float = 1.0,
        class_weight: ClassWeight = None,
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
        self.class_weight = class_weight
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
        """Learn classes from the labeled rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Labeled and unlabeled rows.

        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Classes; -1, NaN, None or NA for unlabeled rows. Or an indicator matrix of labels.

        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows in the labeled loss.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If the table cannot be read, or fewer than two classes are labeled.
        """
        name = type(self).__name__

        # Callbacks may score rows before the fit itself has found the classes.
        def classes() -> FloatArray:
            values, is_labeled = check_classes(y, name)
            return np.unique(values[is_labeled])

        fit_task = self._begin(X, y, sample_weight, classes)
        with safe_fit(self):
            table = self._check_X(X, reset=True)
            values, is_labeled = check_classes(y, name)
            require_one_per_row(table, values)
            # Rows without a label have no weight, and so do rows that the user gives none.
            weight = self._check_weight(sample_weight, table) * is_labeled
            target, self.classes_ = index_classes(values, weight, name)
            if self.class_weight is not None:
                # Balanced weights are counted over the labeled rows alone.
                weight[is_labeled] *= self._weight_of_class(values[is_labeled])
                if not weight.any():
                    raise ValueError(
                        "class_weight leaves no labeled row with a weight above 0; got "
                        f"class_weight={self.class_weight!r}. Give at least one class of y a "
                        "positive weight."
                    )
                target = replace(target, weight=weight)
            self._is_multilabel = values.ndim == 2
            self._learn(table, target, fit_task)
        fit_task.end(fitted=dict)
        return self

    def _weight_of_class(self, classes: npt.NDArray[np.generic]) -> FloatArray:
        """The weight that ``class_weight`` gives to each row."""
        weight: FloatArray = compute_sample_weight(self.class_weight, classes)
        if not np.all(np.isfinite(weight) & (weight >= 0)):
            raise ValueError(
                "class_weight must hold finite numbers of at least 0; got "
                f"class_weight={self.class_weight!r}."
            )
        return weight

    def decision_function(self, X: TableLike) -> FloatArray:
        """Outputs of the head: log-odds up to a constant of the row.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes, the log-odds of ``classes_[1]``.
        """
        output = self._output(X)
        # Two classes have one output, but so has a single label of an indicator matrix.
        is_single = output.shape[1] == 1 and not self._is_multilabel
        return output[:, 0] if is_single else output

    def predict_proba(self, X: TableLike) -> FloatArray:
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``. Rows sum to 1. For multilabel targets they need not:
            every column is the probability of one label.
        """
        scores = self.decision_function(X)
        probabilities: FloatArray
        if self._is_multilabel:
            probabilities = expit(scores)
        elif scores.ndim == 1:
            # Of a rare class, 1 - expit(scores) would lose digits.
            probabilities = np.column_stack([expit(-scores), expit(scores)])
        else:
            probabilities = softmax(scores, axis=1)
        return probabilities

    def predict(self, X: TableLike) -> npt.NDArray[np.generic]:
        """Most probable classes.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            Classes, or an indicator matrix of labels.
        """
        scores = self.decision_function(X)
        if self._is_multilabel:
            # A log-odds of zero is a probability of one half.
            return (scores > 0).astype(np.int64)
        chosen = (scores > 0).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)
        classes: npt.NDArray[np.generic] = self.classes_[chosen]
        return classes

    def score(
        self, X: TableLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """Accuracy on the rows that have a label.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Classes, with -1, NaN or None for the rows without, which are left out.

        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows.

        Returns
        -------
        score : float
            Share of rows with the right class, or with all the right labels.

        Raises
        ------
        ValueError
            If no row has a label.
        """
        check_is_fitted(self)
        name = type(self).__name__
        X, y, sample_weight = rows_to_score(X, y, sample_weight, self.classes_, name)
        score: float = super().score(X, y, sample_weight)
        return score

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
