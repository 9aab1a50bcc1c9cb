"""Threads of a fit: as many as its steps are worth, and the user's setting outside it."""

import threading
from contextlib import nullcontext

import joblib
import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from threadpoolctl import ThreadpoolController
from torch import nn

from sklearn_ssl import (
    DenoisingAutoencoder,
    FineTunedClassifier,
    MaskedFeaturePredictor,
    MaskedImputer,
    OutlierDetector,
)
from sklearn_ssl import _threads as threads
from sklearn_ssl._base import BaseEmbedder
from sklearn_ssl._threads import OneThread, n_threads_for, share_rows, threads_for

X = np.random.default_rng(0).normal(size=(64, 3))


@pytest.fixture
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


class Watch(Callback):
    """Notes the threads of each epoch, and fails in one of them."""

    def __init__(self, fails=False):
        self.fails = fails
        self.seen = []

    def on_epoch_end(self, net, **kwargs):
        self.seen.append(torch.get_num_threads())
        if self.fails:
            raise RuntimeError("as planned")


@pytest.mark.parametrize(
    ("n_rows", "n_weights", "n_available", "n_threads"),
    [
        (256, 3 * 256**2, 16, 1),
        (256, 3 * 1024**2, 16, 1),
        (1024, 3 * 1024**2, 2, 2),
        (1024, 3 * 1024**2, 16, 3),
        (1024, 3 * 1024**2, 1, 1),
        (0, 0, 2, 1),
    ],
)
def test_the_number_grows_with_the_matrices_up_to_the_user_s(
    n_rows, n_weights, n_available, n_threads
):
    assert n_threads_for(n_rows, n_weights, n_available) == n_threads


@pytest.mark.parametrize("products", [2**40, 1])
@pytest.mark.parametrize("fails", [False, True])
def test_a_fit_restores_the_setting_of_the_user(products, fails, four_threads, monkeypatch):
    monkeypatch.setattr(threads, "PRODUCTS_PER_THREAD", products)
    watch = Watch(fails)
    model = DenoisingAutoencoder(
        2, hidden_layer_sizes=(8,), max_iter=2, callbacks=[watch], device="cpu"
    )
    if fails:
        with pytest.raises(RuntimeError, match="as planned"):
            model.fit(X)
    else:
        model.fit(X)
    assert set(watch.seen) == {1 if products > 1 else 4}
    assert torch.get_num_threads() == 4


def test_the_threads_of_other_devices_stay(four_threads):
    with threads_for(nn.Linear(2, 2), 8, "cuda") as n_threads:
        assert n_threads == torch.get_num_threads() == 4


@pytest.mark.slow
def test_small_fits_are_the_same_with_any_number_of_threads(four_threads):
    table = np.random.default_rng(0).normal(size=(600, 20))
    states = []
    for n_threads in (1, 2, 4):
        torch.set_num_threads(n_threads)
        model = DenoisingAutoencoder(max_iter=1, batch_size=256, random_state=0, device="cpu")
        weights = model.fit(table).model_.task.encoder.state_dict().values()
        states.append([weight.clone() for weight in weights])
    for others in states[1:]:
        assert all(torch.equal(a, b) for a, b in zip(states[0], others, strict=True))


MATRIX_LIBRARIES = ThreadpoolController().select(user_api="blas")


def n_threads_of_numpy():
    return {library["num_threads"] for library in MATRIX_LIBRARIES.info()}


@pytest.fixture
def three_threads_of_numpy():
    with MATRIX_LIBRARIES.limit(limits=3):
        yield


class WatchNumpy(Callback):
    def __init__(self):
        self.seen = []

    def on_epoch_end(self, net, **kwargs):
        self.seen.append(n_threads_of_numpy())


@pytest.mark.parametrize("fails", [False, True])
def test_torch_uses_one_thread_outside_the_steps(fails, four_threads, monkeypatch):
    seen = []
    start = BaseEmbedder._start_shared_model

    def watched(self, *args, **kwargs):
        seen.append((torch.get_num_threads(), threads.one_thread.n_available()))
        if fails:
            raise RuntimeError("as planned")
        return start(self, *args, **kwargs)

    monkeypatch.setattr(BaseEmbedder, "_start_shared_model", watched)
    model = DenoisingAutoencoder(2, hidden_layer_sizes=(8,), max_iter=1)
    with pytest.raises(RuntimeError, match="as planned") if fails else nullcontext():
        model.fit(X)
    assert seen == [(1, 4)]
    assert torch.get_num_threads() == threads.one_thread.n_available() == 4


def test_numpy_uses_one_thread_in_a_fit_and_the_user_s_after_it(three_threads_of_numpy):
    watch = WatchNumpy()
    DenoisingAutoencoder(2, hidden_layer_sizes=(8,), max_iter=2, callbacks=[watch]).fit(X)
    assert watch.seen == [{1}, {1}]
    assert n_threads_of_numpy() == {3}


@pytest.mark.parametrize(
    "estimator",
    [
        FineTunedClassifier(
            MaskedFeaturePredictor(2, hidden_layer_sizes=(8,), max_iter=1), max_iter=1
        ),
        MaskedImputer(width=8, n_blocks=1, max_iter=1),
        OutlierDetector(MaskedFeaturePredictor(2, hidden_layer_sizes=(8,), max_iter=1)),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_every_fit_asks_for_one_thread_of_numpy(estimator, three_threads_of_numpy, monkeypatch):
    entered = []
    enter = OneThread._enter
    monkeypatch.setattr(OneThread, "_enter", lambda self: entered.append(enter(self)))
    estimator.fit(X, np.arange(len(X)) % 2)
    # Once, although fits contain fits.
    assert len(entered) == 1
    assert n_threads_of_numpy() == {3}


def test_fits_in_several_threads_leave_the_setting_of_the_user(three_threads_of_numpy):
    one_thread = OneThread()
    # The first to enter leaves first: it must not give the threads back while the other needs one.
    one_thread._enter()
    one_thread._enter()
    one_thread._leave()
    assert n_threads_of_numpy() == {1}
    one_thread._leave()
    assert n_threads_of_numpy() == {3}
    # At the same time, and with failures.
    model = DenoisingAutoencoder(2, hidden_layer_sizes=(8,), max_iter=1)
    tables = [X, np.full((0, 3), 0.0)] * 4

    def attempt(table):
        try:
            model.__class__(**model.get_params()).fit(table)
        except ValueError:
            return "refused"
        return "fitted"

    found = joblib.Parallel(n_jobs=4, prefer="threads")(map(joblib.delayed(attempt), tables))
    assert found == ["fitted", "refused"] * 4
    assert n_threads_of_numpy() == {3}


@pytest.mark.parametrize("n_rows", [0, 1, 10, 11, 39])
def test_every_row_is_in_one_part_whatever_the_threads(n_rows, four_threads):
    done = np.zeros(n_rows, dtype=int)
    seen = set()

    def work(rows):
        done[rows] += 1
        seen.add(torch.get_num_threads())

    share_rows(work, n_rows, 10)
    assert (done == 1).all()
    # Each of the parts has one thread of torch.
    assert seen <= {1}
    assert torch.get_num_threads() == 4


@pytest.mark.parametrize("n_rows", [5, 40])
def test_an_error_in_a_part_is_raised(n_rows, four_threads):
    def work(rows):
        if rows.start == 0:
            raise MemoryError("as planned")

    with pytest.raises(MemoryError, match="as planned"):
        share_rows(work, n_rows, 10)
    assert torch.get_num_threads() == 4


def test_parts_are_worked_on_at_the_same_time(four_threads):
    # Each part waits for the other: one after the other, they would wait for ever.
    meeting = threading.Barrier(2, timeout=60)
    share_rows(lambda rows: meeting.wait(), 20, 10)
    assert not meeting.broken
