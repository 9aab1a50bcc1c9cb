"""What to state when reporting a problem."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import torch

from sklearn_ssl._version import __version__

PACKAGES = (
    "joblib",
    "numpy",
    "pandas",
    "scikit-learn",
    "scipy",
    "skorch",
    "tqdm",
    "matplotlib",
    "pyarrow",
    "safetensors",
)


def show_versions() -> None:
    """Print the versions and the devices that a report of a problem should state.

    ``python -m sklearn_ssl`` prints the same.

    Examples
    --------
    >>> from sklearn_ssl import show_versions
    >>> show_versions()  # doctest: +ELLIPSIS
    sklearn_ssl: ...
    """
    facts = {
        "sklearn_ssl": __version__,
        **{name: _version_of(name) for name in PACKAGES},
        "torch": str(torch.__version__),  # which names the build, too
        "python": f"{platform.python_version()}, {sys.executable}",
        "machine": platform.platform(),
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "mps": torch.backends.mps.is_available(),
    }
    for name, fact in facts.items():
        print(f"{name}: {fact}")


def _version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
