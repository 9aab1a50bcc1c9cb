"""Losses: pure functions of tensors."""

from collections import Counter
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_ssl._network.layers import Batch
from sklearn_ssl._table.schema import MISSING, Schema

Losses = Callable[[Tensor, Tensor], Tensor]
"""Loss of each row from the outputs of a head and the targets."""


def cell_losses(output: Tensor, numeric: Tensor, codes: Tensor, schema: Schema) -> Tensor:
    """Loss of every cell of a table, given a decoder's output.

    Squared error for numbers, binary cross-entropy in nats for columns of zeros and ones and for
    the missingness of nullable columns, cross-entropy in nats for categories. The value of a
    missing number is unknown and costs nothing.

    Parameters
    ----------
    output : Tensor of shape (n_rows, schema.width)
        Values, logits of missingness, logits of codes.

    numeric : Tensor of shape (n_rows, n_numeric)
        Encoded numbers, NaN if missing.

    codes : Tensor of shape (n_rows, n_categorical)
        Encoded categories.

    schema : Schema
        The features.

    Returns
    -------
    losses : Tensor of shape (n_rows, n_features)
        Numeric features first.
    """
    n_numeric = schema.n_numeric
    losses = []
    if n_numeric:
        losses.append(_number_losses(output, numeric, schema))
    # Neighbors of equal cardinality share one softmax, since many small ones take far longer.
    start, first = n_numeric + sum(schema.nullable), 0
    for size, count in schema.runs:
        stop = start + size * count
        logits = output[:, start:stop].reshape(-1, count, size)
        truth = codes[:, first : first + count].long()  # (n_rows, count)
        log_probability = logits.log_softmax(-1).gather(-1, truth.unsqueeze(-1))
        losses.append(-log_probability.squeeze(-1))
        start = stop
        first += count
    return torch.cat(losses, dim=1) if len(losses) > 1 else losses[0]


def _number_losses(output: Tensor, numeric: Tensor, schema: Schema) -> Tensor:
    """Losses of numbers and of their missingness, of shape (n_rows, n_numeric)."""
    n_numeric, n_nullable = schema.n_numeric, sum(schema.nullable)
    predicted = output[:, :n_numeric]
    # Rows of a stream, or rows to score, can have missing cells in columns that had none at fit.
    if not n_nullable and not numeric.isnan().any():
        return _value_losses(predicted, numeric, schema)
    missing = numeric.isnan().to(output.dtype)  # 1 if missing, 0 if present
    # A missing number has no value to be compared with. Any finite one serves until it is erased.
    losses = _value_losses(predicted, numeric.nan_to_num(0.0), schema) * (1 - missing)
    if not n_nullable:
        return losses
    logits = output[:, n_numeric : n_numeric + n_nullable]
    return _add_missingness_losses(losses, logits, missing, schema)


def _value_losses(predicted: Tensor, truth: Tensor, schema: Schema) -> Tensor:
    """Squared error of numbers; cross-entropy in columns of zeros and ones."""
    losses = (predicted - truth).square()
    if not any(schema.binary):
        return losses
    binary = torch.tensor(schema.binary, device=predicted.device)
    # Later rows can hold other numbers in such a column; ``excess_losses`` has their cost.
    entropy = F.binary_cross_entropy_with_logits(predicted, truth.clamp(0, 1), reduction="none")
    return torch.where(binary, entropy, losses)


def _add_missingness_losses(
    losses: Tensor, logits: Tensor, missing: Tensor, schema: Schema
) -> Tensor:
    """Add the cross-entropy of what is missing, which only nullable columns have logits of."""
    if all(schema.nullable):
        # Looking the columns up would take longer than the sums.
        return losses + F.binary_cross_entropy_with_logits(logits, missing, reduction="none")
    places = [place for place, is_nullable in enumerate(schema.nullable) if is_nullable]
    nullable = torch.tensor(places, device=logits.device)
    truth = missing.index_select(1, nullable)  # (n_rows, n_nullable), as the logits
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return losses.index_add(1, nullable, entropy)


def mean_of_present_cells(output: Tensor, batch: Batch, excess: Tensor, schema: Schema) -> Tensor:
    """Mean loss of the present cells of each row, NaN if there is none.

    A cell counts once, whatever number of features it has.

    Parameters
    ----------
    output : Tensor of shape (n_rows, schema.width)
        Output of a decoder.

    batch : tuple of Tensor
        Encoded numbers, within the ranges seen while fitting, and categories.

    excess : Tensor of shape (n_rows, n_numeric)
        How far the numbers lie outside these ranges.

    schema : Schema
        The features.

    Returns
    -------
    loss : Tensor of shape (n_rows,)
    """
    numeric, codes = batch
    losses = losses_beyond_range(output, batch, excess, schema)
    present = torch.cat([~numeric.isnan(), codes != MISSING], dim=1)
    # A date has several features; each counts for a part of its cell.
    n_features = torch.tensor(features_per_cell(schema), device=losses.device)
    weight = present / n_features
    total = (losses * weight).sum(dim=1)
    return total / weight.sum(dim=1)


def losses_beyond_range(output: Tensor, batch: Batch, excess: Tensor, schema: Schema) -> Tensor:
    """Loss of every cell, with the cost of numbers outside the ranges seen while fitting.

    A number outside costs what the nearest one inside does, and the square of its distance from
    that. In a column of zeros and ones it is neither, and costs more than either.

    Parameters
    ----------
    output : Tensor of shape (n_rows, schema.width)
        Output of a decoder for ``batch``.

    batch : tuple of Tensor
        Encoded numbers, within these ranges, and categories.

    excess : Tensor of shape (n_rows, n_numeric)
        Negative below a range, positive above it, 0 within it.

    schema : Schema
        The features.

    Returns
    -------
    losses : Tensor of shape (n_rows, n_features)
        Numeric features first.
    """
    losses = cell_losses(output, *batch, schema)
    cost = excess.square()
    if any(schema.binary):
        binary = torch.tensor(schema.binary, device=output.device)
        logit = output[:, : schema.n_numeric]
        # The logit is what a zero costs more than a one: softplus(logit) - softplus(-logit).
        farther = torch.where(excess > 0, logit, -logit).clamp_min(0)
        is_outside = binary & (excess != 0)
        cost = cost + torch.where(is_outside, farther, torch.zeros_like(farther))
    losses[:, : schema.n_numeric] += cost
    return losses


def features_per_cell(schema: Schema) -> list[int]:
    """Number of features that a feature's cell has, for each feature."""
    if not schema.leads:
        return [1] * schema.n_features
    count = Counter(schema.leads)
    return [count[lead] for lead in schema.leads]


def marginal_output(numeric: Tensor, codes: Tensor, schema: Schema) -> Tensor:
    """Output of the best decoder that ignores its input, of shape (1, schema.width)."""
    smallest = torch.finfo(numeric.dtype).eps
    device = numeric.device
    mean = numeric.nanmean(dim=0).nan_to_num(0.0)
    binary = torch.tensor(schema.binary, dtype=torch.bool, device=device)
    # The mean minimizes the squared error, and the logit of the share the cross-entropy.
    values = torch.where(binary, mean.logit(smallest), mean)
    nullable = torch.tensor(schema.nullable, dtype=torch.bool, device=device)
    share_missing = numeric.isnan().to(numeric.dtype).mean(dim=0)
    missing = share_missing[nullable].logit(smallest)
    logits = []
    for column, size in zip(codes.T, schema.cardinalities, strict=True):
        counts = torch.bincount(column.long(), minlength=size)
        share = counts.to(numeric.dtype) / len(column)
        # A category that does not occur needs a finite logit, hence the smallest share.
        logits.append(share.clamp_min(smallest).log())
    return torch.cat([values, missing, *logits]).unsqueeze(0)


def deviance_explained(losses: Tensor, baseline: Tensor) -> float:
    """Share D2 of the deviance that a model explains, as R2 does for squared errors.

    If there is nothing to explain, a perfect model scores 1 and any other 0, as in
    :func:`sklearn.metrics.r2_score`.
    """
    # Sums of many small losses need double precision.
    loss = losses.double().sum().item()
    worst = baseline.double().sum().item()
    # Cells that are all alike leave nothing to explain but rounding errors.
    if worst <= 1e-6 * baseline.numel():
        return float(loss <= worst)
    return 1.0 - loss / worst


def info_nce(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Contrast two views: each row of one must pick its partner among the rows of the other.

    The loss is symmetric in the views. Similarities are cosines, from one matrix product.

    DIFFERS FROM SCARF, in which only the first view picks: both directions share one product.

    Parameters
    ----------
    a, b : Tensor of shape (n_rows, width)
        Row ``i`` of both describes the same record.

    temperature : float
        Divisor of the cosines; lower values emphasize the hardest negatives.

    Returns
    -------
    loss : Tensor of shape ()
        Mean cross-entropy in nats.
    """
    a = F.normalize(a, dim=1)
    b = F.normalize(b, dim=1)
    cosines = a @ b.T  # (n, n)
    logits = cosines / temperature
    partner = torch.arange(len(a), device=a.device)
    first_picks = F.cross_entropy(logits, partner)
    second_picks = F.cross_entropy(logits.T, partner)
    return (first_picks + second_picks) / 2


def nt_xent(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Contrast two views as SimCLR does: the other rows of the same view are negatives, too."""
    z = F.normalize(torch.cat([a, b]), dim=1)  # (2 n, width)
    logits = z @ z.T / temperature  # (2 n, 2 n)
    # A row must not pick itself, which is always the most similar.
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    logits = logits.masked_fill(itself, -torch.inf)
    # Row i of one view and row i of the other are partners.
    position = torch.arange(len(z), device=z.device)
    partner = position.roll(len(a))
    return F.cross_entropy(logits, partner)


def barlow_twins(a: Tensor, b: Tensor, redundancy_weight: float = 0.005) -> Tensor:
    """Make the views' cross-correlation the identity matrix (Zbontar et al., 2021)."""
    correlation = _standardize(a).T @ _standardize(b) / len(a)  # (width, width)
    diagonal = correlation.diagonal()
    invariance = (diagonal - 1).square().sum()
    redundancy = correlation.square().sum() - diagonal.square().sum()
    return invariance + redundancy_weight * redundancy


def _standardize(z: Tensor) -> Tensor:
    centered = z - z.mean(dim=0)
    # A constant column would be divided by zero without the small addend.
    return centered / (centered.square().mean(dim=0) + 1e-5).sqrt()


def vicreg(
    a: Tensor,
    b: Tensor,
    invariance_weight: float = 25.0,
    variance_weight: float = 25.0,
    covariance_weight: float = 1.0,
) -> Tensor:
    """Agree between views, keep variance, remove covariance (Bardes, Ponce and LeCun, 2022)."""
    spread = (_missing_variance(a) + _missing_variance(b)) / 2
    redundancy = _redundancy(a) + _redundancy(b)
    return (
        invariance_weight * F.mse_loss(a, b)
        + variance_weight * spread
        + covariance_weight * redundancy
    )


def _missing_variance(z: Tensor) -> Tensor:
    """Mean shortfall of the columns' standard deviations from 1."""
    squares = (z - z.mean(dim=0)).square().sum(dim=0)
    variance = squares / max(len(z) - 1, 1)
    # The small addend keeps the gradient of the root finite.
    deviation = (variance + 1e-4).sqrt()
    return F.relu(1 - deviation).mean()


def _redundancy(z: Tensor) -> Tensor:
    """Sum of the squared covariances between columns, divided by their number."""
    centered = z - z.mean(dim=0)
    n_rows, width = z.shape
    covariance = centered.T @ centered / max(n_rows - 1, 1)  # (width, width)
    variances = covariance.diagonal()
    between_columns = covariance.square().sum() - variances.square().sum()
    return between_columns / width


def class_losses(output: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy in nats of each row; ``target`` holds the index of its class."""
    return F.cross_entropy(output, target, reduction="none")


def label_losses(output: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropies in nats, summed over the labels of each row."""
    return F.binary_cross_entropy_with_logits(output, target, reduction="none").sum(dim=1)


def squared_losses(output: Tensor, target: Tensor) -> Tensor:
    """Half the squared error of each row, summed over its targets; NaN targets cost nothing."""
    # A NaN would spread to all gradients, even multiplied by zero.
    truth = torch.where(target.isnan(), output, target)
    errors = output - truth  # (n_rows, n_targets)
    return errors.square().sum(dim=1) / 2
