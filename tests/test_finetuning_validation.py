"""How the epochs of a fit are judged on held-out rows."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_ssl._finetuning.validation import (
    HIGHEST_TEMPERATURE,
    ValidationCallback,
    best_temperature,
    pooled_losses,
)
from sklearn_ssl._pretext.losses import class_losses, label_losses, squared_losses
from sklearn_ssl._training.dataset import TableDataset
from sklearn_ssl._training.loop import train
from sklearn_ssl._training.options import TrainingOptions

N_ROWS = 60


def outputs_and_target(n_classes):
    generator = torch.Generator().manual_seed(0)
    if n_classes == 2:
        outputs = torch.randn(N_ROWS, 1, generator=generator, dtype=torch.float64)
        noise = torch.randn(N_ROWS, 1, generator=generator, dtype=torch.float64)
        return outputs, (outputs + noise > 0).double(), label_losses
    outputs = torch.randn(N_ROWS, n_classes, generator=generator, dtype=torch.float64)
    noise = torch.randn(N_ROWS, n_classes, generator=generator, dtype=torch.float64)
    return outputs, (outputs + noise).argmax(dim=1), class_losses


@pytest.mark.parametrize("n_classes", [2, 5])
def test_the_best_temperature_has_the_lowest_weighted_loss(n_classes):
    outputs, target, losses = outputs_and_target(n_classes)
    weight = torch.linspace(0.1, 2.0, N_ROWS, dtype=torch.float64)

    def loss(temperature):
        return float((weight * losses(9 * outputs / temperature, target)).mean())

    found = best_temperature(9 * outputs, target, weight, losses)
    assert 1 < found < HIGHEST_TEMPERATURE
    assert loss(found) <= min(map(loss, np.geomspace(1, HIGHEST_TEMPERATURE, 500))) + 1e-5
    twice = best_temperature(18 * outputs, target, weight, losses)
    assert twice == pytest.approx(2 * found, rel=1e-2)


def test_no_temperature_makes_outputs_more_confident():
    outputs, target, losses = outputs_and_target(3)
    weight = torch.ones(N_ROWS)
    assert best_temperature(outputs / 100, target, weight, losses) == 1.0
    assert best_temperature(outputs, outputs.argmax(dim=1), weight, losses) == 1.0


class Scale(nn.Module):
    """Outputs are the numbers times a weight that training moves."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def outputs(self, numeric, codes):
        return numeric * self.weight

    def forward(self, batch, generator):
        return (self.weight - 10).square()


def judged(calibrates):
    """A judge of three epochs that change nothing but the confidence."""
    outputs, target, losses = outputs_and_target(4)
    weight = torch.linspace(0.5, 1.5, N_ROWS)
    parts = (outputs.float(), torch.empty(N_ROWS, 0), target, weight)
    validation_callback = ValidationCallback(TableDataset(*parts), losses, calibrates=calibrates)
    options = TrainingOptions(
        max_iter=3,
        batch_size=N_ROWS,
        learning_rate="constant",
        learning_rate_init=1.0,
        weight_decay=0.0,
        early_stopping=True,
        n_iter_no_change=5,
        tol=0.0,
        device="cpu",
        verbose=False,
        validation_callback=validation_callback,
    )
    train(Scale(), TableDataset(*parts), None, options, 0)
    return validation_callback, weight * losses(outputs, target)


def losses_and_temperatures(folds):
    epochs = range(len(folds[0].outputs_))
    of_rows, temperatures = zip(*(pooled_losses(folds, epoch) for epoch in epochs), strict=True)
    return of_rows, list(temperatures)


def test_rows_are_scored_before_the_first_epoch_and_after_each():
    validation_callback, first = judged(calibrates=False)
    of_rows, temperatures = losses_and_temperatures([validation_callback])
    assert temperatures == [1.0] * 4
    np.testing.assert_allclose(of_rows[0], first, rtol=1e-5)
    means = [losses.mean() for losses in of_rows]
    assert means == sorted(means)
    assert means[0] < means[-1]


def test_overconfidence_alone_is_no_loss_if_outputs_are_calibrated():
    validation_callback, _ = judged(calibrates=True)
    of_rows, temperatures = losses_and_temperatures([validation_callback])
    assert temperatures[1:] == sorted(temperatures[1:])
    assert temperatures[-1] > 1.5
    means = [losses.mean() for losses in of_rows[1:]]
    assert means == pytest.approx(means[:1] * 3, abs=1e-4)


def fold_of(outputs, target, losses, calibrates=True):
    """A fold whose one measurement gave these outputs."""
    parts = (torch.zeros(len(target), 1), torch.empty(len(target), 0), target)
    fold = ValidationCallback(
        TableDataset(*parts, torch.ones(len(target))), losses, calibrates=calibrates
    )
    fold.outputs_ = [outputs]
    return fold


def test_all_folds_share_a_temperature():
    outputs, target, losses = outputs_and_target(5)
    parts = [slice(0, 7), slice(7, 9), slice(9, N_ROWS)]
    folds = [fold_of(9 * outputs[part], target[part], losses) for part in parts]
    of_rows, temperature = pooled_losses(folds, 0)
    whole, expected = pooled_losses([fold_of(9 * outputs, target, losses)], 0)
    assert temperature == expected > 1
    np.testing.assert_array_equal(of_rows, whole)


def test_a_fold_that_is_all_wrong_does_not_make_all_classes_equally_probable():
    outputs, target, losses = outputs_and_target(5)
    wrong = (outputs[:3].argmax(dim=1) + 1) % 5
    alone = fold_of(9 * outputs[:3], wrong, losses)
    assert pooled_losses([alone], 0)[1] > HIGHEST_TEMPERATURE / 2
    others = fold_of(9 * outputs[3:], target[3:], losses)
    assert pooled_losses([alone, others], 0)[1] < 2 * pooled_losses([others], 0)[1]


def test_numbers_are_scored_as_they_are():
    numeric = torch.tensor([[1.0], [2.0]])
    parts = (numeric, torch.empty(2, 0), 2 * numeric, torch.tensor([1.0, 3.0]))
    validation_callback = ValidationCallback(TableDataset(*parts), squared_losses, calibrates=False)
    validation_callback.outputs_ = []
    assert validation_callback._measure(Scale(), "cpu") == pytest.approx((0.5 + 3 * 2.0) / 2)
