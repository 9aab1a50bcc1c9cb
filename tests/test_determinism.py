"""The seed decides, wherever a fit runs; and a fit leaves the process as it found it."""

import copy
import pickle
import subprocess
import sys
from contextlib import nullcontext

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from embedders import BRIEF
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_predict
from skorch.callbacks import Callback
from threadpoolctl import threadpool_limits

from sklearn_ssl import (
    ContrastiveEmbedder,
    DenoisingAutoencoder,
    FineTunedClassifier,
    FineTunedRegressor,
    MaskedFeaturePredictor,
    MaskedImputer,
)
from sklearn_ssl.persistence import load, save

EMBEDDERS = [
    DenoisingAutoencoder(**BRIEF, noise="mix", early_stopping=True),
    ContrastiveEmbedder(**BRIEF),
    MaskedFeaturePredictor(**BRIEF),
]

every = pytest.mark.parametrize("embedder", EMBEDDERS, ids=lambda e: type(e).__name__)


@pytest.fixture(scope="module")
def flowers(flowers):
    return flowers.mask(lambda X: X.iloc[7] == X)


def bits(embedder, X):
    return clone(embedder).fit_transform(X).tobytes()


# The same bits


@pytest.mark.slow
def test_same_bits_in_another_process(flowers):
    code = (
        "import pickle, sys; embedders, X = pickle.load(sys.stdin.buffer); "
        "found = [embedder.fit_transform(X).tobytes() for embedder in embedders]; "
        "sys.stdout.buffer.write(pickle.dumps(found))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps((EMBEDDERS, flowers)),
        capture_output=True,
        check=True,
    )
    assert pickle.loads(done.stdout) == [bits(embedder, flowers) for embedder in EMBEDDERS]


@every
@pytest.mark.parametrize(
    "carry",
    [copy.deepcopy, lambda fitted: pickle.loads(pickle.dumps(fitted))],
    ids=["deepcopy", "pickle"],
)
def test_same_bits_after_a_copy_and_when_training_goes_on(embedder, carry, flowers):
    fitted = clone(embedder).partial_fit(flowers)
    carried = carry(fitted)
    assert carried.transform(flowers).tobytes() == fitted.transform(flowers).tobytes()
    for one in (fitted, carried):
        one.partial_fit(flowers)
    assert carried.transform(flowers).tobytes() == fitted.transform(flowers).tobytes()


@pytest.mark.slow
def test_parallel_fits_in_threads_do_not_disturb_each_other(flowers):
    jobs = [clone(e).set_params(random_state=seed) for e in EMBEDDERS for seed in range(4)]
    alone = [bits(job, flowers) for job in jobs]
    together = joblib.Parallel(n_jobs=4, prefer="threads")(
        joblib.delayed(bits)(job, flowers) for job in jobs
    )
    assert together == alone
    assert len(set(alone)) == len(alone)


@every
def test_threads_can_transform_with_one_estimator(embedder, flowers):
    fitted = clone(embedder).fit(flowers)
    alone = fitted.transform(flowers).tobytes()
    together = joblib.Parallel(n_jobs=4, prefer="threads")(
        joblib.delayed(fitted.transform)(flowers) for _ in range(12)
    )
    assert {Z.tobytes() for Z in together} == {alone}


@pytest.fixture
def one_thread():
    """Workers of joblib have one thread each, and sums depend on how many threads share them."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(n_threads)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.slow
def test_same_bits_with_any_number_of_jobs():
    X, y = load_iris(return_X_y=True)
    classifier = FineTunedClassifier(EMBEDDERS[1], mode="frozen", random_state=0)
    one, two = (
        cross_val_predict(classifier, X, y, cv=2, n_jobs=n_jobs, method="predict_proba")
        for n_jobs in (1, 2)
    )
    assert one.tobytes() == two.tobytes()


@pytest.fixture
def double_precision():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@every
def test_the_default_dtype_does_not_matter(embedder, flowers, request):
    expected = bits(embedder, flowers)
    request.getfixturevalue("double_precision")
    assert bits(embedder, flowers) == expected
    assert torch.get_default_dtype() == torch.float64


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_the_default_dtype_does_not_matter_to_the_imputer(dtype, flowers, request):
    def found(imputer):
        filled = imputer.transform(flowers), *imputer.sample(flowers, 1, random_state=0)
        return pd.concat(filled), imputer.score(flowers)

    imputer = MaskedImputer(width=8, n_blocks=1, max_iter=2, random_state=0).fit(flowers)
    expected, score = found(imputer)
    request.getfixturevalue("double_precision")
    torch.set_default_dtype(dtype)
    for other in (imputer, pickle.loads(pickle.dumps(imputer)), clone(imputer).fit(flowers)):
        filled, again = found(other)
        pd.testing.assert_frame_equal(filled, expected, check_exact=True)
        assert again == score


@every
@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
@pytest.mark.slow
def test_modes_without_gradients_do_not_matter(embedder, mode, flowers):
    expected = bits(embedder, flowers)
    streamed = clone(embedder).fit_stream([flowers] * 2).transform(flowers).tobytes()
    with mode():
        assert bits(embedder, flowers) == expected
        assert clone(embedder).fit_stream([flowers] * 2).transform(flowers).tobytes() == streamed
        assert not torch.is_grad_enabled()
        assert torch.is_inference_mode_enabled() == (mode is torch.inference_mode)


@pytest.mark.slow
def test_classifiers_learn_in_inference_mode():
    X, y = load_iris(return_X_y=True)
    classifier = FineTunedClassifier(EMBEDDERS[0], max_iter=2, random_state=0)
    expected = clone(classifier).fit(X, y).predict_proba(X)
    with torch.inference_mode():
        assert (clone(classifier).fit(X, y).predict_proba(X) == expected).all()


@pytest.mark.parametrize("carry", ["file", "pickle", "deepcopy"])
def test_what_was_loaded_in_inference_mode_can_be_trained_further(carry, flowers, tmp_path):
    fitted = clone(EMBEDDERS[0]).partial_fit(flowers)
    save(fitted, tmp_path / "model")
    content = pickle.dumps(fitted)
    ways = {
        "file": lambda: load(tmp_path / "model"),
        "pickle": lambda: pickle.loads(content),
        "deepcopy": lambda: copy.deepcopy(fitted),
    }
    with torch.inference_mode():
        loaded = ways[carry]()
        loaded.transform(flowers)
    for one in (fitted, loaded):
        one.partial_fit(flowers)
    assert loaded.transform(flowers).tobytes() == fitted.transform(flowers).tobytes()


def test_a_failed_part_leaves_the_optimizer_as_it_was(flowers):
    class Fail(Callback):
        def on_batch_end(self, net, **kwargs):
            raise ZeroDivisionError

    twins = [clone(EMBEDDERS[0]).partial_fit(flowers) for _ in range(2)]
    with pytest.raises(ZeroDivisionError):
        twins[0].set_params(callbacks=[Fail()]).partial_fit(flowers)
    twins[0].set_params(callbacks=None)
    first, second = (twin.partial_fit(flowers).transform(flowers).tobytes() for twin in twins)
    assert first == second


# The process is as before


def state_of_the_process():
    return {
        "numpy": pickle.dumps(np.random.get_state()),  # noqa: NPY002
        "torch": torch.get_rng_state().numpy().tobytes(),
        "dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "errors": np.geterr(),
    }


def fail(embedder, X):
    with pytest.raises(ValueError, match="infinity"):
        embedder.fit(X.assign(**{X.columns[0]: np.inf}))


@every
@pytest.mark.parametrize(
    "act",
    [
        lambda embedder, X: embedder.fit(X).score(X),
        lambda embedder, X: embedder.partial_fit(X).transform(X),
        lambda embedder, X: embedder.fit_stream([X]),
        fail,
    ],
    ids=["fit", "partial_fit", "fit_stream", "error"],
)
@pytest.mark.parametrize("mode", [nullcontext, torch.no_grad, torch.inference_mode])
def test_global_state_is_as_before(embedder, act, mode, flowers):
    with mode():
        before = state_of_the_process()
        act(clone(embedder), flowers)
        assert state_of_the_process() == before


@pytest.mark.parametrize("Estimator", [FineTunedClassifier, FineTunedRegressor])
@pytest.mark.parametrize("mode", [nullcontext, torch.inference_mode])
@pytest.mark.slow
def test_fine_tuning_leaves_global_state_as_before(Estimator, mode, flowers):
    estimator = Estimator(EMBEDDERS[0], max_iter=2, validation_fraction=0.5, random_state=0)
    y = flowers["petal width (cm)"] > 1
    with mode():
        before = state_of_the_process()
        estimator.fit(flowers, y).predict(flowers)
        assert state_of_the_process() == before


def test_different_seeds_and_no_seed_give_different_bits(flowers):
    seeds = [0, 1, None, None, np.random.RandomState(2)]
    found = {bits(clone(EMBEDDERS[0]).set_params(random_state=seed), flowers) for seed in seeds}
    assert len(found) == len(seeds)
