"""Losses against twins in NumPy that follow the definitions, cell by cell and pair by pair."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import r2_score
from torch.autograd import gradcheck
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_ssl._pretext.losses import (
    barlow_twins,
    cell_losses,
    class_losses,
    deviance_explained,
    info_nce,
    label_losses,
    marginal_output,
    nt_xent,
    squared_losses,
    vicreg,
)
from sklearn_ssl._table.schema import Schema

SCHEMAS = {
    "everything": Schema((False, True, False, True), (True, True, False, False), (2, 3, 3, 5)),
    "numbers": Schema((False, False), (False, False), ()),
    "nullable numbers": Schema((False, False), (True, False), ()),
    "nullable numbers alone": Schema((False, False), (True, True), ()),
    "zeros and ones": Schema((True, True), (False, True), ()),
    "categories": Schema((), (), (3, 4, 4)),
}
few = settings(derandomize=True, deadline=None, max_examples=30)


# Twins


def cosine(a, b):
    return (a @ b) / (np.linalg.norm(a) * np.linalg.norm(b))


def info_nce_twin(a, b, temperature):
    def pick(anchors, others):
        losses = []
        for i, anchor in enumerate(anchors):
            likeness = [math.exp(cosine(anchor, other) / temperature) for other in others]
            losses.append(-math.log(likeness[i] / sum(likeness)))
        return np.mean(losses)

    return (pick(a, b) + pick(b, a)) / 2


def nt_xent_twin(a, b, temperature):
    rows, n = [*a, *b], len(a)
    losses = []
    for i, anchor in enumerate(rows):
        likeness = {
            j: math.exp(cosine(anchor, other) / temperature)
            for j, other in enumerate(rows)
            if j != i
        }
        losses.append(-math.log(likeness[(i + n) % (2 * n)] / sum(likeness.values())))
    return np.mean(losses)


def barlow_twins_twin(a, b, redundancy_weight=0.005):
    def standardize(column):
        return (column - column.mean()) / math.sqrt(column.var() + 1e-5)

    loss = 0.0
    for i, left in enumerate(a.T):
        for j, right in enumerate(b.T):
            correlation = np.mean(standardize(left) * standardize(right))
            loss += (correlation - 1) ** 2 if i == j else redundancy_weight * correlation**2
    return loss


def vicreg_twin(a, b):
    def missing_variance(z):
        return np.mean([max(0.0, 1 - math.sqrt(c.var(ddof=1) + 1e-4)) for c in z.T])

    def redundancy(z):
        covariance = np.cov(z, rowvar=False)
        width = z.shape[1]
        pairs = [(i, j) for i in range(width) for j in range(width) if i != j]
        return sum(covariance[i, j] ** 2 for i, j in pairs) / width

    invariance = np.mean([(x - y) ** 2 for x, y in zip(a.flat, b.flat, strict=True)])
    spread = (missing_variance(a) + missing_variance(b)) / 2
    return 25 * invariance + 25 * spread + (redundancy(a) + redundancy(b))


def binary_entropy(logit, truth):
    share = 1 / (1 + math.exp(-logit))
    return -math.log(share if truth else 1 - share)


def cell_losses_twin(output, numeric, codes, schema):
    losses = np.zeros((len(output), schema.n_features))
    for row in range(len(output)):
        absent_logits = iter(output[row, schema.n_numeric :])
        for i, (binary, nullable) in enumerate(zip(schema.binary, schema.nullable, strict=True)):
            truth, predicted = numeric[row, i], output[row, i]
            if not math.isnan(truth):
                losses[row, i] += (
                    binary_entropy(predicted, truth) if binary else (predicted - truth) ** 2
                )
            if nullable:
                losses[row, i] += binary_entropy(next(absent_logits), math.isnan(truth))
        start = schema.width - schema.n_codes
        for i, size in enumerate(schema.cardinalities):
            likeness = np.exp(output[row, start : start + size])
            losses[row, schema.n_numeric + i] = -math.log(likeness[codes[row, i]] / likeness.sum())
            start += size
    return losses


OBJECTIVES = {
    f"{loss.__name__} at {temperature}": tuple(
        partial(f, temperature=temperature) for f in (loss, twin)
    )
    for loss, twin in ((info_nce, info_nce_twin), (nt_xent, nt_xent_twin))
    for temperature in (0.01, 0.1, 1.0)
} | {"barlow_twins": (barlow_twins, barlow_twins_twin), "vicreg": (vicreg, vicreg_twin)}
LOSSES = {name: loss for name, (loss, _) in OBJECTIVES.items()}
of_two_views = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def views(n_rows, width=3, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n_rows, width))
    return a, a + 0.5 * rng.normal(size=(n_rows, width))


def tensors(*arrays, dtype=torch.float64):
    return tuple(torch.tensor(array, dtype=dtype) for array in arrays)


def table(schema, n_rows, seed=0):
    """An output and a table to compare it with; nullable numbers are missing in places."""
    rng = np.random.default_rng(seed)
    numeric = rng.normal(size=(n_rows, schema.n_numeric))
    binary = np.array(schema.binary, dtype=bool)
    numeric[:, binary] = numeric[:, binary] > 0
    holes = rng.random(numeric.shape) < 0.3
    numeric[holes & np.array(schema.nullable, dtype=bool)] = np.nan
    codes = rng.integers(0, schema.cardinalities, size=(n_rows, schema.n_categorical))
    output = rng.normal(size=(n_rows, schema.width))
    return torch.tensor(output), torch.tensor(numeric), torch.tensor(codes, dtype=torch.int32)


# Contrasts


@pytest.mark.parametrize(("loss", "twin"), OBJECTIVES.values(), ids=OBJECTIVES)
@pytest.mark.parametrize("n_rows", [2, 3, 8])
def test_loss_of_two_views_follows_its_definition(loss, twin, n_rows):
    a, b = views(n_rows)
    assert loss(*tensors(a, b)).item() == pytest.approx(twin(a, b), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("loss", "twin"), OBJECTIVES.values(), ids=OBJECTIVES)
@given(n_rows=st.integers(2, 6), width=st.integers(2, 5), seed=st.integers(0, 999))
@settings(few, max_examples=8)
def test_single_precision_is_enough(loss, twin, n_rows, width, seed):
    a, b = views(n_rows, width, seed)
    single = loss(*tensors(a, b, dtype=torch.float32)).item()
    assert single == pytest.approx(twin(a, b), rel=1e-3, abs=1e-3)


@of_two_views
def test_gradient_of_two_views_is_that_of_finite_differences(loss):
    a, b = (view.requires_grad_() for view in tensors(*views(4)))
    assert gradcheck(loss, (a, b))


@of_two_views
@pytest.mark.parametrize("n_rows", [1, 2, 5])
@pytest.mark.parametrize("value", [0.0, 1.0, 1e4])
def test_collapsed_views_have_a_finite_loss_and_gradient(loss, n_rows, value):
    a, b = (torch.full((n_rows, 3), value, requires_grad=True) for _ in range(2))
    total = loss(a, b)
    total.backward()
    assert total.isfinite()
    assert a.grad.isfinite().all()
    assert b.grad.isfinite().all()


@of_two_views
def test_order_of_rows_and_of_views_does_not_matter(loss):
    a, b = tensors(*views(6))
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    expected = pytest.approx(loss(a, b).item())
    assert loss(a[order], b[order]).item() == expected
    assert loss(b, a).item() == expected
    assert loss(a, b[order]).item() != expected


@pytest.mark.parametrize("loss", [info_nce, nt_xent])
def test_contrast_sees_directions_only(loss):
    a, b = tensors(*views(6))
    lengths = torch.arange(1.0, 7.0)[:, None]
    assert loss(lengths * a, 3 * b, 0.5).item() == pytest.approx(loss(a, b, 0.5).item())


@pytest.mark.parametrize("temperature", [0.01, 1.0])
@pytest.mark.parametrize("n_rows", [2, 5])
def test_contrast_of_rows_that_are_all_alike_is_a_guess(n_rows, temperature):
    a = torch.ones(n_rows, 3)
    assert info_nce(a, a, temperature).item() == pytest.approx(math.log(n_rows))
    assert nt_xent(a, a, temperature).item() == pytest.approx(math.log(2 * n_rows - 1))


@pytest.mark.parametrize("temperature", [0.01, 0.5])
@pytest.mark.parametrize("n_rows", [2, 5])
def test_contrast_of_orthogonal_rows_has_a_closed_form(n_rows, temperature):
    a = torch.eye(n_rows, dtype=torch.float64)
    others = math.exp(-1 / temperature)
    expected = math.log1p((n_rows - 1) * others)
    assert info_nce(a, a, temperature).item() == pytest.approx(expected, abs=1e-15)
    expected = math.log1p(2 * (n_rows - 1) * others)
    assert nt_xent(a, a, temperature).item() == pytest.approx(expected, abs=1e-15)


def test_barlow_twins_is_zero_for_equal_views_without_redundancy():
    z = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    assert barlow_twins(z, z).item() == pytest.approx(0, abs=1e-6)
    assert barlow_twins(z, -z).item() == pytest.approx(8, rel=1e-4)
    doubled = z[:, [0, 0]]
    assert barlow_twins(doubled, doubled).item() == pytest.approx(2 * 0.005, rel=1e-3)


def test_vicreg_adds_up_its_three_terms():
    z = 2 * torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    assert vicreg(z, z).item() == pytest.approx(0, abs=1e-6)
    assert vicreg(z, z + 3).item() == pytest.approx(25 * 9)
    constant = torch.zeros(4, 2)
    assert vicreg(constant, constant).item() == pytest.approx(25 * 0.99)
    doubled = z[:, [0, 0]]
    assert vicreg(doubled, doubled).item() == pytest.approx(2 * (16 / 3) ** 2)


# Cells


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
@given(n_rows=st.integers(1, 6), seed=st.integers(0, 999))
@few
def test_cell_losses_follow_their_definition(schema, n_rows, seed):
    parts = table(schema, n_rows, seed)
    expected = cell_losses_twin(*(part.numpy() for part in parts), schema)
    np.testing.assert_allclose(cell_losses(*parts, schema), expected, rtol=1e-9)


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_gradient_of_cells_is_that_of_finite_differences(schema):
    output, numeric, codes = table(schema, 5)
    assert gradcheck(lambda x: cell_losses(x, numeric, codes, schema), output.requires_grad_())


def test_extreme_outputs_have_finite_losses():
    schema = SCHEMAS["everything"]
    output, numeric, codes = table(schema, 5)
    output = (1e4 * output).float().requires_grad_()
    losses = cell_losses(output, numeric.float(), codes, schema)
    losses.sum().backward()
    assert losses.isfinite().all()
    assert output.grad.isfinite().all()


@pytest.mark.parametrize(
    ("schema", "output"),
    [
        (SCHEMAS["nullable numbers"], [9.0, 0.0, 50.0]),
        (SCHEMAS["numbers"], [9.0, 0.0]),  # complete columns while fitting, no longer so
        (Schema((False, False), (False, True), ()), [9.0, 0.0, -50.0]),
    ],
    ids=["nullable", "complete", "another nullable"],
)
def test_value_of_a_missing_number_costs_nothing(schema, output):
    output = torch.tensor([output], requires_grad=True)
    numeric, codes = torch.tensor([[torch.nan, 0.0]]), torch.empty(1, 0, dtype=torch.int32)
    losses = cell_losses(output, numeric, codes, schema)
    losses.sum().backward()
    np.testing.assert_allclose(losses.detach(), 0, atol=1e-6)
    np.testing.assert_allclose(output.grad, 0, atol=1e-6)


@pytest.mark.parametrize(("value", "nearest"), [(-3.0, 0.0), (0.25, 0.25), (7.0, 1.0)])
def test_numbers_where_zeros_and_ones_were_are_cut_to_them(value, nearest):
    schema, output = Schema((True,), (False,), ()), torch.tensor([[0.5]])
    loss, expected = (
        cell_losses(output, torch.tensor([[x]]), torch.empty(1, 0, dtype=torch.int32), schema)
        for x in (value, nearest)
    )
    assert loss.item() == expected.item()


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_no_constant_predicts_cells_better_than_the_marginal_output(schema):
    _, numeric, codes = table(schema, 40)
    constant = marginal_output(numeric, codes, schema).requires_grad_()
    assert constant.shape == (1, schema.width)
    cell_losses(constant.expand(40, -1), numeric, codes, schema).sum().backward()
    np.testing.assert_allclose(constant.grad, 0, atol=1e-9)


def test_marginal_output_holds_means_and_logits_of_shares():
    schema = Schema((False, True), (True, False), (3,))
    numeric = torch.tensor([[1.0, 1], [3, 0], [torch.nan, 0], [5, 0]])
    codes = torch.tensor([[0], [0], [0], [2]], dtype=torch.int32)
    values, logits = marginal_output(numeric, codes, schema)[0].split([2, 4])
    assert values[0].item() == 3
    np.testing.assert_allclose([*values[1:].sigmoid(), logits[0].sigmoid()], 1 / 4, rtol=1e-6)
    np.testing.assert_allclose(logits[1:].exp(), [3 / 4, 0, 1 / 4], atol=1e-6)


@pytest.mark.parametrize("value", [-7.0, 7.0])
def test_marginal_output_of_numbers_where_zeros_and_ones_were_is_finite(value):
    schema = Schema((True,), (False,), ())
    numeric, codes = torch.full((3, 1), value), torch.empty(3, 0, dtype=torch.int32)
    share = marginal_output(numeric, codes, schema).sigmoid().item()
    assert share == pytest.approx(float(value > 0), abs=1e-6)


def test_marginal_output_of_cells_that_never_vary_is_finite():
    schema = Schema((False, True), (True, True), (4,))
    numeric = torch.tensor([[torch.nan, 1.0]] * 3)
    codes = torch.full((3, 1), 2, dtype=torch.int32)
    constant = marginal_output(numeric, codes, schema)
    assert constant.isfinite().all()
    losses = cell_losses(constant.expand(3, -1), numeric, codes, schema)
    np.testing.assert_allclose(losses, 0, atol=1e-5)


@pytest.mark.parametrize(
    ("losses", "baseline", "expected"),
    [
        ([0, 0], [1, 3], 1.0),
        ([1, 3], [1, 3], 0.0),
        ([1, 1], [1, 3], 0.5),
        ([8, 0], [1, 3], -1.0),
        ([0, 0], [0, 0], 1.0),
        ([1, 0], [0, 0], 0.0),
        ([2e-7] * 10, [5e-7] * 10, 1.0),
        ([7e-7] * 10, [5e-7] * 10, 0.0),
    ],
)
def test_deviance_explained_is_a_share_of_the_baseline(losses, baseline, expected):
    assert deviance_explained(*tensors(losses, baseline)) == pytest.approx(expected)


def test_deviance_explained_is_r2_for_squared_errors():
    truth, predicted = views(30, 2)
    schema = SCHEMAS["numbers"]
    numeric, output, codes = *tensors(truth, predicted), torch.empty(30, 0, dtype=torch.int32)
    baseline = marginal_output(numeric, codes, schema).expand(30, -1)
    losses = [cell_losses(x, numeric, codes, schema)[:, 0] for x in (output, baseline)]
    assert deviance_explained(*losses) == pytest.approx(r2_score(truth[:, 0], predicted[:, 0]))


# Labels


def class_losses_twin(output, target):
    return [
        -math.log(math.exp(row[t]) / np.exp(row).sum())
        for row, t in zip(output, target, strict=True)
    ]


def label_losses_twin(output, target):
    return [sum(map(binary_entropy, *row)) for row in zip(output, target, strict=True)]


def squared_losses_twin(output, target):
    return [
        np.nansum((predicted - truth) ** 2) / 2
        for predicted, truth in zip(output, target, strict=True)
    ]


rng = np.random.default_rng(0)
LABELS = {
    "classes": (class_losses, class_losses_twin, rng.integers(0, 3, 6)),
    "labels": (label_losses, label_losses_twin, rng.integers(0, 2, (6, 3)).astype(float)),
    "numbers": (
        squared_losses,
        squared_losses_twin,
        np.where(rng.random((6, 3)) < 0.3, np.nan, rng.normal(size=(6, 3))),
    ),
}


@pytest.mark.parametrize(("loss", "twin", "target"), LABELS.values(), ids=LABELS)
def test_losses_of_labels_follow_their_definition(loss, twin, target):
    output, target = torch.tensor(rng.normal(size=(6, 3))), torch.from_numpy(target)
    expected = twin(output.numpy(), target.numpy())
    np.testing.assert_allclose(loss(output, target), expected, rtol=1e-9)
    assert gradcheck(lambda x: loss(x, target), output.requires_grad_())


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_cells_are_compared_on_their_device_whatever_the_default_one(schema):
    parts = table(schema, 5)
    with torch.device("meta"):
        losses, constant = cell_losses(*parts, schema), marginal_output(*parts[1:], schema)
    assert losses.device.type == constant.device.type == "cpu"


@of_two_views
def test_views_are_compared_on_their_device_whatever_the_default_one(loss):
    a, b = tensors(*views(4))
    with torch.device("meta"):
        assert loss(a, b).device.type == "cpu"


class LargestTensor(TorchDispatchMode):
    """Most elements of a tensor that an operation returns, on the way back too."""

    n_elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for part in result if isinstance(result, tuple | list) else [result]:
            if isinstance(part, torch.Tensor):
                self.n_elements = max(self.n_elements, part.numel())
        return result


def test_contrast_holds_no_tensor_larger_than_batch_by_batch():
    a, b = torch.randn(2, 200, 16, generator=torch.Generator().manual_seed(0), requires_grad=True)
    with LargestTensor() as seen:
        info_nce(a, b, 0.2).backward()
    assert seen.n_elements == 200 * 200
