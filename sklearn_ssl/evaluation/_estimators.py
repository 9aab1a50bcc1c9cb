"""Estimators to be judged: their names, their seeds, and the one door through which they learn."""

from collections.abc import Collection, Mapping
from typing import TypeVar

import numpy as np
from sklearn.base import clone, is_classifier, is_regressor

from sklearn_ssl._compat import safe_indexing
from sklearn_ssl._table.types import TableLike, is_sparse
from sklearn_ssl.evaluation._types import Estimator, Features, RowNumbers, Transformer

AnyEstimator = TypeVar("AnyEstimator", bound=Estimator)

LARGEST_SEED = 2**31 - 2


def check_estimators(
    estimators: AnyEstimator | Mapping[str, AnyEstimator],
) -> dict[str, AnyEstimator]:
    """Estimators by name, from one estimator or a mapping."""
    if not isinstance(estimators, Mapping):
        return {type(estimators).__name__: estimators}
    named = dict(estimators)
    if not named:
        raise ValueError("estimators must hold at least one estimator; got an empty dict.")
    for name, estimator in named.items():
        if not isinstance(name, str):
            raise TypeError(f"estimators must be named by strings; got the name {name!r}.")
        if not hasattr(estimator, "fit"):
            raise TypeError(
                f"Estimator {name!r} must implement 'fit'; got {estimator!r} "
                f"(type {type(estimator).__name__})."
            )
    return named


def check_transformer(name: str, estimator: Estimator) -> None:
    """Reject what cannot embed new rows, such as TSNE."""
    if not hasattr(estimator, "transform"):
        raise TypeError(
            f"Estimator {name!r} must implement 'fit' and 'transform' to embed rows that it has "
            f"not seen; got {estimator!r} (type {type(estimator).__name__})."
        )


def check_judged(named: Mapping[str, Estimator], semi_supervised: Collection[str]) -> None:
    """Check that each estimator embeds or predicts, and which ones are semi-supervised."""
    supervised = [name for name, estimator in named.items() if is_supervised(estimator)]
    for name, estimator in named.items():
        if name not in supervised:
            check_transformer(name, estimator)
    for name in semi_supervised:
        if name not in supervised:
            raise ValueError(
                "semi_supervised must name classifiers or regressors among the estimators, which "
                f"are {supervised}; got {name!r}."
            )


def check_names_are_free(
    named: Mapping[str, Estimator], taken: Collection[str], remedy: str
) -> None:
    """Refuse an estimator under the name of a baseline, which would replace one of the two."""
    for name in named:
        if name in taken:
            raise ValueError(
                f"estimators has an estimator named {name!r}, which is the name of a baseline. "
                f"Give it another name{remedy}."
            )


def is_supervised(estimator: Estimator) -> bool:
    """Whether an estimator predicts by itself, so that it needs labels and no probe."""
    return bool(is_classifier(estimator) or is_regressor(estimator))


def draw_seeds(rng: np.random.RandomState, size: int) -> list[int]:
    """Seeds of all tasks, drawn before the first one runs, in whatever order they will."""
    seeds: list[int] = rng.randint(LARGEST_SEED, size=size).tolist()
    return seeds


def seeded_clone(estimator: AnyEstimator, seed: int) -> AnyEstimator:
    """Clone an estimator and fill in every ``random_state`` that its user left at None."""
    copy: AnyEstimator = clone(estimator)
    rng = np.random.RandomState(seed)
    unset = {}
    parameters = copy.get_params(deep=True)
    # Sorted, since the order of the parameters decides which seed each of them gets.
    for name in sorted(parameters):
        last_name = name.rpartition("__")[2]
        if last_name == "random_state" and parameters[name] is None:
            unset[name] = int(rng.randint(LARGEST_SEED))
    # A FrozenEstimator has nothing to set, and returns nothing if it is asked to.
    return copy.set_params(**unset) if unset else copy


def pretrain(transformer: Transformer, X: TableLike, rows: RowNumbers, seed: int) -> Transformer:
    """Fit a clone of a transformer on some rows of a table.

    This is the one place where a transformer learns. It takes no target, so that no label can
    reach it, and it hands over no row but those asked for.
    """
    # None is said aloud, as a FrozenEstimator insists on a second argument.
    return seeded_clone(transformer, seed).fit(safe_indexing(X, rows), None)


def embed(pretrained: Transformer, X: TableLike, rows: RowNumbers) -> Features:
    """Embed some rows of a table with a fitted transformer."""
    return as_matrix(pretrained.transform(safe_indexing(X, rows)))


def as_matrix(Z: TableLike) -> Features:
    """Features as an array or a sparse matrix, whatever container a transformer returns."""
    if is_sparse(Z):
        return Z.tocsr()
    to_numpy = getattr(Z, "to_numpy", None)
    return np.asarray(Z if to_numpy is None else to_numpy())
