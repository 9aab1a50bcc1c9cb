"""Figure of an embedding in two dimensions."""

from numbers import Integral
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.utils import check_array, check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_ssl._compat import (
    HasMethods,
    Interval,
    StrOptions,
    check_matplotlib_support,
    num_samples,
    safe_indexing,
    validate_params,
)
from sklearn_ssl._table.types import TableLike
from sklearn_ssl.evaluation._estimators import draw_seeds
from sklearn_ssl.evaluation._progress import show
from sklearn_ssl.evaluation._raw import dense
from sklearn_ssl.evaluation._splits import draw_rows
from sklearn_ssl.evaluation._style import (
    COLORS,
    GRAY,
    legend_name,
    make_axes,
    styles,
    tidy,
    without_math,
)
from sklearn_ssl.evaluation._targets import read_target
from sklearn_ssl.evaluation._types import Axes, Floats, RandomState, Transformer

OPTIONS: dict[str, list[object]] = {
    "y": ["array-like", None],
    "method": [StrOptions({"pca", "umap"})],
    "max_samples": [Interval(Integral, 2, None, closed="left"), None],
    "name": [str, None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


class Plane(NamedTuple):
    """Points in two dimensions and what their axes are."""

    points: Floats
    axis_names: tuple[str, str]


class EmbeddingDisplay:
    """An embedding in two dimensions, one point per row.

    Make one with :meth:`from_estimator`, or with :meth:`from_predictions` from an embedding.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2)
        Coordinates of the rows.

    y : array-like of shape (n_samples,) or None, default=None
        Classes or quantities to color the points by. Rows without a label are gray: NaN, None and
        ``pd.NA`` mark them, and so does -1 among classes.

    axis_names : tuple of two str, default=("First dimension", "Second dimension")
        What the axes are.

    name : str or None, default=None
        Name of the embedding in the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the figure.

    figure_ : matplotlib Figure
        The figure.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_ssl.evaluation import EmbeddingDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> display = EmbeddingDisplay.from_estimator(StandardScaler().fit(X), X, y)
    >>> display.ax_.get_xlabel()
    'First principal component (73 % of the variance)'
    """

    def __init__(
        self,
        points: Floats,
        *,
        y: npt.ArrayLike | None = None,
        axis_names: tuple[str, str] = ("First dimension", "Second dimension"),
        name: str | None = None,
    ) -> None:
        self.points = points
        self.y = y
        self.axis_names = axis_names
        self.name = name

    @classmethod
    @validate_params(
        OPTIONS
        | {
            "estimator": [HasMethods(["transform"])],
            "X": ["array-like", "sparse matrix"],
        },
        prefer_skip_nested_validation=False,
    )
    def from_estimator(
        cls,
        estimator: Transformer,
        X: TableLike,
        y: npt.ArrayLike | None = None,
        *,
        method: str = "pca",
        max_samples: int | None = 2000,
        name: str | None = None,
        random_state: RandomState | None = None,
        verbose: bool = False,
        ax: "Axes | None" = None,
    ) -> Self:
        """Embed rows with a fitted transformer and plot them.

        Parameters
        ----------
        estimator : transformer
            Fitted; only ``transform`` is used.

        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,) or None, default=None
            Classes or quantities to color the points by. Rows without a label are gray.

        method : {"pca", "umap"}, default="pca"
            Projection to two dimensions. "umap" needs the package umap-learn.

        max_samples : int or None, default=2000
            Rows to draw from larger tables; None takes all.

        name : str or None, default=None
            Name in the title; None takes that of the class.

        random_state : int, RandomState instance or None, default=None
            Source of the rows drawn and of the projection.

        verbose : bool, default=False
            Whether to show what is done: a bar in a terminal or a notebook, lines elsewhere.

        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        display : EmbeddingDisplay
            With the figure drawn.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        check_is_fitted(estimator)
        rng = check_random_state(random_state)
        X, y = _draw_rows(X, y, max_samples, rng)
        (embedding,) = show(
            (estimator.transform(rows) for rows in [X]),
            [f"{num_samples(X):,} rows"],
            title="EmbeddingDisplay: embed",
            verbose=verbose,
        )
        return cls.from_predictions(
            embedding,
            y,
            method=method,
            max_samples=None,
            name=type(estimator).__name__ if name is None else name,
            random_state=rng,
            verbose=verbose,
            ax=ax,
        )

    @classmethod
    @validate_params(
        OPTIONS | {"embedding": ["array-like", "sparse matrix"]},
        prefer_skip_nested_validation=False,
    )
    def from_predictions(
        cls,
        embedding: TableLike,
        y: npt.ArrayLike | None = None,
        *,
        method: str = "pca",
        max_samples: int | None = 2000,
        name: str | None = None,
        random_state: RandomState | None = None,
        verbose: bool = False,
        ax: "Axes | None" = None,
    ) -> Self:
        """Plot an embedding that is there already.

        Parameters
        ----------
        embedding : array-like of shape (n_samples, n_features)
            With at least two features. Two are plotted as they are.

        y : array-like of shape (n_samples,) or None, default=None
            Classes or quantities to color the points by. Rows without a label are gray.

        method : {"pca", "umap"}, default="pca"
            Projection to two dimensions. "umap" needs the package umap-learn.

        max_samples : int or None, default=2000
            Rows to draw from larger embeddings; None takes all.

        name : str or None, default=None
            Name in the title.

        random_state : int, RandomState instance or None, default=None
            Source of the rows drawn and of the projection.

        verbose : bool, default=False
            Whether to show what is done: a bar in a terminal or a notebook, lines elsewhere.

        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        display : EmbeddingDisplay
            With the figure drawn.

        Raises
        ------
        ImportError
            If ``method="umap"`` and umap-learn is not installed.
        """
        rng = check_random_state(random_state)
        rows, y = _draw_rows(embedding, y, max_samples, rng)
        Z = check_array(dense(rows), dtype=np.float64, ensure_min_features=2)
        seed = int(draw_seeds(rng, 1)[0])
        (plane,) = show(
            (_project(rows, method, seed) for rows in [Z]),
            [f"{len(Z):,} rows"],
            title=f"EmbeddingDisplay: project by {method}",
            verbose=verbose,
        )
        return cls(plane.points, y=y, axis_names=plane.axis_names, name=name).plot(ax=ax)

    def plot(self, ax: "Axes | None" = None) -> Self:
        """Draw one point per row.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        self : EmbeddingDisplay
            With the figure drawn.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        self.ax_ = ax = make_axes(ax)
        self.figure_ = ax.figure
        if self.y is None:
            x, y = self.points.T
            ax.scatter(x, y, s=10, color=COLORS[0], alpha=0.6, linewidths=0)
        else:
            self._draw_with_target(self.y)
        xlabel, ylabel = self.axis_names
        rows = f"{len(self.points):,} rows"
        title = rows if self.name is None else f"{self.name}: {rows}"
        ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
        tidy(ax)
        return self

    def _draw_with_target(self, cells: npt.ArrayLike) -> None:
        target = read_target(cells)
        labeled = self.points[target.is_labeled]
        unlabeled = self.points[~target.is_labeled]
        if len(unlabeled):
            # Drawn first, as there are many of them.
            x, y = unlabeled.T
            self.ax_.scatter(x, y, s=8, color=GRAY, alpha=0.35, linewidths=0, label="no label")
        if not target.has_classes:
            x, y = labeled.T
            image = self.ax_.scatter(x, y, s=12, c=target.known, cmap="cividis")
            self.figure_.colorbar(image, ax=self.ax_, label="Target")
            return
        classes = np.unique(target.known)
        for value, (color, marker) in zip(classes, styles(len(classes)), strict=True):
            x, y = labeled[target.known == value].T
            self.ax_.scatter(
                x,
                y,
                s=16,
                color=color,
                marker=marker,
                alpha=0.7,
                linewidths=0,
                label=legend_name(str(value)),
            )
        # Beside the points, as they leave no corner free for sure.
        legend = self.ax_.legend(
            title="Class",
            frameon=False,
            fontsize="small",
            loc="center left",
            bbox_to_anchor=(1, 0.5),
            ncols=1 + len(classes) // 20,
        )
        without_math(legend)


def _draw_rows(
    X: TableLike, y: npt.ArrayLike | None, max_samples: int | None, rng: np.random.RandomState
) -> tuple[TableLike, npt.ArrayLike | None]:
    if y is not None:
        check_consistent_length(X, y)
    rows = draw_rows(num_samples(X), max_samples, rng)
    return safe_indexing(X, rows), None if y is None else safe_indexing(y, rows)


def _project(Z: Floats, method: str, seed: int) -> Plane:
    if Z.shape[1] == 2:
        return Plane(Z, ("First feature", "Second feature"))
    if method == "umap":
        return Plane(_points_of_umap(Z, seed), ("UMAP, first dimension", "UMAP, second dimension"))
    # The user may have asked for frames everywhere, and points are an array.
    pca = PCA(n_components=2, random_state=seed).set_output(transform="default")
    pca.fit(Z)
    first, second = pca.explained_variance_ratio_
    names = (_component_name("First", first), _component_name("Second", second))
    return Plane(pca.transform(Z), names)


def _component_name(which: str, share: float) -> str:
    return f"{which} principal component ({share * 100:.0f} % of the variance)"


def _points_of_umap(Z: Floats, seed: int) -> Floats:
    try:
        from umap import UMAP
    except ImportError as error:
        raise ImportError(
            'EmbeddingDisplay with method="umap" requires umap-learn. You can install it with '
            "`pip install umap-learn`, or use method='pca'."
        ) from error
    # With a seed, UMAP uses one thread anyway, and warns if it was not asked to.
    points: Floats = UMAP(random_state=seed, n_jobs=1).fit_transform(Z)
    return points
