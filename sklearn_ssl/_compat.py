"""The only place that touches private or version-dependent names of scikit-learn."""

from sklearn.base import _fit_context as fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _num_samples as num_samples
from sklearn.utils.validation import validate_data

__all__ = ["Interval", "StrOptions", "fit_context", "num_samples", "validate_data"]
