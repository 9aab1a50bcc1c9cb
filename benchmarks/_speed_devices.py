"""Whole fits, and embedding, on a GPU against the processor."""

from functools import partial

import torch
from _speed_timing import ESTIMATORS, numbers, show, take_turns


def devices(rows: list[int], n_columns: int, batch_size: int, repeats: int, threads: int) -> None:
    """Print the time of an epoch and of ``transform`` on both, and the memory of the GPU."""
    torch.set_num_threads(threads)
    table = []
    for n_rows in rows:
        X = numbers(n_rows, n_columns)
        for name, estimator in ESTIMATORS.items():
            models = {
                device: estimator(
                    max_iter=1, random_state=0, batch_size=batch_size or "auto", device=device
                )
                for device in ("cpu", "cuda")
            }
            fits = {device: partial(model.fit, X) for device, model in models.items()}
            torch.cuda.reset_peak_memory_stats()
            seconds = take_turns(fits, repeats, "wall")
            peak = torch.cuda.max_memory_allocated() / 2**20
            embed = {device: partial(model.transform, X) for device, model in models.items()}
            embedding = take_turns(embed, repeats, "wall")
            table.append(
                {
                    "estimator": name,
                    "rows": n_rows,
                    "s an epoch, CPU": seconds["cpu"],
                    "GPU": seconds["cuda"],
                    "GPU / CPU": seconds["cuda"] / seconds["cpu"],
                    "peak on the GPU, MB": peak,
                    "s to embed, CPU": embedding["cpu"],
                    "embed, GPU / CPU": embedding["cuda"] / embedding["cpu"],
                }
            )
    print(f"\n`fit` of one epoch and `transform`: {torch.cuda.get_device_name()} against", end=" ")
    print(
        f"{threads} thread(s), {n_columns} columns, batches of {batch_size or 'the default size'}\n"
    )
    show(table)
