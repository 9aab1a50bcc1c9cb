"""Memory of what runs over long tables: it holds a block of rows at a time, besides the output."""

import tracemalloc

import numpy as np
import pytest
import torch
from embedders import every, small
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_ssl import MaskedFeaturePredictor, MaskedImputer, OutlierDetector

TINY = {"max_iter": 1, "random_state": 0}


def extra_bytes(method, X):
    """Peak of the arrays that a call makes, less what it returns."""
    tracemalloc.start()
    try:
        output = method(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - output.nbytes


@pytest.mark.parametrize(
    ("estimator", "method"),
    [
        (MaskedImputer(width=8, n_blocks=0, **TINY), "transform"),
        (
            OutlierDetector(MaskedFeaturePredictor(n_components=4, **TINY), n_estimators=5),
            "score_samples",
        ),
    ],
    ids=["imputer", "detector"],
)
@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows_of_an_array(estimator, method):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80_000, 6))
    X[rng.random(X.shape) < 0.5] = np.nan
    call = getattr(estimator.fit(X[:300]), method)
    call(X[:20_000])
    few, many = (extra_bytes(call, X[:n_rows]) for n_rows in (20_000, 80_000))
    assert many < 1.1 * few


class LargeTensors(TorchDispatchMode):
    """Where the tensors of at least so many elements are that operations return."""

    def __init__(self, n_elements):
        super().__init__()
        self.n_elements = n_elements
        self.places = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for part in result if isinstance(result, tuple | list) else [result]:
            if isinstance(part, torch.Tensor) and part.numel() >= self.n_elements:
                self.places.add(part.untyped_storage().data_ptr())
        return result


@every
def test_a_fit_holds_no_copy_of_the_encoded_table(Embedder):
    X = np.random.default_rng(0).normal(size=(40_000, 8)).astype(np.float32)
    embedder = Embedder(**small(max_iter=1, batch_size=500))
    with LargeTensors(X.size) as seen:
        embedder.fit(X)
    # The one place is that of the encoded table, whose views are tensors, too.
    assert len(seen.places) == 1
