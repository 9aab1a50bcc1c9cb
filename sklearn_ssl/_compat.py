"""The only place that touches private or version-dependent names of other packages.

Each has the version at which it goes. The functions that are typed here have no types at home.
"""

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from inspect import signature, unwrap
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sklearn.base import BaseEstimator
from sklearn.base import _fit_context as _untyped_fit_context
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils._param_validation import validate_params as _untyped_validate_params
from sklearn.utils._set_output import _wrap_data_with_container as wrap_output
from sklearn.utils.metaestimators import available_if as _untyped_available_if
from sklearn.utils.validation import _check_feature_names_in as check_feature_names_in
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _num_samples as num_samples
from sklearn.utils.validation import validate_data

try:
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback import with_callbacks as _untyped_with_callbacks
except ImportError:
    # This branch goes once scikit-learn 1.9, which has callbacks, is the oldest version supported.
    _untyped_with_callbacks = None

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing, since there are no callbacks to support."""


if TYPE_CHECKING:
    from sklearn.callback import CallbackContext
    from torch import nn
    from torch.nn.parallel import DistributedDataParallel
    from torch.optim import Optimizer

__all__ = [
    "CallbackSupportMixin",
    "FitTask",
    "HasMethods",
    "Interval",
    "StrOptions",
    "available_if",
    "check_feature_names_in",
    "check_matplotlib_support",
    "check_own_parameters",
    "check_sample_weight",
    "fit_context",
    "num_samples",
    "safe_indexing",
    "share_gradients",
    "validate_data",
    "validate_params",
    "warn_user",
    "with_callbacks",
    "without_compiler",
    "wrap_output",
]

Method = TypeVar("Method", bound=Callable[..., object])
AnyOptimizer = TypeVar("AnyOptimizer", bound="Optimizer")
Estimator = TypeVar("Estimator")

OWN_FOLDER = str(Path(__file__).parent)


# scikit-learn


def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[Method], Method]:
    """Check the parameters of an estimator before its ``fit``.

    It is the decorator of scikit-learn's own estimators, and goes once there is a public one
    (https://github.com/scikit-learn/scikit-learn/blob/1.6.X/sklearn/base.py).
    """
    decorate: Callable[[Method], Method] = _untyped_fit_context(
        prefer_skip_nested_validation=prefer_skip_nested_validation
    )
    return decorate


def available_if(check: Callable[[Estimator], bool]) -> Callable[[Method], Method]:
    """Let an estimator have a method only if ``check`` of it is true."""
    decorate: Callable[[Method], Method] = _untyped_available_if(check)
    return decorate


def validate_params(
    constraints: Mapping[str, Sequence[object]], *, prefer_skip_nested_validation: bool
) -> Callable[[Method], Method]:
    """Check the arguments of a function, in the terms of an estimator's parameters.

    It is the decorator of scikit-learn's own functions, and goes once there is a public one
    (https://github.com/scikit-learn/scikit-learn/blob/1.6.X/sklearn/utils/_param_validation.py).
    """
    decorate: Callable[[Method], Method] = _untyped_validate_params(
        constraints, prefer_skip_nested_validation=prefer_skip_nested_validation
    )
    return decorate


def check_own_parameters(estimator: BaseEstimator) -> None:
    """Check the parameters of an estimator, for methods that are not called ``fit``."""
    estimator._validate_params()


def with_callbacks(method: Method) -> Method:
    """Tear down the callbacks of a fit when the method ends, or fails, that began it."""
    if _untyped_with_callbacks is None:
        return method
    decorated: Method = _untyped_with_callbacks(method)
    return decorated


@dataclass(frozen=True)
class FitTask:
    """A part of a fit that scikit-learn's callbacks follow: all of it, a stage or an epoch.

    Callbacks came with scikit-learn 1.9. In an older version the context is None, and no method
    does anything; that case goes once 1.9 is the oldest version supported
    (https://scikit-learn.org/1.9/developers/callbacks.html).

    Attributes
    ----------
    estimator : BaseEstimator
        The estimator that is fitted.

    context : CallbackContext or None
        The place of this task in the tree of tasks.

    data : mapping of str to object
        ``X``, ``y`` and ``metadata`` of the rows that callbacks may score, or functions that
        return them and are called only if a callback asks.
    """

    estimator: BaseEstimator
    context: "CallbackContext | None"
    data: Mapping[str, object]

    @classmethod
    def begin(cls, estimator: BaseEstimator, n_parts: int, **data: object) -> "FitTask":
        """Announce that a fit of so many parts begins, within a method ``with_callbacks``."""
        context = None
        if hasattr(estimator, "_init_callback_context"):
            context = estimator._init_callback_context(max_subtasks=n_parts)
            context.call_on_fit_task_begin(estimator=estimator, **data)
        return cls(estimator, context, data)

    def part(self, name: str, n_parts: int = 0) -> "FitTask":
        """Announce that a part begins, which has so many parts itself."""
        if self.context is None:
            return self
        context = self.context.subcontext(task_name=name, max_subtasks=n_parts)
        context.call_on_fit_task_begin(estimator=self.estimator, **self.data)
        return replace(self, context=context)

    @contextmanager
    def part_of(self, estimator: BaseEstimator, name: str) -> Iterator[None]:
        """Announce a part that is the fit of another estimator, which the callbacks follow, too."""
        if self.context is None:
            yield
            return
        context = self.context.subcontext(task_name=name)
        with context.propagate_callback_context(estimator):
            context.call_on_fit_task_begin(estimator=self.estimator, **self.data)
            yield
            context.call_on_fit_task_end(estimator=self.estimator, **self.data)

    def end(self, fitted: Callable[[], Mapping[str, object]] | None = None) -> bool:
        """Announce the end; return whether a callback asks for no further tasks of this kind.

        Parameters
        ----------
        fitted : callable or None, default=None
            Returns the attributes that an estimator would have if the fit ended here. It is called
            only if a callback asks for that estimator.
        """
        if self.context is None:
            return False
        is_last: bool = self.context.call_on_fit_task_end(
            estimator=self.estimator, reconstruction_attributes=fitted, **self.data
        )
        return is_last


# torch


def without_compiler(optimizer: type[AnyOptimizer]) -> type[AnyOptimizer]:
    """Return an optimizer without the wrappers that import torch's compiler.

    The wrappers only matter if a step is compiled. At the first step they import ``torch._dynamo``,
    which takes as long as many small fits, in every process of a grid search. This goes once the
    oldest version of torch that is supported does without that import; 2.13 still has it
    (https://github.com/pytorch/pytorch/blob/v2.13.0/torch/_compile.py).
    """
    import torch

    names = ("add_param_group", "zero_grad", "state_dict", "load_state_dict", "step")
    plain = {name: unwrap(getattr(optimizer, name)) for name in names}
    # Unwrapping also took away what kept the step itself out of the graph of gradients.
    plain["step"] = torch.no_grad()(plain["step"])
    return type(optimizer.__name__, (optimizer,), plain)


def share_gradients(module: "nn.Module", *, has_unused: bool) -> "DistributedDataParallel":
    """Average the gradients of a module over processes; its buffers are constants.

    ``forward_sync_buffers`` is the only name once torch versions that say ``broadcast_buffers``
    are no longer supported
    (https://docs.pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html).
    """
    from torch.nn.parallel import DistributedDataParallel

    known = signature(DistributedDataParallel).parameters
    name = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
    parallel: Callable[..., DistributedDataParallel] = DistributedDataParallel
    return parallel(module, find_unused_parameters=has_unused, **{name: False})


# Python


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
