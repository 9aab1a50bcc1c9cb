"""Fitted estimators as files that hold no code.

A file is a safetensors container: a JSON header, then numbers. The header's metadata holds the
version of the format, the estimator as plain JSON and a checksum of both. Loading builds one of
the estimators of this library, and nothing else, from plain values.
"""

import os
from pathlib import Path

from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator

from sklearn_ssl._contrastive_embedder import ContrastiveEmbedder
from sklearn_ssl._denoising_autoencoder import DenoisingAutoencoder
from sklearn_ssl._finetuning.classifier import FineTunedClassifier
from sklearn_ssl._finetuning.regressor import FineTunedRegressor
from sklearn_ssl._imputer import MaskedImputer
from sklearn_ssl._masked_feature_predictor import MaskedFeaturePredictor
from sklearn_ssl._model import RECORDS
from sklearn_ssl._outlier_detector import OutlierDetector
from sklearn_ssl._serialization.codec import DAMAGE, Store, decode, encode
from sklearn_ssl._serialization.container import read_file, write_file
from sklearn_ssl.model_selection import LabeledRowsOnly

ESTIMATORS: dict[str, type] = {
    estimator.__name__: estimator
    for estimator in (
        ContrastiveEmbedder,
        DenoisingAutoencoder,
        FineTunedClassifier,
        FineTunedRegressor,
        FrozenEstimator,
        MaskedFeaturePredictor,
        MaskedImputer,
        OutlierDetector,
    )
}

TRUSTED_TYPES = tuple(
    f"{estimator.__module__}.{estimator.__name__}"
    for estimator in (*ESTIMATORS.values(), LabeledRowsOnly)
    if estimator is not FrozenEstimator
)
"""Types to trust when skops loads a fitted :class:`~sklearn.pipeline.Pipeline`."""


def save(estimator: BaseEstimator, path: str | os.PathLike[str]) -> None:
    """Write an estimator to one file, or leave the file unchanged.

    The file is written under another name in the same folder and then renamed. A reader therefore
    sees the old file or the new one, and a crash leaves no incomplete file.

    Parameters
    ----------
    estimator : estimator of this library
        A fitted or unfitted estimator, or a :class:`~sklearn.frozen.FrozenEstimator` around one.
        The state of ``partial_fit`` is saved, too, so training can continue after ``load``.

    path : str or path-like
        Name of the file, by convention with the suffix ``.safetensors``.

    Raises
    ------
    ImportError
        If safetensors is not installed.

    TypeError
        If a path stands in place of the estimator.

    ValueError
        If the estimator is of another class or holds more than plain data, such as callbacks.

    See Also
    --------
    load : Read the file.

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
    name = type(estimator).__name__
    if isinstance(estimator, str | os.PathLike):
        raise TypeError(
            f"save takes the estimator first and then the path: save(estimator, path); got "
            f"{estimator!r} as the estimator."
        )
    if name not in ESTIMATORS:
        raise ValueError(
            f"save writes the estimators of sklearn_ssl, not a {name}. skops writes it into one "
            'file: skops.io.dump(estimator, "model.skops"), and reads it by '
            'skops.io.load("model.skops", trusted=sklearn_ssl.persistence.TRUSTED_TYPES).'
        )
    store = Store(records=RECORDS, estimators=ESTIMATORS)
    document = encode(estimator, store, name)
    write_file(Path(path), "estimator", document, store.arrays)


def load(path: str | os.PathLike[str]) -> BaseEstimator:
    """Read an estimator that ``save`` has written.

    Parameters
    ----------
    path : str or path-like
        Name of the file.

    Returns
    -------
    estimator : estimator
        The estimator with its parameters and state. With the same versions and on the same
        processor, its results are the same bit by bit.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    ImportError
        If safetensors is not installed.

    ValueError
        If the file is truncated or altered, has another version of the format, lacks tensors, or
        holds something else.

    See Also
    --------
    save : Write the file; with an example.
    """
    document, arrays = read_file(Path(path), "estimator")
    try:
        estimator = decode(document, Store(arrays, RECORDS, ESTIMATORS))
    except DAMAGE as error:
        raise ValueError(
            f"The file {str(path)!r} does not describe an estimator: {error}"
        ) from error
    if type(estimator).__name__ not in ESTIMATORS:
        raise ValueError(f"The file {str(path)!r} holds no estimator.")
    return estimator
