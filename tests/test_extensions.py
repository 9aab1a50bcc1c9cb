"""Encoders and objectives of the user's own."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from embedders import every, small
from sklearn.base import clone
from torch import nn

from sklearn_ssl import (
    ContrastiveEmbedder,
    DenoisingAutoencoder,
    FineTunedClassifier,
    MaskedFeaturePredictor,
    OutlierDetector,
)
from sklearn_ssl.persistence import save


class Residual(nn.Module):
    """Two residual blocks on the row written out."""

    def __init__(self, schema, hidden_layer_sizes, bottleneck_size):
        super().__init__()
        width = hidden_layer_sizes[0]
        self.tables = nn.ModuleList(nn.Embedding(size, width) for size in schema.cardinalities)
        self.first = nn.Linear(schema.n_numeric, width)
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.last = nn.Linear(width, bottleneck_size)

    def layers(self, numeric, codes):
        hidden = self.first(numeric.nan_to_num(0.0))
        for column, table in zip(codes.T, self.tables, strict=True):
            hidden = hidden + table(column.long())
        layers = []
        for block in self.blocks:
            hidden = hidden + F.silu(block(hidden))
            layers.append(hidden)
        return [self.last(hidden), *layers]


class Wide(Residual):
    """Ignores the width that the bottleneck must have."""

    def __init__(self, schema, hidden_layer_sizes, bottleneck_size):
        super().__init__(schema, hidden_layer_sizes, bottleneck_size + 1)


class Flat(Residual):
    """Returns a vector."""

    def layers(self, numeric, codes):
        return [layer[:, 0] for layer in super().layers(numeric, codes)]


class Nothing(Residual):
    def layers(self, numeric, codes):
        return []


class Forward(nn.Module):
    """Has no method ``layers``."""

    def __init__(self, *arguments):
        super().__init__()


def cosine(a, b):
    return 1 - F.cosine_similarity(a, b).mean()


def table(n_rows=90):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(n_rows, 3)), columns=list("abc"))
    frame.loc[::7, "b"] = np.nan
    frame["town"] = rng.choice(["Ulm", "Linz", "Bern"], n_rows)
    return frame


def weights(embedder):
    return torch.cat([weight.float().ravel() for weight in embedder.model_.task.parameters()])


@every
def test_an_own_encoder_is_trained_and_read(Embedder):
    X = table()
    embedder = Embedder(**small(encoder=Residual))
    Z = embedder.fit_transform(X)
    assert Z.shape == (90, 12)
    assert isinstance(embedder.model_.task.encoder.module, Residual)
    untrained = Embedder(**small(encoder=Residual, max_iter=1, learning_rate_init=1e-30)).fit(X)
    assert not torch.equal(weights(embedder), weights(untrained))
    layers = Embedder(**small(encoder=Residual, output="layers", passthrough=False))
    assert layers.fit_transform(X).shape == (90, 8 + 16 + 16)


@every
def test_its_weights_come_from_random_state_alone(Embedder):
    X = table()
    state = torch.get_rng_state()
    first = Embedder(**small(encoder=Residual)).fit(X)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert torch.equal(weights(first), weights(clone(first).fit(X)))
    other = clone(first).set_params(random_state=1).fit(X)
    assert not torch.equal(weights(first), weights(other))


@every
@pytest.mark.parametrize("output", ["components", "layers", "bottleneck"])
def test_a_row_has_the_same_bits_among_any_others(Embedder, output, one_thread):
    X = table()
    # Products of a user's encoder keep rows apart if they are wide, such as multiples of 32.
    widths = {"hidden_layer_sizes": (64,), "bottleneck_size": 32, "n_components": 5}
    settings = small(**widths, encoder=Residual, output=output, max_iter=1)
    embedder = Embedder(**settings).fit(X)
    Z = embedder.transform(X)
    for first in (1, 7, 50):
        assert (embedder.transform(X[first:]) == Z[first:]).all()
    alone = np.vstack([embedder.transform(X.iloc[[row]]) for row in range(40)])
    assert (alone == Z[:40]).all()


@every
def test_it_is_pickled_and_continued(Embedder):
    X = table()
    embedder = Embedder(**small(encoder=Residual)).fit(X)
    copied = pickle.loads(pickle.dumps(embedder))
    assert (copied.transform(X) == embedder.transform(X)).all()
    assert copied.partial_fit(X).n_iter_ == embedder.partial_fit(X).n_iter_
    with pytest.raises(ValueError, match="made with encoder="):
        copied.set_params(encoder=None, warm_start=True).fit(X)


def test_it_is_fine_tuned():
    X = table()
    y = np.where(np.arange(90) < 60, X["a"] > 0, -1)
    model = FineTunedClassifier(
        DenoisingAutoencoder(**small(encoder=Residual)), max_iter=2, random_state=0
    ).fit(X, y)
    assert model.predict_proba(X).shape == (90, 2)


@every
def test_files_hold_no_code(Embedder, tmp_path):
    pytest.importorskip("safetensors")
    embedder = Embedder(**small(encoder=Residual)).fit(table())
    with pytest.raises(ValueError, match="'Residual', which is code"):
        save(embedder, tmp_path / "file")


@every
@pytest.mark.parametrize(
    ("encoder", "error", "message"),
    [
        (Wide, ValueError, r"bottleneck_size=8 columns; got 9"),
        (Flat, ValueError, r"layer 0 of 2 rows is \(2,\)"),
        (Nothing, ValueError, "returned no layer"),
        (Forward, TypeError, r"method layers\(numeric, codes\); got Forward"),
        (dict, TypeError, "dict"),
        ("mlp", ValueError, "'encoder' parameter"),
    ],
)
def test_what_is_no_encoder_raises(Embedder, encoder, error, message):
    embedder = Embedder(**small(encoder=encoder))
    with pytest.raises(error, match=message):
        embedder.fit(table())
    assert not hasattr(embedder, "model_")


def test_weights_of_an_own_encoder_are_not_tied():
    with pytest.raises(ValueError, match="Set tied_weights=False"):
        DenoisingAutoencoder(**small(encoder=Residual, tied_weights=True)).fit(table())


def test_an_own_objective_is_minimized():
    X = table()
    embedder = ContrastiveEmbedder(**small(objective=cosine, max_iter=20)).fit(X)
    assert embedder.loss_curve_[-1] < embedder.loss_curve_[0]
    assert 0 <= embedder.loss_curve_[-1] <= 2
    assert (pickle.loads(pickle.dumps(embedder)).transform(X) == embedder.transform(X)).all()


def test_an_encoder_works_with_another_default_dtype():
    X = np.random.default_rng(0).normal(size=(60, 3))
    torch.set_default_dtype(torch.float64)
    try:
        embedded = DenoisingAutoencoder(**small(encoder=Residual, max_iter=1)).fit_transform(X)
    finally:
        torch.set_default_dtype(torch.float32)
    assert embedded.dtype == np.float32
    assert np.isfinite(embedded).all()


class Single(Residual):
    """Computes in single precision, whatever it is given."""

    def layers(self, numeric, codes):
        return super().layers(numeric.float(), codes)


@pytest.mark.parametrize(("encoder", "works"), [(Residual, True), (Single, False)])
def test_outliers_by_an_encoder_of_the_users(encoder, works):
    X = np.random.default_rng(0).normal(size=(60, 3))
    transformer = MaskedFeaturePredictor(**small(encoder=encoder, max_iter=1))
    detector = OutlierDetector(transformer, n_estimators=2, random_state=0)
    if works:
        assert np.isfinite(detector.fit(X).score_samples(X)).all()
        return
    with pytest.raises(TypeError, match=r"encoder=Single cannot .* \.to\(numeric\.dtype\)"):
        detector.fit(X)
    assert not hasattr(detector, "transformer_")
