"""An epoch of each estimator against a hand-written torch loop, and matrix products alone.

The bare loops are what one writes without a library: no skorch, callbacks, schedules as objects or
columns of other kinds than numbers. They start from the same weights and draw the same views, so
that their losses show whether they do the same mathematics.
"""

import copy
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from _speed_timing import ESTIMATORS, numbers, show, take_turns
from torch import Tensor

from sklearn_ssl._training.callbacks import SCHEDULES
from sklearn_ssl._training.dataset import TableDataset
from sklearn_ssl._training.loop import train
from sklearn_ssl._training.options import TrainingOptions
from sklearn_ssl._training.processes import OneProcess

SEED = 7


def epoch(
    rows: list[int],
    n_columns: int,
    batch_size: int,
    steps: int,
    repeats: int,
    threads: int,
    device: str,
) -> None:
    """Print the ratios for every estimator and number of rows."""
    torch.set_num_threads(threads)
    clock = "cpu" if threads == 1 and device == "cpu" else "wall"
    table = []
    for n_rows in rows:
        X = numbers(n_rows, n_columns)
        for name, estimator in ESTIMATORS.items():
            model = estimator(max_iter=1, random_state=0, batch_size=batch_size, device=device)
            table.append(compare(name, model, X, steps, repeats, clock))
    print(
        f"\nSeconds of an epoch and ratios of medians: {n_columns} columns, {batch_size=},", end=" "
    )
    print(f"{device}, {threads} thread(s), {repeats} rounds, {clock} clock\n")
    show(table)


def compare(name, estimator, X, steps, repeats, clock) -> dict[str, object]:
    batch_size, device = estimator.batch_size, estimator.device
    estimator.fit(X[:batch_size])
    numeric, codes = estimator.model_.encode(X)
    epochs = max(1, steps // -(-len(X) // batch_size))
    losses: dict[str, list[float]] = {}

    def ours():
        losses["ours"] = run_ours(estimator, (numeric, codes), epochs, batch_size)

    def network():
        return copy.deepcopy(estimator.model_.task).to(device)

    def bare():
        losses["bare"] = LOOPS[name](network(), numeric.to(device), epochs, batch_size)

    products = matrix_products(name, network(), batch_size, epochs * len(X) / batch_size)
    seconds = take_turns({"ours": ours, "bare": bare, "products": products}, repeats, clock)
    difference = np.abs(np.array(losses["ours"]) / np.array(losses["bare"]) - 1).max()
    return {
        "estimator": name,
        "rows": len(X),
        "epochs": epochs,
        "s per epoch": seconds["ours"] / epochs,
        "ours / bare loop": seconds["ours"] / seconds["bare"],
        "ours / products": seconds["ours"] / seconds["products"],
        "bare / products": seconds["bare"] / seconds["products"],
        "losses differ by": difference,
    }


def run_ours(
    estimator, table, epochs: int, batch_size: int, processes: OneProcess | None = None
) -> list[float]:
    options = TrainingOptions(
        max_iter=epochs,
        batch_size=batch_size,
        learning_rate="one_cycle",
        learning_rate_init=1e-3,
        weight_decay=1e-5,
        early_stopping=False,
        n_iter_no_change=10,
        tol=1e-4,
        device=estimator.device,
        verbose=False,
        processes=processes or OneProcess(),
    )
    pretext, dataset = copy.deepcopy(estimator.model_.task), TableDataset(*table)
    return train(pretext, dataset, None, options, SEED).loss_curve


def loop(
    pretext, X: Tensor, epochs: int, batch_size: int, loss_of: Callable[[Tensor], Tensor], generator
) -> list[float]:
    optimizer = torch.optim.AdamW(pretext.parameters(), lr=1e-3, weight_decay=1e-5, fused=True)
    n_batches = -(-len(X) // batch_size)
    factor, step, curve = SCHEDULES["one_cycle"], 0, []
    for _ in range(epochs):
        total = 0.0
        shuffled = torch.randperm(len(X), generator=generator, device=X.device)
        for rows in shuffled.tensor_split(n_batches):
            batch = X[rows]
            optimizer.param_groups[0]["lr"] = 1e-3 * factor(step / (epochs * n_batches))
            optimizer.zero_grad()
            loss = loss_of(batch)
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(batch)
            step += 1
        curve.append(float(total) / len(X))
    return curve


def draw_cells(batch: Tensor, rate: float, generator) -> Tensor:
    return torch.rand(batch.shape, generator=generator, device=batch.device) < rate


def swap_noise(batch: Tensor, mask: Tensor, generator) -> Tensor:
    n_rows, n_columns = batch.shape
    device = batch.device
    shift = torch.randint(1, n_rows, (n_columns,), generator=generator, device=device)
    donors = (torch.arange(n_rows, device=device)[:, None] + shift) % n_rows
    return torch.where(mask, batch.gather(0, donors), batch)


def encode(encoder, x: Tensor) -> Tensor:
    x = encoder.rows.dense(x)
    for norm, layer in zip(encoder.norms, encoder.deeper, strict=True):
        x = layer(F.silu(norm(x)))
    return x


def bare_denoise(pretext, X: Tensor, epochs: int, batch_size: int) -> list[float]:
    generator = torch.Generator(X.device).manual_seed(SEED)

    def loss_of(batch):
        mask = draw_cells(batch, 0.3, generator)
        hidden = encode(pretext.encoder, swap_noise(batch, mask, generator))
        *layers, output = pretext.decoder.layers
        for layer in layers:
            hidden = F.relu(layer(hidden))
        return F.mse_loss(output(hidden), batch)

    return loop(pretext, X, epochs, batch_size, loss_of, generator)


def bare_contrast(pretext, X: Tensor, epochs: int, batch_size: int) -> list[float]:
    generator = torch.Generator(X.device).manual_seed(SEED)

    def loss_of(batch):
        mask = draw_cells(batch, 0.6, generator)
        views = batch, swap_noise(batch, mask, generator)
        a, b = (
            F.normalize(pretext.projection(encode(pretext.encoder, view)), dim=1) for view in views
        )
        logits = a @ b.T / 0.2
        partner = torch.arange(len(a), device=a.device)
        return (F.cross_entropy(logits, partner) + F.cross_entropy(logits.T, partner)) / 2

    return loop(pretext, X, epochs, batch_size, loss_of, generator)


def bare_masked(pretext, X: Tensor, epochs: int, batch_size: int) -> list[float]:
    generator = torch.Generator(X.device).manual_seed(SEED)

    def loss_of(batch):
        mask = draw_cells(batch, 0.3, generator)
        marked = mask & draw_cells(batch, 0.5, generator)
        view = swap_noise(batch, mask & ~marked, generator).masked_fill(marked, 0.0)
        hidden = mask.float()
        embedding = encode(pretext.encoder, torch.cat([view, marked.float()], dim=1))
        found = F.binary_cross_entropy_with_logits(pretext.mask_head(embedding), hidden)
        values, absent = pretext.value_head(embedding).chunk(2, dim=1)
        # No cell of this table is missing.
        missing = F.binary_cross_entropy_with_logits(
            absent, torch.zeros_like(absent), reduction="none"
        )
        losses = (values - batch).square() + missing
        return found + 2.0 * (losses * hidden).sum() / hidden.sum().clamp_min(1)

    return loop(pretext, X, epochs, batch_size, loss_of, generator)


LOOPS = {
    "DenoisingAutoencoder": bare_denoise,
    "ContrastiveEmbedder": bare_contrast,
    "MaskedFeaturePredictor": bare_masked,
}


def matrix_products(name: str, pretext, batch_size: int, n_batches: float):
    """The products of the forward and the backward pass, each written into its place.

    A layer needs two of them going back, and the first one of the encoder, whose input has no
    gradient, only one.
    """
    first = pretext.encoder.rows.dense.weight
    weights = [p.detach() for p in pretext.parameters() if p.ndim == 2 and p.numel()]
    n_views = 2 if name == "ContrastiveEmbedder" else 1
    places = []
    for weight in weights:
        n_out, n_in = weight.shape
        x = torch.randn(batch_size, n_in, device=weight.device)
        y = torch.randn(batch_size, n_out, device=weight.device)
        places.append(
            (weight, x, y, weight.shape == first.shape and weight.data_ptr() == first.data_ptr())
        )
    outputs = [
        (torch.empty_like(y), torch.empty_like(w), torch.empty_like(x)) for w, x, y, _ in places
    ]
    projected = torch.randn(batch_size, 128, device=first.device)
    logits = torch.empty(batch_size, batch_size, device=first.device)

    def multiply():
        for _ in range(round(n_batches)):
            for _ in range(n_views):
                for (weight, x, y, is_first), (to_y, to_weight, to_x) in zip(
                    places, outputs, strict=True
                ):
                    torch.mm(x, weight.T, out=to_y)
                    torch.mm(y.T, x, out=to_weight)
                    if not is_first:
                        torch.mm(y, weight, out=to_x)
            if n_views == 2:
                torch.mm(projected, projected.T, out=logits)
                torch.mm(logits, projected)
                torch.mm(logits.T, projected)
        if first.is_cuda:
            torch.cuda.synchronize()

    return multiply
