"""A row is embedded as if it stood alone."""

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_ssl import (
    ContrastiveEmbedder,
    DenoisingAutoencoder,
    MaskedFeaturePredictor,
)
from sklearn_ssl._network import row_embedder
from sklearn_ssl._network.row_embedder import (
    BLOCKS,
    LANES,
    ROWS_ON_DEVICE,
    ROWS_PER_PART,
    DeviceRowEmbedder,
    RowEmbedder,
    embedding_moments,
    keeps_rows_apart,
)

N_ROWS = 2 * BLOCKS[0] + 70
RNG = np.random.default_rng(0)
NUMBERS = pd.DataFrame(RNG.normal(size=(N_ROWS, 7)).astype(np.float32)).add_prefix("number")
TABLES = {
    "numbers": NUMBERS,
    "wide": pd.DataFrame(RNG.normal(size=(N_ROWS, 77))).add_prefix("number"),
    "mixed": NUMBERS.assign(
        color=pd.Categorical(RNG.choice(["red", "green", "blue"], N_ROWS)),
        city="city " + pd.Series(RNG.integers(0, 200, N_ROWS)).astype(str),
        flag=RNG.integers(0, 2, N_ROWS),
        income=np.exp(4 * RNG.normal(size=N_ROWS)),
    ).mask(RNG.random((N_ROWS, 11)) < 0.1),
}


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("Embedder", "name", "sizes", "width"),
    [
        (DenoisingAutoencoder, "numbers", (256, 256), 64),
        (DenoisingAutoencoder, "mixed", (300, 77), 8),
        (ContrastiveEmbedder, "wide", (17,), 3),
        (MaskedFeaturePredictor, "mixed", (17,), 1),
        (MaskedFeaturePredictor, "numbers", (1,), 1),
    ],
)
@pytest.mark.slow
def test_a_row_does_not_depend_on_the_others_nor_on_threads(Embedder, name, sizes, width, threads):
    settings = {"hidden_layer_sizes": sizes, "bottleneck_size": width, "batch_size": 300}
    table = TABLES[name]
    threads(1)
    embedder = Embedder(**settings, max_iter=1, random_state=0, device="cpu").fit(table)
    together = embedder.transform(table)
    for n_threads in (1, 2, 3):
        threads(n_threads)
        order = RNG.permutation(N_ROWS)
        chosen = [order, *([row] for row in order[:4]), *(order[:n] for n in (31, 33, 600))]
        for rows in chosen:
            assert (embedder.transform(table.iloc[rows]) == together[rows]).all()


def fitted_on_numbers():
    settings = {"hidden_layer_sizes": (8,), "max_iter": 1, "random_state": 0, "device": "cpu"}
    return DenoisingAutoencoder(**settings).fit(NUMBERS)


def test_parts_that_threads_embed_at_the_same_time_have_the_bits_of_one_thread(threads):
    embedder = fitted_on_numbers()
    table = NUMBERS.iloc[np.resize(np.arange(N_ROWS), 3 * ROWS_PER_PART + 5)]
    threads(1)
    expected = embedder.transform(table)
    threads(3)
    np.testing.assert_array_equal(embedder.transform(table), expected)
    assert torch.get_num_threads() == 3


def test_layers_are_in_single_precision_if_rows_keep_apart(monkeypatch):
    embedder = DenoisingAutoencoder(
        hidden_layer_sizes=(8,), max_iter=1, random_state=0, device="cpu"
    ).fit(NUMBERS)
    single = embedder.transform(NUMBERS)
    assert RowEmbedder(embedder.model_.embedding()).dtype == torch.float32
    monkeypatch.setattr(row_embedder, "keeps_rows_apart", lambda *shape: False)
    assert RowEmbedder(embedder.model_.embedding()).dtype == torch.float64
    np.testing.assert_allclose(embedder.transform(NUMBERS), single, atol=1e-4)


def test_a_product_that_mixes_rows_is_noticed(monkeypatch):
    def addmm(bias, x, weight):
        product = torch.Tensor.addmm(bias, x, weight)
        product[-1] *= 1 + 1e-6  # as an edge that is added up in another order
        return product

    assert keeps_rows_apart.__wrapped__(LANES, 2 * LANES)
    monkeypatch.setattr(torch, "addmm", addmm)
    assert not keeps_rows_apart.__wrapped__(LANES, 2 * LANES)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"output": "bottleneck"},
        {"output": "layers"},
        {"passthrough": False},
        {"hidden_layer_sizes": ()},
    ],
)
@pytest.mark.slow
def test_blocks_and_the_differentiable_embedding_agree(settings):
    table = TABLES["mixed"]
    settings = {"hidden_layer_sizes": (40,), "max_iter": 1, "random_state": 0} | settings
    embedder = DenoisingAutoencoder(**settings, device="cpu").fit(table)
    with torch.no_grad():
        expected = embedder.model_.embedding()(*embedder.model_.encode(table))
    np.testing.assert_allclose(embedder.transform(table), expected, rtol=1e-3, atol=1e-3)


def as_on_a_device(embedder):
    """What embeds rows on a device, and a list to which it adds the rows of each block."""
    embed = DeviceRowEmbedder(embedder.model_.embedding(), "cpu")
    sizes = []
    embed.embedding.register_forward_hook(lambda module, args, out: sizes.append(len(out)))
    return embed, sizes


@pytest.mark.parametrize("n_rows", [0, 1, ROWS_ON_DEVICE, ROWS_ON_DEVICE + 3])
def test_blocks_on_a_device_have_one_shape_and_give_the_same_embedding(n_rows):
    embedder, rows = fitted_on_numbers(), np.resize(np.arange(N_ROWS), n_rows)
    embed, sizes = as_on_a_device(embedder)
    out = np.empty((n_rows, embedder.model_.n_columns), dtype=np.float32)
    embed([part[rows] for part in embedder.model_.encode(NUMBERS)], out)
    assert sizes == [ROWS_ON_DEVICE] * -(-n_rows // ROWS_ON_DEVICE)
    np.testing.assert_allclose(out, embedder.transform(NUMBERS)[rows], rtol=1e-4, atol=1e-4)


def test_moments_on_a_device_fill_its_blocks():
    embedder, rows = fitted_on_numbers(), np.resize(np.arange(N_ROWS), ROWS_ON_DEVICE + 3)
    embed, sizes = as_on_a_device(embedder)
    numeric, codes = embedder.model_.encode(NUMBERS)
    embedding_moments(embed, (numeric[rows], codes[rows]), 5)
    assert sizes == [ROWS_ON_DEVICE] * 2


def test_nothing_is_embedded_of_no_rows():
    embedder = DenoisingAutoencoder(
        hidden_layer_sizes=(8,), max_iter=1, random_state=0, device="cpu"
    ).fit(NUMBERS)
    out = np.empty((0, embedder.model_.n_columns), dtype=np.float32)
    RowEmbedder(embedder.model_.embedding())((torch.empty(0, 7), torch.empty(0, 0)), out)
    assert out.shape[0] == 0


@pytest.mark.parametrize("n_rows", [1, 40, BLOCKS[0], N_ROWS])
def test_moments_are_those_of_all_rows_together(n_rows):
    embedder = fitted_on_numbers()
    embed, batch = (
        RowEmbedder(embedder.model_.embedding()),
        embedder.model_.encode(NUMBERS[:n_rows] + 100),
    )
    embedded = np.empty((n_rows, embed.embedding.width), dtype=np.float32)
    embed(batch, embedded)
    mean, deviation, first = embedding_moments(embed, batch, 5)
    exact = embedded.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(deviation, exact.std(axis=0), atol=1e-9)
    assert (first == embedded[:, :5]).all()
