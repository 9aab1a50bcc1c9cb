"""The only place that touches private or version-dependent names of other packages."""

import sys
import warnings
from pathlib import Path

from sklearn.base import _fit_context as fit_context
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_params
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _num_samples as num_samples
from sklearn.utils.validation import validate_data

__all__ = [
    "HasMethods",
    "Interval",
    "StrOptions",
    "check_matplotlib_support",
    "check_sample_weight",
    "fit_context",
    "num_samples",
    "safe_indexing",
    "validate_data",
    "validate_params",
    "warn_user",
]

OWN_FOLDER = str(Path(__file__).parent)


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the line of the user's that called into the package, however deep the call is.

    The argument ``skip_file_prefixes`` of :func:`warnings.warn` takes its place once Python 3.12
    is the oldest version supported (https://docs.python.org/3/library/warnings.html).
    """
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and _is_inside(frame.f_code.co_filename):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level - 1)


def _is_inside(filename: str) -> bool:
    """Whether a file is of this package, or of those that call it for the user."""
    return filename.startswith(OWN_FOLDER) or any(
        part in filename for part in ("/sklearn/", "/contextlib.py", "/joblib/")
    )
