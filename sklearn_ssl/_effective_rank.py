"""How many directions a set of rows makes use of."""

import numpy as np
from scipy.special import entr


def effective_rank_of_spectrum(singular_values: np.ndarray) -> float:
    """Effective rank (RankMe): the exponential of the entropy of singular values.

    DIFFERS FROM RANKME: no constant is added to the shares, as ``entr(0)`` is 0 without one.

    Parameters
    ----------
    singular_values : ndarray of shape (n_values,)
        Not negative.

    Returns
    -------
    rank : float
        Between 1 and the number of values; 0 if all are zero.
    """
    total = singular_values.sum()
    if not total > 0:
        return 0.0
    entropy = entr(singular_values / total).sum()
    return float(np.exp(entropy))
