"""The three transformers, in the sizes that tests can afford."""

import pytest

from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor

ESTIMATORS = [DenoisingAutoencoder, ContrastiveEmbedder, MaskedFeaturePredictor]
SMALL = {
    "hidden_layer_sizes": (16,),
    "bottleneck_size": 8,
    "n_components": 12,
    "max_iter": 3,
    "random_state": 0,
}
LEARNING = {"hidden_layer_sizes": (64,), "max_iter": 60, "random_state": 0}
every = pytest.mark.parametrize("Embedder", ESTIMATORS)


def assert_as_it_was(embedder, before):
    assert embedder.__dict__.keys() == before.keys()
    assert all(value is before[name] for name, value in embedder.__dict__.items())
