"""Corruptions change the chosen cells, from their own column, and nothing else."""

from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_ssl._pretext.corruptions import (
    add_noise,
    draw_mask,
    hide,
    mark_missing,
    set_to_mean,
    split_mask,
    swap,
)
from sklearn_ssl._pretext.tasks import Mix
from sklearn_ssl._table.schema import MISSING, N_RESERVED

CORRUPTIONS = {
    "swap": swap,
    "zero": set_to_mean,
    "blank": mark_missing,
    "jitter": add_noise,
    "hide": hide,
    "mix": Mix((swap, set_to_mean, add_noise)),
}
every = pytest.mark.parametrize("corruption", CORRUPTIONS.values(), ids=CORRUPTIONS)
few = settings(derandomize=True, deadline=None, max_examples=25)


def make_batch(n_rows, n_numeric, n_categorical):
    """Every cell of a column holds a value of its own, and no two columns share a value."""
    numbers = torch.arange(1.0, 1 + n_rows * n_numeric).reshape(n_numeric, n_rows).T
    names = N_RESERVED + torch.arange(n_rows * n_categorical, dtype=torch.int32)
    return numbers.contiguous(), names.reshape(n_categorical, n_rows).T.contiguous()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def cells(batch):
    return torch.cat([part.double() for part in batch], dim=1).numpy()


def everything(batch):
    return draw_mask(batch, 1.0, seeded())


tables = given(
    n_rows=st.integers(1, 9),
    n_numeric=st.integers(0, 4),
    n_categorical=st.integers(0, 4),
    rate=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 99),
)


@every
@few
@tables
def test_cells_that_are_not_chosen_stay_and_the_batch_is_not_written_to(
    corruption, n_rows, n_numeric, n_categorical, rate, seed
):
    batch = make_batch(n_rows, n_numeric, n_categorical)
    mask = draw_mask(batch, rate, seeded(seed))
    before = cells(batch)
    view = corruption(batch, mask, seeded(seed))
    assert [part.shape for part in view] == [part.shape for part in batch]
    assert [part.dtype for part in view] == [part.dtype for part in batch]
    np.testing.assert_array_equal(cells(batch), before)
    kept = ~mask.numpy()
    np.testing.assert_array_equal(cells(view)[kept], before[kept])


@every
def test_the_generator_alone_decides_a_view(corruption):
    batch = make_batch(50, 3, 2)
    mask = draw_mask(batch, 0.5, seeded())
    state = torch.get_rng_state()
    first, again, other = (cells(corruption(batch, mask, seeded(s))) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(first, other, equal_nan=True) == (
        corruption in (set_to_mean, mark_missing)
    )


@contextmanager
def other_defaults():
    """Tensors are made elsewhere, and in double precision, where nothing else is said."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            yield
    finally:
        torch.set_default_dtype(before)


@every
def test_defaults_of_torch_do_not_change_a_view(corruption):
    batch = make_batch(50, 3, 2)
    mask = draw_mask(batch, 0.5, seeded(1))
    view = cells(corruption(batch, mask, seeded()))
    with other_defaults():
        assert torch.equal(draw_mask(batch, 0.5, seeded(1)), mask)
        np.testing.assert_array_equal(cells(corruption(batch, mask, seeded())), view)


@few
@tables
def test_swap_takes_another_rows_cell_of_the_same_column(
    n_rows, n_numeric, n_categorical, rate, seed
):
    batch = make_batch(n_rows, n_numeric, n_categorical)
    mask = draw_mask(batch, rate, seeded(seed))
    before, after = cells(batch), cells(swap(batch, mask, seeded(seed)))
    for row, column in np.argwhere(mask.numpy()) if n_rows > 1 else ():
        assert after[row, column] in np.delete(before[:, column], row)


def test_swap_keeps_the_distribution_of_every_column():
    batch = make_batch(40, 3, 3)
    view = swap(batch, everything(batch), seeded())
    np.testing.assert_array_equal(np.sort(cells(view), axis=0), np.sort(cells(batch), axis=0))


def test_swap_draws_columns_from_rows_of_their_own():
    batch = make_batch(1000, 5, 0)
    donors = (swap(batch, everything(batch), seeded())[0] - 1) % 1000
    assert len(set(donors[0].tolist())) == 5


def test_swap_leaves_a_single_row_alone():
    batch = make_batch(1, 2, 2)
    np.testing.assert_array_equal(cells(swap(batch, everything(batch), seeded())), cells(batch))


def test_swap_moves_missing_cells_as_it_moves_others():
    numeric = torch.tensor([[torch.nan], [1.0]])
    codes = torch.tensor([[MISSING], [5]], dtype=torch.int32)
    view = swap((numeric, codes), everything((numeric, codes)), seeded())
    np.testing.assert_array_equal(cells(view), [[1.0, 5], [np.nan, MISSING]])


@pytest.mark.parametrize(("corruption", "number"), [(set_to_mean, 0.0), (mark_missing, torch.nan)])
def test_masking_leaves_a_number_and_a_code_that_say_nothing(corruption, number):
    batch = make_batch(5, 2, 2)
    numeric, codes = corruption(batch, everything(batch), seeded())
    np.testing.assert_array_equal(numeric, np.full((5, 2), number))
    np.testing.assert_array_equal(codes, np.full((5, 2), MISSING))


def test_jitter_is_normal_with_a_deviation_per_column():
    batch = make_batch(20_000, 3, 1)
    sigma = torch.tensor([0.0, 0.5, 2.0])
    numeric, codes = add_noise(batch, everything(batch), seeded(), sigma=sigma)
    noise = (numeric.double() - batch[0]).numpy()
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(noise.std(axis=0), sigma, atol=0.05)
    assert torch.equal(codes, batch[1])


def test_jitter_has_deviation_one_if_none_is_given():
    batch = make_batch(20_000, 1, 0)
    numeric, _ = add_noise(batch, everything(batch), seeded())
    assert (numeric - batch[0]).std().item() == pytest.approx(1, abs=0.05)


@every
def test_double_precision_stays_double_precision(corruption):
    numeric, codes = make_batch(5, 2, 2)
    batch = numeric.double(), codes
    view = corruption(batch, draw_mask(batch, 0.5, seeded()), seeded())
    assert [part.dtype for part in view] == [torch.float64, torch.int32]


def test_noise_is_drawn_in_the_precision_of_the_numbers():
    batch = torch.zeros(50, 1, dtype=torch.float64), torch.empty(50, 0, dtype=torch.int32)
    noise, _ = add_noise(batch, everything(batch), seeded())
    assert (noise != noise.float().double()).any()


def test_hide_blanks_half_of_the_cells_and_swaps_the_others():
    batch = make_batch(2000, 2, 2)
    mask = draw_mask(batch, 0.5, seeded(1))
    numeric, codes = hide(batch, mask, seeded())
    marked = torch.cat([numeric.isnan(), codes == MISSING], dim=1)
    changed = torch.from_numpy(cells((numeric, codes)) != cells(batch))
    assert torch.equal(changed, mask)
    assert marked[mask].float().mean() == pytest.approx(0.5, abs=0.03)


def fill(batch, mask, generator, value):
    return torch.full_like(batch[0], value), torch.full_like(batch[1], int(value))


def test_mix_gives_every_corruption_its_share():
    batch = make_batch(3000, 1, 1)
    mix = Mix(tuple(partial(fill, value=value) for value in (-1.0, -2.0, -3.0)))
    for part in mix(batch, everything(batch), seeded()):
        values, counts = part.unique(return_counts=True)
        assert values.tolist() == [-3, -2, -1]
        np.testing.assert_allclose(counts / counts.sum(), 1 / 3, atol=0.04)


def test_draw_mask_follows_the_rate_of_every_column():
    batch = make_batch(20_000, 2, 2)
    rate = torch.tensor([0.0, 0.2, 0.7, 1.0])
    mask = draw_mask(batch, rate, seeded())
    np.testing.assert_allclose(mask.float().mean(dim=0), rate, atol=0.02)


def test_draw_mask_chooses_cells_independently():
    mask = draw_mask(make_batch(20_000, 2, 2), 0.5, seeded()).numpy()
    np.testing.assert_allclose(np.corrcoef(mask.T), np.eye(4), atol=0.03)


def test_split_mask_puts_numbers_before_categories():
    batch = make_batch(4, 3, 2)
    mask = draw_mask(batch, 0.5, seeded())
    numeric, codes = split_mask(batch, mask)
    assert numeric.shape == (4, 3)
    assert torch.equal(torch.cat([numeric, codes], dim=1), mask)
