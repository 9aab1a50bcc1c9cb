"""Linear heads on a fixed embedding: a convex problem, solved in double precision."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Losses = Callable[[Tensor, Tensor], Tensor]
Head = tuple[Tensor, Tensor]

PRIOR_VARIANCES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Inverse strengths of the penalty among which held-out rows choose."""

MAX_STEPS = 300


def fit_head(
    embedding: Tensor,
    target: Tensor,
    weight: Tensor,
    losses: Losses,
    penalty: float,
    start: Head,
) -> Head:
    """Minimise the weighted mean loss plus half the penalty times the squared norm of the weights.

    Parameters
    ----------
    embedding : Tensor of shape (n_rows, width), float64
        Features.

    target : Tensor of shape (n_rows,) or (n_rows, n_outputs)
        What ``losses`` compares outputs with.

    weight : Tensor of shape (n_rows,)
        Of the rows.

    losses : callable
        Loss of each row from outputs and targets.

    penalty : float
        Strength of the penalty; the intercept is free.

    start : tuple of Tensor
        Weights of shape (n_outputs, width) and intercepts of shape (n_outputs,) to start from.

    Returns
    -------
    head : tuple of Tensor
        Weights and intercepts.
    """
    head = [part.clone().requires_grad_() for part in start]
    solver = torch.optim.LBFGS(
        head,
        max_iter=MAX_STEPS,
        max_eval=2 * MAX_STEPS,
        tolerance_grad=1e-7,
        tolerance_change=1e-10,
        line_search_fn="strong_wolfe",
    )

    def objective() -> Tensor:
        solver.zero_grad()
        loss = (weight * losses(embedding @ head[0].T + head[1], target)).mean()
        loss = loss + penalty / 2 * head[0].square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        solver.step(objective)
    return head[0].detach(), head[1].detach()


def fit_path(
    embedding: Tensor,
    target: Tensor,
    weight: Tensor,
    losses: Losses,
    n_outputs: int,
    variances: Sequence[float],
) -> list[Head]:
    """Heads for ascending prior variances ``1 / (n_rows * penalty)``, each started at the last."""
    n_rows, width = embedding.shape
    basis = None
    if 2 * n_rows < width:
        # The weights lie in the span of the rows: few rows make a small problem.
        _, _, basis = torch.linalg.svd(embedding, full_matrices=False)
        embedding = embedding @ basis.T
    factory: dict[str, Any] = {"dtype": embedding.dtype, "device": embedding.device}
    head = (
        torch.zeros(n_outputs, embedding.shape[1], **factory),
        torch.zeros(n_outputs, **factory),
    )
    path = []
    for variance in variances:
        head = fit_head(embedding, target, weight, losses, 1 / (variance * n_rows), head)
        path.append(head if basis is None else (head[0] @ basis, head[1]))
    return path


def choose_variance(
    embedding: Tensor,
    target: Tensor,
    weight: Tensor,
    losses: Losses,
    n_outputs: int,
    folds: Sequence[tuple[Tensor, Tensor]],
) -> float:
    """The prior variance whose heads have the lowest loss on held-out rows.

    It does not depend on the number of rows, so that what a part of them chose holds for all.
    """
    if not folds:
        return PRIOR_VARIANCES[len(PRIOR_VARIANCES) // 2]
    total = torch.zeros(len(PRIOR_VARIANCES), dtype=embedding.dtype)
    for kept, held_out in folds:
        path = fit_path(
            embedding[kept], target[kept], weight[kept], losses, n_outputs, PRIOR_VARIANCES
        )
        for number, (coefficients, intercepts) in enumerate(path):
            output = embedding[held_out] @ coefficients.T + intercepts
            total[number] += (weight[held_out] * losses(output, target[held_out])).sum().cpu()
    return PRIOR_VARIANCES[int(total.argmin())]
