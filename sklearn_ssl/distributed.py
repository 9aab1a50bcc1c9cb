"""One transformer trained by several processes, each with a part of the rows."""

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from sklearn_ssl._base import BaseEmbedder
from sklearn_ssl._training.checkpoints import checkpoints_of
from sklearn_ssl._training.options import resolve_device
from sklearn_ssl._training.process_group import ManyProcesses, OnAllRows, started_processes
from sklearn_ssl._training.safety import draw_seed, safe_fit


def fit(estimator: Any, X: Any) -> Any:
    """Fit a transformer on the rows of all processes that make this call.

    The processes are those of ``torchrun``. Each gives its own part of the table, and in each the
    fitted transformer is the same. Gradients are averaged by
    :class:`torch.nn.parallel.DistributedDataParallel`; the objectives of
    :class:`~sklearn_ssl.ContrastiveEmbedder` see the rows of all processes, so that their loss is
    that of one process with the same batch.

    Parameters
    ----------
    estimator : DenoisingAutoencoder, ContrastiveEmbedder or MaskedFeaturePredictor
        With the same parameters in each process. ``batch_size`` counts the rows of all processes
        together. With ``checkpoint_dir`` the first process keeps the state of all.

    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        The rows of this process; they should be about as many in each, in any order. An epoch takes
        as many from each as the smallest part has, drawn anew. The columns, their categories and
        the units of the embedding are learned from those of the first process.

    Returns
    -------
    estimator : object
        The fitted transformer.

    Raises
    ------
    RuntimeError
        Where ``torchrun`` did not start this process, or where another process has ended.

    TypeError
        Where the estimator is none of the three.

    ValueError
        Where the table cannot be read, ``batch_size`` is less than two rows a process, or
        ``supervision_weight`` is not 0.

    Notes
    -----
    On GPUs each process takes the one with its ``LOCAL_RANK``. A process that ends takes the
    others with it; start all of them again, and with ``checkpoint_dir`` the fit goes on.

    Examples
    --------
    With this in ``pretrain.py``, ``torchrun --nproc-per-node 2 pretrain.py`` runs it::

        import os
        import pandas as pd
        from sklearn_ssl import ContrastiveEmbedder, distributed
        from sklearn_ssl.persistence import save

        rank = int(os.environ["RANK"])
        embedder = ContrastiveEmbedder(random_state=0, checkpoint_dir="checkpoints")
        distributed.fit(embedder, pd.read_parquet(f"rows-{rank}.parquet"))
        if rank == 0:
            save(embedder, "embedder.safetensors")
    """
    if not isinstance(estimator, BaseEmbedder):
        raise TypeError(f"estimator must be one of sklearn_ssl's transformers; got {estimator!r}.")
    estimator._validate_params()
    if estimator.supervision_weight:
        raise ValueError(
            "distributed.fit learns without labels, so supervision_weight must be 0; got "
            f"{estimator.supervision_weight!r}."
        )
    with started_processes(resolve_device(estimator.device)) as processes, safe_fit(estimator):
        rng = check_random_state(estimator.random_state)
        _learn_table(estimator, X, rng, processes)
        table = estimator._encode(estimator._check_table(X, reset=False))
        if processes.rank:
            rng = np.random.RandomState(processes.rank + draw_seed(rng))
        result = _train(estimator, table, rng, processes)
        estimator.loss_curve_, estimator.n_iter_ = result.loss_curve, len(result.loss_curve)
        if not processes.rank:
            estimator._learn_scaling(table)
        estimator._forget_partial_fit()
        _share_attributes(estimator, processes)
    return estimator


def _learn_table(estimator: Any, X: Any, rng: Any, processes: ManyProcesses) -> None:
    """Learn the columns and draw the weights in the first process, for all of them."""
    continued = estimator.warm_start and hasattr(estimator, "module_")
    if not processes.rank:
        X = estimator._check_table(X, reset=not continued)
        estimator._begin(X, rng, continued=continued)
    _share_attributes(estimator, processes)


def _share_attributes(estimator: Any, processes: ManyProcesses) -> None:
    """Give every process what the first one has learned."""
    parameters = estimator.get_params(deep=False)
    learned = {name: value for name, value in vars(estimator).items() if name not in parameters}
    vars(estimator).update(processes.share(learned))


def _train(estimator: Any, table: Any, rng: Any, processes: ManyProcesses) -> Any:
    is_contrast = hasattr(estimator.module_, "objective")
    if is_contrast:
        estimator.module_.objective = OnAllRows(estimator.module_.objective)
    result = estimator._train(
        table,
        rng,
        estimator.max_iter,
        estimator.learning_rate,
        hold_out=estimator.early_stopping,
        checkpoints=checkpoints_of(estimator),
        processes=processes,
    )
    if is_contrast:
        estimator.module_.objective = estimator.module_.objective.objective
    return result
