"""Networks: shapes, what a row is to them, and where their weights come from."""

import copy
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sklearn_ssl._network.autoencoder import Decoder, Encoder, TiedDecoder, projection_head
from sklearn_ssl._network.embedding import Embedding, Layers
from sklearn_ssl._network.layers import MAX_ONE_HOT, Linear, RowInput, write_row, written_width
from sklearn_ssl._network.quantile_bins import learn_quantile_bins
from sklearn_ssl._table.schema import INFREQUENT, MISSING, Schema

MIXED = Schema((False, True, False), (True, False, True), (3, 3, 5))
NUMBERS = Schema((False, False), (False, False), ())
CATEGORIES = Schema((), (), (2, 4))
every_schema = pytest.mark.parametrize(
    "schema", [MIXED, NUMBERS, CATEGORIES], ids=["mixed", "numbers", "categories"]
)
any_schema = given(
    binary=st.lists(st.booleans(), max_size=4),
    cardinalities=st.lists(st.integers(2, 6), max_size=4),
    data=st.data(),
)
few = settings(derandomize=True, deadline=None, max_examples=25)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def make_rows(schema, n_rows=6):
    numeric = torch.randn(n_rows, schema.n_numeric, generator=seeded())
    numeric[::2, torch.tensor(schema.nullable, dtype=torch.bool)] = torch.nan
    codes = [torch.arange(n_rows, dtype=torch.int32) % size for size in schema.cardinalities]
    return numeric, torch.stack(codes, dim=1) if codes else torch.empty(
        n_rows, 0, dtype=torch.int32
    )


def make_network(build, seed):
    return {
        "linear": lambda g: Linear(4, 3, g),
        "rows": lambda g: RowInput(MIXED, 5, g),
        "encoder": lambda g: Encoder(MIXED, (6, 5), 4, g),
        "decoder": lambda g: Decoder(MIXED, Encoder(MIXED, (6, 5), 4, g), g),
        "projection head": lambda g: projection_head(4, 3, g),
    }[build](seeded(seed))


def drawn(network):
    """Parameters of the layers that begin at random."""
    layers = [layer for layer in network.modules() if isinstance(layer, Linear | RowInput)]
    return [weight for layer in layers for weight in layer.parameters(recurse=False)]


@pytest.mark.parametrize("build", ["linear", "rows", "encoder", "decoder", "projection head"])
def test_the_generator_alone_decides_the_weights(build):
    state = torch.get_rng_state()
    first, again, other = (drawn(make_network(build, seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert first
    for weight, same, different in zip(first, again, other, strict=True):
        assert torch.equal(weight, same)
        assert not torch.equal(weight, different)


@pytest.mark.parametrize("n_in", [1, 100])
def test_weights_of_a_linear_layer_are_uniform_and_fit_its_width(n_in):
    weight = Linear(n_in, 4000 // n_in, seeded()).weight
    bound = n_in**-0.5
    assert weight.abs().max() <= bound
    assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)


@any_schema
@few
def test_sum_of_looked_up_weights_is_the_product_with_one_hot_codes(binary, cardinalities, data):
    nullable = data.draw(st.tuples(*[st.booleans()] * len(binary)))
    schema = Schema(tuple(binary), nullable, tuple(sorted(cardinalities)))
    rows = RowInput(schema, 4, seeded())
    nn.init.normal_(rows.code_weight, generator=seeded())
    numeric, codes = make_rows(schema)
    one_hot = [
        F.one_hot(codes[:, feature].long(), size).float()
        for feature, size in enumerate(schema.cardinalities)
    ]
    missing = numeric.isnan()[:, rows.nullable].float()
    written = torch.cat([numeric.nan_to_num(), missing, *one_hot], dim=1)
    weight = torch.cat([rows.dense.weight.T, rows.code_weight])
    expected = written @ weight + rows.dense.bias
    torch.testing.assert_close(rows(numeric, codes), expected)
    torch.testing.assert_close(write_row(numeric, codes, schema, rows.nullable), written)
    assert written.shape[1] == schema.width == written_width(schema)


def test_missing_and_unseen_categories_say_nothing_before_training():
    rows = RowInput(CATEGORIES, 4, seeded())
    numeric = torch.empty(2, 0)
    codes = torch.tensor([[MISSING, INFREQUENT], [INFREQUENT, MISSING]], dtype=torch.int32)
    assert torch.equal(rows(numeric, codes), rows.dense.bias.expand(2, -1))


def test_missing_is_distinguished_from_zero_if_the_column_is_nullable():
    rows = RowInput(Schema((False, False), (True, False), ()), 4, seeded())
    numeric = torch.tensor([[0.0, 0.0], [torch.nan, 0.0], [0.0, torch.nan]])
    present, absent, unexpected = rows(numeric, torch.empty(3, 0, dtype=torch.int32))
    assert not torch.equal(present, absent)
    assert torch.equal(present, unexpected)


def test_wide_categories_are_looked_up_but_not_written_out():
    schema = Schema((), (), (2, MAX_ONE_HOT, MAX_ONE_HOT + 1))
    numeric, codes = make_rows(schema)
    written = write_row(numeric, codes, schema, torch.empty(0, dtype=torch.int64))
    assert written.shape == (6, written_width(schema)) == (6, 2 + MAX_ONE_HOT)
    assert torch.equal(written.sum(dim=1), torch.full((6,), 2.0))


@every_schema
@pytest.mark.parametrize("hidden", [(), (7,), (7, 6)])
@pytest.mark.parametrize("n_rows", [1, 6])
def test_encoder_and_decoders_mirror_each_other(schema, hidden, n_rows):
    encoder = Encoder(schema, hidden, 4, seeded())
    layers = encoder.layers(*make_rows(schema, n_rows))
    assert [layer.shape for layer in layers] == [(n_rows, width) for width in (4, *hidden)]
    assert torch.equal(layers[0], encoder(*make_rows(schema, n_rows)))
    assert all((layer > -0.28).all() for layer in layers[1:])
    for decoder in (Decoder(schema, encoder, seeded()), TiedDecoder(encoder)):
        assert decoder(layers[0]).shape == (n_rows, schema.width)


def test_encoder_without_hidden_layers_is_linear():
    encoder = Encoder(NUMBERS, (), 3, seeded())
    numeric, codes = make_rows(NUMBERS)
    at_zero = encoder(torch.zeros_like(numeric), codes)
    torch.testing.assert_close(
        encoder(-2 * numeric, codes) - at_zero, -2 * (encoder(numeric, codes) - at_zero)
    )


@pytest.mark.parametrize(
    "copied",
    [lambda x: x, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))],
    ids=["itself", "deepcopy", "pickle"],
)
def test_tied_decoder_shares_the_weights_of_its_encoder(copied):
    encoder = Encoder(MIXED, (7,), 4, seeded())
    pair = copied(nn.ModuleDict({"encoder": encoder, "decoder": TiedDecoder(encoder)}))
    embedding = torch.randn(5, 4, generator=seeded())
    before = pair["decoder"](embedding)
    with torch.no_grad():
        for parameter in pair["encoder"].parameters():
            parameter.zero_()
    assert not torch.equal(before, torch.zeros_like(before))
    assert torch.equal(pair["decoder"](embedding), torch.zeros_like(before))


def test_tied_decoder_owns_its_biases_alone():
    encoder = Encoder(MIXED, (7, 6), 4, seeded())
    owned = [tuple(parameter.shape) for parameter in TiedDecoder(encoder).parameters()]
    assert owned == [(6,), (7,), (MIXED.width,)]


def test_tied_decoder_multiplies_by_the_transposes_and_adds_its_biases():
    encoder = Encoder(MIXED, (7,), 4, seeded())
    decoder = TiedDecoder(encoder)
    hidden_bias, output_bias = (nn.init.normal_(b, generator=seeded()) for b in decoder.biases)
    embedding = torch.randn(5, 4, generator=seeded())
    hidden = F.relu(embedding @ encoder.deeper[0].weight + hidden_bias)
    written = torch.cat([encoder.rows.dense.weight, encoder.rows.code_weight.T], dim=1)
    torch.testing.assert_close(decoder(embedding), hidden @ written + output_bias)


@pytest.mark.parametrize("n_rows", [1, 5])
def test_projection_head_has_two_layers(n_rows):
    head = projection_head(4, 3, seeded())
    assert head(torch.ones(n_rows, 4)).shape == (n_rows, 3)
    assert [type(layer) for layer in head] == [Linear, nn.ReLU, Linear]


@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("passthrough", [True, False])
def test_embedding_is_the_standardized_layers_and_the_row(hidden, passthrough):
    encoder = Encoder(MIXED, (7, 6), 4, seeded())
    rows = make_rows(MIXED)
    layers = Layers(encoder, hidden=hidden, passthrough=MIXED if passthrough else None)
    parts = encoder.layers(*rows)[: None if hidden else 1]
    if passthrough:
        parts.append(write_row(*rows, MIXED, encoder.rows.nullable))
    expected = torch.cat(parts, dim=1)
    assert layers.width == expected.shape[1]
    assert torch.equal(layers(*rows), expected)
    center = np.arange(layers.width, dtype=np.float32)
    embedding = Embedding(layers, center, center + 1)
    standardized = (expected - torch.from_numpy(center)) / torch.from_numpy(center + 1)
    torch.testing.assert_close(embedding(*rows), standardized)
    directions = np.eye(layers.width, dtype=np.float32)[:, 2:4]
    chosen = Embedding(layers, center, center + 1, directions)
    assert chosen.width == 2
    torch.testing.assert_close(chosen(*rows), standardized[:, 2:4])


def test_gradients_reach_every_weight():
    encoder = Encoder(MIXED, (7, 6), 4, seeded())
    Layers(encoder, hidden=False)(*make_rows(MIXED)).square().sum().backward()
    assert all(parameter.grad.any() for parameter in encoder.parameters())


def test_a_linear_map_of_bins_bends_at_the_quantiles():
    numeric = torch.arange(101.0).unsqueeze(1)
    bins = learn_quantile_bins(numeric, 4)
    assert bins.feature.tolist() == [0] * 4
    assert bins.start.tolist() == [0, 25, 50, 75]
    assert bins.width.tolist() == [25] * 4
    schema = Schema(binary=(False,), nullable=(True,), cardinalities=())
    encoder = Encoder(schema, (2,), 1, seeded())
    layers = Layers(encoder, hidden=False, quantile_bins=bins)
    rows = torch.tensor([[-5.0], [30.0], [torch.nan], [200.0]])
    written = layers(rows, torch.zeros(4, 0, dtype=torch.int32))[:, 1:]
    expected = [[0, 0, 0, 0], [1, 0.2, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]]
    torch.testing.assert_close(written, torch.tensor(expected))


@pytest.mark.parametrize("shape", [torch.sigmoid, torch.tanh, torch.exp, torch.square])
def test_no_cell_of_a_bin_is_far_away_and_most_bins_stay(shape):
    numeric = shape(torch.randn(2000, 3, generator=seeded()))
    feature, start, width = learn_quantile_bins(numeric, 16)
    quantile_bins = ((numeric[:, feature] - start) / width).clamp(0, 1)
    far = torch.maximum(quantile_bins.mean(0), 1 - quantile_bins.mean(0)) / quantile_bins.std(0)
    assert far.max() < 5.1
    assert len(feature) >= 3 * 14


def test_values_that_few_rows_have_get_no_bin():
    column = torch.zeros(1000, 1)
    column[:300], column[:3] = 1, 2
    assert learn_quantile_bins(column, 16)[1].tolist() == [0]
    column[:100] = 2
    assert learn_quantile_bins(column, 16)[1].tolist() == [0, 1]


def test_features_with_few_values_have_few_bins_and_those_with_two_none():
    numeric = torch.tensor([[0.0, 1.0, torch.nan], [1.0, 2.0, torch.nan], [0.0, 3.0, torch.nan]])
    assert learn_quantile_bins(numeric, 16)[0].tolist() == [1, 1]
    assert len(learn_quantile_bins(numeric, 1)[0]) == 0
