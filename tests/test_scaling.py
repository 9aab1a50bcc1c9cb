"""The recipes of docs/scaling.md run as they stand: on a Dask cluster of two processes, on Ray.

Ray is not in CI's environment: ``pip install -c constraints.txt -e '.[ray]'``, then
``pytest tests/test_scaling.py -k ray``.
"""

import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from embedders import small
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_ssl import DenoisingAutoencoder

DOCS = Path(__file__).parent.parent / "docs" / "scaling.md"


def recipe(heading):
    """The first Python block under a heading."""
    text = DOCS.read_text(encoding="utf-8")
    section = re.search(rf"^#+ {heading}$(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    return compile(re.search(r"```python\n(.*?)```", section[1], re.DOTALL)[1], str(DOCS), "exec")


def table(n_rows=60):
    rng = np.random.default_rng(0)
    town = rng.choice(["Köln", "Łódź"], n_rows)
    return pd.DataFrame({"town": town, "a": rng.normal(size=n_rows), "b": rng.normal(size=n_rows)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The working directory, with the table in three files."""
    folder, before = tmp_path_factory.mktemp("scaling"), Path.cwd()
    (folder / "rows").mkdir()
    for number in range(3):
        part = table().iloc[20 * number : 20 * number + 20]
        part.to_parquet(folder / "rows" / f"{number}.parquet")
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def names(folder, one_thread):
    """What the search on the cluster leaves behind, the cluster included."""
    pytest.importorskip("distributed")
    names = {"X": table()}
    exec(recipe("A search over a cluster"), names)
    yield names
    names["client"].shutdown()


def test_the_first_block_makes_what_the_others_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(recipe("Past one machine"), names)
    files = sorted(Path("rows").iterdir())
    assert len(files) == 3
    assert sum(len(pd.read_parquet(file)) for file in files) == len(names["X"])


def scores(search):
    return [search.cv_results_[f"split{k}_test_score"].tolist() for k in range(search.n_splits_)]


@pytest.mark.slow
def test_search_on_a_cluster_finds_what_one_process_finds(names, folder):
    assert len(names["client"].scheduler_info()["workers"]) == 2
    found = names["search"]
    alone = clone(found).set_params(estimator__checkpoint_dir=None).fit(names["X"])
    assert scores(found) == scores(alone)
    assert found.best_params_ == alone.best_params_
    n_fits = found.n_splits_ * len(found.cv_results_["params"])
    assert len(list((folder / "checkpoints").iterdir())) == n_fits + 1


def search_while_a_worker_is_killed(kept, find_worker, **backend):
    """Search, kill a worker once it works, and return its process and both searches' scores."""
    embedder = DenoisingAutoencoder(**small(max_iter=60), checkpoint_dir=kept)
    search = GridSearchCV(embedder, {"noise_level": [0.1, 0.2, 0.3, 0.4]}, cv=2, refit=False)
    killed = []

    def kill_once_it_works():
        while not (kept.exists() and any(kept.iterdir())):
            time.sleep(0.01)
        killed.append(find_worker())
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_once_it_works)
    killer.start()
    with joblib.parallel_config(**backend):
        search.fit(table())
    killer.join()
    alone = clone(search).set_params(estimator__checkpoint_dir=None).fit(table())
    return killed[0], scores(search), scores(alone)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.slow
def test_search_is_completed_if_a_worker_is_killed(names, folder):
    workers = names["client"].run(os.getpid)
    killed, found, expected = search_while_a_worker_is_killed(
        folder / "killed", lambda: next(iter(workers.values())), backend="dask"
    )
    assert found == expected
    names["client"].wait_for_workers(2, timeout=60)
    assert killed not in names["client"].run(os.getpid).values()


@pytest.mark.slow
def test_a_table_in_partitions_is_learned_and_embedded_lazily(names):
    exec(recipe("A table larger than memory"), names)
    embedded, embedder = names["embedded"], names["embedder"]
    computed = embedded.compute()
    expected = embedder.transform(table())
    assert embedded.dtypes.tolist() == [np.float32] * len(expected.columns)
    assert embedded.columns.tolist() == expected.columns.tolist()
    np.testing.assert_array_equal(computed.to_numpy(), expected.to_numpy())
    twin = clone(embedder).fit_stream([table()])
    np.testing.assert_allclose(twin.transform(table()), expected, atol=1e-5)
    assert embedder.n_iter_ == embedder.max_iter
    # An empty partition, as a filter can leave one behind.
    some = names["rows"][names["rows"]["a"] > table()["a"].iloc[:20].max()]
    assert 0 in [len(some.partitions[k]) for k in range(some.npartitions)]
    n_left = len(some.map_partitions(names["embed"], meta=names["columns"]).compute())
    assert n_left == (table()["a"] > table()["a"].iloc[:20].max()).sum()


with_warnings_of_ray = pytest.mark.filterwarnings(
    *("ignore::DeprecationWarning", "ignore::FutureWarning"),
    *("ignore::ResourceWarning", "ignore::UserWarning"),
)


@pytest.fixture(scope="module")
def ray(folder, one_thread):
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@with_warnings_of_ray
def test_search_on_ray_finds_what_one_process_finds(ray, folder):
    names = {"X": table()}
    exec(recipe("The same on Ray"), names)
    assert scores(names["search"]) == scores(clone(names["search"]).fit(names["X"]))


@with_warnings_of_ray
def test_ray_data_is_learned_and_embedded(ray, folder):
    names = {}
    exec(recipe("The same with Ray Data"), names)
    found = names["embedded"].to_pandas().sort_values("denoisingautoencoder0").to_numpy()
    expected = names["embedder"].transform(table()).sort_values("denoisingautoencoder0").to_numpy()
    np.testing.assert_array_equal(found, expected)
    assert names["embedder"].n_iter_ == names["embedder"].max_iter


@with_warnings_of_ray
@pytest.mark.slow
def test_search_on_ray_is_completed_if_a_worker_is_killed(ray, folder):
    names = {"X": table()}
    exec(recipe("The same on Ray"), names)

    def find_worker():
        found = subprocess.check_output(["pgrep", "--full", "^ray::PoolActor.run_batch"])
        return int(found.split()[0])

    killed, found, expected = search_while_a_worker_is_killed(
        folder / "killed on ray", find_worker, **names["on_ray"]
    )
    assert found == expected
    assert not Path(f"/proc/{killed}").exists()
