"""One transformer trained by several processes, each with a part of the rows."""

from sklearn_ssl._base import BaseEmbedder, Embedder, pretrain
from sklearn_ssl._table.types import TableLike
from sklearn_ssl._training.options import resolve_device
from sklearn_ssl._training.process_group import started_processes


def fit(estimator: Embedder, X: TableLike) -> Embedder:
    """Fit a transformer on the rows of all processes that make this call.

    The processes are those of ``torchrun``. Each passes its own part of the table, and the fitted
    transformer is the same in all of them. Gradients are averaged by
    :class:`torch.nn.parallel.DistributedDataParallel`. The objectives of
    :class:`~sklearn_ssl.ContrastiveEmbedder` see the rows of all processes; their loss is that of
    one process with the same batch. This function is experimental.

    Parameters
    ----------
    estimator : DenoisingAutoencoder, ContrastiveEmbedder or MaskedFeaturePredictor
        A transformer with the same parameters in each process. ``batch_size`` counts the rows of
        all processes together. With ``checkpoint_dir``, the first process keeps the state of all.

    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        The rows of this process, in any order; each process should have about the same number. An
        epoch draws as many rows from each part as the smallest part has. The columns, their
        categories and the output scaling are learned from the rows of the first process.

    Returns
    -------
    estimator : object
        The fitted transformer.

    Raises
    ------
    RuntimeError
        If ``torchrun`` did not start this process, or if another process has ended.

    TypeError
        If the estimator is none of the three.

    ValueError
        If the table cannot be read, ``batch_size`` is less than two rows a process, or
        ``supervision_weight`` is not 0.

    Notes
    -----
    On GPUs, each process uses the one with its ``LOCAL_RANK``. If a process ends, the others end,
    too. Start all of them again; with ``checkpoint_dir``, the fit resumes.

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
    if estimator.supervision_weight:
        raise ValueError(
            "distributed.fit learns without labels, so supervision_weight must be 0; got "
            f"{estimator.supervision_weight!r}."
        )
    with started_processes(resolve_device(estimator.device)) as processes:
        return pretrain(estimator, X, processes=processes)
