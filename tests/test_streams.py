"""Training on streams: the same rows in whatever parts, within bounded memory."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from embedders import SMALL
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor
from sklearn_ssl._table.chunks import buffers


@pytest.fixture
def mixed():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "number": rng.normal(50, 10, 300),
            "town": rng.choice(["Köln", "Łódź"], 300),
            "grade": pd.Categorical(rng.choice(["a", "b", "c"], 300)),
        }
    )


def parts_of(frame, size):
    return [frame.iloc[start : start + size] for start in range(0, len(frame), size)]


def convert(frame, library):
    if library == "pandas":
        return frame
    if library == "polars":
        return pytest.importorskip("polars").from_pandas(frame)
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    return table if library == "table" else table.to_batches()[0]


@pytest.mark.parametrize("library", ["pandas", "polars", "table", "record batch"])
@pytest.mark.parametrize("Embedder", [DenoisingAutoencoder, MaskedFeaturePredictor])
@pytest.mark.slow
def test_parts_of_any_library_and_size_train_the_same(Embedder, library, mixed):
    whole = Embedder(**SMALL).fit_stream([mixed], buffer_size=100)
    parts = [convert(part, library) for part in parts_of(mixed, 70)]
    streamed = Embedder(**SMALL).fit_stream(parts, buffer_size=100)
    assert streamed.n_iter_ == len(streamed.loss_curve_) == 3
    np.testing.assert_allclose(streamed.transform(mixed), whole.transform(mixed), atol=1e-5)


@pytest.mark.parametrize("sizes", [[0, 3, 0], [1] * 7, [10], [4, 6, 1], [2, 9]])
def test_buffers_keep_every_row_in_order(sizes):
    rows = np.arange(2 * sum(sizes)).reshape(-1, 2)
    parts = np.split(rows, np.cumsum(sizes)[:-1])
    for kind in (np.asarray, sp.csr_matrix, pd.DataFrame):
        found = list(buffers(map(kind, parts), 4))
        assert [part.shape[0] for part in found[:-1]] == [4] * (len(found) - 1)
        assert 1 <= found[-1].shape[0] <= 4
        dense = [part.toarray() if sp.issparse(part) else np.asarray(part) for part in found]
        assert (np.concatenate(dense) == rows).all()


def test_categories_that_differ_between_parts_stay_categories():
    parts = [pd.DataFrame({"grade": pd.Categorical(codes)}) for codes in ([1, 2], [3, 2], [5, 5])]
    (whole,) = buffers(parts, 9)
    assert whole["grade"].tolist() == [1, 2, 3, 2, 5, 5]
    assert isinstance(whole["grade"].dtype, pd.CategoricalDtype)


def test_chunks_of_csv_and_batches_of_parquet_files_are_streams(mixed, tmp_path):
    dataset = pytest.importorskip("pyarrow.dataset")
    mixed = mixed.astype({"grade": "str"})
    mixed.to_csv(tmp_path / "mixed.csv", index=False)
    mixed.iloc[:200].to_parquet(tmp_path / "1.parquet")
    mixed.iloc[200:].to_parquet(tmp_path / "2.parquet")
    whole = MaskedFeaturePredictor(**SMALL).fit_stream(iter([mixed]), buffer_size=100)
    files = dataset.dataset([tmp_path / "1.parquet", tmp_path / "2.parquet"])
    for stream in (
        pd.read_csv(tmp_path / "mixed.csv", chunksize=90),
        files.to_batches(batch_size=90),
    ):
        streamed = MaskedFeaturePredictor(**SMALL).fit_stream(stream, buffer_size=100)
        assert streamed.n_iter_ == 1
        np.testing.assert_allclose(streamed.transform(mixed), whole.transform(mixed), atol=1e-5)


@pytest.mark.parametrize("how", ["partial_fit", "warm_start", "fit_stream"])
@pytest.mark.parametrize("output", ["components", "layers", "bottleneck"])
@pytest.mark.slow
def test_categories_that_come_later_share_one_code_and_learn(how, output, mixed):
    embedder = DenoisingAutoencoder(**SMALL, output=output, warm_start=True).fit(mixed)
    before = embedder.transform(mixed)
    grown = mixed.assign(town=np.where(np.arange(300) % 2, "Berlin", "Bern"))
    if how == "partial_fit":
        embedder.partial_fit(grown)
    elif how == "warm_start":
        embedder.fit(grown)
    else:
        embedder.fit_stream([grown])
    after = embedder.transform(grown)
    assert after.shape == before.shape
    # All that was not there at first is alike, and what has been learned of it serves the rest.
    assert (after == embedder.transform(grown.assign(town="Łomża"))).all()
    assert (after != embedder.transform(mixed)).any()
    assert (embedder.transform(mixed) != before).any()


@pytest.mark.parametrize(
    "Embedder", [DenoisingAutoencoder, ContrastiveEmbedder, MaskedFeaturePredictor]
)
def test_cells_can_be_missing_later_in_columns_that_were_complete(Embedder):
    X = np.random.default_rng(0).normal(size=(90, 2))
    holes = X.copy()
    holes[::3, 1] = np.nan
    embedder = Embedder(**SMALL).partial_fit(X)
    assert np.isfinite(embedder.score(holes))
    assert np.isfinite(embedder.partial_fit(holes).loss_curve_).all()
    streamed = Embedder(**SMALL).fit_stream([X, holes], buffer_size=len(X))
    assert np.isfinite(streamed.loss_curve_).all()


@pytest.mark.slow
def test_iterators_are_read_once_and_callables_once_per_epoch(mixed):
    opened = []

    def open_parts():
        opened.append(True)
        return iter(parts_of(mixed, 50))

    embedder = ContrastiveEmbedder(**SMALL)
    assert embedder.fit_stream(open_parts, buffer_size=64).n_iter_ == len(opened) == 3
    assert embedder.fit_stream(open_parts(), buffer_size=64).n_iter_ == 1
    loss = embedder.set_params(max_iter=15).fit_stream(open_parts).loss_curve_
    assert loss[-1] < loss[0]


def test_warm_start_and_partial_fit_go_on(mixed):
    embedder = DenoisingAutoencoder(**SMALL, warm_start=True).fit_stream([mixed])
    before = embedder.transform(mixed)
    embedder.fit_stream([mixed.assign(town="Berlin")]).partial_fit(mixed)
    assert embedder.n_iter_ == 4
    assert (embedder.transform(mixed) != before).any()


def test_streamed_features_serve_a_pipeline():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 5))
    embedder = DenoisingAutoencoder(**SMALL).fit_stream(np.array_split(X, 7), buffer_size=300)
    model = make_pipeline(embedder, LogisticRegression()).fit(X, X[:, 0] > 0)
    assert model.score(X, X[:, 0] > 0) > 0.9


def test_bad_streams_raise_and_change_nothing(mixed):
    embedder = DenoisingAutoencoder(**SMALL).fit(mixed)
    before = embedder.transform(mixed)
    used_up = iter([mixed])
    for stream, message in (
        ([], "0 sample"),
        (iter([mixed.iloc[:0]]), "0 sample"),
        ([mixed, mixed.drop(columns="town")], "feature names"),
        ([mixed, mixed.assign(number=np.inf)], "infinity"),
        (lambda: used_up, "no rows left for another epoch"),
    ):
        with pytest.raises(ValueError, match=message):
            embedder.fit_stream(stream, buffer_size=300)
        assert (embedder.transform(mixed) == before).all()
    with pytest.raises(ValueError, match="buffer_size must be at least 1; got 0"):
        embedder.fit_stream([mixed], buffer_size=0)


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
@pytest.mark.slow
def test_table_ten_times_the_memory_allowed():
    code = """
import resource
import numpy as np
from sklearn_ssl import DenoisingAutoencoder

ALLOWED = 32 * 2**20
N_COLUMNS, N_ROWS = 128, 2048

def parts(n_bytes):
    rng = np.random.default_rng(0)
    for _ in range(n_bytes // (8 * N_COLUMNS * N_ROWS)):
        yield rng.normal(size=(N_ROWS, N_COLUMNS))

def embedder():
    return DenoisingAutoencoder(
        4, hidden_layer_sizes=(8,), passthrough=False, batch_size=2048, random_state=0
    )

embedder().fit_stream(parts(2**24), buffer_size=N_ROWS)  # loads what is loaded once
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + ALLOWED, used + ALLOWED))
try:
    np.concatenate(list(parts(2 * ALLOWED)))
    raise SystemExit("the limit does not hold")
except MemoryError:
    pass
fitted = embedder().fit_stream(parts(10 * ALLOWED), buffer_size=N_ROWS)
print(fitted.n_iter_, np.isfinite(fitted.loss_curve_).all())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["1", "True"], done.stderr
