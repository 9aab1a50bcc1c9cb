"""Labels: what counts as one, and what they do to a pretext task that is shown them."""

import pickle
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from embedders import NARROW, every
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_ssl import (
    ContrastiveEmbedder,
    DenoisingAutoencoder,
    FineTunedClassifier,
    FineTunedRegressor,
    MaskedFeaturePredictor,
)
from sklearn_ssl._labels import read_target
from sklearn_ssl._pretext.losses import class_losses, label_losses, squared_losses
from sklearn_ssl.persistence import load, save

X, y = load_iris(return_X_y=True)
few_labels = np.where(np.arange(len(y)) % 3, -1, y)


@pytest.mark.parametrize(
    ("labels", "losses", "n_outputs", "n_labeled"),
    [
        ([0, 1, 2, -1], class_losses, 3, 3),
        ([0.0, 1.0, 2.0, -1.0], class_losses, 3, 3),
        (["a", "b", "a", "c"], class_losses, 3, 4),
        (np.array(["a", "b", -1, -1], dtype=object), label_losses, 1, 2),
        (pd.Series([True, False, True, True]), label_losses, 1, 4),
        (pd.Series([0, 1, 2, None], dtype="Int64"), class_losses, 3, 3),
        (["a", "b", None, "a"], label_losses, 1, 3),
        ([-1, 1, 1, -1], label_losses, 1, 4),
        ([[0, 1], [1, 1], [-1, -1], [0, 0]], label_losses, 2, 3),
        (sp.csr_array([[0, 1], [1, 1], [0, 0], [0, 1]]), label_losses, 2, 4),
        ([0.5, -1.0, np.nan, 3.0], squared_losses, 1, 3),
        ([[0.5], [1.5], [np.nan], [3.0]], squared_losses, 1, 3),
        ([[0.5, np.nan], [np.nan, np.nan], [1.0, 2.5], [3.0, 1.0]], squared_losses, 2, 3),
        (pd.Series([0.5, None, 1.0, 2.0], dtype="Float64"), squared_losses, 1, 3),
        (pd.Series([Decimal(0), Decimal(1), Decimal(2), Decimal(-1)]), class_losses, 3, 3),
        ([Decimal("0.5"), Decimal("-1.0"), None, Decimal("3.0")], squared_losses, 1, 3),
        ([Decimal("0.5"), Decimal("NaN"), Decimal("1.0"), Decimal("3.0")], squared_losses, 1, 3),
    ],
)
@pytest.mark.filterwarnings("ignore:A column-vector y")
@pytest.mark.filterwarnings("ignore:The number of unique classes")
def test_kind_of_target_and_unlabeled_rows_are_read_off_the_labels(
    labels, losses, n_outputs, n_labeled
):
    target = read_target(labels, DenoisingAutoencoder(supervision_weight=1.0))
    assert target.losses is losses
    assert target.n_outputs == n_outputs
    assert (target.weight > 0).sum() == n_labeled
    values, weight = target.tensors()
    assert len(values) == len(weight) == 4
    assert weight[weight > 0].mean().item() == pytest.approx(1.0)


BAD_LABELS = {
    "none": (None, "DenoisingAutoencoder with supervision_weight=0.5 requires y to be passed"),
    "other length": (y[1:], "inconsistent numbers of samples"),
    "one class": (np.where(y == 2, y, -1), "at least 2 classes, but y has 1 class"),
    "all unlabeled": (np.full(150, -1), "y=-1 in all of them"),
    "all NaN": (np.full(150, np.nan), "NaN only"),
    "classes and NaN": (np.where(y == 2, np.nan, y), "Mark unlabeled rows of classes by y=-1"),
    "infinite": (np.where(y == 2, np.inf, y), "infinity"),
    "dates": (pd.Series(pd.date_range("2020", periods=150)), "numbers, and y holds dates"),
    "durations": (pd.to_timedelta(y, unit="D"), "y holds dates or durations.*Pass numbers"),
    "intervals": (pd.cut(X[:, 0], 3), r"y holds Interval\(.*texts for classes: pd\.Series"),
    "classes in columns": (np.column_stack([y, y]), "multiclass-multioutput|zeros and ones"),
}


@pytest.mark.parametrize(("labels", "message"), BAD_LABELS.values(), ids=BAD_LABELS)
def test_bad_labels_get_one_sentence_and_change_nothing(labels, message):
    embedder = DenoisingAutoencoder(**NARROW).fit(X)
    before = embedder.transform(X)
    with pytest.raises(ValueError, match=message):
        embedder.set_params(supervision_weight=0.5).fit(X, labels)
    assert (embedder.transform(X) == before).all()


@every
def test_labels_are_ignored_unless_they_are_asked_for(Embedder):
    alone, beside = Embedder(**NARROW).fit(X), Embedder(**NARROW).fit(X, y)
    assert beside.transform(X).tobytes() == alone.transform(X).tobytes()


@pytest.mark.parametrize(
    ("Embedder", "kind"),
    [
        (DenoisingAutoencoder, "classes"),
        (DenoisingAutoencoder, "numbers"),
        (ContrastiveEmbedder, "classes"),
        (MaskedFeaturePredictor, "numbers"),
    ],
)
@pytest.mark.slow
def test_features_that_have_seen_labels_predict_them_on_new_rows(Embedder, kind):
    rows = np.random.default_rng(0).normal(size=(600, 3))
    product = rows[:, 0] * rows[:, 1]  # no linear model of the columns predicts it
    labels = (product > 0).astype(int) if kind == "classes" else product
    head = LogisticRegression() if kind == "classes" else Ridge()
    options = {**NARROW, "hidden_layer_sizes": (32,), "max_iter": 30, "learning_rate_init": 1e-2}

    def score(weight):
        model = make_pipeline(Embedder(**options, supervision_weight=weight), clone(head))
        return model.fit(rows[:400], labels[:400]).score(rows[400:], labels[400:])

    assert score(10.0) > score(0.0) + 0.1


@every
def test_the_head_is_forgotten_and_few_labels_are_enough(Embedder):
    plain = Embedder(**NARROW).fit(X)
    guided = Embedder(**NARROW, supervision_weight=1.0).fit(X, few_labels)
    assert plain.model_.task.state_dict().keys() == guided.model_.task.state_dict().keys()
    assert guided.transform(X).shape == plain.transform(X).shape
    assert (guided.transform(X) != plain.transform(X)).any()


@every
@pytest.mark.slow
def test_guided_transformers_are_cloned_searched_pickled_saved_and_continued(Embedder, tmp_path):
    guided = Embedder(**NARROW, supervision_weight=1.0, early_stopping=True, warm_start=True)
    assert clone(guided).supervision_weight == 1.0
    fitted = clone(guided).fit(X, y)
    assert len(fitted.validation_scores_) == fitted.n_iter_
    before = fitted.transform(X)
    save(fitted, tmp_path / "guided.safetensors")
    for other in (pickle.loads(pickle.dumps(fitted)), load(tmp_path / "guided.safetensors")):
        assert (other.transform(X) == before).all()
        # Other classes than before: the head is new.
        assert (other.fit(X, (y == 1).astype(int)).transform(X) != before).any()
    name = Embedder.__name__.lower()
    grid = {f"{name}__supervision_weight": [0.0, 1.0]}
    search = GridSearchCV(make_pipeline(guided, LogisticRegression(max_iter=1000)), grid, cv=2)
    assert search.fit(X, y).best_score_ > 0.8


@pytest.mark.parametrize("method", ["partial_fit", "fit_stream"])
def test_parts_of_a_table_are_learned_without_labels_only(method):
    guided = DenoisingAutoencoder(**NARROW, supervision_weight=1.0).fit(X, y)
    assert not hasattr(guided, method)
    with pytest.raises(AttributeError, match=method) as raised:
        getattr(guided, method)
    assert "supervision_weight=1. Use fit, or set it to 0." in str(raised.value.__cause__)
    guided.set_params(supervision_weight=0.0)
    getattr(guided, method)(X if method == "partial_fit" else [X])


@pytest.mark.slow
def test_fine_tuning_shows_an_unfitted_transformer_the_labels_that_it_asks_for():
    guided = DenoisingAutoencoder(**NARROW, supervision_weight=1.0)
    classifier = FineTunedClassifier(guided, mode="frozen", validation_fraction=0.5, random_state=0)
    assert cross_val_score(classifier, X, y, cv=2).mean() > 0.85
    own = clone(guided).fit(X, few_labels).transform(X)
    assert (classifier.fit(X, few_labels).transformer_.transform(X) == own).all()
    # A row of weight zero is not labeled.
    weighted = classifier.fit(X, y, sample_weight=(few_labels != -1).astype(float))
    assert (weighted.transformer_.transform(X) == own).all()


def test_whole_numbers_are_numbers_to_a_regressor():
    # As classes, they would be warned about: nearly each row has its own.
    regressor = FineTunedRegressor(
        DenoisingAutoencoder(**NARROW, supervision_weight=1.0),
        mode="frozen",
        validation_fraction=0.5,
        random_state=0,
    )
    assert regressor.fit(X, np.arange(150)).score(X, np.arange(150)) > 0.5


def test_same_labels_same_bits_and_global_state_untouched():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, again = (
        DenoisingAutoencoder(**NARROW, supervision_weight=1.0).fit(X, y).transform(X)
        for _ in range(2)
    )
    assert first.tobytes() == again.tobytes()
    assert torch.equal(torch.get_rng_state(), before)
