"""Linear heads on a fixed embedding: a convex problem, solved in double precision."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from torch import Tensor

from sklearn_ssl._pretext.losses import Losses

Doubles = npt.NDArray[np.float64]

Head = tuple[Tensor, Tensor]
"""Weights of shape (n_outputs, width), and intercepts of shape (n_outputs,)."""

PRIOR_VARIANCES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Inverse strengths of the penalty among which held-out rows choose."""

MAX_STEPS = 300
"""Most steps of the solver; most problems need far fewer."""


class LinearHead:
    """Minimize a weighted mean loss plus half a penalty times the squared norm of the weights.

    Parameters
    ----------
    embedding : Tensor of shape (n_rows, width), float64
        Features.

    target : Tensor of shape (n_rows,) or (n_rows, n_outputs)
        What ``losses`` compares outputs with.

    weight : Tensor of shape (n_rows,)
        Weights of the rows.

    losses : callable
        Loss of each row from outputs and targets.

    n_outputs : int
        Outputs of the head.
    """

    def __init__(
        self, embedding: Tensor, target: Tensor, weight: Tensor, losses: Losses, n_outputs: int
    ):
        self.basis = None
        if 2 * len(embedding) < embedding.shape[1]:
            # The best weights lie in the span of the rows, so few rows make a small problem.
            _, _, self.basis = torch.linalg.svd(embedding, full_matrices=False)
            embedding = embedding @ self.basis.T
        self.embedding = embedding
        self.target = target.double() if target.is_floating_point() else target
        self.weight = weight
        self.losses = losses
        self.n_outputs = n_outputs
        self.flat: Doubles = np.zeros(n_outputs * (embedding.shape[1] + 1))

    def fit(self, variance: float) -> Head:
        """Solve for the penalty ``1 / (variance * n_rows)``, starting at the last solution.

        Returns
        -------
        head : tuple of Tensor
            Weights of shape (n_outputs, width) and intercepts, which are not penalized.
        """
        # SciPy's solver, since that of torch imports torch's compiler, which takes longer.
        found = minimize(
            self._objective,
            self.flat,  # a warm start: the solution for one penalty is near that for the next
            args=(variance,),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": MAX_STEPS, "maxfun": 2 * MAX_STEPS, "gtol": 1e-7, "ftol": 1e-13},
        )
        self.flat = found.x
        weights, intercepts = self._unflatten(torch.from_numpy(found.x.copy()))
        return (weights if self.basis is None else weights @ self.basis), intercepts

    def _objective(self, flat: Doubles, variance: float) -> tuple[float, Doubles]:
        """Penalized mean loss of a head, and its gradient."""
        variables = torch.from_numpy(flat.copy()).requires_grad_()
        with torch.enable_grad():
            weights, intercepts = self._unflatten(variables)
            output = self.embedding @ weights.T + intercepts
            losses = self.losses(output, self.target)
            # In the basis the weights have the same norm, since its rows are orthonormal.
            squared_norm = weights.square().sum()
            penalty = squared_norm / (2 * variance * len(self.embedding))
            loss = (self.weight * losses).mean() + penalty
        (gradient,) = torch.autograd.grad(loss, variables)
        return loss.item(), gradient.numpy()

    def _unflatten(self, flat: Tensor) -> Head:
        """Weights and intercepts from the one vector that the solver knows."""
        width = self.embedding.shape[1]
        weights, intercepts = flat.split([self.n_outputs * width, self.n_outputs])
        return weights.reshape(self.n_outputs, width), intercepts


def choose_variance(
    embedding: Tensor,
    target: Tensor,
    weight: Tensor,
    losses: Losses,
    n_outputs: int,
    folds: Sequence[tuple[Tensor, Tensor]],
) -> float:
    """The prior variance whose heads have the lowest loss on held-out rows.

    It does not depend on the number of rows, so a choice on a part of them holds for all. The
    search ends when the loss begins to rise, because the remaining fits would be the slowest.
    """
    best, lowest = PRIOR_VARIANCES[len(PRIOR_VARIANCES) // 2], math.inf
    problems = [
        (LinearHead(embedding[kept], target[kept], weight[kept], losses, n_outputs), held_out)
        for kept, held_out in folds
    ]
    for variance in PRIOR_VARIANCES if problems else ():
        total = 0.0
        # All folds are solved for one penalty before the next, which may not be needed.
        for problem, rows in problems:
            weights, intercepts = problem.fit(variance)
            output = embedding[rows] @ weights.T + intercepts
            total += float((weight[rows] * losses(output, target[rows])).sum())
        # The comparison is also false for NaN.
        if not total < lowest:
            break
        best, lowest = variance, total
    return best
