"""What is different on a GPU; left out as a whole where there is none.

With ``device="auto"`` the other tests run on the GPU, too.
"""

import numpy as np
import pytest
import torch
from embedders import LEARNING, SMALL, every
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from sklearn_ssl import DenoisingAutoencoder, FineTunedClassifier
from sklearn_ssl._training.options import resolve_device

if not torch.cuda.is_available():
    pytest.skip("needs a GPU with CUDA", allow_module_level=True)


class Hoard(Callback):
    """Ask for more memory than there is."""

    def on_epoch_begin(self, net, **kwargs):
        torch.empty(2**50, device=net.device)


def test_a_gpu_is_taken_if_there_is_one():
    assert resolve_device("auto") == "cuda"


@every
def test_the_network_is_kept_on_the_cpu_and_embeds_alike_on_both(Embedder, mixed):
    embedder = Embedder(**SMALL, device="cuda").fit(mixed)
    assert {weight.device.type for weight in embedder.model_.task.state_dict().values()} == {"cpu"}
    embedding = embedder.transform(mixed)
    embedder.set_params(device="cpu")
    np.testing.assert_allclose(embedder.transform(mixed), embedding, rtol=1e-4, atol=1e-5)


@every
def test_as_much_is_learned_as_on_the_cpu(Embedder, flowers):
    X, y = flowers.drop(columns="species"), flowers["species"]
    scores = {
        device: make_pipeline(Embedder(**LEARNING, device=device), LogisticRegression())
        .fit(X, y)
        .score(X, y)
        for device in ("cpu", "cuda")
    }
    assert scores["cuda"] > scores["cpu"] - 0.05


@every
def test_the_generator_of_the_gpu_is_left_alone(Embedder, mixed):
    before = torch.cuda.get_rng_state()
    Embedder(**SMALL, device="cuda").fit(mixed).transform(mixed)
    assert torch.equal(torch.cuda.get_rng_state(), before)


def test_a_fine_tuned_classifier_is_the_same_to_the_last_bit(flowers):
    X, y = flowers.drop(columns="species"), flowers["species"]
    found = [
        FineTunedClassifier(DenoisingAutoencoder(**SMALL, device="cuda"), random_state=0)
        .fit(X, y)
        .predict_proba(X)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*found)


@every
def test_too_little_memory_raises_memory_error(Embedder, mixed):
    embedder = Embedder(**SMALL, device="cuda", callbacks=[Hoard()])
    with pytest.raises(MemoryError, match="Lower batch_size"):
        embedder.fit(mixed)
