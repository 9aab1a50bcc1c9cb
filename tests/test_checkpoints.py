"""Fits that are cut off at any moment, and go on from the folder where they keep their state.

``KILLED_FITS=50`` kills that many processes.
"""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from embedders import SIX_EPOCHS
from safetensors import safe_open
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.utils import estimator_checks
from skorch.callbacks import Callback

from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor
from sklearn_ssl._serialization.codec import Store, decode
from sklearn_ssl._serialization.container import read_file
from sklearn_ssl._training.dataset import TableDataset
from sklearn_ssl.persistence import load, save

N_KILLS = int(os.environ.get("KILLED_FITS", "6"))

EMBEDDERS = [
    DenoisingAutoencoder(**SIX_EPOCHS, noise="mix", tied_weights=True),
    ContrastiveEmbedder(**SIX_EPOCHS, early_stopping=True),
    MaskedFeaturePredictor(**SIX_EPOCHS, learning_rate="cosine"),
]

every = pytest.mark.parametrize("embedder", EMBEDDERS, ids=lambda e: type(e).__name__)


class StreamEpochs(Callback):
    """Count epochs, and fail in the middle of one of them."""

    def __init__(self, fail_in=None, error=ZeroDivisionError):
        self.fail_in = fail_in
        self.error = error
        self.made = 0

    def on_grad_computed(self, net, **kwargs):
        if self.made + 1 == self.fail_in:
            raise self.error

    def on_epoch_end(self, net, **kwargs):
        self.made += 1


@pytest.fixture(scope="module")
def flowers(flowers):
    return flowers.mask(lambda X: X.iloc[7] == X)


def bits(embedder, X):
    return embedder.transform(X).tobytes()


def state_of(path):
    document, arrays = read_file(path, "checkpoint")
    return decode(document, Store(arrays))


# Going on


@every
@pytest.mark.parametrize("fail_in", [1, 2, 6])
@pytest.mark.slow
def test_an_interrupted_fit_resumes_to_the_same_bits(embedder, fail_in, flowers, tmp_path):
    whole = clone(embedder).fit(flowers)
    cut_off = clone(embedder).set_params(checkpoint_dir=tmp_path, callbacks=[StreamEpochs(fail_in)])
    with pytest.raises(ZeroDivisionError):
        cut_off.fit(flowers)
    assert not hasattr(cut_off, "model_")
    rest = StreamEpochs()
    resumed = clone(embedder).set_params(checkpoint_dir=tmp_path, callbacks=[rest]).fit(flowers)
    assert rest.made == whole.n_iter_ - (fail_in - 1)
    assert bits(resumed, flowers) == bits(whole, flowers)
    assert resumed.loss_curve_ == whole.loss_curve_
    scores = [getattr(fitted, "validation_scores_", None) for fitted in (resumed, whole)]
    assert scores[0] == scores[1]


def test_a_fit_with_labels_goes_on_and_other_labels_are_another_fit(flowers, tmp_path):
    labels = np.arange(150) // 50
    guided = DenoisingAutoencoder(**SIX_EPOCHS, supervision_weight=1.0)
    whole = clone(guided).fit(flowers, labels)
    guided.set_params(checkpoint_dir=tmp_path)
    with pytest.raises(ZeroDivisionError):
        clone(guided).set_params(callbacks=[StreamEpochs(3)]).fit(flowers, labels)
    rest, others = StreamEpochs(), StreamEpochs()
    resumed = clone(guided).set_params(callbacks=[rest]).fit(flowers, labels)
    assert bits(resumed, flowers) == bits(whole, flowers)
    clone(guided).set_params(callbacks=[others]).fit(flowers, labels[::-1].copy())
    assert (rest.made, others.made) == (4, 6)


@every
def test_a_finished_fit_is_read_and_not_repeated(embedder, flowers, tmp_path):
    embedder = clone(embedder).set_params(checkpoint_dir=str(tmp_path / "made" / "here"))
    first = clone(embedder).fit(flowers)
    again = StreamEpochs()
    second = clone(embedder).set_params(callbacks=[again]).fit(flowers)
    assert again.made == 0
    assert second.n_iter_ == first.n_iter_ == len(second.loss_curve_)
    assert bits(second, flowers) == bits(first, flowers)


def test_fits_that_stopped_early_or_diverged_stay_so(flowers, tmp_path):
    early = DenoisingAutoencoder(**SIX_EPOCHS, early_stopping=True, n_iter_no_change=2, tol=1e9)
    for embedder, n_epochs in ((early, 3), (clone(early).set_params(learning_rate_init=1e30), 2)):
        embedder.set_params(checkpoint_dir=tmp_path)
        first, counts = clone(embedder), [StreamEpochs(), StreamEpochs()]
        second = clone(embedder).set_params(callbacks=[counts[1]])
        first.set_params(callbacks=[counts[0]])
        if n_epochs == 2:
            with pytest.warns(ConvergenceWarning, match="no longer finite"):
                first.fit(flowers)
            with pytest.warns(ConvergenceWarning, match="no longer finite"):
                second.fit(flowers)
        else:
            first.fit(flowers)
            second.fit(flowers)
        assert counts[0].made <= n_epochs
        assert counts[1].made == 0
        assert bits(first, flowers) == bits(second, flowers)


def test_an_interrupted_fit_can_be_used_and_gone_on_with(flowers, tmp_path):
    whole = clone(EMBEDDERS[0]).fit(flowers)
    embedder = clone(EMBEDDERS[0]).set_params(checkpoint_dir=tmp_path)
    embedder.set_params(callbacks=[StreamEpochs(4, KeyboardInterrupt)])
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        assert np.isfinite(embedder.fit_transform(flowers)).all()
    rest = StreamEpochs()
    assert bits(embedder.set_params(callbacks=[rest]).fit(flowers), flowers) == bits(whole, flowers)
    assert rest.made == 3


def test_warm_starts_go_on_too(flowers, tmp_path):
    whole = clone(EMBEDDERS[2]).set_params(warm_start=True).fit(flowers).fit(flowers)
    embedder = clone(EMBEDDERS[2]).set_params(warm_start=True, checkpoint_dir=tmp_path)
    embedder.fit(flowers)
    with pytest.raises(ZeroDivisionError):
        embedder.set_params(callbacks=[StreamEpochs(3)]).fit(flowers)
    rest = StreamEpochs()
    embedder.set_params(callbacks=[rest]).fit(flowers)
    assert rest.made == 4
    assert bits(embedder, flowers) == bits(whole, flowers)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("fail_in", [1, 8, 18])
@pytest.mark.slow
def test_streams_resume_at_the_epoch(fail_in, flowers, tmp_path):
    parts = [flowers.iloc[start : start + 40] for start in range(0, 150, 40)]
    whole = clone(EMBEDDERS[1]).fit_stream(parts, buffer_size=50)
    embedder = clone(EMBEDDERS[1]).set_params(checkpoint_dir=tmp_path)
    with pytest.raises(ZeroDivisionError):  # each of the three buffers of an epoch counts as one
        embedder.set_params(callbacks=[StreamEpochs(fail_in)]).fit_stream(parts, buffer_size=50)
    rest = StreamEpochs()
    embedder.set_params(callbacks=[rest]).fit_stream(lambda: iter(parts), buffer_size=50)
    assert rest.made == 18 - (fail_in - 1) // 3 * 3
    assert bits(embedder, flowers) == bits(whole, flowers)
    assert embedder.loss_curve_ == whole.loss_curve_


# Killed processes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks processes to kill them")
@pytest.mark.slow
def test_a_process_killed_at_any_moment_loses_at_most_one_epoch(tmp_path):
    code = """
import os, random, signal, sys, time
import numpy as np
import torch
from skorch.callbacks import Callback
from pathlib import Path
from sklearn_ssl import DenoisingAutoencoder
from sklearn_ssl._serialization.container import read_file

FOLDER, N_KILLS = sys.argv[1], int(sys.argv[2])
X = np.random.default_rng(0).normal(size=(60, 6))

class Note(Callback):
    def on_epoch_begin(self, net, **kwargs):
        time.sleep(0.03)  # an epoch that takes its time, and none of the processor's

    def on_epoch_end(self, net, **kwargs):
        os.pwrite(notes, b"%6d" % len(net.history), 0)

def fit(n_epochs, **settings):
    return DenoisingAutoencoder(
        8, hidden_layer_sizes=(64,), max_iter=n_epochs, random_state=0, **settings
    ).fit(X)

def n_written():
    found = [name for name in os.listdir(FOLDER) if not name.startswith(".")]
    if not found:
        return 0
    document, _ = read_file(Path(FOLDER, *found), "checkpoint")
    return len(dict(document["dict"])["losses"])

notes = os.open(FOLDER + "-notes", os.O_RDWR | os.O_CREAT)
os.makedirs(FOLDER)
torch.set_num_threads(1)
fit(1)  # loads what is loaded once
rng = random.Random(0)
n_kills = n_seen = 0
# As many epochs as no run before a kill can make.
n_epochs = 20 * N_KILLS
while n_kills < N_KILLS:
    child = os.fork()
    if not child:
        fit(n_epochs, checkpoint_dir=FOLDER, callbacks=[Note()])
        os._exit(0)
    time.sleep(rng.uniform(0, 0.4))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the fit ended before it was killed"
    n_kills += 1
    noted = int(os.pread(notes, 6, 0) or 0)
    # An epoch is noted just before it is written.
    assert noted - 1 <= n_written() <= noted, (noted, n_written())
    n_seen = max(n_seen, n_written())
resumed = fit(n_epochs, checkpoint_dir=FOLDER)
assert os.listdir(FOLDER) == [os.path.basename(n) for n in os.listdir(FOLDER) if n[0] != "."]
same = resumed.transform(X).tobytes() == fit(n_epochs).transform(X).tobytes()
print(f"{n_kills} kills, {n_seen} of {n_epochs} epochs before the last; same bits: {same}")
"""
    arguments = [sys.executable, "-c", code, str(tmp_path / "folder"), str(N_KILLS)]
    # Neither CUDA nor gradients survive a fork where torch sees a GPU.
    without_gpu = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=without_gpu)
    print(done.stdout)
    assert done.stdout.endswith("same bits: True\n"), done.stderr
    assert int(done.stdout.split()[2]) > 0


# The folder


def test_other_tables_and_parameters_have_files_of_their_own(flowers, tmp_path):
    embedder = clone(EMBEDDERS[0]).set_params(checkpoint_dir=tmp_path, max_iter=1)
    other_cell = flowers.copy()
    other_cell.iloc[3, 0] += 1
    fits = [
        (embedder, flowers),
        (clone(embedder).set_params(noise_level=0.2), flowers),
        (clone(embedder).set_params(max_iter=2), flowers),
        (clone(embedder).set_params(random_state=1), flowers),
        (clone(embedder).set_params(verbose=True, callbacks=[StreamEpochs()]), flowers),
        (clone(embedder), other_cell),
        (ContrastiveEmbedder(**SIX_EPOCHS, checkpoint_dir=tmp_path), flowers),
        (clone(embedder), flowers),
    ]
    found = [len(list(tmp_path.iterdir())) for fit, X in fits if fit.fit(X)]
    assert found == [1, 2, 3, 4, 4, 5, 6, 6]


def test_rows_held_out_count_too(tmp_path, monkeypatch):
    def hold_out_the_last(table, fraction, rng):
        return (TableDataset(*table, rows=rows) for rows in torch.arange(40).split([30, 10]))

    monkeypatch.setattr("sklearn_ssl._base.split", hold_out_the_last)
    X = np.tile(np.eye(4), (10, 1))
    other = X.copy()
    other[[38, 39]] = X[[39, 38]]  # which leaves the columns' units as they are
    for table in (X, other, X):
        clone(EMBEDDERS[1]).set_params(checkpoint_dir=tmp_path, max_iter=1).fit(table)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.slow
def test_a_search_shares_a_folder_and_resumes(flowers, tmp_path):
    grid = {"noise_level": [0.1, 0.5]}
    plain = GridSearchCV(clone(EMBEDDERS[0]), grid, cv=2).fit(flowers)
    kept, first = clone(EMBEDDERS[0]).set_params(checkpoint_dir=tmp_path), {}
    for _ in range(2):
        search = GridSearchCV(kept, grid, cv=2).fit(flowers)
        scores = [found.cv_results_["mean_test_score"].tolist() for found in (search, plain)]
        assert scores[0] == scores[1]
        # Four fits, and that of the best on all rows; the second time none of them makes an epoch.
        written = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
        assert len(written) == 5
        assert written == first.setdefault("written", written)


def test_files_hold_the_last_and_the_best_weights_and_no_pickle(flowers, tmp_path):
    embedder = clone(EMBEDDERS[1]).set_params(checkpoint_dir=tmp_path)
    fitted = embedder.set_params(n_iter_no_change=9).fit(flowers)
    (path,) = tmp_path.iterdir()
    with safe_open(path, framework="numpy") as file:
        assert set(file.metadata()) == {"format", "version", "written_by", "checkpoint", "sha256"}
    state = state_of(path)
    assert len(state["losses"]) == 6
    best, last = state["best"]["weights_"], state["weights"]
    assert best.keys() == last.keys() == fitted.model_.task.state_dict().keys()
    assert state["best"]["lowest_"] == -max(fitted.validation_scores_)
    for name, weights in fitted.model_.task.state_dict().items():
        assert weights.equal(best[name])


def test_files_that_are_no_checkpoints_or_damaged_are_refused(flowers, tmp_path):
    embedder = clone(EMBEDDERS[0]).set_params(checkpoint_dir=tmp_path, max_iter=1).fit(flowers)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    with pytest.raises(ValueError, match="holds no estimator"):
        load(path)
    before = bits(embedder, flowers)
    for damaged in (content[:-100], content[:-1] + b"x", b""):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"checkpoint '{path}' cannot be read.*Delete it"):
            embedder.fit(flowers)
        assert bits(embedder, flowers) == before
    save(embedder, path)
    with pytest.raises(ValueError, match="holds no checkpoint"):
        embedder.fit(flowers)


def test_what_a_killed_process_was_writing_is_cleared_away(flowers, tmp_path):
    embedder = clone(EMBEDDERS[0]).set_params(checkpoint_dir=tmp_path, max_iter=1).fit(flowers)
    (path,) = tmp_path.iterdir()
    left, others = tmp_path / f".{path.name}.0123", tmp_path / ".others"
    left.touch()
    others.touch()
    embedder.fit(flowers)
    assert sorted(tmp_path.iterdir()) == sorted([path, others])


def test_a_full_disk_fails_the_fit_and_leaves_the_last_epoch(flowers, tmp_path, monkeypatch):
    embedder = clone(EMBEDDERS[0]).set_params(checkpoint_dir=tmp_path)
    whole = clone(EMBEDDERS[0]).fit(flowers)
    replace, n_written = os.replace, []

    def fill_up(*arguments):
        n_written.append(1)
        if len(n_written) == 4:
            raise OSError(28, "No space left on device")
        return replace(*arguments)

    monkeypatch.setattr(os, "replace", fill_up)
    with pytest.raises(OSError, match="No space left"):
        embedder.fit(flowers)
    assert not hasattr(embedder, "model_")
    (path,) = tmp_path.iterdir()
    assert len(state_of(path)["losses"]) == 3
    assert bits(embedder.fit(flowers), flowers) == bits(whole, flowers)


# The parameter


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
def test_only_a_fit_that_can_be_repeated_can_go_on(random_state, flowers, tmp_path):
    embedder = clone(EMBEDDERS[0]).set_params(random_state=random_state, checkpoint_dir=tmp_path)
    for act in (embedder.fit, lambda X: embedder.fit_stream([X])):
        with pytest.raises(ValueError, match="checkpoint_dir needs an int as random_state"):
            act(flowers)
    embedder.partial_fit(flowers)  # which keeps nothing
    assert list(tmp_path.iterdir()) == []


def test_without_safetensors_the_extra_is_named(flowers, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    embedder = clone(EMBEDDERS[0]).set_params(max_iter=1)
    embedder.fit(flowers)
    with pytest.raises(ImportError, match="pip install safetensors"):
        embedder.set_params(checkpoint_dir=tmp_path).fit(flowers)


@pytest.mark.parametrize("kind", [str, Path])
def test_files_and_pickles_keep_the_folder(kind, flowers, tmp_path):
    embedder = clone(EMBEDDERS[0]).set_params(checkpoint_dir=kind(tmp_path / "fits"))
    embedder.fit(flowers)
    save(embedder, tmp_path / "model")
    for carried in (load(tmp_path / "model"), pickle.loads(pickle.dumps(embedder))):
        assert carried.checkpoint_dir == embedder.checkpoint_dir
        assert bits(carried, flowers) == bits(embedder, flowers)


@pytest.mark.slow
def test_scikit_learn_checks_pass_with_a_folder(tmp_path):
    settings = {"hidden_layer_sizes": (8,), "max_iter": 2, "random_state": 0}
    embedder = DenoisingAutoencoder(**settings, checkpoint_dir=tmp_path)
    estimator_checks.check_estimator(embedder, on_skip=None)
