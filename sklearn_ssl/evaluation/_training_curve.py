"""Figure of the loss against epochs over the training rows."""

from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from sklearn_ssl._compat import check_matplotlib_support
from sklearn_ssl.evaluation._style import COLORS, legend_name, make_axes, tidy, without_math
from sklearn_ssl.evaluation._types import Axes, Model, Transformer

if TYPE_CHECKING:
    import matplotlib.lines


class TrainingCurveDisplay:
    """Loss against epochs over the training rows.

    Make one with :meth:`from_estimator`. To compare estimators, draw the second display on the
    axes of the first; their losses must have the same units for that.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,)
        Mean training loss of each epoch.

    validation_curve : array-like of shape (n_epochs,) or None, default=None
        Loss on held-out rows after each epoch.

    name : str or None, default=None
        Name of the estimator in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the figure.

    figure_ : matplotlib Figure
        The figure.

    line_ : matplotlib Line2D
        Training loss.

    validation_line_ : matplotlib Line2D or None
        Loss on held-out rows.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ssl import DenoisingAutoencoder
    >>> from sklearn_ssl.evaluation import TrainingCurveDisplay
    >>> X, _ = load_iris(return_X_y=True)
    >>> autoencoder = DenoisingAutoencoder(
    ...     n_components=2, hidden_layer_sizes=(8,), max_iter=5, early_stopping=True, random_state=0
    ... ).fit(X)
    >>> display = TrainingCurveDisplay.from_estimator(autoencoder)
    >>> len(display.validation_line_.get_ydata())
    5
    """

    def __init__(
        self,
        loss_curve: npt.ArrayLike,
        *,
        validation_curve: npt.ArrayLike | None = None,
        name: str | None = None,
    ) -> None:
        self.loss_curve = loss_curve
        self.validation_curve = validation_curve
        self.name = name

    @classmethod
    def from_estimator(
        cls, estimator: Transformer | Model, *, name: str | None = None, ax: "Axes | None" = None
    ) -> Self:
        """Plot the training of a fitted estimator.

        Parameters
        ----------
        estimator : estimator with ``loss_curve_``
            Fitted. If it has ``validation_scores_``, these are the negative losses on held-out
            rows.

        name : str or None, default=None
            Name in the legend; None takes that of the class.

        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        display : TrainingCurveDisplay
            With the figure drawn.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.

        TypeError
            If it does not keep its losses.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        check_is_fitted(estimator)
        if not hasattr(estimator, "loss_curve_"):
            raise TypeError(
                f"estimator must have the attribute 'loss_curve_'; {type(estimator).__name__} has "
                "none."
            )
        scores = getattr(estimator, "validation_scores_", None)
        return cls.from_predictions(
            estimator.loss_curve_,
            validation_curve=None if scores is None else -np.asarray(scores),
            name=type(estimator).__name__ if name is None else name,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        loss_curve: npt.ArrayLike,
        *,
        validation_curve: npt.ArrayLike | None = None,
        name: str | None = None,
        ax: "Axes | None" = None,
    ) -> Self:
        """Plot losses that are there already.

        Parameters
        ----------
        loss_curve : array-like of shape (n_epochs,)
            Mean training loss of each epoch.

        validation_curve : array-like of shape (n_epochs,) or None, default=None
            Loss on held-out rows after each epoch.

        name : str or None, default=None
            Name in the legend.

        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        display : TrainingCurveDisplay
            With the figure drawn.
        """
        return cls(loss_curve, validation_curve=validation_curve, name=name).plot(ax=ax)

    def plot(self, ax: "Axes | None" = None) -> Self:
        """Draw the training loss and, if there is one, the loss on held-out rows.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        self : TrainingCurveDisplay
            With the figure drawn.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        self.ax_ = ax = make_axes(ax)
        self.figure_ = ax.figure
        # Each display has one solid line: the next one on the same axes gets another color.
        n_displays = sum(line.get_linestyle() == "-" for line in ax.lines)
        color = COLORS[n_displays % len(COLORS)]
        self.line_ = self._draw(self.loss_curve, "training rows", color=color)
        self.validation_line_ = None
        if self.validation_curve is not None:
            self.validation_line_ = self._draw(
                self.validation_curve, "held-out rows", color=color, linestyle="--"
            )
            self._mark_best(self.validation_curve, color)
        ax.set(xlabel="Epochs over the training rows", ylabel="Mean loss", title="Training")
        ax.locator_params(axis="x", integer=True)
        without_math(ax.legend(frameon=False, fontsize="small"))
        ax.grid(axis="y", alpha=0.3)
        tidy(ax)
        return self

    def _draw(
        self, curve: npt.ArrayLike, rows: str, *, color: str, linestyle: str = "-"
    ) -> "matplotlib.lines.Line2D":
        label = rows if self.name is None else legend_name(f"{self.name}, {rows}")
        losses = np.asarray(curve)
        epochs = np.arange(1, len(losses) + 1)
        # A single epoch would not show as a line.
        marker = "o" if len(losses) == 1 else None
        (line,) = self.ax_.plot(
            epochs, losses, label=label, marker=marker, color=color, linestyle=linestyle
        )
        return line

    def _mark_best(self, curve: npt.ArrayLike, color: str) -> None:
        losses = np.asarray(curve)
        best = int(np.nanargmin(losses))
        self.ax_.plot(
            [best + 1],
            [losses[best]],
            linestyle="none",
            marker="o",
            markerfacecolor="none",
            color=color,
            label=f"lowest, after epoch {best + 1}",
        )
