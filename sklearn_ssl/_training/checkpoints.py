"""The state of a fit on disk after every epoch, from which an interrupted fit resumes."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from numbers import Integral
from pathlib import Path
from typing import Protocol, TypedDict, cast

import numpy as np
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor

from sklearn_ssl._serialization.codec import DAMAGE, Store, decode, encode
from sklearn_ssl._serialization.container import (
    checksum,
    read_file,
    require_safetensors,
    write_file,
)
from sklearn_ssl._training.callbacks import BestState
from sklearn_ssl._training.dataset import TableDataset
from sklearn_ssl._training.processes import OneProcess

NO_EFFECT = {"callbacks", "checkpoint_dir", "random_state", "verbose", "warm_start"}
"""Parameters that change no result, or whose effect is in the weights and draws at the start."""


class FitState(TypedDict):
    """What a fit needs to resume after an epoch.

    The weights, the optimizer and the best weights are those of the only process, or of the first;
    every process has a generator of its own.
    """

    weights: dict[str, Tensor]
    optimizer: dict[str, object]
    generators: list[Tensor]
    step: int
    best: BestState
    losses: list[dict[str, float]]


class KeepsCheckpoints(Protocol):
    """An estimator with the parameters that checkpoints depend on."""

    checkpoint_dir: str | os.PathLike[str] | None
    random_state: int | np.random.RandomState | None

    def get_params(self, deep: bool = True) -> dict[str, object]:
        """Return the parameters."""


class Checkpoints:
    """The file of one fit among those in a folder.

    Its name holds a fingerprint of everything that decides the result. A fit therefore never
    resumes from the state of another one, and the fits of a search can share a folder.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.

    kind : str
        First part of the name of the file.

    parameters : dict
        What decides the result, besides the tensors passed to ``open``.
    """

    def __init__(self, folder: Path, kind: str, parameters: dict[str, object]):
        require_safetensors()
        self.folder = folder
        self.kind = kind
        self.parameters = parameters

    def open(
        self, tensors: Iterable[Tensor], processes: OneProcess, **others: object
    ) -> dict[str, object] | None:
        """Choose the file by what the fit starts from; return the state that it holds, or None."""
        # The fingerprint covers the parameters, the rows and the first weights and draws.
        self.processes = processes
        store = Store()
        document = json.dumps(encode({**self.parameters, **others}, store, ""))
        digest = hashlib.sha256(checksum(document, store.arrays).encode())
        for tensor in tensors:
            array = tensor.detach().cpu().contiguous().numpy()
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            # The bytes are read in place: a table need not fit into memory twice.
            digest.update(array.reshape(-1).data)
        # All processes agree on one name, which depends on the rows of each.
        digests = "".join(processes.gather(digest.hexdigest()))
        name = f"{self.kind}-{hashlib.sha256(digests.encode()).hexdigest()[:32]}.safetensors"
        self.path = self.folder / name
        return processes.share(None if processes.rank else self._begin())

    def _begin(self) -> dict[str, object] | None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # A process that was killed while it wrote has left its temporary file.
        for leftover in self.folder.glob(f".{self.path.name}.*"):
            leftover.unlink(missing_ok=True)
        return self._read() if self.path.exists() else None

    def _read(self) -> dict[str, object]:
        try:
            document, arrays = read_file(self.path, "checkpoint")
            return cast(dict[str, object], decode(document, Store(arrays)))
        except DAMAGE as error:
            raise ValueError(
                f"The checkpoint {str(self.path)!r} cannot be read: {error} Delete it to start "
                "this fit again."
            ) from error

    def write(self, state: Mapping[str, object]) -> None:
        """Replace what the file holds."""
        # The first process writes for all.
        if self.processes.rank:
            return
        store = Store()
        document = encode(dict(state), store, "")
        write_file(self.path, "checkpoint", document, store.arrays)


class Checkpoint(Callback):
    """Resume from the last epoch of a fit, and write the state after each; precedes ``Stop``."""

    def __init__(self, checkpoints: Checkpoints):
        self.checkpoints = checkpoints

    def on_train_begin(self, net: NeuralNet, *, X: TableDataset, **kwargs: object) -> None:
        _, held_out = net.get_split_datasets(X)
        weights = net.module_.state_dict().values()
        tensors = [*weights, *X.tensors, net.run.generator.get_state()]
        if held_out is not None:
            tensors += held_out.tensors
        # A generator of one device has no meaning on another.
        state = self.checkpoints.open(tensors, net.run.processes, device=str(X.device))
        if state is not None:
            _restore(net, cast(FitState, state))

    def on_epoch_end(self, net: NeuralNet, **kwargs: object) -> None:
        callbacks = dict(net.callbacks_)
        state: FitState = {
            "weights": dict(net.module_.state_dict()),
            "optimizer": net.optimizer_.state_dict(),
            "generators": net.run.processes.gather(net.run.generator.get_state()),
            "step": callbacks["schedule"].step_,
            "best": callbacks["best"].state(),
            "losses": [
                {name: row[name] for name in ("train_loss", "valid_loss") if name in row}
                for row in net.history
            ],
        }
        self.checkpoints.write(state)


def _restore(net: NeuralNet, state: FitState) -> None:
    """Restore a net to the state that was written."""
    net.module_.load_state_dict(state["weights"])
    net.optimizer_.load_state_dict(state["optimizer"])
    net.run.generator.set_state(state["generators"][net.run.processes.rank])
    callbacks = dict(net.callbacks_)
    callbacks["schedule"].step_ = state["step"]
    callbacks["best"].restore(state["best"])
    # The history is filled as skorch would, so that the number of epochs made is its length.
    for number, losses in enumerate(state["losses"], start=1):
        net.history.new_epoch()
        net.history.record("epoch", number)
        for name, loss in losses.items():
            net.history.record(name, loss)


def checkpoints_of(estimator: KeepsCheckpoints) -> Checkpoints | None:
    """The checkpoints of an estimator, or None if it keeps none."""
    if estimator.checkpoint_dir is None:
        return None
    if not isinstance(estimator.random_state, Integral):
        raise ValueError(
            "checkpoint_dir needs an int as random_state, because a fit that draws other numbers "
            f"cannot be resumed. Got random_state={estimator.random_state!r}."
        )
    # A parameter that changes no result must not change the name of the file.
    parameters = {
        name: value
        for name, value in estimator.get_params(deep=False).items()
        if name not in NO_EFFECT
    }
    return Checkpoints(Path(estimator.checkpoint_dir), type(estimator).__name__, parameters)
