"""Embedding of many rows without gradients, into memory of the caller."""

import copy
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_ssl._network.autoencoder import Encoder
from sklearn_ssl._network.embedding import Embedding, Layers
from sklearn_ssl._network.layers import Batch, Linear, write_numbers, write_row
from sklearn_ssl._threads import share_rows, torch_threads

FloatArray = npt.NDArray[np.float64]

BLOCKS = (512, 128, 32)
"""Rows to embed at a time on a CPU: the most that are left, and the last for fewer.

512 take a third of the time of 8,192, whose layers leave the cache.
"""

ROWS_PER_PART = 4 * BLOCKS[0]
"""Rows that a thread embeds at a time; its blocks share their memory."""

ROWS_ON_DEVICE = 2048
"""Rows to embed at a time on an accelerator; every block has this many."""

LANES = 32
"""Widths are multiples of this; at the edges of other matrices, libraries add in another order."""


class Place(NamedTuple):
    """Memory that all blocks of a size use.

    Attributes
    ----------
    products : list of Tensor of shape (n_rows, n_out)
        What each linear map of the encoder returns.

    row : Tensor of shape (n_rows, width)
        The row written out and its quantile bins.

    components : Tensor of shape (n_rows, n_components)
        What the readout returns.
    """

    products: list[Tensor]
    row: Tensor
    components: Tensor


class Readout(NamedTuple):
    """A linear map of :class:`Layers`, whose columns are multiplied part by part.

    Attributes
    ----------
    weights : dict of int to Tensor of shape (n_components, width of the part)
        A weight for each part that is read.

    bias : Tensor of shape (n_components,)
    """

    weights: dict[int, Tensor]
    bias: Tensor


class RowEmbedder:
    """Embed each row as if it stood alone, on a CPU.

    ``transform`` promises that a row has the same bits whatever rows are around it. The plain
    module breaks this promise, because a library chooses the order of its sums by the shape of a
    product. Blocks therefore have one of a few numbers of rows, and widths that leave no edges. If
    a library still adds in another order, products are computed in double precision, whose
    differences vanish in single precision. Every other step is a function of one row, or rounds
    once.

    Parameters
    ----------
    embedding : Embedding
        It is not copied, and must not be trained in the meantime.
    """

    most_rows = BLOCKS[0]

    def __init__(self, embedding: Embedding):
        layers, encoder = embedding.layers, embedding.encoder
        if not isinstance(encoder, Encoder):
            # Its products are computed one by one here, which needs to know them.
            raise TypeError(f"RowEmbedder embeds by an Encoder, not a {type(encoder).__name__}.")
        self.embedding = embedding
        self.rows = encoder.rows
        self.columns = _columns_of_parts(layers)
        readout = _readout(embedding, encoder, self.columns)
        maps = _maps_to(readout, encoder)
        # All products of a row: those of the encoder, and of the readout with its layers.
        weights = [layer.weight for layer in maps]
        weights += readout.weights.values() if readout else []
        shapes = [_padded_shape(n_in, n_out) for n_out, n_in in (w.shape for w in weights)]
        # One that a library adds in another order is enough to need double precision.
        is_exact = all(keeps_rows_apart(*shape) for shape in shapes)
        self.dtype = torch.float32 if is_exact else torch.float64
        self.norms = encoder.norms if is_exact else copy.deepcopy(encoder.norms).to(self.dtype)
        self.maps = [
            (_padded(layer.weight, self.dtype), _pad(layer.bias.detach().to(self.dtype)))
            for layer in maps
        ]
        self.code_weight = encoder.rows.code_weight.detach().to(self.dtype)
        self.readout = readout and Readout(
            {part: _padded(weight, self.dtype) for part, weight in readout.weights.items()},
            _pad(readout.bias.to(self.dtype)),
        )
        # A product takes less time than a quotient.
        self.factor = embedding.scale.reciprocal()
        self.steepness = layers.bin_width.reciprocal()
        self.runs = _runs(layers.bin_feature.tolist())

    def __call__(self, batch: Batch, out: npt.NDArray[np.float32]) -> None:
        """Embed encoded rows into ``out``, of shape (n_rows, width)."""
        written = torch.from_numpy(out)

        def embed(rows: slice) -> None:
            numeric, codes = batch
            self._embed_part(numeric[rows], codes[rows], written[rows])

        share_rows(embed, len(out), ROWS_PER_PART)

    # Each thread has its own mode, so that it is not enough to set it in the one that calls.
    @torch.no_grad()
    def _embed_part(self, numeric: Tensor, codes: Tensor, out: Tensor) -> None:
        """Embed some rows, a block at a time."""
        places: dict[int, Place] = {}
        start = 0
        while start < len(out):
            # The largest block that the remaining rows fill, or the smallest one.
            n_left = len(out) - start
            size = next((size for size in BLOCKS if size <= n_left), BLOCKS[-1])
            rows = slice(start, min(start + size, len(out)))
            # Only the last block can lack rows; zeros stand in their places.
            n_lacking = start + size - rows.stop
            if size not in places:
                places[size] = self._place(size)
            self._embed(
                _lengthened(numeric[rows], n_lacking),
                _lengthened(codes[rows], n_lacking),
                out[rows],
                places[size],
            )
            start += size

    def _embed(self, numeric: Tensor, codes: Tensor, out: Tensor, place: Place) -> None:
        """Embed a block of rows, of which the last ones may have no place in ``out``."""
        parts = self._parts(numeric, codes, place)
        if self.readout is None:
            self._standardize(parts, out)
        else:
            self._combine(parts, self.readout, place.components, out)

    def _standardize(self, parts: Iterator[tuple[int, Tensor]], out: Tensor) -> None:
        """Write each part into its columns, centered and scaled."""
        for part, layer in parts:
            if part in self.columns:
                columns = self.columns[part]
                standardized = out[:, columns]
                written = layer[: len(out), : standardized.shape[1]].float()
                # Two steps that round once each: what is fused may round otherwise at an edge.
                torch.sub(written, self.embedding.center[columns], out=standardized)
                standardized.mul_(self.factor[columns])

    def _combine(
        self,
        parts: Iterator[tuple[int, Tensor]],
        readout: Readout,
        components: Tensor,
        out: Tensor,
    ) -> None:
        """Add what the readout makes of each part, while that is still in the cache."""
        components[:] = readout.bias
        for part, layer in parts:
            if part in readout.weights:
                components.addmm_(layer.to(self.dtype), readout.weights[part].T)
        out[:] = components[: len(out), : out.shape[1]]

    def _place(self, n_rows: int) -> Place:
        """Memory for a block."""
        sizes = self.embedding.encoder.sizes
        row = self.columns.get(len(sizes), slice(0, 0))
        width, n_out = _padded_shape(row.stop - row.start, self.embedding.width)
        return Place(
            products=[torch.empty(n_rows, len(bias), dtype=self.dtype) for _, bias in self.maps],
            row=torch.zeros(n_rows, width, dtype=torch.float32),
            components=torch.empty(n_rows, n_out, dtype=self.dtype),
        )

    def _parts(self, numeric: Tensor, codes: Tensor, place: Place) -> Iterator[tuple[int, Tensor]]:
        """The parts of :class:`Layers` with their numbers, each as soon as it is computed."""
        sizes = self.embedding.encoder.sizes
        bottleneck, row = len(sizes) - 1, len(sizes)
        hidden = self._first_layer(numeric, codes, place.products[0])
        for part, norm in enumerate(self.norms):
            # The padding must not take part in the mean of a row's layer.
            active = F.silu(_pad(norm(hidden[:, : sizes[part]])), inplace=True)
            yield part, active
            if part + 1 < len(self.maps):
                weight, bias = self.maps[part + 1]
                hidden = torch.addmm(bias, active, weight.T, out=place.products[part + 1])
        if len(self.maps) == len(sizes):
            yield bottleneck, hidden
        if row in self.columns:
            yield row, self._written_row(numeric, codes, place.row)

    def _written_row(self, numeric: Tensor, codes: Tensor, out: Tensor) -> Tensor:
        """The row written out, and its quantile bins behind it."""
        layers = self.embedding.layers
        n_written = 0
        if layers.passthrough:
            written = write_row(numeric, codes, layers.passthrough, layers.nullable)
            n_written = written.shape[1]
            out[:, :n_written] = written
        if self.runs:
            n_bins = len(self.steepness)
            self._write_bins(numeric.nan_to_num(0.0), out[:, n_written : n_written + n_bins])
        return out

    def _first_layer(self, numeric: Tensor, codes: Tensor, out: Tensor) -> Tensor:
        rows, (weight, bias) = self.rows, self.maps[0]
        # The same map as that of RowInput, written to a place that exists.
        values = _pad(write_numbers(numeric, rows.nullable).to(self.dtype))
        hidden = torch.addmm(bias, values, weight.T, out=out)
        if rows.schema.n_categorical:
            looked_up = F.embedding_bag(codes + rows.offsets, self.code_weight, mode="sum")
            hidden[:, : looked_up.shape[1]] += looked_up
        return hidden

    def _write_bins(self, values: Tensor, out: Tensor) -> None:
        # Neighbors with as many bins each are one broadcast: looking each bin's feature up, as the
        # module does, would copy the numbers many times over.
        first = self.embedding.layers.bin_start
        for features, columns, size in self.runs:
            of_feature = out[:, columns].unflatten(1, (-1, size))  # (n_rows, n_features, size)
            cells = values[:, features, None]  # (n_rows, n_features, 1)
            torch.sub(cells, first[columns].view(-1, size), out=of_feature)
        out.mul_(self.steepness).clamp_(0, 1)


class DeviceRowEmbedder:
    """Embed each row as if it stood alone: on an accelerator, or by any encoder.

    Libraries choose how to add by the shape of a product. All blocks therefore have one shape, and
    rows of zeros fill up the last one. At the edges of a narrow product, sums are added in yet
    another order, so the readout is as wide as a product without edges. Products within an encoder
    of the user are as the user wrote them.

    Parameters
    ----------
    embedding : Embedding
        Copied to the device.

    device : str
        Name of a device of torch.
    """

    most_rows = ROWS_ON_DEVICE

    def __init__(self, embedding: Embedding, device: str):
        # The fitted network stays on the CPU, from which it is saved and pickled.
        self.embedding = copy.deepcopy(embedding).to(device)
        if self.embedding.directions is not None:
            self.embedding.directions = _pad(self.embedding.directions)

    @torch.no_grad()
    def __call__(self, batch: Batch, out: npt.NDArray[np.float32]) -> None:
        """Embed encoded rows into ``out``, of shape (n_rows, width)."""
        device = self.embedding.center.device
        for start in range(0, len(out), ROWS_ON_DEVICE):
            rows = slice(start, min(start + ROWS_ON_DEVICE, len(out)))
            lacking = start + ROWS_ON_DEVICE - rows.stop
            block = (_lengthened(part[rows].to(device), lacking) for part in batch)
            embedded = self.embedding(*block)  # (ROWS_ON_DEVICE, padded width)
            out[rows] = embedded[: rows.stop - start, : out.shape[1]].cpu().numpy()


def embedding_moments(
    embed: RowEmbedder | DeviceRowEmbedder, batch: Batch, n_first: int
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.float32]]:
    """Mean and standard deviation of every column of an embedding, and its first columns.

    One block is held at a time, and its moments are merged with those before (Chan et al., 1983):
    the embedding of a sample can be larger than the table.

    Returns
    -------
    mean, deviation : ndarray of shape (width,)

    first : ndarray of shape (n_rows, n_first)
    """
    n_rows = len(batch[0])
    width = embed.embedding.width
    first = np.empty((n_rows, n_first), dtype=np.float32)
    mean = np.zeros(width)
    squares = np.zeros(width)
    held = np.empty((min(n_rows, embed.most_rows), width), dtype=np.float32)
    for start in range(0, n_rows, embed.most_rows):
        stop = min(start + embed.most_rows, n_rows)
        # One memory for all blocks, of which the last one can be shorter.
        block = held[: stop - start]
        embed((batch[0][start:stop], batch[1][start:stop]), block)
        first[start:stop] = block[:, :n_first]
        mean_of_block = block.mean(axis=0, dtype=np.float64)
        # Squares are taken about the mean of their block, so that they cannot cancel.
        centered = block - mean_of_block
        squares += (centered**2).sum(axis=0)
        # The distance of the two means adds to the variance of both together.
        shift = mean_of_block - mean
        n_new = stop - start
        squares += shift**2 * (start * n_new / stop)
        mean += shift * (n_new / stop)
    return mean, np.sqrt(squares / n_rows), first


@cache
def keeps_rows_apart(n_in: int, n_out: int) -> bool:
    """Whether a layer of this shape gives equal rows equal bits, in any place of any block."""
    generator = torch.Generator().manual_seed(0)
    row = torch.randn(n_in, generator=generator, dtype=torch.float32)
    weight = torch.randn(n_out, n_in, generator=generator, dtype=torch.float32)
    bias = torch.randn(n_out, generator=generator, dtype=torch.float32)
    # Equal rows in blocks of every size: whatever order of adding they get, it is the same one.
    outputs = []
    with torch_threads(1):  # as blocks are embedded
        for n_rows in BLOCKS:
            equal_rows = row.repeat(n_rows, 1)
            outputs.append(F.silu(torch.addmm(bias, equal_rows, weight.T), inplace=True))
    first = outputs[0][0]
    return all(bool((output == first).all()) for output in outputs)


def _columns_of_parts(layers: Layers) -> dict[int, slice]:
    """Columns of each layer of the encoder, in its order, and behind them those of the row."""
    *hidden, bottleneck = layers.encoder.sizes
    # The bottleneck comes first among the columns, but is computed last.
    columns = {len(hidden): slice(0, bottleneck)}
    start = bottleneck
    if layers.hidden:
        for part, size in enumerate(hidden):
            columns[part] = slice(start, start + size)
            start += size
    if start < layers.width:
        columns[len(hidden) + 1] = slice(start, layers.width)
    return columns


def _maps_to(readout: Readout | None, encoder: Encoder) -> list[Linear]:
    """The linear maps of an encoder up to the last layer that is read."""
    maps = [encoder.rows.dense, *encoder.deeper]
    bottleneck = len(encoder.sizes) - 1
    return maps if readout is None or bottleneck in readout.weights else maps[:-1]


def _readout(embedding: Embedding, encoder: Encoder, columns: dict[int, slice]) -> Readout | None:
    """The linear map from the layers' own scale to the components; None without directions."""
    if embedding.directions is None:
        return None
    # Centering and scaling are a part of the map: ((x - center) / scale) @ directions.
    weight = embedding.directions.T.double() / embedding.scale.double()  # (n_components, width)
    bias = -weight @ embedding.center.double()
    weights = {part: weight[:, of_part] for part, of_part in columns.items()}
    if encoder.deeper:
        # So is the bottleneck, a linear map of the last hidden layer: it need not be computed.
        *_, last_map = encoder.deeper
        last = len(encoder.deeper) - 1
        of_bottleneck = weights.pop(last + 1)
        bias += of_bottleneck @ last_map.get_parameter("bias").detach().double()
        of_last = of_bottleneck @ last_map.get_parameter("weight").detach().double()
        weights[last] = weights[last] + of_last if last in weights else of_last
    return Readout(weights, bias)


def _padded_shape(n_in: int, n_out: int) -> tuple[int, int]:
    """Widths that are multiples of ``LANES``."""
    return -(-n_in // LANES) * LANES, -(-n_out // LANES) * LANES


def _padded(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """The weight of a linear map with zeros up to widths without edges."""
    widened = _pad(weight.detach().to(dtype))  # (n_out, padded n_in)
    return _pad(widened.T).T


def _lengthened(x: Tensor, n_rows: int) -> Tensor:
    """Add rows of zeros; before torch 2.5, ``pad`` refuses tables without columns."""
    return torch.cat([x, x.new_zeros(n_rows, x.shape[1])]) if n_rows else x


def _pad(x: Tensor) -> Tensor:
    """Add columns of zeros up to the next multiple of ``LANES``; no copy if none is missing."""
    lacking = -x.shape[-1] % LANES
    return F.pad(x, (0, lacking)) if lacking else x


def _runs(bin_feature: list[int]) -> list[tuple[slice, slice, int]]:
    """Neighboring features with as many bins each: features, their columns, bins of one."""
    runs: list[tuple[slice, slice, int]] = []
    column = 0
    for feature, quantile_bins in groupby(bin_feature):
        size = len(list(quantile_bins))
        features, columns = slice(feature, feature + 1), slice(column, column + size)
        if runs:
            earlier_features, earlier_columns, earlier_size = runs[-1]
            # Features without bins stand between others and end a run, too.
            if earlier_features.stop == feature and earlier_size == size:
                runs.pop()
                features = slice(earlier_features.start, features.stop)
                columns = slice(earlier_columns.start, columns.stop)
        runs.append((features, columns, size))
        column += size
    return runs
