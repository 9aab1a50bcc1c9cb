"""The fitted thing: a table encoder, a network and a readout; knows no estimator."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from sklearn_ssl._compat import num_samples
from sklearn_ssl._effective_rank import effective_rank_of_spectrum
from sklearn_ssl._network.autoencoder import Encoder
from sklearn_ssl._network.embedding import Embedding, Layers
from sklearn_ssl._network.layers import MAX_ONE_HOT, Batch
from sklearn_ssl._network.quantile_bins import NO_BINS, QuantileBins, learn_quantile_bins
from sklearn_ssl._network.row_embedder import DeviceRowEmbedder, RowEmbedder, embedding_moments
from sklearn_ssl._pretext.blueprints import Blueprint, Contrasting, Denoising, Masking
from sklearn_ssl._pretext.distribution import Filling
from sklearn_ssl._pretext.losses import (
    cell_losses,
    deviance_explained,
    features_per_cell,
    marginal_output,
    mean_of_present_cells,
)
from sklearn_ssl._pretext.tasks import CellTask, PretextTask
from sklearn_ssl._readout import Readout, ReadoutOptions, gain_of, principal_directions, rotation
from sklearn_ssl._table.bins import BinnedColumn
from sklearn_ssl._table.column import CategoryColumn, EmptyColumn
from sklearn_ssl._table.dates import DatetimeColumn, DurationColumn
from sklearn_ssl._table.encoder import ROWS_PER_BLOCK, TableEncoder
from sklearn_ssl._table.names import bin_names, written_names
from sklearn_ssl._table.numeric import BinaryColumn, NumericColumn
from sklearn_ssl._table.schema import N_RESERVED, Schema
from sklearn_ssl._table.types import Table
from sklearn_ssl._threads import torch_threads

Floats = npt.NDArray[np.float32]

N_ROWS_OF_STATISTICS = 10_000
"""Rows from which the center and scale of the layers are learned."""

N_ROWS_OF_DIRECTIONS = 2_000
"""Rows from which directions are learned: their number bounds the time that it takes."""

MOST_BINS = 2048
"""Columns that quantile bins may add to the layers."""


@dataclass
class TableModel:
    """A pretext network and the table that it reads.

    Attributes
    ----------
    table_encoder : TableEncoder
        From a checked table to numbers and codes, and back.

    schema : Schema
        The features as the network sees them.

    blueprint : Blueprint
        What the network can be built from again.

    task : PretextTask
        What is trained; its weights are on the CPU.

    readout : Readout or None
        From the network's layers to the columns of ``transform``; None before it is learned.
    """

    table_encoder: TableEncoder
    schema: Schema
    blueprint: Blueprint
    task: PretextTask
    readout: Readout | None = None

    @classmethod
    def start(
        cls,
        table_encoder: TableEncoder,
        schema: Schema,
        blueprint: Blueprint,
        generator: torch.Generator,
    ) -> "TableModel":
        """A model whose network is not trained yet."""
        return cls(table_encoder, schema, blueprint, blueprint.build(schema, generator))

    def __getstate__(self) -> dict[str, object]:
        """Plain values and weights: a network is not pickled, but built again."""
        state = vars(self).copy()
        # A copy of the dictionary, whose class and metadata are torch's own.
        state["task"] = dict(self.task.state_dict())
        return state

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self.task = self.blueprint.build(self.schema, torch.Generator())
        # The weights that were just drawn are all replaced, so the seed does not matter.
        self.task.load_state_dict(cast(dict[str, Tensor], state["task"]))
        self.task.eval()

    # Into the network

    def encode(self, X: Table) -> Batch:
        """Numbers and codes of a checked table."""
        numeric, codes = self.table_encoder.transform(X)
        return torch.from_numpy(numeric), torch.from_numpy(codes)

    @torch_threads(1)
    def within_range(self, table: Batch, X: Table) -> tuple[Batch, Tensor]:
        """Encoded rows with every number in the range of ``fit``, and how far it was outside.

        A network extrapolates beyond that range, so that its error there may be anything.
        """
        numeric, codes = table
        low, high = map(torch.from_numpy, self.table_encoder.ranges())  # (n_numeric,) each
        excess = self.table_encoder.excess(X, numeric.numpy())
        inside = numeric.clamp(low, high)
        return (inside, codes), torch.from_numpy(excess)

    def encoded_blocks(self, X: Table) -> Iterator[tuple[slice, Batch]]:
        """Encoded rows of a checked table, a block at a time, and where they stand in it."""
        for start in range(0, num_samples(X), ROWS_PER_BLOCK):
            rows = slice(start, start + ROWS_PER_BLOCK)
            block = X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]
            yield rows, self.encode(block)

    @contextmanager
    def task_on(self, device: str) -> Iterator[PretextTask]:
        """Lend the task on a device; the fitted one stays on the CPU, where files go.

        The blocks of rows that it reads are not worth more than one thread of torch.
        """
        with torch_threads(1):
            yield self.task if device == "cpu" else copy.deepcopy(self.task).to(device)

    def bottleneck(self, table: Batch, device: str) -> Tensor:
        """The encoder's last layer, of shape (n_rows, bottleneck_size)."""
        with self.task_on(device) as task, torch.no_grad():
            # Blocks bound the memory of the hidden layers.
            numeric, codes = (part.split(ROWS_PER_BLOCK) for part in table)
            encoded = []
            for numbers, categories in zip(numeric, codes, strict=True):
                bottleneck = task.encoder(numbers.to(device), categories.to(device))
                encoded.append(bottleneck.cpu())
            return torch.cat(encoded)

    # Out of it, as columns

    def embed(self, X: Table, device: str) -> Floats:
        """Rows of a checked table as ``transform`` returns them."""
        return self._embedded(X, self.embedding(), device)

    def embed_layers(self, X: Table, device: str) -> Floats:
        """All that the readout reads of the rows of a checked table, standardized."""
        return self._embedded(X, self.standardized_layers(), device)

    def _embedded(self, X: Table, embedding: Embedding, device: str) -> Floats:
        embedded = np.empty((num_samples(X), embedding.width), dtype=np.float32)
        embed = row_embedder(embedding, device)
        for rows, block in self.encoded_blocks(X):
            embed(block, embedded[rows])
        return embedded

    def embedding(self) -> Embedding:
        """What ``transform`` computes, as a module; it shares the encoder's weights."""
        readout = self._learned_readout
        # The gain is a part of the last step, whichever that is.
        if readout.directions is None:
            return Embedding(self._layers(readout), readout.center, readout.scale / readout.gain)
        directions = readout.directions * np.float32(readout.gain)
        return Embedding(self._layers(readout), readout.center, readout.scale, directions)

    def standardized_layers(self) -> Embedding:
        """What the readout reads, in standard deviations, as a module."""
        readout = self._learned_readout
        return Embedding(self._layers(readout), readout.center, readout.scale)

    @property
    def n_columns(self) -> int:
        """Columns of ``transform``."""
        return self._learned_readout.width

    def names_of_passthrough(self) -> list[str]:
        """Names of the last columns of ``transform``, which hold the row itself."""
        readout = self._learned_readout
        if readout.directions is not None or not readout.passthrough:
            return []
        # Files hold the bins as a plain tuple.
        bins = QuantileBins(*readout.quantile_bins)
        return [
            *written_names(self.table_encoder, MAX_ONE_HOT),
            *bin_names(self.table_encoder, bins.feature.tolist(), bins.start.tolist()),
        ]

    @property
    def _learned_readout(self) -> Readout:
        if self.readout is None:
            raise RuntimeError("The readout of this model has not been learned yet.")
        return self.readout

    def _layers(self, readout: Readout) -> Layers:
        return Layers(
            self.task.encoder,
            hidden=readout.hidden,
            passthrough=readout.passthrough,
            quantile_bins=QuantileBins(*readout.quantile_bins),
        )

    def learn_readout(self, table: Batch, options: ReadoutOptions, device: str) -> float:
        """Learn the columns of ``transform`` from encoded training rows.

        Returns
        -------
        effective_rank : float
            Directions that the bottleneck uses on these rows.
        """
        sample = every_nth_row(table, N_ROWS_OF_STATISTICS)
        layers = self._choose_layers(sample[0], options)
        size = self.blueprint.bottleneck_size
        center, scale, bottleneck = moments(layers, sample, size, device)
        # A standardized column contributes 1 to the mean squared norm of a row, a constant one 0.
        directions, gain = None, gain_of(float((scale > 0).sum()))
        constant = scale == 0
        scale[constant] = 1.0
        if options.output == "components":
            rows = every_nth_row(sample, N_ROWS_OF_DIRECTIONS)
            directions, gain = self._directions(layers, center, scale, rows, options, device)
        self.readout = Readout(
            hidden=layers.hidden,
            passthrough=layers.passthrough,
            quantile_bins=layers.quantile_bins,
            center=center,
            scale=scale,
            directions=directions,
            gain=gain,
        )
        # Rounding errors of constant columns would count as directions.
        bottleneck = np.where(constant[:size], 0.0, bottleneck - center[:size])
        return effective_rank_of_spectrum(np.linalg.svd(bottleneck, compute_uv=False))

    def _choose_layers(self, numeric: Tensor, options: ReadoutOptions) -> Layers:
        passthrough, bins = None, NO_BINS
        if options.passthrough:
            passthrough = self.table_encoder.schema_
            # A wide table has many features to combine and needs fewer cuts of each.
            n_bins = min(options.n_bins, MOST_BINS // max(passthrough.n_numeric, 1))
            bins = learn_quantile_bins(numeric, n_bins)
        hidden = options.output != "bottleneck"
        return Layers(self.task.encoder, hidden=hidden, passthrough=passthrough, quantile_bins=bins)

    # Out of it, as cells

    def cell_output(self, table: Batch, device: str) -> Tensor:
        """Rows written out by the network, of shape (n_rows, schema.width)."""
        return self.write_out(self.bottleneck(table, device))

    @torch_threads(1)
    def bottleneck_of(self, Z: Floats) -> Tensor:
        """The bottleneck of rows from their embedding, as well as that holds it."""
        size = self.blueprint.bottleneck_size
        return torch.from_numpy(self._learned_readout.bottleneck(Z, size))

    @torch_threads(1)
    def write_out(self, bottleneck: Tensor) -> Tensor:
        """Rows written out from their bottleneck."""
        with torch.no_grad():
            return cell_task(self.task).decode(bottleneck)

    @torch_threads(1)
    def cell_losses(self, corrupted: Batch, table: Batch, device: str) -> Tensor:
        """Loss of every cell of ``table``, of shape (n_rows, n_features)."""
        return cell_losses(self.cell_output(corrupted, device), *table, self.schema)

    @torch_threads(1)
    def row_losses(self, X: Table, device: str) -> Tensor:
        """Mean loss of the present cells of each row of a checked table, NaN if there is none."""
        table, excess = self.within_range(self.encode(X), X)
        return mean_of_present_cells(self.cell_output(table, device), table, excess, self.schema)

    @torch_threads(1)
    def deviance_explained(self, losses: Tensor, table: Batch, mask: Tensor | None = None) -> float:
        """Share of the deviance of cells, or of those in a mask, that their losses leave out."""
        constant = marginal_output(*table, self.schema).expand(len(losses), -1)
        baseline = cell_losses(constant, *table, self.schema)
        # A date has several features; each counts for a part of its cell.
        share = 1 / torch.tensor(features_per_cell(self.schema), dtype=torch.float32)
        losses, baseline = losses * share, baseline * share
        if mask is not None:
            losses, baseline = losses[mask], baseline[mask]
        return deviance_explained(losses, baseline)

    @torch_threads(1)
    def decode(self, output: Tensor, index: pd.Index | None = None) -> Table:
        """Rows of the original table from rows written out; reserved codes are never chosen."""
        schema = self.schema
        numeric = output[:, : schema.n_numeric].clone()
        binary = torch.tensor(schema.binary, dtype=torch.bool)
        # The outputs of these columns are logits.
        numeric[:, binary] = numeric[:, binary].sigmoid()
        logits = output[:, schema.width - schema.n_codes :]
        codes = torch.zeros(len(output), schema.n_categorical, dtype=torch.int32)
        places = zip(schema.offsets, schema.cardinalities, strict=True)
        for feature, (start, size) in enumerate(places):
            named = logits[:, start + N_RESERVED : start + size]
            # A column in which only missing cells were seen has no category to name.
            if named.shape[1]:
                most_probable = named.argmax(dim=1).to(torch.int32)
                codes[:, feature] = most_probable + N_RESERVED
        return self.table_encoder.inverse_transform(numeric.numpy(), codes.numpy(), index)

    def _directions(
        self,
        layers: Layers,
        center: Floats,
        scale: Floats,
        rows: Batch,
        options: ReadoutOptions,
        device: str,
    ) -> tuple[Floats, float]:
        """Combinations of the standardized layers, and the gain of their output."""
        columns = np.empty((len(rows[0]), layers.width), dtype=np.float32)
        row_embedder(Embedding(layers, center, scale), device)(rows, columns)
        # These are fewer rows than those that were centered.
        columns -= columns.mean(axis=0)
        found = principal_directions(columns, options.n_components)
        directions = found @ rotation(found.shape[1], options.n_components)
        # The rotation has more columns than directions if the rows vary in fewer.
        components = columns @ directions
        squared_norms = (components**2).sum(axis=1)
        gain = gain_of(float(squared_norms.mean()))
        return directions.astype(np.float32), gain


def cell_task(task: PretextTask) -> CellTask:
    """The task itself, which must be one that writes rows out."""
    if not isinstance(task, CellTask):
        raise TypeError(f"{type(task).__name__} does not write rows out.")
    return task


def every_nth_row(table: Batch, most: int) -> Batch:
    """At most so many rows, at equal distances."""
    every = -(-len(table[0]) // most)
    return table[0][::every], table[1][::every]


def row_embedder(embedding: Embedding, device: str) -> RowEmbedder | DeviceRowEmbedder:
    """What embeds many rows on a device."""
    # The order of sums in an encoder of the user's is not known: its blocks have one shape.
    if device == "cpu" and isinstance(embedding.encoder, Encoder):
        with torch_threads(1):  # as it embeds
            return RowEmbedder(embedding)
    return DeviceRowEmbedder(embedding, device)


def moments(
    layers: Layers, table: Batch, n_first: int, device: str
) -> tuple[Floats, Floats, Floats]:
    """Mean and standard deviation of every column of the layers, and the first columns.

    The deviation of a column that is constant, up to rounding, is 0.
    """
    zeros = np.zeros(layers.width, np.float32)
    ones = np.ones(layers.width, np.float32)
    as_they_are = Embedding(layers, zeros, ones)
    mean, deviation, first = embedding_moments(row_embedder(as_they_are, device), table, n_first)
    center = mean.astype(np.float32)
    # Activations are single-precision numbers, whose rounding errors grow with their size.
    deviation[deviation <= 1e-6 * np.maximum(1.0, np.abs(center))] = 0.0
    return center, deviation.astype(np.float32), first


RECORDS: dict[str, type] = {
    record.__name__: record
    for record in (
        BinaryColumn,
        BinnedColumn,
        CategoryColumn,
        Contrasting,
        DatetimeColumn,
        Denoising,
        DurationColumn,
        EmptyColumn,
        Filling,
        Masking,
        NumericColumn,
        Readout,
        Schema,
        TableEncoder,
        TableModel,
    )
}
"""The classes that a model consists of, which files may hold."""
