"""Files that were tampered with, interruptions anywhere, full disks and memories, dead workers.

``FUZZED_FILES=10000`` tries that many damaged files.
"""

import inspect
import io
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from embedders import ESTIMATORS, SMALL, every
from joblib.externals.loky.process_executor import TerminatedWorkerError
from safetensors.numpy import load as tensors_from
from safetensors.numpy import save as to_bytes
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback

from sklearn_ssl import (
    DenoisingAutoencoder,
    FineTunedClassifier,
    persistence,
)
from sklearn_ssl._serialization.container import checksum
from sklearn_ssl.persistence import load, save

N_FILES = int(os.environ.get("FUZZED_FILES", "500"))


# Files


@pytest.fixture(scope="module")
def contents(flowers, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "model"
    fitted = [Embedder(**SMALL).partial_fit(flowers) for Embedder in ESTIMATORS]
    fitted.append(FineTunedClassifier(fitted[0], mode="frozen").fit(flowers, flowers["species"]))
    files = []
    for estimator in fitted:
        save(estimator, path)
        files.append(path.read_bytes())
    return files


def damage_bytes(content, rng):
    """Bits flipped, parts cut out, doubled, moved or replaced."""
    damaged = bytearray(content)
    for _ in range(rng.choice([1, 1, 3, 30])):
        # Half of the hits go to the header, which says what the rest means.
        start = rng.randrange(rng.choice([8, 4000, len(damaged)]))
        stop = start + rng.choice([1, 1, 8, 100])
        damaged[start:stop] = rng.choice(
            [
                bytes([damaged[start % len(damaged)] ^ (1 << rng.randrange(8))]),
                rng.randbytes(stop - start),
                b"",
                damaged[start:stop] * 2,
                damaged[-(stop - start) :],
                b"9" * (stop - start),
            ]
        )
        if len(damaged) < 10:
            break
    return bytes(damaged)


VALUES = [None, True, -1, 0, 3, 10**30, 1e308, "", "os", "swap", "estimator", "O", "int64", [], {}]


def positions(document):
    """Containers and the keys of what is in them."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, item in list(items):
        yield document, key
        if isinstance(item, dict | list):
            yield from positions(item)


def damage_document(content, rng):
    """A document that says something else, with a checksum that fits."""
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length])["__metadata__"]
    document = json.loads(metadata["estimator"])
    for _ in range(rng.choice([1, 1, 2, 5])):
        places = list(positions(document))
        if not places:
            break
        container, key = rng.choice(places)
        other, from_where = rng.choice(places)
        deed = rng.randrange(4)
        if deed == 0:
            container[key] = rng.choice(VALUES)
        elif deed == 1:
            container[key] = json.loads(json.dumps(other[from_where]))
        elif deed == 2:
            del container[key]
        elif isinstance(container, dict):
            kind = rng.choice(["array", "tensor", "dtype", "cells", "record", "index", "scalar"])
            container[kind] = container.pop(key)
        else:
            container.append(rng.choice(VALUES))
    tensors = tensors_from(content)
    metadata["estimator"] = json.dumps(document)
    metadata["sha256"] = checksum(metadata["estimator"], tensors)
    return to_bytes(tensors, metadata)


EVENTS = {"subprocess.Popen", "os.system", "os.exec", "os.fork", "socket.connect"}
happened = None


def watch(event, arguments):
    if happened is not None and (event in EVENTS or event.startswith("pickle.")):
        happened.append((event, arguments))


@pytest.fixture(scope="module", autouse=True)
def _watched():
    """An audit hook, which stays until the process ends, and is deaf outside ``load``."""
    sys.addaudithook(watch)


def load_watched(path):
    global happened
    happened = []
    try:
        return load(path)
    finally:
        seen, happened = happened, None
        assert not seen


def use(estimator, X):
    return (estimator.transform if hasattr(estimator, "transform") else estimator.predict_proba)(X)


@pytest.mark.parametrize("damage", [damage_bytes, damage_document])
@pytest.mark.slow
def test_damaged_files_never_execute_crash_or_hang(damage, contents, flowers, tmp_path):
    path = tmp_path / "model"
    originals = []
    for content in contents:
        path.write_bytes(content)
        originals.append(load_watched(path))
    slowest = 0.0
    n_refused = 0
    for seed in range(N_FILES // 2):
        kind = seed % len(contents)
        path.write_bytes(damage(contents[kind], random.Random(seed)))
        start = time.perf_counter()
        try:
            loaded = load_watched(path)
        except ValueError:
            n_refused += 1
        else:
            # Parameters can be altered together with the checksum, which is no signature.
            assert type(loaded) in persistence.ESTIMATORS.values()
            if damage is damage_bytes:  # such as in the version that has written the file
                assert vars(loaded).keys() == vars(originals[kind]).keys()
                assert (use(loaded, flowers) == use(originals[kind], flowers)).all()
        slowest = max(slowest, time.perf_counter() - start)
    print(f"{n_refused} of {N_FILES // 2} refused, the slowest after {slowest:.2f} s")
    assert slowest < 10
    assert n_refused > N_FILES // 4


@pytest.mark.slow
def test_an_array_larger_than_the_memory_is_refused(contents, tmp_path):
    tensors = tensors_from(contents[0])
    document = json.dumps({"cells": [f"V{2**31 - 1}", [2**20], [0] * 2**20]})
    metadata = {
        "format": "sklearn_ssl",
        "version": "2",
        "estimator": document,
        "sha256": checksum(document, tensors),
    }
    path = tmp_path / "model"
    path.write_bytes(to_bytes(tensors, metadata))
    with pytest.raises(ValueError, match="does not describe an estimator"):
        load(path)


class _Attack:
    def __reduce__(self):
        return os.system, ("exit 1",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("start", [b"", b"\x80\x00\x00\x00\x00\x00\x00\x00"])
def test_a_pickle_in_disguise_is_refused(protocol, start, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(start + pickle.dumps(_Attack(), protocol))
    with pytest.raises(ValueError, match="no file of sklearn_ssl"):
        load_watched(path)


def test_a_file_of_torch_or_numpy_is_refused(tmp_path):
    import torch

    path = tmp_path / "model.safetensors"
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match="no file of sklearn_ssl"):
        load_watched(path)
    buffer = io.BytesIO()
    np.save(buffer, np.array([_Attack()], dtype=object), allow_pickle=True)
    path.write_bytes(buffer.getvalue())
    with pytest.raises(ValueError, match="no file of sklearn_ssl"):
        load_watched(path)


@pytest.mark.slow
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    pytest.importorskip("resource")
    path = tmp_path / "model"
    small = DenoisingAutoencoder(**SMALL).fit(load_iris().data)
    save(small, path)
    before = path.read_bytes()
    code = (
        "import resource, signal, sys\n"
        "from sklearn.datasets import load_iris\n"
        "from sklearn_ssl import DenoisingAutoencoder\n"
        "from sklearn_ssl.persistence import save\n"
        "large = DenoisingAutoencoder(max_iter=1).fit(load_iris().data)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n"
        "    save(large, sys.argv[1])\n"
        "except OSError as error:\n"
        "    print('refused by', type(error).__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("refused by OSError")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# Memory and workers


WITHIN_LITTLE_MEMORY = """
import resource
import numpy as np
from sklearn_ssl import (
    ContrastiveEmbedder, DenoisingAutoencoder, FineTunedClassifier, MaskedFeaturePredictor
)

X, y = np.random.default_rng(0).normal(size=(200, 5)), np.arange(200) % 2
small = dict(max_iter=1, hidden_layer_sizes=(8,))
large = dict(max_iter=1, hidden_layer_sizes=(5000, 5000))
cases = [
    (Embedder(**small), large)
    for Embedder in (ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor)
]
classifier = FineTunedClassifier(DenoisingAutoencoder(**small), mode="frozen")
cases.append((classifier, dict(transformer=DenoisingAutoencoder(**large))))
for estimator, _ in cases:
    estimator.fit(X, y)
with open("/proc/self/statm") as file:
    size = int(file.read().split()[0]) * resource.getpagesize()
_, hard = resource.getrlimit(resource.RLIMIT_AS)
for estimator, params in cases:
    before = dict(vars(estimator.set_params(**params)))
    resource.setrlimit(resource.RLIMIT_AS, (size + 2**26, hard))
    try:
        estimator.fit(X, y)
    except MemoryError as error:
        print(type(estimator).__name__, vars(estimator) == before, error)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    estimator.score(X, y)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
@pytest.mark.slow
def test_too_little_memory_is_a_memory_error_and_leaves_the_estimator_as_it_was():
    done = subprocess.run(
        [sys.executable, "-c", WITHIN_LITTLE_MEMORY], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ContrastiveEmbedder", "True"],
        ["DenoisingAutoencoder", "True"],
        ["MaskedFeaturePredictor", "True"],
        ["FineTunedClassifier", "True"],
    ]
    assert all("not enough memory to fit" in line for line in lines)
    assert all("Lower batch_size" in line for line in lines)


def test_other_errors_of_torch_stay_what_they_are(flowers):
    class Fail(Callback):
        def on_batch_end(self, net, **kwargs):
            raise RuntimeError("The size of tensor a must match the size of tensor b")

    with pytest.raises(RuntimeError, match="must match"):
        DenoisingAutoencoder(**SMALL, callbacks=[Fail()]).fit(flowers)


@pytest.mark.slow
def test_a_worker_that_is_killed_ends_the_search_and_the_next_one_works(flowers):
    class Die(Callback):
        def on_epoch_end(self, net, **kwargs):
            os.kill(os.getpid(), signal.SIGKILL)

    embedder = DenoisingAutoencoder(**SMALL)
    search = GridSearchCV(embedder, {"callbacks": [None, [Die()]]}, cv=2, n_jobs=2)
    with pytest.raises(TerminatedWorkerError, match="unexpectedly terminated"):
        search.fit(flowers)
    assert not hasattr(search, "cv_results_")
    assert vars(embedder) == vars(DenoisingAutoencoder(**SMALL))
    search.set_params(param_grid={"n_components": [1, 2]}).fit(flowers)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


# Interruptions


class Interrupter:
    """Raise KeyboardInterrupt at the ``n``-th call of a function of the library."""

    def __init__(self, n_calls):
        self.n_calls = n_calls
        self.seen = 0

    def __call__(self, frame, event, argument):
        code = frame.f_code
        # An error in a generator that is being closed would be lost.
        is_plain = not code.co_flags & inspect.CO_GENERATOR
        if event == "call" and is_plain and "sklearn_ssl" in code.co_filename:
            self.seen += 1
            if self.seen == self.n_calls:
                sys.setprofile(None)
                raise KeyboardInterrupt

    def __enter__(self):
        sys.setprofile(self)
        return self

    def __exit__(self, *error):
        sys.setprofile(None)


def act(embedder, how, X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if how == "fit_stream":
            return embedder.fit_stream([X, X], buffer_size=100)
        return getattr(embedder, how)(X)


@every
@pytest.mark.parametrize("how", ["fit", "partial_fit", "fit_stream"])
@pytest.mark.slow
def test_an_interruption_anywhere_leaves_the_estimator_usable_or_as_it_was(Embedder, how, flowers):
    fitted = act(Embedder(**SMALL), "partial_fit", flowers)
    before, state = fitted.transform(flowers), pickle.dumps(fitted)
    with Interrupter(-1) as counter:
        act(pickle.loads(state), how, flowers)
    n_ended = 0
    for n_calls in np.linspace(1, counter.seen, 13, dtype=int):
        embedder = pickle.loads(state)
        attributes = dict(vars(embedder))
        try:
            with Interrupter(n_calls):
                act(embedder, how, flowers)
        except KeyboardInterrupt:
            assert vars(embedder).keys() == attributes.keys()
            assert all(value is attributes[name] for name, value in vars(embedder).items())
            assert (embedder.transform(flowers) == before).all()
        else:
            n_ended += 1
            assert np.isfinite(embedder.transform(flowers)).all()
        act(embedder, "partial_fit", flowers)
        assert np.isfinite(embedder.transform(flowers)).all()
    assert 0 < n_ended < 13


def test_an_interrupted_first_fit_leaves_an_unfitted_estimator(flowers):
    for n_calls in range(1, 40, 3):
        embedder = DenoisingAutoencoder(**SMALL)
        with pytest.raises(KeyboardInterrupt), Interrupter(n_calls):
            embedder.fit(flowers)
        assert vars(embedder) == vars(DenoisingAutoencoder(**SMALL))
