"""Fine-tuned classifier and regressor: scikit-learn's checks, targets of all kinds, few labels."""

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from embedders import NARROW, SMALL, UNSEEDED
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_score
from sklearn.utils import estimator_checks as checks
from skorch.callbacks import Callback

from sklearn_ssl import (
    ContrastiveEmbedder,
    DenoisingAutoencoder,
    FineTunedClassifier,
    FineTunedRegressor,
    MaskedFeaturePredictor,
)
from sklearn_ssl._finetuning.linear_probe import LinearHead
from sklearn_ssl._network.autoencoder import Encoder
from sklearn_ssl._network.embedding import Embedding, Layers
from sklearn_ssl._network.layers import Linear
from sklearn_ssl._pretext.losses import class_losses, label_losses, squared_losses
from sklearn_ssl._pretext.supervised import Supervise, draw_rows
from sklearn_ssl._table.schema import Schema
from sklearn_ssl.evaluation._targets import read_target
from sklearn_ssl.model_selection import LabeledFold, LabeledRowsOnly

TINY = DenoisingAutoencoder(**UNSEEDED)

NOT_EQUIVALENT = dict.fromkeys(
    [
        "check_sample_weight_equivalence_on_dense_data",
        "check_sample_weight_equivalence_on_sparse_data",
    ],
    "sample_weight is not equivalent to removing/repeating samples: minibatches are drawn at "
    "random, as in scikit-learn's own stochastic estimators",
)


@checks.parametrize_with_checks(
    [
        FineTunedClassifier(TINY, max_iter=2, validation_fraction=0.5),
        FineTunedRegressor(TINY, max_iter=2, validation_fraction=0.5),
    ],
    expected_failed_checks=lambda estimator: NOT_EQUIVALENT,
)
@pytest.mark.slow
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("Estimator", [FineTunedClassifier, FineTunedRegressor])
def test_parameter_validation(Estimator):
    checks.check_param_validation(Estimator.__name__, Estimator(TINY))


def few_labels(y, every, unlabeled):
    return np.where(np.arange(len(y)) % every == 0, y, unlabeled)


@pytest.mark.parametrize("Embedder", [ContrastiveEmbedder, MaskedFeaturePredictor])
@pytest.mark.parametrize("mode", ["frozen", "gradual", "full"])
@pytest.mark.slow
def test_given_transformer_does_not_change(Embedder, mode):
    X, y = load_iris(return_X_y=True)
    given = Embedder(**SMALL).fit(X)
    before, state = given.transform(X), copy.deepcopy(given.model_.task.state_dict())
    classifier = FineTunedClassifier(
        given, mode=mode, early_stopping=False, max_iter=3, random_state=0
    ).fit(X, y)
    assert (given.transform(X) == before).all()
    after = given.model_.task.state_dict()
    assert all(torch.equal(part, after[name]) for name, part in state.items())
    is_same = (classifier.transformer_.transform(X) == before).all()
    assert is_same == (mode == "frozen")


def some_flowers():
    """Every third iris, 50 rows, where neither accuracy nor the number of rows matters."""
    X, y = load_iris(return_X_y=True)
    return X[::3], y[::3]


def test_frozen_mode_is_logistic_regression_on_the_layers():
    X, y = some_flowers()
    given = DenoisingAutoencoder(**SMALL).fit(X)
    for rows in (slice(None), slice(17, None)):  # three classes, then two
        classifier = FineTunedClassifier(given, mode="frozen", random_state=0)
        classifier.fit(X[rows], y[rows])
        Z = given.model_.embed_layers(X[rows], "cpu").astype(float)
        probe = LogisticRegression(C=classifier.C_, tol=1e-8, max_iter=5000).fit(Z, y[rows])
        np.testing.assert_allclose(
            classifier.predict_proba(X[rows]), probe.predict_proba(Z), atol=1e-4
        )


@pytest.mark.parametrize("n_rows", [5, 200])
def test_head_for_squared_errors_is_ridge(n_rows):
    rng = np.random.default_rng(0)
    Z, y = rng.normal(size=(n_rows, 20)), rng.normal(size=(n_rows, 2))
    tensors = torch.from_numpy(Z), torch.from_numpy(y), torch.ones(n_rows).double()
    weights, intercepts = LinearHead(*tensors, squared_losses, 2).fit(0.1)
    ridge = Ridge(alpha=10.0).fit(Z, y)
    np.testing.assert_allclose(weights, ridge.coef_, atol=1e-5)
    np.testing.assert_allclose(intercepts, ridge.intercept_, atol=1e-5)


def test_losses_follow_their_definitions():
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(5, 3, generator=generator)
    classes, labels = torch.tensor([0, 2, 1, 1, 0]), torch.eye(5)[:, :3]
    for i in range(5):
        p = output[i].exp() / output[i].exp().sum()
        assert class_losses(output, classes)[i].item() == pytest.approx(-p[classes[i]].log().item())
        q = output[i].sigmoid()
        terms = [-(q[j] if labels[i, j] else 1 - q[j]).log().item() for j in range(3)]
        assert label_losses(output, labels)[i].item() == pytest.approx(sum(terms), rel=1e-5)
    target = output + torch.tensor([1.0, 2.0, torch.nan])
    assert squared_losses(output, target).tolist() == pytest.approx([2.5] * 5, rel=1e-5)


def test_embedding_module_is_transform_and_is_differentiable():
    X, _ = load_iris(return_X_y=True)
    given = DenoisingAutoencoder(**SMALL).fit(X)
    embedding = given.model_.embedding()
    embedded = embedding(*given.model_.encode(X))
    np.testing.assert_allclose(embedded.detach().numpy(), given.transform(X), atol=1e-5)
    embedded.square().sum().backward()
    assert embedding.encoder.rows.dense.weight.grad.abs().sum() > 0


@pytest.mark.slow
def test_few_labels_are_no_worse_than_the_probe_and_many_are_better():
    X, y = load_digits(n_class=5, return_X_y=True)
    given = DenoisingAutoencoder(
        16, hidden_layer_sizes=(32,), passthrough=False, max_iter=10, random_state=0
    ).fit(X)
    kept = np.arange(len(X)) % 3 == 0

    def accuracy(mode, rows):
        classifier = FineTunedClassifier(given, mode=mode, max_iter=10, random_state=0)
        return classifier.fit(X[rows], y[rows]).score(X[~kept], y[~kept])

    few = np.flatnonzero(kept)[:60]
    assert accuracy("gradual", few) >= accuracy("frozen", few) - 0.01
    assert accuracy("gradual", kept) > accuracy("frozen", kept)


@pytest.mark.slow
def test_unlabeled_rows_take_part_in_pretraining_only():
    X, y = load_iris(return_X_y=True)
    few = few_labels(y, 10, -1)
    classifier = FineTunedClassifier(TINY, max_iter=3, random_state=0).fit(X, few)
    assert classifier.classes_.tolist() == [0, 1, 2]
    given = clone(TINY).set_params(random_state=classifier.transformer_.random_state).fit(X)
    labeled = few != -1
    alone = FineTunedClassifier(given, max_iter=3, random_state=0)
    alone.fit(X[labeled], y[labeled])
    assert classifier.transformer_.n_features_in_ == 4
    frozen = FineTunedClassifier(given, mode="frozen", random_state=0)
    with_unlabeled = clone(frozen).set_params(transformer=given).fit(X, few)
    np.testing.assert_allclose(
        with_unlabeled.predict_proba(X),
        frozen.set_params(transformer=given).fit(X[labeled], y[labeled]).predict_proba(X),
    )


def test_strings_with_unlabeled_rows_and_minus_one_as_a_class():
    X, y = some_flowers()
    names = np.array(["a", "b", "c"], dtype=object)[y]
    names[::2] = -1
    classifier = FineTunedClassifier(TINY, max_iter=2, random_state=0).fit(X, names)
    assert classifier.classes_.tolist() == ["a", "b", "c"]
    assert set(classifier.predict(X)) <= {"a", "b", "c"}
    signs = np.where(y == 0, -1, 1)
    assert FineTunedClassifier(TINY, max_iter=2).fit(X, signs).classes_.tolist() == [-1, 1]
    with pytest.raises(ValueError, match="y=-1 in all of them"):
        FineTunedClassifier(TINY).fit(X, np.full(len(X), -1))
    with pytest.raises(ValueError, match="at least 2 classes"):
        FineTunedClassifier(TINY).fit(X, few_labels(np.full(len(X), 2), 3, -1))


def test_a_frozen_transformer_must_be_fitted():
    X, y = some_flowers()
    given = FrozenEstimator(DenoisingAutoencoder(**SMALL))
    with pytest.raises(NotFittedError, match="DenoisingAutoencoder"):
        FineTunedClassifier(given).fit(X, y)


def test_consistency_term_follows_its_definition_and_changes_the_fit():
    X, y = some_flowers()
    few = few_labels(y, 5, -1)
    given = FrozenEstimator(DenoisingAutoencoder(**SMALL).fit(X))
    options = {"max_iter": 1, "early_stopping": False, "random_state": 0}
    plain = FineTunedClassifier(given, **options).fit(X, few)
    agreed = FineTunedClassifier(given, consistency_weight=5.0, **options).fit(X, few)
    assert (plain.predict_proba(X) != agreed.predict_proba(X)).any()

    generator = torch.Generator().manual_seed(0)
    schema = Schema(binary=(False,) * 3, nullable=(False,) * 3, cardinalities=())
    layers = Layers(Encoder(schema, (4,), 2, generator), hidden=True, passthrough=schema)
    embedding = Embedding(
        layers, np.zeros(layers.width, np.float32), np.ones(layers.width, np.float32)
    )
    head = Linear(embedding.width, 2, generator)
    rows = torch.ones(9, 3), torch.zeros(9, 0, dtype=torch.int32)
    task = Supervise(embedding, head, class_losses, 0.0, rows, 1.0)
    # All rows are equal, so that swapping cells changes nothing.
    assert task.disagreement(draw_rows(rows, 8, generator), generator).item() == pytest.approx(
        0.0, abs=1e-10
    )


@pytest.mark.slow
def test_class_and_sample_weights_move_predictions():
    X, y = load_breast_cancer(return_X_y=True)
    given = FrozenEstimator(DenoisingAutoencoder(**SMALL).fit(X))
    plain = FineTunedClassifier(given, max_iter=2, random_state=0).fit(X, y)
    towards = FineTunedClassifier(given, class_weight={0: 50, 1: 1}, max_iter=2, random_state=0)
    assert towards.fit(X, y).predict(X).mean() < plain.predict(X).mean()
    weight = np.where(y == 0, 50.0, 1.0)
    weighted = FineTunedClassifier(given, max_iter=2, random_state=0).fit(X, y, weight)
    assert (weighted.predict(X) == towards.predict(X)).all()
    assert set(weight) == {1.0, 50.0}


@pytest.mark.parametrize("kind", ["classes", "labels"])
@pytest.mark.slow
def test_balanced_classes_are_weights_against_their_frequency(kind):
    X, y = load_iris(return_X_y=True)
    X, y = X[25:], np.where(y[25:] == 0, 0, 1)  # 25 rows against 100
    given = FrozenEstimator(DenoisingAutoencoder(**NARROW).fit(X))
    by_hand: dict | list = {0: 2.5, 1: 0.625}
    if kind == "labels":
        by_hand, y = [by_hand, {0: 1, 1: 1}], np.column_stack([y, np.arange(125) % 2])
    options = {"mode": "frozen", "random_state": 0}
    weight = "balanced" if kind == "classes" else [{0: 5.0, 1: 1.25}, {0: 0.5, 1: 0.5}]
    balanced = FineTunedClassifier(given, class_weight=weight, **options).fit(X, y)
    same = FineTunedClassifier(given, class_weight=by_hand, **options).fit(X, y)
    plain = FineTunedClassifier(given, **options).fit(X, y)
    np.testing.assert_allclose(balanced.predict_proba(X), same.predict_proba(X), atol=1e-6)
    assert np.abs(balanced.predict_proba(X) - plain.predict_proba(X)).max() > 1e-3


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_weights_of_classes_that_are_no_weights_raise(weight):
    X, y = load_iris(return_X_y=True)
    classifier = FineTunedClassifier(TINY, mode="frozen", class_weight={0: weight})
    with pytest.raises(ValueError, match=r"class_weight must hold finite numbers.*got class_w"):
        classifier.fit(X, y)


@pytest.mark.parametrize("sample_weight", [None, np.array([0, 1.0, 1.0])])
def test_weights_of_classes_leave_a_row_to_learn_from(sample_weight):
    X, y = load_iris(return_X_y=True)
    unweighted = dict.fromkeys([1, 2] if sample_weight is not None else [0, 1, 2], 0)
    classifier = FineTunedClassifier(TINY, mode="frozen", class_weight=unweighted)
    weight = None if sample_weight is None else sample_weight[y]
    with pytest.raises(ValueError, match=r"class_weight leaves no labeled row.*at least one class"):
        classifier.fit(X, y, weight)


def test_weights_of_zero_for_all_labels_are_one_sentence():
    X, y = load_iris(return_X_y=True)
    few = np.where(np.arange(150) % 3 == 0, y, -1)
    with pytest.raises(ValueError, match=r"y has 0 classes: \[\].*a weight of 0"):
        FineTunedClassifier(TINY).fit(X, few, sample_weight=np.where(few == -1, 1.0, 0.0))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.slow
def test_decisions_probabilities_and_classes_agree(n_classes):
    X, y = load_iris(return_X_y=True)
    X, names = X[y < n_classes], np.array(["a", "b", "c"])[y[y < n_classes]]
    given = FrozenEstimator(DenoisingAutoencoder(**NARROW).fit(X))
    classifier = FineTunedClassifier(given, max_iter=2, random_state=0).fit(X, names)
    decisions, probabilities = classifier.decision_function(X), classifier.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    if n_classes == 2:
        assert decisions.shape == (len(X),)
        odds = probabilities[:, 1] / probabilities[:, 0]
        np.testing.assert_allclose(decisions, np.log(odds), atol=1e-6)
    else:
        assert decisions.shape == (len(X), n_classes)
        logarithms = np.log(probabilities)
        shift = decisions - logarithms
        np.testing.assert_allclose(shift, shift[:, :1] * np.ones(n_classes), atol=1e-6)
    assert (classifier.predict(X) == classifier.classes_[probabilities.argmax(axis=1)]).all()


@pytest.mark.slow
def test_held_out_rows_choose_the_epochs_unless_that_is_switched_off():
    X, y = load_iris(return_X_y=True)
    given = FrozenEstimator(DenoisingAutoencoder(**NARROW).fit(X))
    options = {"max_iter": 4, "validation_fraction": 0.5, "random_state": 0}
    chosen = FineTunedClassifier(given, **options).fit(X, y)
    assert 0 <= chosen.best_iter_ <= chosen.n_iter_ <= 4
    assert 1 <= len(chosen.validation_scores_) <= chosen.n_iter_ + 1
    # At a rate this high no epoch is better than the probe, which remains.
    kept = FineTunedClassifier(given, learning_rate_init=10.0, **options).fit(X, y)
    assert kept.best_iter_ == 0
    frozen = FineTunedClassifier(given, mode="frozen", random_state=0).fit(X, y)
    np.testing.assert_allclose(kept.predict_proba(X), frozen.predict_proba(X))
    always = FineTunedClassifier(given, early_stopping=False, **options).fit(X, y)
    assert always.best_iter_ == always.n_iter_ == len(always.loss_curve_) == 4
    assert not hasattr(always, "validation_scores_")


@pytest.mark.slow
@pytest.mark.parametrize("Estimator", [FineTunedClassifier, FineTunedRegressor])
def test_parameters_of_no_transformer_name_the_one_to_pass(Estimator):
    message = rf"transformer__n_bins .* is None.*{Estimator.__name__}\(MaskedFeaturePredictor\(\)\)"
    with pytest.raises(ValueError, match=message):
        Estimator().set_params(transformer__n_bins=4)
    estimator = Estimator().set_params(transformer=clone(TINY), transformer__n_bins=4)
    assert estimator.transformer.n_bins == 4


@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("n_rows", [1, 2, 7, 40])
def test_a_row_is_predicted_alike_alone_and_among_others(n_classes, n_rows):
    X, y = load_digits(return_X_y=True)
    X, y = X[:200], y[:200] % n_classes
    classifier = FineTunedClassifier(TINY, mode="frozen", random_state=0).fit(X, y)
    among_others = classifier.predict_proba(X)
    for start in range(0, 200, n_rows):
        rows = slice(start, start + n_rows)
        np.testing.assert_array_equal(classifier.predict_proba(X[rows]), among_others[rows])


def test_the_temperature_divides_the_outputs_and_leaves_the_classes():
    X, y = load_digits(n_class=5, return_X_y=True)
    X, y = X[:300], y[:300]
    y[::4] = (y[::4] + 1) % 5  # wrong labels, of which a network becomes too sure
    # Another device draws other numbers, by which the network may not become too sure.
    given = FrozenEstimator(DenoisingAutoencoder(**SMALL, device="cpu").fit(X))
    options = {"validation_fraction": 0.5, "max_iter": 20, "random_state": 0}
    classifier = FineTunedClassifier(given, **options).fit(X, y)
    assert classifier.best_iter_ > 0
    assert classifier.temperature_ > 1
    classes, decisions = classifier.predict(X), classifier.decision_function(X)
    classifier.coef_ = classifier.coef_ * classifier.temperature_
    classifier.intercept_ = classifier.intercept_ * classifier.temperature_
    np.testing.assert_allclose(
        classifier.decision_function(X), decisions * classifier.temperature_, rtol=1e-6
    )
    assert (classifier.predict(X) == classes).all()
    for unchosen in ({"early_stopping": False, "max_iter": 2}, {"mode": "frozen"}):
        fitted = FineTunedClassifier(given, **{**options, **unchosen}).fit(X, y)
        assert fitted.temperature_ == 1.0
    assert not hasattr(FineTunedRegressor(given, **options).fit(X, y), "temperature_")


def test_an_unfitted_transformer_stays_unfitted():
    X, y = load_iris(return_X_y=True)
    given = DenoisingAutoencoder(**NARROW)
    before = dict(vars(given))
    FineTunedRegressor(given, mode="frozen", random_state=0).fit(X, y + 0.5)
    assert vars(given) == before


def test_consistency_on_unlabeled_rows_changes_a_regressor_in_all_modes_but_frozen():
    X, y = (part[:200] for part in load_diabetes(return_X_y=True))
    few = few_labels(y, 10, np.nan)
    given = FrozenEstimator(DenoisingAutoencoder(**NARROW).fit(X))
    options = {
        "max_iter": 2,
        "early_stopping": False,
        "validation_fraction": 0.5,
        "random_state": 0,
    }

    def predicted(mode, weight, target):
        regressor = FineTunedRegressor(given, mode=mode, consistency_weight=weight, **options)
        return regressor.fit(X, target).predict(X)

    for mode in ("gradual", "full", "frozen"):
        is_same = (predicted(mode, 0.0, few) == predicted(mode, 5.0, few)).all()
        assert is_same == (mode == "frozen")
    # Where all rows are labeled there is nothing to agree on.
    assert (predicted("gradual", 0.0, y) == predicted("gradual", 5.0, y)).all()


def test_rows_of_weight_zero_are_not_learned_from():
    X, y = some_flowers()
    given = FrozenEstimator(DenoisingAutoencoder(**SMALL).fit(X))
    weight = np.ones(50)
    weight[y == 1] = 0
    classifier = FineTunedClassifier(given, max_iter=2, random_state=0).fit(X, y, weight)
    kept = y != 1
    alone = FineTunedClassifier(given, max_iter=2, random_state=0).fit(X[kept], y[kept])
    assert classifier.classes_.tolist() == [0, 2]
    np.testing.assert_allclose(classifier.predict_proba(X), alone.predict_proba(X))


def test_multilabel_with_unlabeled_rows():
    X, y = load_iris(return_X_y=True)
    labels = np.column_stack([y == 0, y > 0, y == 2]).astype(int)
    labels[::3] = -1
    classifier = FineTunedClassifier(TINY, max_iter=5, random_state=0).fit(X, labels)
    assert classifier.predict_proba(X).shape == classifier.predict(X).shape == (150, 3)
    assert (classifier.predict(X)[1::3] == labels[1::3]).mean() > 0.85
    labels[1, 0] = 7
    with pytest.raises(ValueError, match=r"matrix of zeros and ones|multiclass-multioutput"):
        FineTunedClassifier(TINY).fit(X, labels)


def test_regression_with_several_targets_and_missing_ones():
    X, y = load_diabetes(return_X_y=True)
    targets = np.column_stack([y, -1000 * y])
    targets[::2] = np.nan
    targets[1::4, 1] = np.nan
    regressor = FineTunedRegressor(TINY, max_iter=3, random_state=0).fit(X, targets)
    predicted = regressor.predict(X)
    assert predicted.shape == (442, 2)
    np.testing.assert_array_less(0.3, np.corrcoef(predicted[::2, 0], y[::2])[0, 1])
    assert np.corrcoef(predicted[::2, 1], y[::2])[0, 1] < -0.3
    with pytest.raises(ValueError, match="NaN only"):
        FineTunedRegressor(TINY).fit(X, np.full(442, np.nan))


@pytest.mark.parametrize("as_frame", [False, True])
@pytest.mark.parametrize("sample_weight", [None, np.arange(1.0, 443.0)])
def test_several_targets_are_scored_on_the_rows_that_have_them(as_frame, sample_weight):
    X, y = load_diabetes(return_X_y=True)
    targets = np.column_stack([y, -1000 * y])
    targets[::3, 0] = np.nan
    targets[::2, 1] = np.nan
    given = pd.DataFrame(targets).astype("Float64") if as_frame else targets
    regressor = FineTunedRegressor(TINY, mode="frozen", random_state=0).fit(X, given)
    scores = []
    for target, predicted in zip(targets.T, regressor.predict(X).T, strict=True):
        known = ~np.isnan(target)
        weight = None if sample_weight is None else sample_weight[known]
        scores.append(r2_score(target[known], predicted[known], sample_weight=weight))
    assert regressor.score(X, given, sample_weight) == pytest.approx(np.mean(scores))


def test_rows_with_some_of_their_labels_are_unlabeled_in_a_score_as_in_a_fit():
    X, y = load_iris(return_X_y=True)
    labels = np.eye(3)[y]
    labels[::3, 0] = np.nan
    classifier = FineTunedClassifier(TINY, mode="frozen", random_state=0).fit(X, labels)
    known = np.arange(150) % 3 > 0
    assert classifier.score(X, labels) == classifier.score(X[known], labels[known])


@pytest.mark.slow
def test_mixed_frames_frozen_transformer_in_cross_validation_and_other_columns():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"größe": rng.normal(size=120), "Stadt": rng.choice(["Köln", "Łódź"], 120), 3: 1.0}
    ).rename(columns=str)
    y = np.where(frame["Stadt"] == "Köln", "yes", "no")
    given = DenoisingAutoencoder(**SMALL).fit(frame)
    classifier = FineTunedClassifier(FrozenEstimator(given), max_iter=2, random_state=0)
    assert cross_val_score(classifier, frame, y, cv=3).mean() > 0.95
    classifier.fit(frame, y)
    with pytest.raises(ValueError, match="feature names"):
        classifier.predict(frame[frame.columns[::-1]])
    with pytest.raises(ValueError, match="feature names"):
        classifier.fit(frame.rename(columns={"3": "4"}), y)
    with pytest.raises(NotFittedError):
        clone(classifier).predict(frame)
    with pytest.raises(TypeError, match=r"must be one of sklearn_ssl's.*into a pipeline"):
        FineTunedClassifier(FrozenEstimator(LogisticRegression())).fit(frame, y)
    with pytest.raises(
        TypeError, match=r"must be one of sklearn_ssl's.*got <class.*Call the class"
    ):
        FineTunedClassifier(DenoisingAutoencoder).fit(frame, y)


MARKED = {
    "minus one": np.array([0, 1, -1] * 50),
    "float": pd.Series([0, 1, np.nan] * 50),
    "nullable integer": pd.Series([0, 1, None] * 50, dtype="Int64"),
    "nullable boolean": pd.Series([False, True, None] * 50, dtype="boolean"),
    "objects that are booleans": pd.Series([False, True, None] * 50),
    "strings": pd.Series(["a", "b", None] * 50),
    "objects": np.array(["a", "b", None] * 50, dtype=object),
    "booleans and -1": np.array([False, True, -1] * 50, dtype=object),
    "nullable integer and -1": pd.Series([0, 1, -1] * 50, dtype="Int64"),
    "a list of strings and -1": ["a", "b", -1] * 50,
    "masked": np.ma.masked_equal([0, 1, 9] * 50, 9),
    "objects and -1": np.array(["a", "b", -1] * 50, dtype=object),
    "categories": pd.Series(["a", "b", None] * 50, dtype="category"),
    "categories of integers": pd.Series([3, 7, None] * 50).astype("Int64").astype("category"),
    "-1 and 1 as classes": pd.Series([-1, 1, None] * 50),
    "-2 and 0 as classes": np.array([-2, 0, -1] * 50, dtype=object),
}


@pytest.mark.parametrize("y", MARKED.values(), ids=MARKED)
@pytest.mark.slow
def test_missing_classes_mark_unlabeled_rows_in_any_dtype(y):
    X, _ = load_iris(return_X_y=True)
    classifier = FineTunedClassifier(TINY, mode="frozen", random_state=0).fit(X, y)
    expected = FineTunedClassifier(TINY, mode="frozen", random_state=0).fit(X, MARKED["minus one"])
    assert len(classifier.classes_) == 2
    np.testing.assert_array_equal(classifier.predict_proba(X), expected.predict_proba(X))
    assert set(classifier.predict(X)) <= set(classifier.classes_)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array(["a", "b", "-1"] * 50), "the text '-1' in 50 rows.*write None instead"),
        (["a", "b", ""] * 50, "the text '' in 50 rows.*write None instead"),
        (np.array(["a", "b", np.nan] * 50), "the text 'nan' in 50 rows.*write None instead"),
        (pd.Series([0, 1, -1, None, 2, 1] * 25), "both -1 and missing values"),
        ("abc", "a label for each row; got 'abc'"),
        (np.full(150, np.nan), "y is missing in all of them"),
        (np.full(150, -1), "y=-1 in all of them"),
        (pd.Series([4, 4, 4] + [None] * 147), "at least 2 classes, but y has 1 class"),
        (np.array([4] * 3 + [-1] * 147), "at least 2 classes, but y has 1 class"),
    ],
)
def test_marks_that_are_not_understood_raise(y, message):
    X, _ = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=message):
        FineTunedClassifier(TINY).fit(X, y)


def test_three_labels_of_class_1_are_reported():
    X, _ = load_iris(return_X_y=True)
    with pytest.warns(UserWarning, match="3 rows of class 1 against 147 of class -1"):
        FineTunedClassifier(TINY, mode="frozen").fit(X, np.array([1] * 3 + [-1] * 147))


def test_minus_one_in_most_targets_of_a_regressor_is_reported():
    X, _ = load_iris(return_X_y=True)
    y = np.array([0.5, 1.5, 2.5] + [-1.0] * 147)
    with pytest.warns(UserWarning, match=r"147 of 150 targets are -1.*np\.where\(y == -1"):
        FineTunedRegressor(TINY, mode="frozen").fit(X, y)
    with pytest.warns(UserWarning, match=r"147 of 150 targets are -999, .*np\.where\(y == -999,"):
        FineTunedRegressor(TINY, mode="frozen").fit(X, np.where(y == -1, -999.0, y))


CLASSES_LIKE_MARKS = {
    "a number": (
        np.array([0, 1, 2] * 10 + [-99] * 120),
        r"class -99 in 120 of 150 rows.*\(-99, None\)",
    ),
    "floats": (np.array([0.0] * 20 + [-9.0] * 130), r"class -9\.0 in 130 of 150 rows"),
    "a word": (
        np.array(["a", "b"] * 10 + ["Unknown"] * 130),
        "class 'Unknown' in 130 .*'Unknown', None",
    ),
    "beside -1": (
        np.array(["a", "b"] * 5 + ["?"] * 130 + [-1] * 10, dtype=object),
        r"class '\?' in 130 of 140 rows",
    ),
}


TAKERS_OF_CLASSES = {
    "classifier": lambda X, y: FineTunedClassifier(TINY, mode="frozen").fit(X, y),
    "labeled rows": lambda X, y: LabeledRowsOnly(DummyClassifier()).fit(X, y),
    "folds": lambda X, y: list(LabeledFold(KFold(2)).split(X, y)),
    "evaluation": lambda X, y: read_target(y),
}


@pytest.mark.parametrize("take", TAKERS_OF_CLASSES.values(), ids=TAKERS_OF_CLASSES)
@pytest.mark.parametrize(("y", "message"), CLASSES_LIKE_MARKS.values(), ids=CLASSES_LIKE_MARKS)
def test_a_class_of_most_rows_that_looks_like_a_mark_is_reported(take, y, message):
    y = np.random.default_rng(0).permutation(y)
    with pytest.warns(UserWarning, match=message):
        take(load_iris().data, y)


@pytest.mark.parametrize(
    "y",
    [
        np.array(["a", "unknown"] * 75),
        np.array([-2] * 100 + [-1, 3] * 25, dtype=float),
        np.array([-2] * 100 + [-3, 3] * 25),
    ],
)
def test_negative_classes_and_a_class_unknown_are_no_reason_to_warn(y, recwarn):
    LabeledRowsOnly(DummyClassifier()).fit(load_iris().data, y)
    assert not recwarn.list


NO_NUMBERS = {
    "words": (["1.5", "high"] * 75, "it holds 'high'.*use a classifier.*pd.to_numeric"),
    "NumPy's texts": (np.array(["a", "b", "c"] * 50), "it holds 'a'"),
    "a dictionary": ([1.5] * 149 + [{}], "it holds {}"),
    "empty texts": (["1.5", ""] * 75, "the text '' in 75 rows.*write None instead"),
    "dates": (np.array(["2020-01-01", "NaT"] * 75, "datetime64[D]"), "y holds dates.*such as days"),
    "dates of a zone": (
        pd.Series(pd.date_range("2020", periods=150, tz="UTC")).mask(np.arange(150) > 9),
        r"it holds Timestamp\(",
    ),
    "intervals": (pd.cut(np.arange(150), 3), r"it holds Interval\("),
    "NaN": (np.full(150, np.nan), "y has targets of NaN only"),
    "none": ([None] * 150, "y has targets of NaN only"),
    "a number": (3.5, "a label for each row; got 3.5"),
    "a name": ("price", r"got 'price'\. Pass the column itself, such as table\['price'\]"),
}


@pytest.mark.parametrize(("y", "message"), NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_targets_that_are_no_numbers_raise(y, message):
    X, _ = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=message):
        FineTunedRegressor(TINY).fit(X, y)


def test_numbers_without_a_weight_are_unlabeled():
    X, y = load_iris(return_X_y=True)
    y = np.where(y == 0, y + 0.5, np.nan)
    with pytest.raises(ValueError, match="y=NaN or a weight of 0 are unlabeled"):
        FineTunedRegressor(TINY).fit(X, y, sample_weight=np.isnan(y).astype(float))


KNOWN = np.linspace(0.5, 9.5, 60)
IS_HIDDEN = np.arange(60) % 3 > 0
MISSING_NUMBERS = {
    "objects": np.where(IS_HIDDEN, None, KNOWN.astype(object)),
    "a list": [None if hidden else y for hidden, y in zip(IS_HIDDEN, KNOWN, strict=True)],
    "nullable": pd.Series(KNOWN, dtype="Float64").mask(IS_HIDDEN),
    "masked": np.ma.masked_where(IS_HIDDEN, KNOWN),
}


@pytest.mark.parametrize("unit", [1e-300, 1e-30, 1e30, 1e300])
def test_numbers_of_any_size_are_predicted(unit):
    predicted = predicted_from(KNOWN * unit)
    np.testing.assert_allclose(predicted / unit, predicted_from(KNOWN), rtol=1e-3)


def predicted_from(y):
    X = load_iris().data[:60]
    return FineTunedRegressor(TINY, mode="frozen", random_state=0).fit(X, y).predict(X)


@pytest.fixture(scope="module")
def predicted_from_nan():
    return predicted_from(np.where(IS_HIDDEN, np.nan, KNOWN))


@pytest.mark.parametrize("y", MISSING_NUMBERS.values(), ids=MISSING_NUMBERS)
def test_missing_numbers_mark_unlabeled_rows_in_any_dtype(y, predicted_from_nan):
    np.testing.assert_array_equal(predicted_from(y), predicted_from_nan)


class _Interrupt(Callback):
    def on_epoch_begin(self, net, **kwargs):
        raise KeyboardInterrupt


@pytest.mark.slow
def test_errors_and_interruptions_leave_a_usable_classifier(monkeypatch):
    X, y = load_iris(return_X_y=True)
    given = FrozenEstimator(DenoisingAutoencoder(**SMALL).fit(X))
    classifier = FineTunedClassifier(given, max_iter=2, random_state=0).fit(X, y)
    before = classifier.predict_proba(X)
    with pytest.raises(ValueError, match="infinity"):
        classifier.fit(X * np.inf, y)
    assert (classifier.predict_proba(X) == before).all()
    options = classifier._options
    monkeypatch.setattr(
        classifier, "_options", lambda *n: replace(options(*n), callbacks=[_Interrupt()])
    )
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        classifier.fit(X, y)
    frozen = FineTunedClassifier(given, mode="frozen", random_state=0).fit(X, y)
    np.testing.assert_allclose(classifier.predict_proba(X), frozen.predict_proba(X))


@pytest.mark.slow
def test_same_seed_same_bits():
    X, y = load_iris(return_X_y=True)
    first, again = (
        FineTunedClassifier(TINY, max_iter=3, random_state=7).fit(X, few_labels(y, 3, -1))
        for _ in range(2)
    )
    assert first.predict_proba(X).tobytes() == again.predict_proba(X).tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("container", ["pandas", "polars"])
@pytest.mark.parametrize("how", ["set_config", "set_output"])
def test_what_transform_returns_does_not_matter(container, how):
    X, y = load_iris(return_X_y=True, as_frame=True)
    transformer = DenoisingAutoencoder(**NARROW)
    expected = FineTunedClassifier(transformer, max_iter=2, random_state=0).fit(X, y)
    context = {"transform_output": container} if how == "set_config" else {}
    if how == "set_output":
        transformer = DenoisingAutoencoder(**NARROW).set_output(transform=container)
    with sklearn.config_context(**context):
        classifier = FineTunedClassifier(transformer, max_iter=2, random_state=0).fit(X, y)
        probabilities, score = classifier.predict_proba(X), classifier.score(X, y)
    np.testing.assert_array_equal(probabilities, expected.predict_proba(X))
    assert score == expected.score(X, y)
