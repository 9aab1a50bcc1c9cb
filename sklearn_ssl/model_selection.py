"""Model selection on tables of which few rows have a label.

:class:`LabeledFold` splits such a table: every unlabeled row is in each training set and in no
test set. :class:`LabeledRowsOnly` fits any classifier or regressor on the labeled rows of what it
is given, so that the transformer before it in a pipeline can learn from all rows.
"""

from collections.abc import Callable, Iterator
from numbers import Integral
from typing import Self, TypeAlias, cast

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.model_selection import BaseCrossValidator, KFold, StratifiedKFold
from sklearn.utils import Tags, check_consistent_length, get_tags, indexable
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from sklearn_ssl._compat import available_if, check_sample_weight, num_samples, safe_indexing
from sklearn_ssl._labels import labeled_rows, plain_labels, require_target, rows_to_score
from sklearn_ssl._marks import Labels, require_one_per_row
from sklearn_ssl._stratified import alternating
from sklearn_ssl._table.types import FloatArray, TableLike

__all__ = ["LabeledFold", "LabeledRowsOnly"]

Positions: TypeAlias = npt.NDArray[np.intp]


class LabeledFold(BaseCrossValidator):
    """Splitter that keeps unlabeled rows in every training set and out of every test set.

    It goes wherever scikit-learn takes ``cv``: into
    :class:`~sklearn.model_selection.GridSearchCV`,
    :class:`~sklearn.model_selection.HalvingGridSearchCV`,
    :func:`~sklearn.model_selection.cross_validate` and
    :func:`~sklearn.model_selection.learning_curve`.

    Parameters
    ----------
    cv : int or splitter, default=5
        How to split the labeled rows. A number of folds stands for
        :class:`~sklearn.model_selection.StratifiedKFold` if they have classes and for
        :class:`~sklearn.model_selection.KFold` otherwise; neither shuffles. Pass a splitter for
        anything else, such as
        ``RepeatedStratifiedKFold(n_splits=5, n_repeats=10, random_state=0)``.

    See Also
    --------
    LabeledRowsOnly : Keeps unlabeled rows from an ordinary classifier in a pipeline.

    Notes
    -----
    NaN and None in ``y`` mark unlabeled rows. Without them, -1 does, unless ``y`` holds fractions
    or other negative numbers or consists of -1 and 1 alone. Mark unlabeled rows of numbers by NaN.

    Training sets hold the unlabeled rows first and then the labeled ones, whose classes alternate
    in their proportions. Hence the beginning of a training set is a table with fewer labels, from
    which :func:`~sklearn.model_selection.learning_curve` profits: see :meth:`train_sizes`.

    Rows to test on are never trained on, not even without their labels.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ssl.model_selection import LabeledFold
    >>> y = np.array([0, -1, 1, -1, 0, 1])
    >>> for train, test in LabeledFold(cv=2).split(np.zeros((6, 1)), y):
    ...     print(train, test)
    [1 3 4 5] [0 2]
    [1 3 0 2] [4 5]
    """

    # Groups serve splitters of groups and are ignored by the others.
    __metadata_request__split = {"groups": True}

    def __init__(self, cv: int | BaseCrossValidator = 5) -> None:
        self.cv = cv

    @property
    def shuffle(self) -> bool:
        """Whether the splits are drawn at random, which a successive halving has to know."""
        return not isinstance(self.cv, Integral) and bool(getattr(self.cv, "shuffle", True))

    @property
    def random_state(self) -> int | np.random.RandomState | None:
        """Source of randomness of the splitter of the labeled rows."""
        state: int | np.random.RandomState | None = getattr(self.cv, "random_state", 0)
        return state

    def split(
        self, X: TableLike, y: npt.ArrayLike, groups: npt.ArrayLike | None = None
    ) -> Iterator[tuple[Positions, Positions]]:
        """Split rows into training and test sets.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; only their number matters.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels, with -1, NaN or None for the rows without.

        groups : array-like of shape (n_samples,) or None, default=None
            Groups of the rows, for a splitter that keeps them together. Unlabeled rows of a group
            in the test set stay in the training set.

        Yields
        ------
        train : ndarray of shape (n_train,)
            Unlabeled rows, then labeled ones.

        test : ndarray of shape (n_test,)
            Labeled rows.

        Raises
        ------
        ValueError
            If ``y`` is None, if it or each of its classes has fewer labels than there are folds, or
            if a splitter returns rows beyond the labeled ones.
        """
        labeled, labels, groups = self._labeled(X, y, groups)
        unlabeled = np.setdiff1d(np.arange(num_samples(X)), labeled)
        splitter = self._splitter(labels)
        # Splitters look at the number of rows and at the labels, not at the table.
        placeholder = np.zeros(len(labeled))
        for train, test in splitter.split(placeholder, labels, groups):
            _check_positions(np.concatenate([train, test]), len(labeled), splitter)
            # A learning curve trains on the beginning of the set, in which no class may be missing.
            train = train[alternating(labels[train])] if _has_strata(labels) else train
            yield np.concatenate([unlabeled, labeled[train]]), labeled[test]

    def get_n_splits(
        self,
        X: TableLike | None = None,
        y: npt.ArrayLike | None = None,
        groups: npt.ArrayLike | None = None,
    ) -> int:
        """Return the number of splits.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or None, default=None
            Rows.

        y : array-like of shape (n_samples,) or None, default=None
            Labels. Only splitters whose number of splits depends on the rows need these three.

        groups : array-like of shape (n_samples,) or None, default=None
            Groups of the rows.

        Returns
        -------
        n_splits : int
            Number of splits.
        """
        if isinstance(self.cv, Integral):
            return int(self.cv)
        self._check_cv()
        splitter = cast(BaseCrossValidator, self.cv)
        if X is None or y is None:
            return int(splitter.get_n_splits(X, y, groups))
        labeled, labels, groups = self._labeled(X, y, groups)
        return int(splitter.get_n_splits(np.zeros(len(labeled)), labels, groups))

    def train_sizes(self, y: npt.ArrayLike, n_labels: npt.ArrayLike) -> Positions:
        """Sizes of training sets with these numbers of labels and all unlabeled rows.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Labels, with -1, NaN or None for the rows without.

        n_labels : array-like of shape (n_sizes,)
            Numbers of labeled rows in a training set.

        Returns
        -------
        train_sizes : ndarray of shape (n_sizes,)
            To be passed to :func:`~sklearn.model_selection.learning_curve`, without ``shuffle``.

        Raises
        ------
        ValueError
            If ``n_labels`` are fractions, or less than 1.

        Examples
        --------
        >>> from sklearn_ssl.model_selection import LabeledFold
        >>> LabeledFold(cv=2).train_sizes([0, -1, 1, -1, 0, 1], [1, 2])
        array([3, 4])
        """
        sizes = np.asarray(n_labels)
        if sizes.ndim != 1 or sizes.dtype.kind not in "iu" or np.any(sizes < 1):
            raise ValueError(f"n_labels must hold whole numbers of at least 1; got {n_labels!r}.")
        n_unlabeled = int(np.sum(~labeled_rows(y)))
        return n_unlabeled + sizes.astype(np.intp)

    def _labeled(
        self, X: TableLike, y: npt.ArrayLike | None, groups: npt.ArrayLike | None
    ) -> tuple[Positions, Labels, npt.ArrayLike | None]:
        """Rows with a label, their labels and their groups."""
        if y is None:
            raise ValueError("LabeledFold splits rows by their labels, but y is None.")
        # A splitter needs no table.
        if X is not None:
            require_one_per_row(X, y)
        check_consistent_length(y, groups)
        labeled = np.flatnonzero(labeled_rows(y))
        if not len(labeled):
            raise ValueError("LabeledFold has no row to test on: all of y is -1, NaN or None.")
        groups = None if groups is None else safe_indexing(groups, labeled)
        labels = plain_labels(safe_indexing(y, labeled))
        # Splitters stratify by a row of classes, and not by a column of them.
        if labels.shape[1:] == (1,):
            labels = labels.ravel()
        return labeled, labels, groups

    def _splitter(self, labels: Labels) -> BaseCrossValidator:
        self._check_cv()
        if not isinstance(self.cv, Integral):
            return self.cv
        n_folds = int(self.cv)
        if not 2 <= n_folds <= len(labels):
            raise ValueError(
                f"LabeledFold needs from 2 folds to as many as there are labeled rows, which is "
                f"{len(labels)}; got cv={self.cv}."
            )
        if not _has_strata(labels, n_folds):
            return KFold(n_folds)
        if np.unique(labels, return_counts=True)[1].max() < n_folds:
            raise ValueError(
                f"LabeledFold stratifies by class, and no class of y has cv={n_folds} labeled "
                f"rows. Use fewer folds, or LabeledFold(KFold({n_folds})) if y holds numbers."
            )
        return StratifiedKFold(n_folds)

    def _check_cv(self) -> None:
        # Strings have a method of this name, too.
        can_split = hasattr(self.cv, "split") and not isinstance(self.cv, str)
        if not isinstance(self.cv, Integral) and not can_split:
            raise TypeError(
                "cv must be a number of folds or a splitter of the labeled rows, such as "
                f"StratifiedKFold(5); got {self.cv!r}."
            )


def _offers(method: str) -> Callable[["LabeledRowsOnly"], bool]:
    """Whether the estimator within has a method, which a wrapper then has, too."""

    def check(self: "LabeledRowsOnly") -> bool:
        estimator = getattr(self, "estimator_", self.estimator)
        # The error of the estimator itself says why a method is not there.
        getattr(estimator, method)
        return True

    return check


class LabeledRowsOnly(MetaEstimatorMixin, BaseEstimator):
    """Fit a classifier or regressor on the rows that have a label.

    In ``make_pipeline(MaskedFeaturePredictor(), LabeledRowsOnly(LogisticRegression()))`` the
    transformer learns from all rows and the classifier from the labeled ones.

    Parameters
    ----------
    estimator : object
        Classifier or regressor, of which a clone is fitted.

    Attributes
    ----------
    estimator_ : object
        The fitted clone.

    classes_ : ndarray of shape (n_classes,)
        Classes of a classifier.

    n_features_in_ : int
        Number of columns seen while fitting.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns; only if all are strings.

    See Also
    --------
    LabeledFold : Splits rows so that all unlabeled ones are trained on.
    sklearn.semi_supervised.SelfTrainingClassifier : Uses the unlabeled rows.

    Notes
    -----
    NaN and None in ``y`` mark unlabeled rows. Without them, -1 does, unless ``y`` holds fractions
    or other negative numbers or consists of -1 and 1 alone.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_ssl import MaskedFeaturePredictor
    >>> from sklearn_ssl.model_selection import LabeledFold, LabeledRowsOnly
    >>> X, y = load_iris(return_X_y=True)
    >>> few = np.where(np.arange(150) % 5 == 0, y, -1)
    >>> model = make_pipeline(
    ...     MaskedFeaturePredictor(hidden_layer_sizes=(32,), max_iter=5, random_state=0),
    ...     LabeledRowsOnly(LogisticRegression(max_iter=1000)),
    ... )
    >>> grid = {
    ...     "maskedfeaturepredictor__mask_rate": [0.2, 0.5],
    ...     "labeledrowsonly__estimator__C": [0.1, 1.0],
    ... }
    >>> search = GridSearchCV(model, grid, cv=LabeledFold(cv=3)).fit(X, few)
    >>> bool(search.score(X, y) > 0.85)
    True
    """

    def __init__(self, estimator: BaseEstimator) -> None:
        self.estimator = estimator

    def fit(
        self, X: TableLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Fit the estimator on the labeled rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Labeled and unlabeled rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels, with -1, NaN or None for the rows without.

        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows.

        Returns
        -------
        self : object
            The fitted meta-estimator.

        Raises
        ------
        ValueError
            If no row has a label.
        """
        name = f"LabeledRowsOnly({type(self.estimator).__name__})"
        y = require_target(y, name)
        require_one_per_row(X, y)
        X, y = indexable(X, y)
        labeled = np.flatnonzero(labeled_rows(y))
        # A table without rows is left to the estimator, whose error says so.
        if not len(labeled) and num_samples(y):
            raise ValueError(f"{name} needs labeled rows, but all of y is -1, NaN or None.")
        weights = {}
        if sample_weight is not None:
            # The check looks at the number of rows of a table, and at nothing that it holds.
            of_all = check_sample_weight(sample_weight, np.empty((num_samples(X), 1)))
            weights["sample_weight"] = of_all[labeled]
        labels = plain_labels(safe_indexing(y, labeled))
        # Only a fit that succeeds replaces an earlier one.
        self.estimator_ = clone(self.estimator).fit(safe_indexing(X, labeled), labels, **weights)
        return self

    @available_if(_offers("predict"))
    def predict(self, X: TableLike) -> Labels:
        """Predict classes or numbers by the estimator fitted on labeled rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions.
        """
        check_is_fitted(self)
        predicted: Labels = self.estimator_.predict(X)
        return predicted

    @available_if(_offers("predict_proba"))
    def predict_proba(self, X: TableLike) -> FloatArray:
        """Predict probabilities of the classes by the estimator fitted on labeled rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        check_is_fitted(self)
        probabilities: FloatArray = self.estimator_.predict_proba(X)
        return probabilities

    @available_if(_offers("predict_log_proba"))
    def predict_log_proba(self, X: TableLike) -> FloatArray:
        """Predict logarithms of the probabilities by the estimator fitted on labeled rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        check_is_fitted(self)
        log_probabilities: FloatArray = self.estimator_.predict_log_proba(X)
        return log_probabilities

    @available_if(_offers("decision_function"))
    def decision_function(self, X: TableLike) -> FloatArray:
        """Compute confidences by the estimator fitted on labeled rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Confidences.
        """
        check_is_fitted(self)
        scores: FloatArray = self.estimator_.decision_function(X)
        return scores

    def score(
        self, X: TableLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """Score on the rows that have a label.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows to test on.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels, with -1, NaN or None for the rows without, which are left out.

        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows.

        Returns
        -------
        score : float
            Accuracy of a classifier, R2 of a regressor.

        Raises
        ------
        ValueError
            If no row has a label.
        """
        check_is_fitted(self)
        classes = getattr(self.estimator_, "classes_", None)
        name = f"LabeledRowsOnly({type(self.estimator).__name__})"
        X, y, sample_weight = rows_to_score(X, y, sample_weight, classes, name)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        score: float = self.estimator_.score(X, y, **weights)
        return score

    @property
    def classes_(self) -> Labels:
        """Classes of a classifier."""
        return cast(Labels, self._fitted("classes_"))

    @property
    def n_features_in_(self) -> int:
        """Number of columns seen while fitting."""
        return cast(int, self._fitted("n_features_in_"))

    @property
    def feature_names_in_(self) -> npt.NDArray[np.object_]:
        """Names of the columns; only if all are strings."""
        return cast(npt.NDArray[np.object_], self._fitted("feature_names_in_"))

    def _fitted(self, name: str) -> object:
        if not hasattr(self, "estimator_"):
            raise AttributeError(f"{type(self).__name__} has no {name} before fit.")
        return getattr(self.estimator_, name)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = inner.classifier_tags
        tags.regressor_tags = inner.regressor_tags
        tags.input_tags = inner.input_tags
        tags.target_tags = inner.target_tags
        return tags


def _check_positions(rows: Positions, n_labeled: int, splitter: BaseCrossValidator) -> None:
    """Refuse a splitter that has its own idea of the rows, such as one of predefined folds."""
    if rows.max() >= n_labeled:
        raise ValueError(
            f"cv of LabeledFold splits the {n_labeled} labeled rows, and {type(splitter).__name__} "
            f"returns row {rows.max()}. If it holds an entry for each row of X, keep those of the "
            "labeled rows: PredefinedSplit(test_fold[y != -1])."
        )


def _has_strata(labels: Labels, n_folds: int = 2) -> bool:
    """Whether labels are classes, or numbers that repeat often enough to be treated as such."""
    if labels.ndim > 1:
        return False
    if labels.dtype.kind == "f":
        is_repeated = np.unique(labels, return_counts=True)[1].min() >= n_folds
        return is_repeated and type_of_target(labels) in {"binary", "multiclass"}
    return type_of_target(labels) in {"binary", "multiclass"}
