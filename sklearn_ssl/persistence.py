"""Fitted estimators as files that hold no code.

A file is a safetensors container: a JSON header, then numbers. The header's metadata holds the
version of the format, the estimator as plain JSON and a checksum of all that. Loading builds one
of the estimators of this library, and nothing else, from plain values.
"""

import hashlib
import json
import os
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator

from sklearn_ssl._codec import Arrays, Store, array_names, decode, encode
from sklearn_ssl._contrastive_embedder import ContrastiveEmbedder
from sklearn_ssl._denoising_autoencoder import DenoisingAutoencoder
from sklearn_ssl._finetuned_classifier import FineTunedClassifier
from sklearn_ssl._finetuned_regressor import FineTunedRegressor
from sklearn_ssl._masked_feature_predictor import MaskedFeaturePredictor
from sklearn_ssl._version import __version__

FORMAT_VERSION = 1

ESTIMATORS: dict[str, type] = {
    estimator.__name__: estimator
    for estimator in (
        ContrastiveEmbedder,
        DenoisingAutoencoder,
        FineTunedClassifier,
        FineTunedRegressor,
        FrozenEstimator,
        MaskedFeaturePredictor,
    )
}

DAMAGE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What decoding raises where a document is none of ours."""

TRUSTED_TYPES = tuple(
    f"{estimator.__module__}.{estimator.__name__}"
    for name, estimator in ESTIMATORS.items()
    if estimator is not FrozenEstimator
)
"""Types to trust where a fitted :class:`~sklearn.pipeline.Pipeline` is loaded by skops."""


def save(estimator, path) -> None:
    """Write an estimator to one file, or leave what was there.

    The file is written under another name in the same folder and then renamed: a reader sees the
    old file or the new one, and a crash leaves no half of one.

    Parameters
    ----------
    estimator : estimator of this library
        Fitted or not; a :class:`~sklearn.frozen.FrozenEstimator` around one, too. The state of
        ``partial_fit`` is part of it, so that training can go on after ``load``.

    path : str or path-like
        Name of the file, ``.safetensors`` by custom.

    Raises
    ------
    ImportError
        Where safetensors is not installed.

    ValueError
        Where the estimator is of another class or holds more than plain data, such as callbacks;
        or where its parameters were changed after ``fit``.

    See Also
    --------
    load : The way back.

    Notes
    -----
    A fitted pipeline goes into one file by `skops <https://skops.readthedocs.io>`_::

        skops.io.dump(pipeline, "model.skops")
        skops.io.load("model.skops", trusted=sklearn_ssl.persistence.TRUSTED_TYPES)

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ssl import DenoisingAutoencoder
    >>> from sklearn_ssl.persistence import load, save
    >>> X, _ = load_iris(return_X_y=True)
    >>> transformer = DenoisingAutoencoder(hidden_layer_sizes=(8,), max_iter=1).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(transformer, Path(folder) / "iris.safetensors")
    ...     loaded = load(Path(folder) / "iris.safetensors")
    >>> bool((loaded.transform(X) == transformer.transform(X)).all())
    True
    """
    to_bytes = _safetensors().numpy.save
    store = Store(estimators=ESTIMATORS)
    document = json.dumps(encode(estimator, store, type(estimator).__name__))
    metadata = {
        "format": "sklearn_ssl",
        "version": str(FORMAT_VERSION),
        "written_by": __version__,
        "estimator": document,
        "sha256": _checksum(document, store.arrays),
    }
    _replace(Path(path), to_bytes(store.arrays, metadata))


def load(path) -> Any:
    """Read an estimator that ``save`` has written.

    Parameters
    ----------
    path : str or path-like
        Name of the file.

    Returns
    -------
    estimator : estimator
        With the parameters and the state that it was saved with; on the same versions and
        processor its results are the same bit by bit.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.

    ImportError
        Where safetensors is not installed.

    ValueError
        Where the file is truncated, altered, of a newer version, lacks tensors or holds something
        else.

    See Also
    --------
    save : The way there, with an example.
    """
    metadata, arrays = _read(Path(path))
    document = _check(metadata, arrays, path)
    try:
        estimator = decode(document, Store(arrays, ESTIMATORS))
    except DAMAGE as error:
        raise ValueError(
            f"The file {str(path)!r} does not describe an estimator: {error}"
        ) from error
    if type(estimator).__name__ not in ESTIMATORS:
        raise ValueError(f"The file {str(path)!r} holds no estimator.")
    return estimator


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            "Files need the package safetensors. Install it with: pip install 'sklearn-ssl[files]'"
        ) from error
    return safetensors


def _read(path: Path) -> tuple[dict[str, str], Arrays]:
    """Metadata and arrays of a safetensors file."""
    safetensors = _safetensors()
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise ValueError(
            f"The file {str(path)!r} is truncated, or no file of sklearn_ssl: {error}."
        ) from error


def _check(metadata: dict[str, str], arrays: Arrays, path: Any) -> Any:
    """Return the document of a file whose parts are all there and unaltered."""
    if metadata.get("format") != "sklearn_ssl":
        raise ValueError(f"The file {str(path)!r} was not written by sklearn_ssl.persistence.save.")
    version = metadata.get("version", "")
    if not version.isdecimal() or int(version) > FORMAT_VERSION:
        raise ValueError(
            f"The file {str(path)!r} has version {version!r} of the format, written by sklearn_ssl "
            f"{metadata.get('written_by')}; this is sklearn_ssl {__version__}, which reads up to "
            f"version {FORMAT_VERSION}. Upgrade sklearn_ssl."
        )
    text = metadata.get("estimator", "")
    try:
        document = json.loads(text)
        missing = sorted(array_names(document) - set(arrays))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"The header of the file {str(path)!r} was altered: {error}.") from error
    if missing:
        raise ValueError(f"The file {str(path)!r} lacks the tensors {missing}.")
    if _checksum(text, arrays) != metadata.get("sha256"):
        raise ValueError(
            f"The file {str(path)!r} was altered after it was written: its checksum does not fit."
        )
    return document


def _checksum(document: str, arrays: Arrays) -> str:
    digest = hashlib.sha256(document.encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _replace(path: Path, content: bytes) -> None:
    """Put a file in place in one step."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
