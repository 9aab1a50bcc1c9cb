"""Files that hold no code: put in place in one step, checked when they are read.

A file is a safetensors container: a JSON header, then numbers. The header's metadata holds the
version of the format, a document of plain JSON and a checksum of all that.
"""

import hashlib
import json
import os
import uuid
from pathlib import Path
from types import ModuleType

import numpy as np

from sklearn_ssl._serialization.codec import array_names
from sklearn_ssl._serialization.types import JSON, Arrays
from sklearn_ssl._version import __version__

FORMAT_VERSION = 2
"""Version 1 held networks whose ``transform`` returned all layers."""


def write_file(path: Path, kind: str, document: JSON, arrays: Arrays) -> None:
    """Write a file in one step: a reader sees the old one or the new one, a crash leaves no half.

    Parameters
    ----------
    path : Path
        Name of the file.

    kind : {"estimator", "checkpoint"}
        What the document describes.

    document : object
        What :func:`json.dumps` takes; it refers to arrays by their names.

    arrays : dict of str to ndarray
        The numbers.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.

    ImportError
        If safetensors is not installed.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(path.parent)!r} to write a file to.")
    text = json.dumps(document)
    metadata = {
        "format": "sklearn_ssl",
        "version": str(FORMAT_VERSION),
        "written_by": __version__,
        kind: text,
        "sha256": checksum(text, arrays),
    }
    content = require_safetensors().numpy.save(arrays, metadata)
    # In the same folder, since a rename to another file system is a copy and not one step.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            # Without this, a power cut could leave the new name on an empty file.
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_file(path: Path, kind: str) -> tuple[JSON, Arrays]:
    """Return the document and the arrays of a file whose parts are all there and unaltered.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    ImportError
        If safetensors is not installed.

    ValueError
        If the file is truncated, altered, of a newer version, lacks tensors or holds something
        else.
    """
    metadata, arrays = _read(path)
    if metadata.get("format") != "sklearn_ssl" or kind not in metadata:
        raise ValueError(
            f"The file {str(path)!r} was not written by sklearn_ssl, or holds no {kind}."
        )
    # The header comes from a file, which can hold anything under these names.
    version = metadata.get("version", "")
    if not version.isdecimal() or int(version) > FORMAT_VERSION:
        raise ValueError(
            f"The file {str(path)!r} has version {version!r} of the format, written by sklearn_ssl "
            f"{metadata.get('written_by')}; this is sklearn_ssl {__version__}, which reads up to "
            f"version {FORMAT_VERSION}. Upgrade sklearn_ssl."
        )
    if int(version) < FORMAT_VERSION:
        raise ValueError(
            f"The file {str(path)!r} has version {version} of the format, in which transform "
            f"returned other columns; this is sklearn_ssl {__version__}, which reads version "
            f"{FORMAT_VERSION}. Fit the estimator again and save it."
        )
    text = metadata[kind]
    try:
        document = json.loads(text)
        missing = sorted(array_names(document) - set(arrays))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"The header of the file {str(path)!r} was altered: {error}.") from error
    if missing:
        raise ValueError(f"The file {str(path)!r} lacks the tensors {missing}.")
    # The checksum comes last: whoever reads a message should first learn of a wrong version.
    if checksum(text, arrays) != metadata.get("sha256"):
        raise ValueError(
            f"The file {str(path)!r} was altered after it was written: its checksum does not fit."
        )
    return document, arrays


def require_safetensors() -> ModuleType:
    """Return the package, or raise with the name of the extra that brings it."""
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            "Files need the package safetensors. Install it with: pip install safetensors"
        ) from error
    return safetensors


def _read(path: Path) -> tuple[dict[str, str], Arrays]:
    """Metadata and arrays of a safetensors file."""
    safetensors = require_safetensors()
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


def checksum(document: str, arrays: Arrays) -> str:
    """SHA-256 of a document and the arrays that it refers to."""
    digest = hashlib.sha256(document.encode())
    # In the order of the names, since containers keep arrays in an order of their own.
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        header = json.dumps([name, array.dtype.str, array.shape])
        digest.update(header.encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
