"""The training loop, on pretext tasks of a single weight."""

import io
import math
import subprocess
import sys
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from skorch.callbacks import Callback, EpochScoring, LRScheduler, PrintLog
from torch import nn

from sklearn_ssl._compat import FitTask
from sklearn_ssl._training.callbacks import SCHEDULES
from sklearn_ssl._training.dataset import BatchIterator, TableDataset
from sklearn_ssl._training.loop import train
from sklearn_ssl._training.options import TrainingOptions, resolve_device

few = settings(derandomize=True, deadline=None, max_examples=40)


class Follow(nn.Module):
    """Move a weight towards the mean of the rows; keep a diary."""

    def __init__(self, broken_from=math.inf):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.broken_from = broken_from
        self.batches = []
        self.draws = []

    def forward(self, batch, generator):
        numeric, _ = batch
        draw = torch.rand((), generator=generator)
        if self.training:
            self.batches.append(numeric[:, 0].tolist())
        self.draws.append((self.training, draw.item()))
        loss = (self.weight - numeric).square().mean()
        is_broken = self.training and len(self.batches) > self.broken_from
        return loss * math.nan if is_broken else loss


class Diary(Callback):
    """Write down what happens, and the weights and rates that were in force."""

    def __init__(self, stop_at=math.inf, error=KeyboardInterrupt):
        self.stop_at = stop_at
        self.error = error
        self.events = []
        self.rates = []
        self.weights = []

    def on_train_begin(self, net, **kwargs):
        self.events.append("train begin")

    def on_train_end(self, net, **kwargs):
        self.events.append("train end")

    def on_epoch_begin(self, net, **kwargs):
        self.events.append("epoch begin")

    def on_epoch_end(self, net, **kwargs):
        self.events.append("epoch end")
        self.weights.append(net.module_.weight.item())
        if len(self.weights) >= self.stop_at:
            raise self.error

    def on_batch_begin(self, net, training, **kwargs):
        self.events.append(f"batch begin {training}")

    def on_batch_end(self, net, training, loss, **kwargs):
        self.events.append(f"batch end {training}")
        if training:
            self.rates.append(net.optimizer_.param_groups[0]["lr"])

    def on_grad_computed(self, net, **kwargs):
        self.events.append("gradient")


def rows(*values):
    numeric = torch.tensor(values, dtype=torch.float32)[:, None]
    return numeric, torch.empty(len(values), 0, dtype=torch.int32)


def fit(pretext, table, validation=None, seed=0, optimizer_state=None, **changes):
    options = {
        "max_iter": 20,
        "batch_size": 4,
        "learning_rate": "constant",
        "learning_rate_init": 0.5,
        "weight_decay": 0.0,
        "early_stopping": validation is not None,
        "n_iter_no_change": 3,
        "tol": 0.0,
        "device": "cpu",
        "verbose": False,
    }
    options = TrainingOptions(**{**options, **changes})
    datasets = (part and TableDataset(*part) for part in (table, validation))
    return train(pretext, *datasets, options, seed, optimizer_state)


# Batches


@given(n_rows=st.integers(1, 60), batch_size=st.integers(1, 70), seed=st.integers(0, 9))
@few
def test_batches_cover_each_row_once_an_epoch_and_are_balanced(n_rows, batch_size, seed):
    dataset = TableDataset(*rows(*range(n_rows)))
    generator = torch.Generator().manual_seed(seed)
    for shuffle in (None, generator):
        iterator = BatchIterator(dataset, batch_size, shuffle)
        batches = [numeric[:, 0].tolist() for numeric, _ in iterator]
        sizes = [len(batch) for batch in batches]
        assert sorted(chain.from_iterable(batches)) == list(range(n_rows))
        assert len(batches) == len(iterator) == math.ceil(n_rows / batch_size)
        assert max(sizes) <= batch_size
        assert max(sizes) - min(sizes) <= 1


def test_rows_come_in_order_unless_shuffled_and_then_anew_in_each_epoch():
    dataset = TableDataset(*rows(*range(50)))

    def epochs(generator):
        iterator = BatchIterator(dataset, 50, generator)
        return [next(iter(iterator))[0][:, 0].tolist() for _ in range(2)]

    assert epochs(None) == [list(range(50))] * 2
    first, second = epochs(torch.Generator().manual_seed(0))
    assert first != second
    assert epochs(torch.Generator().manual_seed(0)) == [first, second]


def test_parts_of_a_batch_stay_together():
    numeric, _ = rows(*range(20))
    dataset = TableDataset(numeric, numeric.to(torch.int32))
    for part, same in BatchIterator(dataset, 6, torch.Generator().manual_seed(0)):
        assert torch.equal(part, same.float())


@pytest.mark.parametrize("shuffle", [None, 0])
def test_chosen_rows_are_batched_as_a_copy_of_them_is(shuffle):
    parts, chosen = rows(*range(20)), torch.tensor([3, 19, 4, 0, 7])
    copied, shared = TableDataset(*(p[chosen] for p in parts)), TableDataset(*parts, rows=chosen)

    def batches(dataset):
        generator = None if shuffle is None else torch.Generator().manual_seed(shuffle)
        return [numeric.tolist() for numeric, _ in BatchIterator(dataset, 2, generator)]

    assert batches(shared) == batches(copied)


def test_training_sees_every_row_once_an_epoch():
    pretext = Follow()
    fit(pretext, rows(*range(10)), max_iter=3)
    assert [len(batch) for batch in pretext.batches] == [4, 3, 3] * 3
    for start in (0, 3, 6):
        assert sorted(chain.from_iterable(pretext.batches[start : start + 3])) == list(range(10))


# The loop


def test_loss_curve_holds_the_mean_loss_of_each_epoch():
    table = rows(1, 1, 1, 4, 4, 4, 4)
    result = fit(Follow(), table, learning_rate_init=1e-12, max_iter=2)
    assert result.loss_curve == pytest.approx([table[0].square().mean().item()] * 2)
    assert result.validation_scores == []
    assert result.outcome == "finished"


def test_steps_are_those_of_the_optimizer():
    pretext, twin = Follow(), Follow()
    table = rows(3, 5)
    fit(pretext, table, max_iter=3, learning_rate_init=0.1, weight_decay=0.2)
    optimizer = torch.optim.AdamW(twin.parameters(), lr=0.1, weight_decay=0.2)
    for _ in range(3):
        optimizer.zero_grad()
        (twin.weight - table[0]).square().mean().backward()
        optimizer.step()
    assert pretext.weight.item() == pytest.approx(twin.weight.item(), rel=1e-6)


def test_the_seed_decides_batches_and_views():
    diaries = []
    for seed in (1, 1, 2):
        pretext = Follow()
        fit(pretext, rows(*range(9)), rows(1, 2), seed=seed, max_iter=2)
        diaries.append((pretext.batches, pretext.draws))
    assert diaries[0] == diaries[1] != diaries[2]


def test_corruptions_of_validation_rows_are_the_same_in_each_epoch_and_others_are_not():
    pretext = Follow()
    fit(pretext, rows(*range(8)), rows(1, 2, 3, 4, 5, 6), max_iter=3, n_iter_no_change=9)
    training = [draw for is_training, draw in pretext.draws if is_training]
    validation = [draw for is_training, draw in pretext.draws if not is_training]
    assert len(set(training)) == len(training) == 6
    assert validation[:2] * 3 == validation[:6]
    assert not set(training) & set(validation)


def test_last_weights_of_a_full_fit_are_kept_and_the_module_waits_on_the_cpu():
    pretext, diary = Follow(), Diary()
    fit(pretext, rows(*[3.0] * 8), callbacks=[diary])
    assert pretext.weight.item() == diary.weights[-1]
    assert pretext.weight.device.type == "cpu"


def test_training_continues_from_a_state_of_the_optimizer():
    table = rows(3, 3, 3, 3)
    whole, parts = Follow(), Follow()
    fit(whole, table, max_iter=2)
    result = fit(parts, table, max_iter=1)
    fit(parts, table, max_iter=1, optimizer_state=result.optimizer_state)
    assert parts.weight.item() == whole.weight.item()
    fresh = Follow()
    fit(fresh, table, max_iter=1)
    fit(fresh, table, max_iter=1)
    assert fresh.weight.item() != whole.weight.item()


def test_training_leaves_threads_and_global_state_alone():
    before = torch.get_num_threads(), torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    with torch.no_grad():
        result = fit(Follow(), rows(*range(8)), rows(1, 2))
        assert not torch.is_grad_enabled()
    assert result.loss_curve[-1] < result.loss_curve[0]
    assert torch.get_num_threads() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert (np.random.get_state()[1] == before[2]).all()  # noqa: NPY002
    assert torch.get_default_dtype() == torch.float32
    assert not torch.are_deterministic_algorithms_enabled()


# Schedules


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_learning_rate_follows_the_schedule_batch_by_batch(schedule):
    diary = Diary()
    fit(Follow(), rows(*range(8)), learning_rate=schedule, max_iter=10, callbacks=[diary])
    expected = [0.5 * SCHEDULES[schedule](step / 20) for step in range(20)]
    assert diary.rates == pytest.approx(expected)


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ("constant", {0: 1, 0.5: 1, 1: 1}),
        ("cosine", {0: 1, 1 / 3: 0.75, 0.5: 0.5, 1: 0}),
        ("one_cycle", {0: 0.1, 0.05: 0.5, 0.1: 1, 0.55: 0.5, 1: 0}),
    ],
)
def test_schedules_have_their_shapes(schedule, factors):
    measured = {progress: SCHEDULES[schedule](progress) for progress in factors}
    assert measured == pytest.approx(factors)
    assert all(0 < SCHEDULES[schedule](step / 1000) <= 1 for step in range(1000))


# Stopping


def test_early_stopping_keeps_the_best_weights():
    pretext, diary = Follow(), Diary()
    result = fit(
        pretext, rows(*[10.0] * 4), rows(3.1), callbacks=[diary], n_iter_no_change=4, max_iter=50
    )
    losses = [(weight - 3.1) ** 2 for weight in diary.weights]
    best = int(np.argmin(losses))
    assert 0 < best < len(losses) - 1
    assert pretext.weight.item() == diary.weights[best]
    assert result.validation_scores == pytest.approx([-loss for loss in losses], abs=1e-5)
    assert len(result.loss_curve) == len(losses) == best + 1 + 4
    assert result.outcome == "finished"


def test_improvements_below_the_tolerance_do_not_count():
    result = fit(Follow(), rows(9, 9), rows(9), tol=1e6, n_iter_no_change=2)
    assert len(result.loss_curve) == 3
    assert result.validation_scores == sorted(result.validation_scores)


def test_validation_without_early_stopping_runs_to_the_end_and_keeps_the_best():
    pretext, diary = Follow(), Diary()
    result = fit(
        pretext, rows(*[10.0] * 4), rows(3.1), callbacks=[diary], early_stopping=False, max_iter=30
    )
    assert len(result.loss_curve) == len(result.validation_scores) == 30
    assert pretext.weight.item() == min(diary.weights, key=lambda weight: (weight - 3.1) ** 2)


@pytest.mark.parametrize("validation", [None, rows(3.1)])
def test_interruption_keeps_the_best_weights_and_ends_the_training(validation):
    pretext, diary = Follow(), Diary(stop_at=12)
    result = fit(pretext, rows(*[10.0] * 4), validation, callbacks=[diary], early_stopping=False)
    target = 10.0 if validation is None else 3.1
    assert result.outcome == "interrupted"
    assert len(result.loss_curve) == 12
    assert diary.events[-1] == "train end"
    if validation is not None:
        assert pretext.weight.item() == min(diary.weights, key=lambda w: (w - target) ** 2)
    else:
        assert pretext.weight.item() == diary.weights[int(np.argmin(result.loss_curve))]


def test_interruption_in_the_first_epoch_leaves_the_first_weights():
    class Impatient(Callback):
        def on_grad_computed(self, net, **kwargs):
            raise KeyboardInterrupt

    pretext = Follow()
    result = fit(pretext, rows(*range(8)), callbacks=[Impatient()])
    assert result.outcome == "interrupted"
    assert result.loss_curve == []
    assert pretext.weight.item() == 0


@pytest.mark.parametrize("broken_from", [0, 7])
@pytest.mark.parametrize("stop_at", [math.inf, 8])
def test_divergence_keeps_the_best_weights_before_it(broken_from, stop_at):
    pretext, diary = Follow(broken_from), Diary(stop_at)
    result = fit(pretext, rows(*[10.0] * 4), callbacks=[diary])
    assert result.outcome == "diverged"
    assert len(result.loss_curve) == broken_from + 1
    assert math.isnan(result.loss_curve[-1])
    assert pretext.weight.item() == (diary.weights[-2] if broken_from else 0)


@pytest.mark.parametrize("validation", [None, rows(9)])
def test_weights_that_the_last_step_ruined_are_not_kept(validation):
    pretext = Follow()
    options = {"learning_rate_init": 1e30, "max_iter": 1, "early_stopping": False}
    result = fit(pretext, rows(9, 9), validation, **options)
    assert result.outcome == "diverged"
    assert result.optimizer_state == {}
    assert pretext.weight.item() == 0


def test_other_errors_come_through_after_the_end_of_training():
    diary = Diary(stop_at=2, error=ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        fit(Follow(), rows(1, 2), callbacks=[diary])
    assert diary.events[-1] == "train end"


# Callbacks


def test_callbacks_are_called_as_skorch_calls_them():
    diary = Diary()
    fit(Follow(), rows(*range(8)), rows(1, 2), max_iter=1, callbacks=[diary])
    step = ["batch begin True", "gradient", "batch end True"]
    validation = ["batch begin False", "batch end False"]
    passed = ["epoch begin", *step, *step, *validation, "epoch end"]
    assert diary.events == ["train begin", *passed, "train end"]


def test_callbacks_of_skorch_itself_work():
    lines = []
    schedule = LRScheduler(policy="StepLR", step_size=1)
    scoring = EpochScoring(lambda net, X, y: net.module_.weight.item(), name="weight")
    fit(
        Follow(),
        rows(*range(8)),
        max_iter=3,
        callbacks=[PrintLog(sink=lines.append), schedule, scoring],
    )
    assert sum("train_loss" in line for line in lines) == 1
    assert len(lines) == 2 + 3


@pytest.mark.parametrize("wrong", [3, "PrintLog", PrintLog, ("log", PrintLog())])
def test_callbacks_that_are_none_raise(wrong):
    with pytest.raises(TypeError, match=r"instances of skorch\.callbacks\.Callback; got"):
        fit(Follow(), rows(1, 2), callbacks=[wrong])


# Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("verbose", [True, False])
def test_progress_is_a_bar_on_a_terminal(verbose, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    result = fit(Follow(), rows(*range(8)), verbose=verbose, max_iter=3)
    written = terminal.getvalue()
    assert capsys.readouterr().out == ""
    shown = "Training" in written and "3/3" in written
    assert (shown and f"loss {result.loss_curve[-1]:.4f}" in written) == verbose
    assert bool(written) == verbose


@pytest.mark.parametrize("verbose", [True, False])
def test_progress_is_some_lines_in_a_log(verbose, capsys):
    result = fit(Follow(), rows(*range(8)), verbose=verbose, max_iter=40)
    written = capsys.readouterr()
    assert written.err == ""
    lines = written.out.splitlines()
    assert len(lines) == (10 if verbose else 0)
    if verbose:
        assert f"Training: epoch 40 of 40, loss {result.loss_curve[-1]:.4f}" in lines[-1]


def test_progress_bar_of_an_interrupted_fit_is_closed_at_its_end(monkeypatch):
    class Reader(Diary):
        def on_train_end(self, net, **kwargs):
            self.written = sys.stderr.getvalue()

    monkeypatch.setattr(sys, "stderr", Terminal())
    reader = Reader(stop_at=2)
    fit(Follow(), rows(*range(8)), verbose=True, callbacks=[reader])
    assert reader.written.endswith("\n")


# Devices


def test_devices_that_are_not_available_raise(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert resolve_device("auto") == "mps"
    assert resolve_device("cpu") == "cpu"
    with pytest.raises(ValueError, match=r"'cuda' is not available.*\['mps', 'cpu'\]"):
        resolve_device("cuda")


@pytest.mark.slow
@pytest.mark.parametrize(
    "use",
    ["transformer.fit(X).transform(X)", "FineTunedClassifier(transformer).fit(X, y).predict(X)"],
)
def test_a_fit_does_not_import_the_compiler_of_torch(use):
    code = f"""
import sys
sys.modules["torch_geometric"] = None  # skorch imports it if it is there, and with it the compiler
import numpy as np
from sklearn_ssl import DenoisingAutoencoder, FineTunedClassifier
X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
transformer = DenoisingAutoencoder(hidden_layer_sizes=(8,), max_iter=1, device="cpu")
{use}
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# Averaged weights, and another validation callback


def test_averaged_weights_are_validated_and_kept_and_training_continues_from_its_own():
    table = rows(*range(9))
    steps, ends = [], []

    class Trace(Callback):
        def on_batch_end(self, net, training, **kwargs):
            if training:
                steps.append(net.module_.weight.item())

        def on_epoch_end(self, net, **kwargs):
            ends.append(net.module_.weight.item())

    pretext, plain = Follow(), Follow()
    options = {"max_iter": 4, "learning_rate_init": 0.1, "seed": 3}
    averaged = fit(pretext, table, callbacks=[Trace()], averaged_epochs=2, **options)
    assert len(steps) == 12
    mean, means = 0.0, []
    for step, weight in enumerate(steps, start=1):
        mean += (weight - mean) / min(step + 1, 6)  # two epochs of three steps
        means.append(mean)
    assert ends == pytest.approx(means[2::3], abs=1e-6)
    assert pretext.weight.item() == ends[-1]
    unaveraged = fit(plain, table, **options)
    assert steps[-1] == plain.weight.item()
    assert averaged.loss_curve == unaveraged.loss_curve


def test_a_validation_callback_decides_when_to_stop():
    class Judge(Callback):
        losses = iter([5.0, 4.0, 6.0, 7.0, 8.0, 9.0])

        def on_epoch_end(self, net, **kwargs):
            net.history.record("valid_loss", next(self.losses))

    result = fit(
        Follow(), rows(9, 9), validation_callback=Judge(), early_stopping=True, n_iter_no_change=2
    )
    assert len(result.loss_curve) == 4
    assert result.validation_scores == []


def test_estimators_without_callbacks_of_scikit_learn_announce_nothing():
    task = FitTask.begin(BaseEstimator(), 2, X=None, y=None)
    assert task.part("epoch").end() is False
    with task.part_of(BaseEstimator(), "pretrain"):
        assert task.end() is False
