"""Predict the distribution of every hidden cell: bins of numbers, names of categories.

All features are classes here. A number's classes are the bins of its column; a category's classes
are its names, without the reserved codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sklearn_ssl._network.layers import Batch, Linear
from sklearn_ssl._network.residual import ResidualEncoder
from sklearn_ssl._pretext.corruptions import draw_mask, mark_missing
from sklearn_ssl._pretext.tasks import PretextTask
from sklearn_ssl._table.schema import N_RESERVED, Schema

UNKNOWN = -1
"""Class of a cell that is missing, or whose category has no name of its own."""

SHARPNESSES = tuple(1.1 ** (8 - step) for step in range(26))
"""Factors to choose from by which predicted logits keep their distance to those of frequencies."""

RANKED_WEIGHT = 8.0
"""Weight of a number's ranked probability score, at which it counts about as much as a category."""

ENTROPY_WEIGHT = 0.3
"""Weight of the cross-entropy of a number's bins.

With cross-entropy alone, the distributions of small tables are too sure of themselves long before
their means are good: on diabetes after 11 epochs, at an error of 0.92 standard deviations in place
of the 0.87 that can be had.
"""


def class_log_probabilities(logits: Tensor, schema: Schema, is_bin: Tensor) -> list[Tensor]:
    """Log probabilities of the classes, of shape (n_rows, n_features, n_classes) for each group.

    The numeric features are the first group; features of equal cardinality are one group each.

    Parameters
    ----------
    logits : Tensor of shape (n_rows, n_logits)
        ``is_bin.shape[1]`` for each numeric feature, then one for each name of a category.

    schema : Schema
        The features.

    is_bin : Tensor of shape (n_numeric, n_bins), bool
        Which bins a numeric feature has.
    """
    groups = []
    start = is_bin.numel()
    if start:
        bins = logits[:, :start].unflatten(1, is_bin.shape)
        lowest = torch.finfo(logits.dtype).min
        groups.append(bins.masked_fill(~is_bin, lowest).log_softmax(-1))
    for size, count in schema.runs:
        n_names = size - N_RESERVED
        stop = start + n_names * count
        groups.append(logits[:, start:stop].unflatten(1, (count, n_names)).log_softmax(-1))
        start = stop
    return groups


def class_losses_of_cells(groups: Sequence[Tensor], classes: Tensor) -> Tensor:
    """Negative log likelihood of every cell in nats, of shape (n_rows, n_features).

    A cell of an unknown class costs nothing.
    """
    losses, first = [], 0
    for group in groups:
        truth = classes[:, first : first + group.shape[1]]
        first += group.shape[1]
        if group.shape[2]:
            picked = group.gather(2, truth.clamp_min(0).unsqueeze(2)).squeeze(2)
            losses.append(-picked * (truth != UNKNOWN))
        else:
            losses.append(group.new_zeros(group.shape[:2]))
    return torch.cat(losses, dim=1)


def ranked_losses(log_probabilities: Tensor, bins: Tensor, is_bin: Tensor) -> Tensor:
    """Ranked probability score of every number (Epstein, 1969), of shape (n_rows, n_numeric).

    The mean over the edges of a column of the squared error of the probability to lie below it. As
    cross-entropy it is lowest for the true distribution, but a near bin costs less than a far one.

    Parameters
    ----------
    log_probabilities : Tensor of shape (n_rows, n_numeric, n_bins)
        Of the bins.

    bins : Tensor of shape (n_rows, n_numeric), int64
        The bin of each number; ``UNKNOWN`` costs nothing.

    is_bin : Tensor of shape (n_numeric, n_bins), bool
        Which bins a feature has.
    """
    below = log_probabilities.exp().cumsum(2)[:, :, :-1]
    edges = torch.arange(below.shape[2], device=bins.device)
    lies_below = (edges >= bins.unsqueeze(2)).to(below.dtype)
    # A feature has an edge before each of its bins but the first.
    is_edge = is_bin[:, 1:]
    errors = (below - lies_below).square() * is_edge
    n_edges = is_edge.sum(dim=1).clamp_min(1)
    mean = errors.sum(dim=2) / n_edges
    return mean * (bins != UNKNOWN)


def brier_losses(log_probabilities: Tensor, names: Tensor) -> Tensor:
    """Brier score of every category, of shape (n_rows, n_features); unknown ones cost nothing."""
    if not log_probabilities.shape[2]:
        return log_probabilities.new_zeros(names.shape)
    probabilities = log_probabilities.exp()
    named = names.clamp_min(0).unsqueeze(2)
    right = probabilities.gather(2, named).squeeze(2)
    # The sum of (p - 1)^2 for the true name and p^2 for the others.
    scores = probabilities.square().sum(dim=2) - 2 * right + 1
    return scores * (names != UNKNOWN)


def draw_rates(n_rows: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """Rates of shape (n_rows, 1), one a row, uniform between ``low`` and ``high``."""
    return low + (high - low) * torch.rand(
        (n_rows, 1), generator=generator, device=generator.device
    )


class PredictDistributions(PretextTask):
    """Hide cells at a rate of each row's own, and predict the distributions that they come from.

    Rates differ so that one network fills rows with few and with many missing cells.

    Parameters
    ----------
    encoder : ResidualEncoder
        Row to embedding.

    width : int
        Width of the embedding.

    schema : Schema
        The features; all numbers are nullable.

    n_bins : int
        Most bins of a number.

    mask_rate : tuple of float
        Lowest and highest share of cells to hide.

    generator : torch.Generator
        Source of the weights.
    """

    # No readout reads this task, so that its encoder need not be the one of the transformers.
    encoder: ResidualEncoder  # type: ignore[assignment]
    edges: Tensor
    is_bin: Tensor
    start: Tensor
    sharpness: Tensor

    def __init__(
        self,
        encoder: ResidualEncoder,
        width: int,
        schema: Schema,
        n_bins: int,
        mask_rate: tuple[float, float],
        generator: torch.Generator,
    ):
        super().__init__()
        self.encoder = encoder
        self.schema = schema
        self.mask_rate = mask_rate
        n_names = schema.n_codes - N_RESERVED * schema.n_categorical
        self.head = Linear(width, schema.n_numeric * n_bins + n_names, generator)
        # Part of the state: files of the network need them.
        edges = torch.full((schema.n_numeric, n_bins - 1), torch.inf)
        self.register_buffer("edges", edges)
        self.register_buffer("is_bin", torch.ones((schema.n_numeric, n_bins), dtype=torch.bool))
        self.register_buffer("start", torch.zeros(self.head.out_features))
        self.register_buffer("sharpness", torch.ones(self.head.out_features))

    def start_from(self, edges: Sequence[Tensor], table: Batch) -> None:
        """Learn the bins, and begin with the frequencies of the classes.

        Parameters
        ----------
        edges : sequence of Tensor of shape (n_bins - 1,)
            Edges between the bins of each numeric feature, in the scale of the encoding.

        table : tuple of Tensor
            Rows to count the classes in.
        """
        for feature, cuts in enumerate(edges):
            self.edges[feature, : len(cuts)] = cuts
            self.is_bin[feature, len(cuts) + 1 :] = False
        classes = self.classes(table)
        n_bins = self.is_bin.shape[1]
        sizes = [n_bins] * self.schema.n_numeric
        sizes += [size - N_RESERVED for size in self.schema.cardinalities]
        counts = [
            torch.bincount(column[column != UNKNOWN], minlength=size)
            for column, size in zip(classes.T, sizes, strict=True)
        ]
        shares = [(count + 0.5) / (count.sum() + 0.5 * len(count)) for count in counts]
        self.start.copy_(torch.cat(shares).log())
        with torch.no_grad():
            self.head.weight.zero_()
            self.head.bias.copy_(self.start)

    def classes(self, batch: Batch) -> Tensor:
        """Class of every cell, of shape (n_rows, n_features), int64."""
        numeric, codes = batch
        columns = numeric.T.contiguous()
        bins = torch.searchsorted(self.edges, columns, right=True).T
        bins = bins.masked_fill(numeric.isnan(), UNKNOWN)
        names = (codes.long() - N_RESERVED).clamp_min(UNKNOWN)
        return torch.cat([bins, names], dim=1)

    def log_probabilities(self, batch: Batch, *, calibrated: bool = False) -> list[Tensor]:
        """Log probabilities of the classes of every feature, in groups."""
        logits = self.head(self.encoder(*batch))
        if calibrated:
            logits = self.start + self.sharpness * (logits - self.start)
        return class_log_probabilities(logits, self.schema, self.is_bin)

    @torch.no_grad()
    def calibrate(self, batch: Batch, generator: torch.Generator) -> None:
        """Move distributions towards the frequencies of the classes by as much as fits other rows.

        A network that is trained until its means are good is too sure of them (Guo et al., 2017).
        The means themselves are better without.

        Parameters
        ----------
        batch : tuple of Tensor
            Rows that it was not trained on.

        generator : torch.Generator
            Source of the masks.
        """
        rates = draw_rates(len(batch[0]), *self.mask_rate, generator)
        mask = draw_mask(batch, rates, generator, self.schema.leads)
        change = self.head(self.encoder(*mark_missing(batch, mask))) - self.start
        classes = self.classes(batch)
        n_numeric, n_bin_logits = self.schema.n_numeric, self.is_bin.numel()
        losses = []
        for sharpness in SHARPNESSES:
            logits = self.start + sharpness * change
            groups = class_log_probabilities(logits, self.schema, self.is_bin)
            cells = self.bounded_losses(groups, classes) * mask
            of_numbers = cells[:, :n_numeric].sum()
            of_names = cells[:, n_numeric:].sum()
            losses.append(torch.stack([of_numbers, of_names]))
        numbers, names = torch.stack(losses).argmin(dim=0).tolist()
        self.sharpness[:n_bin_logits] = SHARPNESSES[numbers]
        self.sharpness[n_bin_logits:] = SHARPNESSES[names]

    def cell_losses(self, groups: Sequence[Tensor], classes: Tensor) -> Tensor:
        """What training minimizes for every cell, of shape (n_rows, n_features)."""
        losses = class_losses_of_cells(groups, classes)
        n_numeric = self.schema.n_numeric
        if not n_numeric:
            return losses
        numbers = ENTROPY_WEIGHT * losses[:, :n_numeric]
        ranked = ranked_losses(groups[0], classes[:, :n_numeric], self.is_bin)
        numbers = numbers + RANKED_WEIGHT * ranked
        return torch.cat([numbers, losses[:, n_numeric:]], dim=1)

    def bounded_losses(self, groups: Sequence[Tensor], classes: Tensor) -> Tensor:
        """What early stopping minimizes for every cell: squared errors of probabilities.

        Cross-entropy would be decided by the few cells of which the network is most wrongly sure,
        and stop before the means and the most likely categories are at their best.
        """
        losses, first = [], 0
        for group in groups:
            truth = classes[:, first : first + group.shape[1]]
            if first < self.schema.n_numeric:
                losses.append(RANKED_WEIGHT * ranked_losses(group, truth, self.is_bin))
            else:
                losses.append(brier_losses(group, truth))
            first += group.shape[1]
        return torch.cat(losses, dim=1)

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        rates = draw_rates(len(batch[0]), *self.mask_rate, generator)
        mask = draw_mask(batch, rates, generator, self.schema.leads)
        groups = self.log_probabilities(mark_missing(batch, mask))
        losses_of = self.cell_losses if self.training else self.bounded_losses
        losses = losses_of(groups, self.classes(batch))
        hidden_losses = losses * mask
        # The expected number of hidden cells, not this batch's: parts of a batch then add up.
        expected_rate = sum(self.mask_rate) / 2
        return hidden_losses.mean() / expected_rate


@dataclass(frozen=True)
class Filling:
    """Predict the distributions of hidden cells, from which missing cells are filled in."""

    width: int
    n_blocks: int
    n_bins: int
    mask_rate: tuple[float, float]

    @property
    def bottleneck_size(self) -> int:
        return self.width

    def build(self, schema: Schema, generator: torch.Generator) -> PredictDistributions:
        encoder = ResidualEncoder(schema, self.width, self.n_blocks, generator)
        return PredictDistributions(
            encoder, self.width, schema, self.n_bins, self.mask_rate, generator
        )
