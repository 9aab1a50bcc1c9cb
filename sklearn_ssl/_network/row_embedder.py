"""Embedding of many rows without gradients, into memory of the caller's."""

import copy
from functools import cache
from itertools import groupby

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklearn_ssl._network.embedding import Embedding
from sklearn_ssl._network.layers import Batch, write_numbers, write_row

FloatArray = npt.NDArray[np.float64]

BLOCKS = (512, 128, 32)
"""Rows to embed at a time on a CPU: the most that are left, and the last for fewer.

512 take a third of the time of 8,192, whose layers leave the cache.
"""

ROWS_ON_DEVICE = 2048
"""Rows to embed at a time on an accelerator, always so many."""

LANES = 32
"""Widths are multiples of this: at the edges of other matrices, libraries add in another order."""

SERIAL = 32_768
"""Elements of a function that torch does not share between threads."""


class RowEmbedder:
    """Embed each row as if it stood alone, on a CPU.

    The bits of a row depend neither on the rows around it nor on the number of threads. They would
    in products of any shape, which add in an order of their own: here blocks have one of a few
    numbers of rows, and widths that leave no edges. Where a library proves different, the layers
    are computed in double precision, whose differences vanish in single precision. Every other
    step is a function of a row, or one that rounds once.

    Parameters
    ----------
    embedding : Embedding
        Not copied, and not to be trained in the meantime.
    """

    most_rows = BLOCKS[0]

    def __init__(self, embedding: Embedding):
        self.embedding = embedding
        encoder = embedding.encoder
        maps = [encoder.rows.dense, *encoder.deeper]
        is_exact = all(keeps_rows_apart(*_padded_shape(m), torch.get_num_threads()) for m in maps)
        self.dtype = torch.float32 if is_exact else torch.float64
        self.norms = encoder.norms if is_exact else copy.deepcopy(encoder.norms).to(self.dtype)
        self.factor = embedding.scale.reciprocal()
        weights = [*((m.weight, m.bias) for m in maps[:-1]), self._with_scaling(maps[-1])]
        self.maps = [_padded(weight, bias, self.dtype) for weight, bias in weights]
        codes = encoder.rows.code_weight.detach()
        codes = codes if encoder.deeper else codes * self.factor[: encoder.sizes[0]]
        self.code_weight = codes.to(self.dtype)
        self.places: dict[int, list[Tensor]] = {}
        self.steepness = embedding.bin_width.reciprocal()
        self.runs = _runs(embedding.bin_feature.tolist())

    @torch.no_grad()
    def __call__(self, batch: Batch, out: npt.NDArray) -> None:
        """Embed encoded rows into ``out``, of shape (n_rows, width), float32."""
        start, n_rows, written = 0, len(batch[0]), torch.from_numpy(out)
        while start < n_rows:
            size = next((size for size in BLOCKS if size <= n_rows - start), BLOCKS[-1])
            rows = slice(start, min(start + size, n_rows))
            lacking = start + size - rows.stop
            numeric, codes = (_lengthened(part[rows], lacking) for part in batch)
            self._embed(numeric, codes, written[rows])
            start += size

    def _with_scaling(self, layer: nn.Linear) -> tuple[Tensor, Tensor]:
        """Weights of a last layer whose outputs need no further scaling."""
        units = slice(layer.out_features)
        factor, center = self.factor[units], self.embedding.center[units]
        return layer.weight.detach() * factor[:, None], (layer.bias.detach() - center) * factor

    def _embed(self, numeric: Tensor, codes: Tensor, out: Tensor) -> None:
        """Embed a block of rows, of which the last ones may have no place in ``out``."""
        embedding, encoder = self.embedding, self.embedding.encoder
        hidden, *places = self._places(len(numeric))
        self._first_layer(numeric, codes, hidden)
        start = encoder.sizes[-1]
        for norm, size, (weight, bias), place in zip(
            self.norms, encoder.sizes[:-1], self.maps[1:], places, strict=True
        ):
            active = _silu(_pad(norm(hidden[:, :size])))
            if embedding.all_layers:
                start = self._write(active[:, :size], out, start)
            hidden = torch.addmm(bias, active, weight.T, out=place)
        out[:, : encoder.sizes[-1]] = hidden[: len(out), : encoder.sizes[-1]]
        if embedding.passthrough:
            row = write_row(numeric, codes, embedding.passthrough, embedding.nullable)
            start = self._write(row, out, start)
        if self.runs:
            self._write_bins(numeric.nan_to_num(0.0), out, start)

    def _places(self, n_rows: int) -> list[Tensor]:
        """Memory for the layers of a block, the same for all blocks."""
        if n_rows not in self.places:
            self.places[n_rows] = [
                torch.empty(n_rows, len(bias), dtype=self.dtype) for _, bias in self.maps
            ]
        return self.places[n_rows]

    def _first_layer(self, numeric: Tensor, codes: Tensor, hidden: Tensor) -> None:
        encoder, (weight, bias) = self.embedding.encoder, self.maps[0]
        rows = encoder.rows
        values = _pad(write_numbers(numeric, rows.nullable).to(self.dtype))
        torch.addmm(bias, values, weight.T, out=hidden)
        if rows.schema.n_categorical:
            hidden[:, : encoder.sizes[0]] += F.embedding_bag(
                codes + rows.offsets, self.code_weight, mode="sum"
            )

    def _write(self, part: Tensor, out: Tensor, start: int) -> int:
        """Write columns in their units, and return where the next ones start."""
        columns = slice(start, start + part.shape[1])
        # Two steps that round once each: what is fused may round otherwise at an edge.
        torch.sub(part[: len(out)], self.embedding.center[columns], out=out[:, columns])
        out[:, columns].mul_(self.factor[columns])
        return columns.stop

    def _write_bins(self, values: Tensor, out: Tensor, start: int) -> None:
        quantile_bins, first = out[:, start:], self.embedding.bin_start
        for features, columns, size in self.runs:
            of_feature = quantile_bins[:, columns].unflatten(1, (-1, size))
            cells = values[: len(out), features, None]
            torch.sub(cells, first[columns].view(-1, size), out=of_feature)
        quantile_bins.mul_(self.steepness).clamp_(0, 1)
        quantile_bins.sub_(self.embedding.center[start:]).mul_(self.factor[start:])


class DeviceRowEmbedder:
    """Embed each row as if it stood alone, on an accelerator and in single precision.

    Libraries choose how to add by the shape of a product, so that all blocks have one shape: rows
    of zeros stand where there are fewer.

    Parameters
    ----------
    embedding : Embedding
        Copied to the device.

    device : str
        Of torch.
    """

    most_rows = ROWS_ON_DEVICE

    def __init__(self, embedding: Embedding, device: str):
        self.embedding = copy.deepcopy(embedding).to(device)

    @torch.no_grad()
    def __call__(self, batch: Batch, out: npt.NDArray) -> None:
        """Embed encoded rows into ``out``, of shape (n_rows, width), float32."""
        device = self.embedding.center.device
        for start in range(0, len(out), ROWS_ON_DEVICE):
            rows = slice(start, min(start + ROWS_ON_DEVICE, len(out)))
            lacking = start + ROWS_ON_DEVICE - rows.stop
            block = (_lengthened(part[rows].to(device), lacking) for part in batch)
            out[rows] = self.embedding(*block)[: rows.stop - start].cpu().numpy()


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
    n_rows, width = len(batch[0]), embed.embedding.width
    first = np.empty((n_rows, n_first), dtype=np.float32)
    mean, squares = np.zeros(width), np.zeros(width)
    held = np.empty((min(n_rows, embed.most_rows), width), dtype=np.float32)
    for start in range(0, n_rows, embed.most_rows):
        stop = min(start + embed.most_rows, n_rows)
        block = held[: stop - start]
        embed((batch[0][start:stop], batch[1][start:stop]), block)
        first[start:stop] = block[:, :n_first]
        mean_of_block = block.mean(axis=0, dtype=np.float64)
        shift = mean_of_block - mean
        squares += ((block - mean_of_block) ** 2).sum(axis=0)
        squares += shift**2 * (start * (stop - start) / stop)
        mean += shift * ((stop - start) / stop)
    return mean, np.sqrt(squares / n_rows), first


@cache
def keeps_rows_apart(n_in: int, n_out: int, n_threads: int) -> bool:
    """Whether a layer of this shape gives equal rows equal bits, in any place of any block."""
    generator = torch.Generator().manual_seed(0)
    row, weight, bias = (
        torch.randn(shape, generator=generator, dtype=torch.float32)
        for shape in ((n_in,), (n_out, n_in), (n_out,))
    )
    outputs = [_silu(torch.addmm(bias, row.repeat(n_rows, 1), weight.T)) for n_rows in BLOCKS]
    return all(bool((output == outputs[0][0]).all()) for output in outputs)


def _padded_shape(layer: nn.Linear) -> tuple[int, int]:
    n_in, n_out = (-(-n // LANES) * LANES for n in (layer.in_features, layer.out_features))
    return n_in, n_out


def _padded(weight: Tensor, bias: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    weight, bias = weight.detach().to(dtype), bias.detach().to(dtype)
    return _pad(_pad(weight).T).T, _pad(bias)


def _lengthened(x: Tensor, n_rows: int) -> Tensor:
    """So many rows of zeros more; ``pad`` refuses tables without columns before torch 2.5."""
    return torch.cat([x, x.new_zeros(n_rows, x.shape[1])]) if n_rows else x


def _pad(x: Tensor) -> Tensor:
    """Columns of zeros up to the next multiple of ``LANES``; not copied where there are none."""
    lacking = -x.shape[-1] % LANES
    return F.pad(x, (0, lacking)) if lacking else x


def _silu(x: Tensor) -> Tensor:
    """In place, each part by one thread, so that no edge of a part lies within lanes."""
    for part in x.split(max(SERIAL // x.shape[1], 1)):
        F.silu(part, inplace=True)
    return x


def _runs(bin_feature: list[int]) -> list[tuple[slice, slice, int]]:
    """Neighboring features with as many ramps each: features, their columns, ramps of one."""
    runs: list[tuple[slice, slice, int]] = []
    column = 0
    for feature, quantile_bins in groupby(bin_feature):
        size = len(list(quantile_bins))
        features, columns = slice(feature, feature + 1), slice(column, column + size)
        if runs and runs[-1][0].stop == feature and runs[-1][2] == size:
            before = runs.pop()
            features = slice(before[0].start, features.stop)
            columns = slice(before[1].start, columns.stop)
        runs.append((features, columns, size))
        column += size
    return runs
