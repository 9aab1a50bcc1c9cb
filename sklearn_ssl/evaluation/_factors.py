"""Tables whose factors of variation are known."""

from collections.abc import Callable
from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state

from sklearn_ssl._compat import Interval, validate_params
from sklearn_ssl.evaluation._types import Floats, RandomState, RowNumbers

NOBODY = -1
CATEGORIES = ("a", "b", "c", "d")
# All have about unit variance on factors of unit variance; the last two cannot be undone from
# one column alone.
CURVES: tuple[Callable[[Floats], Floats], ...] = (
    lambda x: x,
    lambda x: 1.3 * np.tanh(1.5 * x),
    lambda x: 1.4 * np.sin(2.5 * x),
    lambda x: 1.1 * (x**2 - 1),
)
COUNT = Interval(Integral, 0, None, closed="left")


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_factors": [Interval(Integral, 2, None, closed="left")],
        "n_values": [Interval(Integral, 2, None, closed="left"), None],
        "columns_per_factor": [Interval(Integral, 1, None, closed="left")],
        "n_categorical": [COUNT],
        "n_noise_columns": [COUNT],
        "entanglement": [Interval(Real, 0, 1, closed="both")],
        "nonlinear": ["boolean"],
        "noise": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_factors_table(
    n_samples: int = 1000,
    *,
    n_factors: int = 4,
    n_values: int | None = None,
    columns_per_factor: int = 5,
    n_categorical: int = 0,
    n_noise_columns: int = 0,
    entanglement: float = 0.0,
    nonlinear: bool = True,
    noise: float = 0.1,
    random_state: RandomState | None = None,
) -> Bunch:
    """Generate a table of columns that are caused by a few independent factors.

    Each column is a curve of one factor, or of a mix of all, plus noise. How well a representation
    finds the factors can then be measured, see :func:`dci` and :func:`mutual_information_gap`.

    Parameters
    ----------
    n_samples : int, default=1000
        Rows.

    n_factors : int, default=4
        Independent factors, of mean 0 and variance 1.

    n_values : int or None, default=None
        Values of a factor, evenly spaced and equally likely. None draws from a uniform
        distribution.

    columns_per_factor : int, default=5
        Columns that belong to each factor.

    n_categorical : int, default=0
        Columns, of those, that are cut into four categories of equal frequency. They are spread
        over the factors.

    n_noise_columns : int, default=0
        Columns of standard normal noise that no factor causes, at the end of the table.

    entanglement : float, default=0.0
        Share of other factors in a column, in [0, 1]. With 0 a column depends on its own factor
        alone, with 1 on a random mix of all.

    nonlinear : bool, default=True
        Whether columns are curves of their factors (straight, saturating, a wave or a parabola, in
        turn), some of which cannot be undone from one column alone.

    noise : float, default=0.1
        Standard deviation of the noise on each column; that of the signal is about 1.

    random_state : int, RandomState instance or None, default=None
        Source of factors, mixes and noise.

    Returns
    -------
    table : Bunch
        With

        - data : DataFrame of shape (n_samples, n_columns), the columns to be seen;
        - factors : DataFrame of shape (n_samples, n_factors), the factors to be found;
        - owner : ndarray of shape (n_columns,), the number of each column's factor, -1 for noise.

    Raises
    ------
    ValueError
        If more columns are to be categorical than belong to factors.

    Examples
    --------
    >>> from sklearn_ssl.evaluation import make_factors_table
    >>> table = make_factors_table(100, n_factors=2, columns_per_factor=3, random_state=0)
    >>> table.data.columns.tolist()
    ['x0', 'x1', 'x2', 'x3', 'x4', 'x5']
    >>> table.owner.tolist()
    [0, 0, 0, 1, 1, 1]
    """
    n_caused = n_factors * columns_per_factor
    if n_categorical > n_caused:
        raise ValueError(
            f"n_categorical must be at most n_factors * columns_per_factor = {n_caused}; got "
            f"{n_categorical}."
        )
    rng = check_random_state(random_state)
    factors = _draw_factors(n_samples, n_factors, n_values, rng)
    owner = np.repeat(np.arange(n_factors), columns_per_factor)
    signals = factors @ _mixing(owner, n_factors, entanglement, rng).T
    if nonlinear:
        for column in range(n_caused):
            # Every factor begins with the straight line, which shows it as it is.
            curve = CURVES[column % columns_per_factor % len(CURVES)]
            signals[:, column] = curve(signals[:, column])
    signals += noise * rng.normal(size=signals.shape)
    data = pd.DataFrame(signals).rename(columns="x{}".format)
    for column in np.linspace(0, n_caused - 1, n_categorical).round().astype(int):
        # By rank, so that equal values cannot leave a category empty.
        order = data[f"x{column}"].rank(method="first")
        data[f"x{column}"] = pd.qcut(order, len(CATEGORIES), labels=CATEGORIES)
    for column in range(n_noise_columns):
        data[f"noise{column}"] = rng.normal(size=n_samples)
    return Bunch(
        data=data,
        factors=pd.DataFrame(factors).rename(columns="factor{}".format),
        owner=np.r_[owner, np.full(n_noise_columns, NOBODY)],
    )


def _draw_factors(
    n_samples: int, n_factors: int, n_values: int | None, rng: np.random.RandomState
) -> Floats:
    if n_values is None:
        # Between these ends the variance is 1.
        return rng.uniform(-np.sqrt(3), np.sqrt(3), size=(n_samples, n_factors))
    values = np.arange(n_values) - (n_values - 1) / 2
    drawn = values[rng.randint(n_values, size=(n_samples, n_factors))]
    factors: Floats = drawn / values.std()
    return factors


def _mixing(
    owner: RowNumbers, n_factors: int, entanglement: float, rng: np.random.RandomState
) -> Floats:
    """Weights of the factors in each column, of length one so that signals have variance one."""
    own = np.eye(n_factors)[owner]
    others = rng.normal(size=own.shape)
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    weights = (1 - entanglement) * own + entanglement * others
    lengths: Floats = np.linalg.norm(weights, axis=1, keepdims=True)
    return weights / lengths
