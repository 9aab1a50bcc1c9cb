"""The three transformers, in the sizes that tests can afford."""

import pytest

from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor

ESTIMATORS = [DenoisingAutoencoder, ContrastiveEmbedder, MaskedFeaturePredictor]

every = pytest.mark.parametrize("Embedder", ESTIMATORS)

SMALL = {
    "hidden_layer_sizes": (16,),
    "bottleneck_size": 8,
    "n_components": 12,
    "max_iter": 3,
    "random_state": 0,
}


def small(**changes):
    """Parameters of a small embedder, with changes."""
    return {**SMALL, **changes}


BRIEF = small(max_iter=2)
SIX_EPOCHS = small(max_iter=6)
DEEP = small(hidden_layer_sizes=(32, 32), n_components=8)
TINY = small(hidden_layer_sizes=(4,), bottleneck_size=3, n_components=3, max_iter=2)

NARROW = small(output="bottleneck", passthrough=False)
"""``transform`` returns the bottleneck alone."""

LEARNING = {"hidden_layer_sizes": (64,), "max_iter": 60, "random_state": 0}
"""Long enough to learn something."""

UNSEEDED = {"hidden_layer_sizes": (8,), "bottleneck_size": 4, "max_iter": 2}
"""For tests that set the seed themselves."""


def assert_as_it_was(embedder, before):
    assert embedder.__dict__.keys() == before.keys()
    assert all(value is before[name] for name, value in embedder.__dict__.items())
