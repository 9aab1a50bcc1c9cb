"""The state of a fit on disk after every epoch, from which a fit that was cut off goes on."""

import hashlib
import json
from collections.abc import Iterable
from numbers import Integral
from pathlib import Path
from typing import Any

from skorch.callbacks import Callback
from torch import Tensor

from sklearn_ssl._serialization.codec import DAMAGE, Store, decode, encode
from sklearn_ssl._serialization.container import (
    checksum,
    read_file,
    require_safetensors,
    write_file,
)
from sklearn_ssl._training.processes import OneProcess

NO_EFFECT = {"callbacks", "checkpoint_dir", "random_state", "verbose", "warm_start"}
"""Parameters that change no result, or whose effect is in the weights and draws at the start."""


class Checkpoints:
    """The file of one fit among those in a folder.

    Its name holds a fingerprint of all that decides the result. So a fit never goes on from
    another one's state, and the fits of a search share a folder.

    Parameters
    ----------
    folder : Path
        Made where it is not there.

    kind : str
        First part of the file's name.

    parameters : dict
        What decides the result, beside the tensors given to ``open``.
    """

    def __init__(self, folder: Path, kind: str, parameters: dict[str, Any]):
        require_safetensors()
        self.folder = folder
        self.kind = kind
        self.parameters = parameters

    def open(self, tensors: Iterable[Tensor], processes: OneProcess, **others: Any) -> Any:
        """Choose the file by what the fit starts from; return the state that it holds, or None."""
        self.processes = processes
        store = Store()
        document = json.dumps(encode({**self.parameters, **others}, store, ""))
        digest = hashlib.sha256(checksum(document, store.arrays).encode())
        for tensor in tensors:
            array = tensor.detach().cpu().contiguous().numpy()
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(array.reshape(-1).data)  # without a copy
        digests = "".join(processes.gather(digest.hexdigest()))
        name = f"{self.kind}-{hashlib.sha256(digests.encode()).hexdigest()[:32]}.safetensors"
        self.path = self.folder / name
        return processes.share(None if processes.rank else self._begin())

    def _begin(self) -> Any:
        self.folder.mkdir(parents=True, exist_ok=True)
        for leftover in self.folder.glob(
            f".{self.path.name}.*"
        ):  # of a process killed while it wrote
            leftover.unlink(missing_ok=True)
        return self._read() if self.path.exists() else None

    def _read(self) -> Any:
        try:
            document, arrays = read_file(self.path, "checkpoint")
            return decode(document, Store(arrays))
        except DAMAGE as error:
            raise ValueError(
                f"The checkpoint {str(self.path)!r} cannot be read: {error} Delete it to start "
                "this fit anew."
            ) from error

    def write(self, state: dict[str, Any]) -> None:
        if self.processes.rank:
            return
        store = Store()
        document = encode(state, store, "")
        write_file(self.path, "checkpoint", document, store.arrays)


class Checkpoint(Callback):
    """Go on from the last epoch of a fit, and write its state after each; comes before ``Stop``."""

    def __init__(self, checkpoints: Checkpoints):
        self.checkpoints = checkpoints

    def on_train_begin(self, net, X=None, **kwargs):
        _, held_out = net.get_split_datasets(X)
        tensors = [*net.module_.state_dict().values(), *X.tensors, net.generator.get_state()]
        if held_out is not None:
            tensors += held_out.tensors
        state = self.checkpoints.open(tensors, net.processes, device=str(X.device))
        if state is not None:
            _restore(net, state)

    def on_epoch_end(self, net, **kwargs):
        callbacks = dict(net.callbacks_)
        self.checkpoints.write(
            {
                "weights": dict(net.module_.state_dict()),
                "optimizer": net.optimizer_.state_dict(),
                "generators": net.processes.gather(net.generator.get_state()),
                "step": callbacks["schedule"].step_,
                "best": callbacks["best"].state(),
                "losses": [
                    {name: row[name] for name in ("train_loss", "valid_loss") if name in row}
                    for row in net.history
                ],
            }
        )


def _restore(net: Any, state: dict[str, Any]) -> None:
    net.module_.load_state_dict(state["weights"])
    net.optimizer_.load_state_dict(state["optimizer"])
    net.generator.set_state(state["generators"][net.processes.rank])
    callbacks = dict(net.callbacks_)
    callbacks["schedule"].step_ = state["step"]
    callbacks["best"].restore(state["best"])
    for number, losses in enumerate(state["losses"], start=1):
        net.history.new_epoch()
        net.history.record("epoch", number)
        for name, loss in losses.items():
            net.history.record(name, loss)


def checkpoints_of(estimator: Any) -> Checkpoints | None:
    """Where ``estimator`` keeps the state of its fits, if it does."""
    if estimator.checkpoint_dir is None:
        return None
    if not isinstance(estimator.random_state, Integral):
        raise ValueError(
            "checkpoint_dir needs an int as random_state: a fit that draws other numbers the next "
            f"time cannot go on. Got random_state={estimator.random_state!r}."
        )
    parameters = {
        name: value
        for name, value in estimator.get_params(deep=False).items()
        if name not in NO_EFFECT
    }
    return Checkpoints(Path(estimator.checkpoint_dir), type(estimator).__name__, parameters)
