"""Parts of a stream: the same columns in each, or an error that says which part differs."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from embedders import SMALL, every

from sklearn_ssl import DenoisingAutoencoder
from sklearn_ssl._table.chunks import buffers

X = pd.DataFrame({"a": np.linspace(0, 1, 30), "b": np.linspace(1, 5, 30)})

FRAMES = {
    "pandas": lambda frame: frame,
    "polars": pl.from_pandas,
    "Arrow table": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "record batch": lambda frame: pa.RecordBatch.from_pandas(frame, preserve_index=False),
}
OTHERS = {
    "a new name": (X.rename(columns={"b": "c"}), r"it lacks \['b'\] and has \['c'\] besides"),
    "one more": (X.assign(c=1.0), r"it lacks \[\] and has \['c'\] besides"),
    "one less": (X[["a"]], r"it lacks \['b'\] and has \[\] besides"),
    "another order": (X[["b", "a"]], "in another order"),
}


@pytest.mark.parametrize("container", FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("size", [10, 30, 1000])
@pytest.mark.parametrize(("other", "problem"), OTHERS.values(), ids=OTHERS)
def test_parts_with_other_columns_than_the_first_are_reported(other, problem, size, container):
    with pytest.raises(ValueError, match=f"feature names of part 3 of the stream .*{problem}"):
        list(buffers(map(container, [X, X, other]), size))


@pytest.mark.parametrize("name", ["column_names", "columns"])
def test_a_column_can_have_the_name_of_an_attribute(name):
    X = pd.DataFrame({name: ["red", "blue"] * 20, "size": np.arange(40.0)})
    parts = [X[:20], X[20:]]
    embedder = DenoisingAutoencoder(**SMALL, categorical_features=[name])
    assert embedder.fit_stream(parts).feature_names_in_.tolist() == [name, "size"]


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, lambda part: part.values.tolist()])
@pytest.mark.parametrize("size", [10, 1000])
def test_arrays_of_another_width_are_reported(container, size):
    with pytest.raises(ValueError, match="Part 2 of the stream has 1 columns without names"):
        list(buffers([container(X), container(X[["a"]])], size))


def test_frames_and_arrays_cannot_be_mixed():
    with pytest.raises(ValueError, match=r"Part 2 .* without names, and the first part has .*'a'"):
        list(buffers([X, X.to_numpy()], 1000))


NO_STREAMS = {
    **{f"one table of {name}": (container(X), "table|Table") for name, container in FRAMES.items()},
    "one array": (X.to_numpy(), "is a single table, of type ndarray. Use fit, or pass"),
    "columns": ([X["a"]], "Part 1 of the stream must be a DataFrame.*; got Series"),
    "numbers": ([1, 2], "Part 1 of the stream must be .*; got int"),
    "nothing": (None, "must be an iterable of tables.*; got NoneType"),
    "a function of nothing": (lambda: None, "must return an iterable of tables; got NoneType"),
    "a function of a number": (lambda: 3, "must return an iterable of tables; got int"),
}


@pytest.mark.parametrize(("stream", "problem"), NO_STREAMS.values(), ids=NO_STREAMS)
def test_what_is_no_stream_is_reported(stream, problem):
    with pytest.raises(TypeError, match=problem):
        DenoisingAutoencoder(**SMALL).fit_stream(stream)


@pytest.mark.parametrize("size", [50.0, "50", None, True])
def test_the_size_of_a_buffer_is_an_integer(size):
    with pytest.raises(TypeError, match="buffer_size must be an integer; got"):
        DenoisingAutoencoder(**SMALL).fit_stream([X], buffer_size=size)


def test_chunks_of_csv_whose_types_differ_are_read_as_the_first(tmp_path):
    codes = pd.Series(["10", "20", "A3", "10"] * 5 + ["10", "20"] * 10)
    pd.DataFrame({"code": codes, "size": np.arange(40.0)}).to_csv(tmp_path / "t.csv", index=False)

    def parts(**options):
        return pd.read_csv(tmp_path / "t.csv", chunksize=20, **options)

    with pytest.warns(UserWarning, match="'code' held text .* and now holds numbers, such as 10"):
        found = DenoisingAutoencoder(**SMALL).fit_stream(parts(), buffer_size=20)
    expected = DenoisingAutoencoder(**SMALL).fit_stream(parts(dtype={"code": str}), buffer_size=20)
    rows = pd.DataFrame({"code": codes, "size": 1.0})
    assert (found.transform(rows) == expected.transform(rows)).all()


@every
@pytest.mark.slow
def test_tables_that_are_still_to_be_computed(Embedder):
    dd = pytest.importorskip("dask.dataframe")
    frame = X.assign(town=["north", "south"] * 15)
    expected = Embedder(**SMALL).fit(frame).transform(frame)
    lazy = dd.from_pandas(frame, npartitions=2)
    np.testing.assert_allclose(Embedder(**SMALL).fit(lazy).transform(lazy), expected, atol=1e-5)
    with pytest.raises(TypeError, match=r"X is a LazyFrame.*Pass X\.collect\(\) instead"):
        Embedder(**SMALL).fit(pl.from_pandas(frame).lazy())
