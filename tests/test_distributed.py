"""Two processes that train one transformer: as one process with all rows would, or an error."""

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from embedders import small
from sklearn.base import clone
from sklearn.decomposition import PCA

import sklearn_ssl
from sklearn_ssl import (
    ContrastiveEmbedder,
    DenoisingAutoencoder,
    MaskedFeaturePredictor,
    distributed,
)
from sklearn_ssl._training.callbacks import SCHEDULES
from sklearn_ssl._training.dataset import BatchIterator, TableDataset
from sklearn_ssl._training.process_group import ManyProcesses, OnAllRows, started_processes
from sklearn_ssl.persistence import load, save

# The weights that both sides start from come from a fit, which rounds by the number of threads.
pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow]

# Each process would need a GPU of its own.
ON_CPU = small(max_iter=4, device="cpu")
SHARERS = torch.nn.parallel.DistributedDataParallel
OBJECTIVES = ["info_nce", "nt_xent", "barlow_twins", "vicreg"]

EMBEDDERS = {
    "denoise": DenoisingAutoencoder(**ON_CPU, batch_size=16),
    "contrast": ContrastiveEmbedder(**ON_CPU, batch_size=16),
    "mask": MaskedFeaturePredictor(**ON_CPU, batch_size=16, early_stopping=True),
}


def numbers():
    """Rows of the two processes, of which the second has more."""
    rows = np.random.default_rng(0).normal(size=(70, 3)).astype(np.float32)
    return rows[:34], rows[34:]


def mixed():
    rng = np.random.default_rng(1)
    town = rng.choice(["Köln", "Łódź"], 80)
    frame = pd.DataFrame({"number": rng.normal(size=80), "town": town, "other": rng.random(80)})
    return frame.iloc[:40], frame.iloc[40:]


def gradients(task):
    parameters = [parameter for parameter in task.parameters() if parameter.numel()]
    return torch.cat([parameter.grad.ravel() for parameter in parameters])


def weights(task):
    return torch.cat([weight.float().ravel() for weight in task.state_dict().values()])


def contrast(objective):
    """A pretext task whose view is twice the row, so that it can be computed anywhere."""
    embedder = clone(EMBEDDERS["contrast"]).set_params(objective=objective, max_iter=1)
    # In double precision, since the gradients of batches cancel each other out.
    task = embedder.fit(numbers()[0]).model_.task.double()
    task.corrupt = lambda batch, generator: (2 * batch[0], batch[1])
    return task


def batch_of(rows):
    return torch.from_numpy(rows).double(), torch.empty(len(rows), 0, dtype=torch.int32)


def in_each_process(folder):
    """What the processes of torchrun run; the first writes down what came out."""
    gc.disable()
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo")
    processes = ManyProcesses()
    rank = processes.rank
    found = {}
    for objective in OBJECTIVES:
        for n_rows in (1, 5, 30):
            task = contrast(objective)
            task.objective = OnAllRows(task.objective)
            call = processes.share_gradients(task)
            loss = call(batch_of(numbers()[rank][:n_rows]), None)
            loss.backward()
            mine = (loss.item(), gradients(task).tolist())
            found[f"{objective} {n_rows}"] = processes.gather(mine)
            del call, loss
    for name, embedder in EMBEDDERS.items():
        for kind, table in (("numbers", numbers()), ("mixed", mixed())):
            fitted = distributed.fit(clone(embedder), table[rank])
            everything = np.concatenate(table) if kind == "numbers" else pd.concat(table)
            mine = (
                weights(fitted.model_.task).tolist(),
                fitted.transform(everything).tolist(),
                fitted.loss_curve_,
            )
            found[f"{name} {kind}"] = processes.gather(mine)
            if rank == 0 and kind == "mixed":
                save(fitted, Path(folder) / name)
    found["left by fits"] = sum(isinstance(kept, SHARERS) for kept in gc.get_objects())
    with pytest.raises(ValueError, match="each needs at least two") as error:
        distributed.fit(clone(EMBEDDERS["mask"]).set_params(batch_size=3), numbers()[rank])
    found["error"] = str(error.value)
    if rank == 0:
        Path(folder, "found.json").write_text(json.dumps(found), encoding="utf-8")
    # A group that anything still refers to when Python ends can abort the process.
    del error
    gc.collect()
    torch.distributed.destroy_process_group()


def cut_off(folder, victim):
    """A fit that keeps its state, in which a process is killed in the third epoch."""
    from skorch.callbacks import Callback

    class Kill(Callback):
        def on_grad_computed(self, net, **kwargs):
            if os.environ["RANK"] == victim and len(net.history) == 3:
                os.kill(os.getpid(), 9)

    torch.set_num_threads(1)
    rank = int(os.environ["RANK"])
    embedder = clone(EMBEDDERS["contrast"])
    embedder.set_params(checkpoint_dir=folder, callbacks=[Kill()])
    distributed.fit(embedder, numbers()[rank])
    Path(f"{folder}-{rank}.json").write_text(
        json.dumps([weights(embedder.model_.task).tolist(), embedder.loss_curve_]), encoding="utf-8"
    )


def command(call):
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
    return [sys.executable, "-c", f"{code}import test_distributed; test_distributed.{call}"]


ON_LOOPBACK = {
    "GLOO_SOCKET_IFNAME": "lo",
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": str(Path(sklearn_ssl.__file__).parent.parent),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What two processes of torchrun have found."""
    folder = tmp_path_factory.mktemp("found")
    script = folder / "script.py"
    script.write_text(command(f"in_each_process({str(folder)!r})")[-1], encoding="utf-8")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *launcher, str(script)],
        env=os.environ | ON_LOOPBACK,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def found(folder):
    return json.loads((folder / "found.json").read_text(encoding="utf-8"))


# The same as one process


@pytest.mark.parametrize("n_rows", [1, 5, 30])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_loss_and_gradients_are_those_of_one_process_with_all_rows(objective, n_rows, found):
    first, second = numbers()
    task = contrast(objective)
    loss = task(batch_of(np.concatenate([first[:n_rows], second[:n_rows]])), None)
    loss.backward()
    expected = gradients(task).numpy()
    for loss_there, gradients_there in found[f"{objective} {n_rows}"]:
        assert loss_there == pytest.approx(loss.item(), rel=1e-9)
        np.testing.assert_allclose(gradients_there, expected, rtol=1e-6, atol=1e-9)


def twin_of(embedder, tables):
    """The steps of two processes, made by one that puts their views together."""
    embedder = clone(embedder)
    rngs = [np.random.RandomState(0), np.random.RandomState(1)]
    model = embedder._start_model(tables[0], rngs[0])
    rngs[1] = np.random.RandomState(1 + np.random.RandomState(0).randint(2**31 - 2))
    generators = [torch.Generator().manual_seed(rng.randint(2**31 - 2)) for rng in rngs]
    shards = [TableDataset(*model.encode(table)) for table in tables]
    task, n_rows = model.task, min(map(len, tables))
    optimizer = torch.optim.AdamW(task.parameters(), fused=True, weight_decay=1e-5)
    iterators = [
        BatchIterator(shard, 8, generator, n_rows)
        for shard, generator in zip(shards, generators, strict=True)
    ]
    n_steps, step, losses = 4 * len(iterators[0]), 0, []
    for _ in range(4):
        total = 0.0
        for batches in zip(*iterators, strict=True):
            views = [task.corrupt(*part) for part in zip(batches, generators, strict=True)]
            a, b = (torch.cat([task.project(part) for part in parts]) for parts in (batches, views))
            for group in optimizer.param_groups:
                group["lr"] = 1e-3 * SCHEDULES["one_cycle"](step / n_steps)
            loss = task.objective(a, b)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batches[0][0]) / n_rows
            step += 1
        losses.append(total)
    return weights(task).numpy(), losses


@pytest.mark.parametrize(("kind", "tables"), [("numbers", numbers()), ("mixed", mixed())])
def test_final_weights_are_those_of_one_process_with_the_same_batches(kind, tables, found):
    (there, _, losses), _ = found[f"contrast {kind}"]
    expected, expected_losses = twin_of(EMBEDDERS["contrast"], tables)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    np.testing.assert_allclose(there, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", ["numbers", "mixed"])
@pytest.mark.parametrize("name", EMBEDDERS)
def test_every_process_has_the_same_weights_losses_and_embedding(name, kind, found):
    first, second = found[f"{name} {kind}"]
    assert first == second
    assert np.isfinite(first[1]).all()
    assert len(first[2]) == 4


@pytest.mark.parametrize("name", EMBEDDERS)
def test_what_came_out_is_a_transformer_like_others(name, folder, found):
    everything = pd.concat(mixed())
    fitted = load(folder / name)
    np.testing.assert_allclose(
        fitted.transform(everything), found[f"{name} mixed"][0][1], atol=1e-6
    )
    assert np.isfinite(fitted.partial_fit(everything).transform(everything)).all()


def test_no_fit_keeps_the_process_group(found):
    """A group that lives on aborts some processes when Python ends."""
    assert found["left by fits"] == 0


def test_small_batches_raise(found):
    assert "2 processes" in found["error"]
    assert "batch_size=3 and " in found["error"]


@pytest.mark.parametrize("name", EMBEDDERS)
def test_one_process_alone_does_as_fit_does(name, monkeypatch):
    variables = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    for variable, value in {**variables, **address, **ON_LOOPBACK}.items():
        monkeypatch.setenv(variable, value)
    X = pd.concat(mixed())
    embedder = clone(EMBEDDERS[name]).set_params(device="auto")
    alone = clone(embedder).fit(X)
    launched = distributed.fit(embedder, X)
    assert launched.transform(X).tobytes() == alone.transform(X).tobytes()
    assert launched.loss_curve_ == alone.loss_curve_
    assert not torch.distributed.is_initialized()


# Processes that are killed


def run_both(folder, victim, port):
    started = [
        subprocess.Popen(
            command(f"cut_off({str(folder)!r}, {victim!r})"),
            env=os.environ
            | ON_LOOPBACK
            | {"RANK": str(rank), "WORLD_SIZE": "2"}
            | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    return [(process.communicate(timeout=120)[1], process.returncode) for process in started]


@pytest.fixture
def port():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize("victim", ["0", "1"])
def test_a_killed_process_is_an_error_for_the_others_and_the_fit_goes_on(
    victim, port, found, tmp_path
):
    folder = tmp_path / "fits"
    outcomes = run_both(folder, victim, port)
    (_, killed), (message, failed) = outcomes[:: -1 if victim == "1" else 1]
    assert killed == -9
    assert failed == 1
    assert f"RuntimeError: Process {1 - int(victim)} of 2 could not continue" in message
    assert "another process has ended" in message
    assert not list(tmp_path.glob("*.json"))
    if victim == "1":
        assert [code for _, code in run_both(folder, "none", port)] == [0, 0]
        for rank in (0, 1):
            there = json.loads((tmp_path / f"fits-{rank}.json").read_text(encoding="utf-8"))
            whole, _, losses = found["contrast numbers"][0]
            assert there == [whole, losses]


# Misuse


def test_without_torchrun_the_way_is_shown(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(RuntimeError, match="torchrun --nproc-per-node 2"):
        distributed.fit(clone(EMBEDDERS["denoise"]), numbers()[0])


def test_a_gpu_needs_its_number(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(RuntimeError, match="RANK, LOCAL_RANK"), started_processes("cuda"):
        pass


def test_labels_are_not_taken():
    embedder = clone(EMBEDDERS["denoise"]).set_params(supervision_weight=0.5)
    with pytest.raises(ValueError, match=r"supervision_weight must be 0; got 0\.5"):
        distributed.fit(embedder, numbers()[0])


def test_other_estimators_raise():
    with pytest.raises(TypeError, match=r"one of sklearn_ssl's transformers; got PCA"):
        distributed.fit(PCA(), numbers()[0])
