"""Pretext tasks: what the network sees, and what it is asked."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sklearn_ssl._network.autoencoder import Decoder, Encoder, projection_head
from sklearn_ssl._network.layers import Linear
from sklearn_ssl._pretext import supervised
from sklearn_ssl._pretext.corruptions import draw_mask, hide, set_to_mean
from sklearn_ssl._pretext.losses import cell_losses, class_losses, info_nce
from sklearn_ssl._pretext.supervised import WithAuxiliaryHead
from sklearn_ssl._pretext.tasks import Contrast, Denoise, PredictMask
from sklearn_ssl._table.schema import Schema

SCHEMA = Schema((False, False, True), (True, True, True), (3, 4))
WIDTH = 5


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def batch():
    numeric = torch.randn(200, 3, generator=seeded(1))
    numeric[:, 2] = (numeric[:, 2] > 0).float()
    codes = torch.stack([torch.arange(200) % size for size in SCHEMA.cardinalities], dim=1)
    return numeric, codes.to(torch.int32)


@pytest.fixture
def encoder():
    return Encoder(SCHEMA, (8,), WIDTH, seeded(2))


class Witness(nn.Module):
    """Keep what the encoder is shown."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder
        self.seen = []

    def forward(self, *view):
        self.seen.append(view)
        return self.encoder(*view)


def share_changed(view, batch):
    changed = [(a != b).float() for a, b in zip(view, batch, strict=True)]
    return torch.cat(changed, dim=1).mean(dim=0)


@pytest.mark.parametrize("emphasis", [0.5, 1.0, 4.0])
def test_denoising_shows_the_corrupted_rows_and_asks_for_the_clean_ones(emphasis, encoder, batch):
    witness, decoder = Witness(encoder), Decoder(SCHEMA, encoder, seeded())
    rate = torch.tensor([0.0, 1.0, 0.0, 0.0, 1.0])
    loss = Denoise(witness, decoder, set_to_mean, rate, emphasis, SCHEMA)(batch, seeded())
    (view,) = witness.seen
    losses = cell_losses(decoder(encoder(*view)), *batch, SCHEMA).mean(dim=0)
    weights = torch.where(rate > 0, emphasis, 1.0)
    torch.testing.assert_close(loss, (weights * losses).sum() / weights.sum())
    share = share_changed(view, batch)
    assert share[[0, 2, 3]].tolist() == [0, 0, 0]
    assert share[1] == 1
    assert share[4] == pytest.approx(0.75)


def test_denoising_of_parts_of_a_batch_averages_to_that_of_the_batch(encoder, batch):
    def nothing(batch, mask, generator):
        return batch

    mask_rate = torch.tensor([0.5, 0.0, 1.0, 0.2, 0.0])
    pretext = Denoise(encoder, Decoder(SCHEMA, encoder, seeded()), nothing, mask_rate, 4.0, SCHEMA)
    halves = [tuple(part[rows] for part in batch) for rows in (slice(100), slice(100, 200))]
    generator = seeded()
    parts = torch.stack([pretext(half, generator) for half in halves])
    torch.testing.assert_close(parts.mean(), pretext(batch, seeded()))


def test_denoising_without_noise_is_a_plain_autoencoder(encoder, batch):
    decoder = Decoder(SCHEMA, encoder, seeded())
    loss = Denoise(encoder, decoder, set_to_mean, torch.zeros(5), 4.0, SCHEMA)(batch, seeded())
    assert torch.equal(loss, cell_losses(decoder(encoder(*batch)), *batch, SCHEMA).mean())


@pytest.mark.parametrize("n_corrupted_views", [1, 2])
def test_contrast_compares_projections_of_one_or_two_corrupted_views(
    n_corrupted_views, encoder, batch
):
    witness, projection = Witness(encoder), projection_head(WIDTH, 4, seeded())

    def objective(a, b):
        return info_nce(a, b, 0.5)

    loss = Contrast(witness, projection, objective, 0.4, n_corrupted_views)(batch, seeded())
    (both,) = witness.seen
    assert torch.equal(loss, objective(*projection(encoder(*both)).chunk(2)))
    anchor, positive = zip(*(part.chunk(2) for part in both), strict=True)
    expected = objective(*(projection(encoder(*view)) for view in (anchor, positive)))
    torch.testing.assert_close(loss, expected)
    is_clean = [not share_changed(view, batch).any() for view in (anchor, positive)]
    assert is_clean == [n_corrupted_views == 1, False]
    assert share_changed(positive, batch)[0].item() == pytest.approx(0.4, abs=0.1)
    assert share_changed(anchor, positive).any()


@pytest.mark.parametrize("alpha", [0.0, 2.0])
def test_masking_asks_for_the_mask_and_for_what_was_hidden(alpha, encoder, batch):
    mask_head, value_head = Linear(WIDTH, 5, seeded(3)), Linear(WIDTH, SCHEMA.width, seeded(4))
    witness = Witness(encoder)
    loss = PredictMask(witness, mask_head, value_head, 0.3, alpha, SCHEMA)(batch, seeded())

    generator = seeded()
    mask = draw_mask(batch, 0.3, generator)
    view = hide(batch, mask, generator)
    for part, expected in zip(witness.seen[0], view, strict=True):
        torch.testing.assert_close(part, expected, equal_nan=True)
    embedding = encoder(*view)
    losses = F.binary_cross_entropy_with_logits(mask_head(embedding), mask.float())
    values = cell_losses(value_head(embedding), *batch, SCHEMA)[mask].mean()
    torch.testing.assert_close(loss, losses + alpha * values)


def test_guide_adds_the_loss_of_the_labeled_rows_alone(encoder, batch, monkeypatch):
    pretext = Denoise(
        encoder, Decoder(SCHEMA, encoder, seeded()), set_to_mean, torch.zeros(5), 4.0, SCHEMA
    )
    head = Linear(WIDTH, 3, seeded(1))
    classes, weight = torch.arange(200) % 3, torch.zeros(200)
    guide = WithAuxiliaryHead(pretext, head, class_losses, 0.5)
    monkeypatch.setattr(supervised, "CORRUPTION_RATE", 0.0)
    assert torch.equal(guide((*batch, classes, weight), seeded()), pretext(batch, seeded()))
    weight[[1, 5]] = torch.tensor([1.0, 3.0])
    classes[[0, 2]] = 2  # of rows without a label, so that they do not matter
    logits = head(encoder(*(part[[1, 5]] for part in batch)))
    losses = F.cross_entropy(logits, classes[[1, 5]], reduction="none")
    expected = pretext(batch, seeded()) + 0.5 * (losses[0] + 3 * losses[1]) / 2
    torch.testing.assert_close(guide((*batch, classes, weight), seeded()), expected)


def test_guide_shows_corrupted_views_of_the_labeled_rows(encoder, batch):
    witness = Witness(encoder)
    pretext = Denoise(
        witness, Decoder(SCHEMA, encoder, seeded()), set_to_mean, torch.zeros(5), 4.0, SCHEMA
    )
    weight = (torch.arange(200) % 2).float()
    guide = WithAuxiliaryHead(pretext, Linear(WIDTH, 3, seeded(1)), class_losses, 0.5)
    guide((*batch, torch.zeros(200, dtype=torch.int64), weight), seeded())
    view = witness.seen[-1]
    share = share_changed(view, [part[weight > 0] for part in batch])
    assert share[0].item() == pytest.approx(0.3, abs=0.1)


def test_masking_of_no_cell_has_a_finite_loss(encoder, batch):
    heads = Linear(WIDTH, 5, seeded()), Linear(WIDTH, SCHEMA.width, seeded())
    assert PredictMask(encoder, *heads, 0.0, 2.0, SCHEMA)(batch, seeded()).isfinite()
