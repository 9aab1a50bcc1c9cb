"""Model selection with few labels: splits, searches, what is cached, what is refused."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from embedders import BRIEF
from joblib import Memory
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    PredefinedSplit,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from sklearn_ssl import (
    ContrastiveEmbedder,
    DenoisingAutoencoder,
    FineTunedClassifier,
    FineTunedRegressor,
    MaskedFeaturePredictor,
)
from sklearn_ssl._labels import labeled_rows, rows_to_score
from sklearn_ssl.model_selection import LabeledFold, LabeledRowsOnly

X, y = load_iris(return_X_y=True)
few = np.where(np.arange(150) % 5 == 0, y, -1)
names = np.array(["setosa", "versicolor", "virginica"], dtype=object)[y]

MARKS = {
    "-1": few,
    "-1 among floats": few.astype(float),
    "NaN": np.where(few == -1, np.nan, few),
    "None": np.where(few == -1, None, y.astype(object)),
    "-1 among strings": np.where(few == -1, -1, names),
    "None among strings": np.where(few == -1, None, names),
    "a list": few.tolist(),
    "-1 in a list of strings": np.where(few == -1, -1, names).tolist(),
    "a column": few[:, None],
    "a masked array": np.ma.masked_where(few == -1, y),
    "a Series": pd.Series(few, index=np.arange(150)[::-1]),
    "NA": pd.Series(few).astype("Int64").replace(-1, pd.NA),
    "NA among categories": pd.Series(np.where(few == -1, None, names), dtype="category"),
    "-1 among decimals": pd.Series([Decimal(int(label)) for label in few]),
    "None among decimals": [None if label == -1 else Decimal(int(label)) for label in few],
    "rows of -1": np.where(few[:, None] == -1, -1, np.eye(3, dtype=int)[y]),
    "rows of NaN": np.where(few[:, None] == -1, np.nan, np.eye(3)[y]),
}


@pytest.mark.parametrize("marked", MARKS.values(), ids=MARKS)
def test_every_mark_of_an_unlabeled_row_is_understood(marked):
    assert (labeled_rows(marked) == (few != -1)).all()


@pytest.mark.parametrize(
    "labels",
    [
        [-1, 1, 1, -1],
        [-1.0, 0.5, 2.0, 3.0],
        [-1, -2, 0, 4],
        np.array([-1, 1, 1, -1], dtype=object),
        [True, False, True, True],
        sp.csr_array([[0, 1], [0, 0], [1, 0], [1, 1]]),
    ],
)
def test_values_that_are_no_marks_are_labels(labels):
    assert labeled_rows(labels).all()


@pytest.mark.parametrize("text", ["-1", "-1.0", "", "nan", "<NA>"])
def test_texts_that_look_like_marks_are_refused(text):
    labels = np.array([text, "a", "b", "a"])
    message = f"y holds the text {text!r} in 1 rows.*write None instead"
    with pytest.raises(ValueError, match=message):
        next(LabeledFold(2).split(np.zeros((4, 1)), labels))
    with pytest.raises(ValueError, match=message):
        LabeledRowsOnly(LogisticRegression()).fit(np.zeros((4, 1)), labels)


def test_minus_one_beside_missing_numbers_is_a_number():
    assert labeled_rows([-1.0, np.nan, 2.0, 3.0]).tolist() == [True, False, True, True]


@pytest.mark.parametrize("marked", MARKS.values(), ids=MARKS)
@pytest.mark.parametrize(
    "cv", [3, StratifiedKFold(3, shuffle=True, random_state=0), ShuffleSplit(3, random_state=0)]
)
def test_unlabeled_rows_are_in_every_training_set_and_in_no_test_set(marked, cv):
    if isinstance(cv, StratifiedKFold) and np.ndim(marked) == 2 and np.shape(marked)[1] > 1:
        pytest.skip("scikit-learn does not stratify several outputs")
    splits = list(LabeledFold(cv).split(X, marked))
    assert len(splits) == LabeledFold(cv).get_n_splits(X, marked) == 3
    for train, test in splits:
        assert set(np.flatnonzero(few == -1)) <= set(train)
        assert (few[test] != -1).all()
        assert not set(train) & set(test)
        assert len(set(train)) == len(train)


def test_classes_are_stratified_and_numbers_are_not():
    for _, test in LabeledFold(5).split(X, few):
        assert np.bincount(few[test]).tolist() == [2, 2, 2]
    target = np.where(np.arange(150) % 5 == 0, X[:, 0] + np.arange(150), np.nan)
    tested = np.concatenate([test for _, test in LabeledFold(5).split(X, target)])
    assert tested.tolist() == np.flatnonzero(~np.isnan(target)).tolist()


@pytest.mark.parametrize("n_labels", [3, 6, 12])
def test_the_beginning_of_a_training_set_has_fewer_labels_in_the_same_proportions(n_labels):
    fold = LabeledFold(5)
    size = fold.train_sizes(few, [n_labels])[0]
    for train, _ in fold.split(X, few):
        labels = few[train[:size]]
        assert (labels == -1).sum() == 120
        assert np.bincount(labels[labels != -1]).tolist() == [n_labels // 3] * 3


def test_groups_of_labeled_rows_stay_together():
    groups = np.arange(150) // 10
    for train, test in LabeledFold(GroupKFold(3)).split(X, few, groups):
        assert not set(groups[train[few[train] != -1]]) & set(groups[test])


@pytest.mark.parametrize(
    ("cv", "is_constant"),
    [
        (3, True),
        (StratifiedKFold(3, shuffle=True, random_state=0), True),
        (StratifiedKFold(3, shuffle=True), False),
        (RepeatedStratifiedKFold(n_splits=3, n_repeats=2), False),
    ],
)
def test_successive_halving_sees_whether_splits_are_constant(cv, is_constant):
    search = HalvingGridSearchCV(
        LabeledRowsOnly(LogisticRegression()),
        {"estimator__C": [1.0, 2.0]},
        cv=LabeledFold(cv),
        resource="estimator__max_iter",
        max_resources=200,
        min_resources=100,
    )
    if is_constant:
        assert search.fit(X, few).best_score_ > 0.8
    else:
        with pytest.raises(ValueError, match="consistent folds"):
            search.fit(X, few)


BAD_SPLITS = {
    "no y": ({}, None, ValueError, "y is None"),
    "no label": ({}, np.full(150, -1), ValueError, "no row to test on"),
    "one fold": ({"cv": 1}, few, ValueError, "from 2 folds .* got cv=1"),
    "more folds than labels": ({"cv": 31}, few, ValueError, "which is 30; got cv=31"),
    "other length": ({}, few[1:], ValueError, "inconsistent numbers of samples"),
    "no splitter": ({"cv": "kfold"}, few, TypeError, "a number of folds or a splitter"),
    "splits": ({"cv": [([0], [1])]}, few, TypeError, "a number of folds or a splitter"),
    "folds of all rows": (
        {"cv": PredefinedSplit(np.arange(150) % 3)},
        few,
        ValueError,
        r"the 30 labeled rows, and PredefinedSplit returns row 149.*test_fold\[y != -1\]",
    ),
    "no class with enough labels": (
        {"cv": 4},
        np.where(np.arange(150) < 60, np.arange(150) // 3, -1),
        ValueError,
        r"no class of y has cv=4 labeled rows.*LabeledFold\(KFold\(4\)\)",
    ),
}


@pytest.mark.parametrize(
    ("options", "labels", "error", "message"), BAD_SPLITS.values(), ids=BAD_SPLITS
)
def test_bad_splits_get_one_sentence(options, labels, error, message):
    with pytest.raises(error, match=message):
        list(LabeledFold(**options).split(X, labels))


@pytest.mark.parametrize("kind", ["numbers", "labels"])
def test_rows_with_some_of_their_targets_are_split(kind):
    targets = load_iris().data[:, :2] if kind == "numbers" else np.eye(3)[y]
    targets[::2, 0] = np.nan
    tested = [test for _, test in LabeledFold(3).split(X, targets)]
    assert sorted(np.concatenate(tested)) == list(range(150))


@pytest.mark.parametrize("n_labels", [[0.5, 1.0], [-5, 10], [0], ["5"], 5])
def test_numbers_of_labels_that_are_none_are_refused(n_labels):
    with pytest.raises(ValueError, match="n_labels must hold whole numbers of at least 1; got"):
        LabeledFold(2).train_sizes(few, n_labels)


LOOK_LIKE_MARKS = {
    "3 labels of class 1": (np.where(np.arange(150) < 3, 1, -1), "3 rows of class 1 against 147"),
    "numbers": (np.where(np.arange(150) < 50, y + 0.5, -1.0), "100 of 150 targets are -1"),
}


@pytest.mark.parametrize(("labels", "message"), LOOK_LIKE_MARKS.values(), ids=LOOK_LIKE_MARKS)
def test_minus_one_that_is_a_label_but_looks_like_a_mark_is_reported(labels, message):
    with pytest.warns(UserWarning, match=message):
        list(LabeledFold(3).split(X, labels))
    with pytest.warns(UserWarning, match=message):
        LabeledRowsOnly(Ridge()).fit(X, labels)


def test_a_fold_shows_its_parameter():
    assert repr(LabeledFold(3)) == "LabeledFold(cv=3)"


# Searches


@pytest.mark.parametrize("labels", [few, np.where(few == -1, -1, names)], ids=["numbers", "names"])
@pytest.mark.slow
def test_fine_tuning_is_searched_over_few_labels(labels):
    classifier = FineTunedClassifier(MaskedFeaturePredictor(**BRIEF), mode="frozen", random_state=0)
    grid = {"transformer__mask_rate": [0.2, 0.5]}
    search = GridSearchCV(classifier, grid, cv=LabeledFold(3)).fit(X, labels)
    assert search.best_score_ > 0.7
    scores = cross_validate(classifier, X, labels, cv=LabeledFold(3))["test_score"]
    assert scores.mean() > 0.7


def test_a_regressor_is_searched_over_few_targets():
    X, y = load_diabetes(return_X_y=True)
    few = np.where(np.arange(442) % 4 == 0, y, np.nan)
    regressor = FineTunedRegressor(DenoisingAutoencoder(**BRIEF), mode="frozen", random_state=0)
    scores = cross_validate(regressor, X, few, cv=LabeledFold(3))["test_score"]
    assert scores.mean() > 0.2


@pytest.mark.slow
def test_epochs_are_the_resource_of_a_successive_halving():
    classifier = FineTunedClassifier(MaskedFeaturePredictor(**BRIEF), mode="frozen", random_state=0)
    search = HalvingGridSearchCV(
        classifier,
        {"transformer__mask_rate": [0.2, 0.3, 0.5]},
        cv=LabeledFold(3),
        resource="transformer__max_iter",
        max_resources=6,
        min_resources=2,
    )
    assert search.fit(X, few).best_params_["transformer__max_iter"] == 6


def test_a_learning_curve_takes_numbers_of_labels():
    fold = LabeledFold(3)
    model = make_pipeline(DenoisingAutoencoder(**BRIEF), LabeledRowsOnly(LogisticRegression()))
    sizes, _, scores = learning_curve(
        model, X, few, cv=fold, train_sizes=fold.train_sizes(few, [3, 20])
    )
    assert sizes.tolist() == [123, 140]
    assert scores.shape == (2, 3)
    assert scores[1].mean() > 0.7


def test_one_search_covers_the_transformer_and_the_classifier():
    model = make_pipeline(
        MaskedFeaturePredictor(**BRIEF), LabeledRowsOnly(LogisticRegression(max_iter=1000))
    )
    grid = {
        "maskedfeaturepredictor__mask_rate": [0.2, 0.5],
        "labeledrowsonly__estimator__C": [0.1, 1.0],
    }
    search = GridSearchCV(model, grid, cv=LabeledFold(3), scoring="roc_auc_ovr").fit(X, few)
    assert search.best_score_ > 0.9
    assert search.best_estimator_[0].transform(X).shape[0] == 150


@pytest.fixture
def count_fits(monkeypatch):
    """Count the fits of the transformers of this process."""
    counted = []
    for transformer in (DenoisingAutoencoder, ContrastiveEmbedder, MaskedFeaturePredictor):

        def fit(self, X, y=None, *, fit=transformer.fit):
            counted.append(type(self).__name__)
            return fit(self, X, y)

        monkeypatch.setattr(transformer, "fit", fit)
    return counted


@pytest.mark.parametrize(
    "transformer", [DenoisingAutoencoder, ContrastiveEmbedder, MaskedFeaturePredictor]
)
@pytest.mark.parametrize("as_frame", [False, True])
@pytest.mark.slow
def test_pretraining_that_candidates_share_is_cached(transformer, as_frame, tmp_path, count_fits):
    table = pd.DataFrame(X, columns=list("abcd")).assign(kind=names) if as_frame else X
    model = make_pipeline(
        transformer(**BRIEF),
        LabeledRowsOnly(LogisticRegression(max_iter=1000)),
        memory=Memory(tmp_path, verbose=0),
    )
    grid = {"labeledrowsonly__estimator__C": [0.01, 0.1, 1.0, 10.0]}
    search = GridSearchCV(model, grid, cv=LabeledFold(3)).fit(table, few)
    assert len(count_fits) == 4  # one for each fold, and one for the refit
    uncached = model.set_params(memory=None, **search.best_params_).fit(table, few)
    assert (uncached.predict_proba(table) == search.predict_proba(table)).all()


@pytest.mark.parametrize("supervision_weight", [0.0, 1.0])
@pytest.mark.parametrize("seeds", [(0, None), (None, 0)], ids=["transformer", "classifier"])
@pytest.mark.slow
def test_pretraining_that_candidates_of_fine_tuning_share_is_cached(
    supervision_weight, seeds, tmp_path, monkeypatch
):
    counted = []

    def fit(self, X, target, processes, *, fit=DenoisingAutoencoder._fit):
        counted.append(self)
        return fit(self, X, target, processes)

    monkeypatch.setattr(DenoisingAutoencoder, "_fit", fit)
    options = BRIEF | {"random_state": seeds[0], "supervision_weight": supervision_weight}
    classifier = FineTunedClassifier(
        DenoisingAutoencoder(**options),
        random_state=seeds[1],
        max_iter=2,
        memory=str(tmp_path),
    )
    grid = {"mode": ["frozen", "full"], "encoder_rate": [0.5, 1.0]}
    search = GridSearchCV(classifier, grid, cv=LabeledFold(3)).fit(X, few)
    assert len(counted) == 4  # one for each fold, and one for the refit
    if seeds[1] is not None:
        uncached = clone(search.best_estimator_).set_params(memory=None).fit(X, few)
        assert (uncached.predict_proba(X) == search.predict_proba(X)).all()


# Rows without a label are no test


@pytest.mark.parametrize("labels", [few, np.where(few == -1, -1, names)], ids=["numbers", "names"])
@pytest.mark.parametrize(
    "model",
    [
        FineTunedClassifier(DenoisingAutoencoder(**BRIEF), mode="frozen", random_state=0),
        LabeledRowsOnly(LogisticRegression(max_iter=1000)),
    ],
)
@pytest.mark.slow
def test_a_score_leaves_unlabeled_rows_out(model, labels):
    model = clone(model).fit(X, labels)
    weight = np.arange(150.0)
    known = few != -1
    truth = labels[known].astype(int if labels is few else str)
    assert model.score(X, labels) == model.score(X[known], truth) > 0.7
    weighted = model.score(X[known], truth, sample_weight=weight[known])
    assert model.score(X, labels, sample_weight=weight) == weighted


def test_a_score_leaves_rows_without_a_number_out():
    target = np.where(few == -1, np.nan, X[:, 0])
    known = few != -1
    tuned = FineTunedRegressor(DenoisingAutoencoder(**BRIEF), mode="frozen", random_state=0)
    for model in (tuned, LabeledRowsOnly(Ridge())):
        model.fit(X, target)
        assert model.score(X, target) == model.score(X[known], X[known, 0]) > 0.7


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["None", "-1 among booleans"])
def test_test_rows_of_objects_are_scored(kind):
    labels = MARKS["None"] if kind == "None" else np.where(few == -1, -1, (y > 0).astype(object))
    model = LabeledRowsOnly(LogisticRegression(max_iter=1000))
    scores = cross_val_score(model, X, labels, cv=LabeledFold(3), error_score="raise")
    assert scores.mean() > 0.8


@pytest.mark.slow
def test_a_search_over_ordinary_folds_scores_labeled_rows():
    classifier = FineTunedClassifier(DenoisingAutoencoder(**BRIEF), mode="frozen", random_state=0)
    search = GridSearchCV(classifier, {"transformer__noise_level": [0.1, 0.3]}, cv=3)
    assert search.fit(X, few).best_score_ > 0.7


@pytest.mark.slow
def test_a_score_of_unlabeled_rows_alone_names_the_splitter():
    classifier = FineTunedClassifier(DenoisingAutoencoder(**BRIEF), mode="frozen", random_state=0)
    regressor = FineTunedRegressor(DenoisingAutoencoder(**BRIEF), mode="frozen", random_state=0)
    message = r"cannot be scored without labels, and all 9 rows .* cv=LabeledFold\(\)"
    with pytest.raises(ValueError, match="FineTunedClassifier " + message):
        classifier.fit(X, few).score(X[:9], np.full(9, -1))
    with pytest.raises(ValueError, match="FineTunedRegressor " + message):
        regressor.fit(X, X[:, 0]).score(X[:9], np.full(9, np.nan))
    with pytest.raises(ValueError, match=r"LabeledRowsOnly\(Ridge\) " + message):
        LabeledRowsOnly(Ridge()).fit(X, X[:, 0]).score(X[:9], np.full(9, np.nan))


@pytest.mark.parametrize(
    ("labels", "classes", "n_scored"),
    [
        ([-1, 1, 1], [-1, 1], 3),
        ([-1, 1, 1], [0, 1], 2),
        ([-1.0, 0.0, 2.0], None, 3),
    ],
)
def test_minus_one_is_scored_if_it_is_a_class_or_a_number(labels, classes, n_scored):
    assert len(rows_to_score(np.zeros((3, 1)), labels, None, classes, "It")[0]) == n_scored


# LabeledRowsOnly


@pytest.mark.parametrize("marked", MARKS.values(), ids=MARKS)
def test_an_estimator_sees_the_labeled_rows_alone(marked):
    if np.ndim(marked) == 2:
        pytest.skip("logistic regression has one output")
    model = LabeledRowsOnly(LogisticRegression(max_iter=1000)).fit(X, marked)
    truth = names if "setosa" in list(model.classes_) else y
    alone = LogisticRegression(max_iter=1000).fit(X[few != -1], truth[few != -1])
    assert (model.predict_proba(X) == alone.predict_proba(X)).all()
    assert model.score(X, truth) == alone.score(X, truth)
    assert model.n_features_in_ == 4


def test_weights_of_unlabeled_rows_do_not_count():
    weight = np.where(few == -1, np.nan, 1.0 + few)
    weight = np.nan_to_num(weight, nan=1000.0)
    model = LabeledRowsOnly(Ridge()).fit(X, few, sample_weight=weight)
    alone = Ridge().fit(X[few != -1], few[few != -1], sample_weight=weight[few != -1])
    assert (model.predict(X) == alone.predict(X)).all()


def test_a_wrapper_offers_what_its_estimator_offers():
    assert hasattr(LabeledRowsOnly(LogisticRegression()), "predict_proba")
    assert not hasattr(LabeledRowsOnly(Ridge()), "predict_proba")
    assert not hasattr(LabeledRowsOnly(Ridge()), "classes_")


def test_no_labeled_row_is_one_sentence():
    with pytest.raises(ValueError, match="needs labeled rows, but all of y"):
        LabeledRowsOnly(Ridge()).fit(X, np.full(150, np.nan))


@pytest.mark.parametrize("estimator", [LogisticRegression(max_iter=1000), Ridge()])
@pytest.mark.filterwarnings("ignore")
def test_wrappers_are_estimators_of_scikit_learn(estimator):
    check_estimator(LabeledRowsOnly(estimator))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes_of_several_outputs_are_scored(n_classes):
    labels = np.column_stack([few, np.where(few == -1, -1, np.minimum(y, n_classes - 1))])
    model = LabeledRowsOnly(TwoOutputs()).fit(X, labels)
    assert model.score(X, labels) == 30


class TwoOutputs(ClassifierMixin, BaseEstimator):
    """A classifier of several outputs whose score is the number of rows."""

    def fit(self, X, y):
        self.classes_ = [np.unique(column) for column in y.T]
        return self

    def score(self, X, y):
        return len(y)


def test_a_fit_that_fails_leaves_the_earlier_one():
    model = LabeledRowsOnly(LogisticRegression(max_iter=1000)).fit(X, few)
    before = model.predict(X)
    with pytest.raises(ValueError, match="'C' parameter"):
        model.set_params(estimator__C=-1.0).fit(X, few)
    assert (model.predict(X) == before).all()
