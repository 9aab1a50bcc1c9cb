"""A report on the geometry of one or several representations of the same rows."""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Self

import numpy as np
import pandas as pd
from scipy.linalg import svdvals
from sklearn.utils import check_array, check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_ssl._compat import (
    HasMethods,
    Interval,
    check_matplotlib_support,
    num_samples,
    safe_indexing,
    validate_params,
)
from sklearn_ssl._effective_rank import effective_rank_of_spectrum
from sklearn_ssl._table.types import TableLike
from sklearn_ssl.evaluation._estimators import check_estimators, check_transformer
from sklearn_ssl.evaluation._geometry import (
    alignment,
    linear_cka,
    nearest_rows,
    share_kept,
    uniformity,
)
from sklearn_ssl.evaluation._html import html_table
from sklearn_ssl.evaluation._progress import show
from sklearn_ssl.evaluation._raw import RAW, dense, raw_features
from sklearn_ssl.evaluation._report_plot import draw_report
from sklearn_ssl.evaluation._splits import draw_rows
from sklearn_ssl.evaluation._types import Floats, GridOfAxes, RandomState, Transformer, from_arrow
from sklearn_ssl.evaluation._views import swap_cells

EXPLANATION = (
    "effective_rank: directions in use, at most width; alignment: 0 is closest to",
    "disturbed copies; uniformity: lower is more even; neighbors_kept, cka_with_raw:",
    "1 is like the raw features.",
)
FEWEST_ROWS = 3
NEIGHBORHOODS = (1, 2, 5, 10, 20, 50, 100, 200)


class RepresentationReport:
    """Geometry of representations of the same rows: print it, or plot it.

    Make one with :meth:`from_estimator`, or with :meth:`from_predictions` from embeddings.

    Parameters
    ----------
    measures : DataFrame of shape (n_representations, n_measures)
        One row per representation, with columns

        - "width": number of features;
        - "effective_rank": directions in use, see :func:`effective_rank`;
        - "alignment": distance to an embedding of a disturbed copy of the row, 0 is best, see
          :func:`alignment`;
        - "uniformity": evenness on the sphere in nats, lower is more even, see
          :func:`uniformity`;
        - "neighbors_kept": share of the ten nearest neighbors in the raw features (or as many
          as there are) that stay, see :func:`neighborhood_preservation`;
        - "cka_with_raw": similarity to the raw features, see :func:`linear_cka`.

        What could not be measured is NaN.

    spectra : dict of str to ndarray
        Singular values of each representation, in decreasing order.

    similarity : DataFrame of shape (n_representations, n_representations)
        Linear CKA between them.

    neighbors : DataFrame of shape (n_sizes, n_representations)
        Share of neighbors kept, by size of the neighborhood.

    n_rows : int
        Rows measured.

    Attributes
    ----------
    axes_ : ndarray of 4 matplotlib Axes
        Spectra, alignment and uniformity, neighbors, similarity.

    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    compare_objectives : Fits several objectives and adds scores and times.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_ssl.evaluation import RepresentationReport
    >>> X, _ = load_iris(return_X_y=True)
    >>> report = RepresentationReport.from_estimator(PCA(n_components=2).fit(X), X, random_state=0)
    >>> report.measures["width"].to_dict()
    {'raw features': 4, 'PCA': 2}
    """

    def __init__(
        self,
        *,
        measures: pd.DataFrame,
        spectra: dict[str, Floats],
        similarity: pd.DataFrame,
        neighbors: pd.DataFrame,
        n_rows: int,
    ) -> None:
        self.measures = measures
        self.spectra = spectra
        self.similarity = similarity
        self.neighbors = neighbors
        self.n_rows = n_rows

    @classmethod
    @validate_params(
        {
            "estimators": [HasMethods(["transform"]), dict],
            "X": ["array-like", "sparse matrix"],
            "swap_rate": [Interval(Real, 0, 1, closed="both")],
            "max_samples": [Interval(Integral, FEWEST_ROWS, None, closed="left"), None],
            "random_state": ["random_state"],
            "verbose": ["verbose"],
        },
        prefer_skip_nested_validation=False,
    )
    def from_estimator(
        cls,
        estimators: Transformer | Mapping[str, Transformer],
        X: TableLike,
        *,
        swap_rate: float = 0.3,
        max_samples: int | None = 1000,
        random_state: RandomState | None = None,
        verbose: bool = False,
    ) -> Self:
        """Measure fitted transformers on rows, best on some that they were not fitted on.

        Parameters
        ----------
        estimators : transformer or dict of str to transformer
            Fitted; only ``transform`` is used.

        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows to measure on.

        swap_rate : float, default=0.3
            Share of cells that the disturbed copy of a row takes from other rows, in [0, 1]. The
            alignment is that of a row with its disturbed copy.

        max_samples : int or None, default=1000
            Rows to draw from larger tables; None takes all. Time and memory grow with its square.

        random_state : int, RandomState instance or None, default=None
            Source of the rows drawn and of the cells swapped.

        verbose : bool, default=False
            Whether to show what is done: a bar in a terminal or a notebook, lines elsewhere.

        Returns
        -------
        report : RepresentationReport
            With "raw features" as the first representation: numbers standardized, categories
            one-hot encoded.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If an estimator is not fitted.
        """
        named = check_estimators(estimators)
        for name, estimator in named.items():
            check_transformer(name, estimator)
            check_is_fitted(estimator)
        rng = check_random_state(random_state)
        X = from_arrow(X)
        X = dense(safe_indexing(X, draw_rows(num_samples(X), max_samples, rng)))
        # All representations see the same disturbed copy, because their alignments are compared.
        view = swap_cells(X, swap_rate, rng)
        named = {RAW: raw_features(X).fit(X), **named}
        embedded = show(
            ((each.transform(X), each.transform(view)) for each in named.values()),
            list(named),
            title="RepresentationReport: embed",
            verbose=verbose,
        )
        embeddings, views = {}, {}
        for name, (own, disturbed) in zip(named, embedded, strict=True):
            embeddings[name] = own
            views[name] = disturbed
        return cls.from_predictions(embeddings, views=views)

    @classmethod
    @validate_params(
        {"embeddings": [dict], "views": [dict, None]}, prefer_skip_nested_validation=False
    )
    def from_predictions(
        cls,
        embeddings: Mapping[str, TableLike],
        *,
        views: Mapping[str, TableLike] | None = None,
    ) -> Self:
        """Measure embeddings that are there already, for instance the layers of a network.

        Parameters
        ----------
        embeddings : dict of str to array-like of shape (n_samples, n_features)
            Representations of the same rows. One that is named "raw features" is the reference
            for neighbors; without it these are those of the first one.

        views : dict of str to array-like of shape (n_samples, n_features), default=None
            Embeddings of disturbed copies of the rows, for the alignment.

        Returns
        -------
        report : RepresentationReport
            The measures.
        """
        if not embeddings:
            raise ValueError("embeddings must hold at least one embedding; got an empty dict.")
        rows = {
            name: check_array(dense(Z), dtype=np.float64, ensure_min_samples=FEWEST_ROWS)
            for name, Z in embeddings.items()
        }
        check_consistent_length(*rows.values())
        reference = RAW if RAW in rows else next(iter(rows))
        neighbors = _neighbors(rows, reference)
        similarity = _similarities(rows)
        spectra = {name: svdvals(Z) for name, Z in rows.items()}
        measures = _measures(rows, views or {}, spectra)
        # Few rows may not have ten neighbors: the largest neighborhood of at most ten counts.
        measures["neighbors_kept"] = neighbors.loc[:10].iloc[-1]
        measures["cka_with_raw"] = similarity[RAW] if RAW in rows else np.nan
        return cls(
            measures=measures,
            spectra=spectra,
            similarity=similarity,
            neighbors=neighbors,
            n_rows=len(rows[reference]),
        )

    def __str__(self) -> str:
        return "\n".join(
            [
                f"Geometry of {len(self.measures)} representations on {self.n_rows} rows",
                "",
                self.measures.round(2).to_string(na_rep="-"),
                "",
                *EXPLANATION,
            ]
        )

    def __repr__(self) -> str:
        names = ", ".join(map(str, self.measures.index))
        return f"<RepresentationReport: {names}; {self.n_rows:,} rows>"

    def _repr_html_(self) -> str:
        title = f"Geometry of {len(self.measures)} representations on {self.n_rows:,} rows"
        return html_table(self.measures, title, [" ".join(EXPLANATION)])

    def plot(self, ax: "GridOfAxes | None" = None) -> Self:
        """Draw spectra, alignment and uniformity, neighbors kept, and similarities.

        Parameters
        ----------
        ax : array-like of 4 matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        self : RepresentationReport
            With the figure drawn.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        self.axes_ = draw_report(self, ax)
        self.figure_ = self.axes_[0].figure
        return self


def _measures(
    rows: dict[str, Floats], views: Mapping[str, TableLike], spectra: dict[str, Floats]
) -> pd.DataFrame:
    measures = {}
    for name, Z in rows.items():
        distance = np.nan
        if name in views:
            distance = alignment(Z, np.asarray(dense(views[name])))
        measures[name] = {
            "width": Z.shape[1],
            "effective_rank": effective_rank_of_spectrum(spectra[name]),
            "alignment": distance,
            "uniformity": uniformity(Z),
        }
    return pd.DataFrame.from_dict(measures, orient="index").astype({"width": int})


def _neighbors(rows: dict[str, Floats], reference: str) -> pd.DataFrame:
    # Beyond half of the rows most neighbors are kept by chance.
    n_rows = len(rows[reference])
    sizes = [k for k in NEIGHBORHOODS if k == 1 or 2 * k <= n_rows]
    # The largest neighborhood holds the others, so that distances are measured once.
    nearest = {name: nearest_rows(Z, sizes[-1]) for name, Z in rows.items()}
    before = nearest[reference]
    kept = {}
    for name, after in nearest.items():
        kept[name] = [share_kept(before[:, :k], after[:, :k]) for k in sizes]
    return pd.DataFrame(kept, index=pd.Index(sizes, name="n_neighbors"))


def _similarities(rows: dict[str, Floats]) -> pd.DataFrame:
    similarities = []
    for Z in rows.values():
        similarities.append([linear_cka(Z, other) for other in rows.values()])
    return pd.DataFrame(similarities, index=list(rows), columns=list(rows))
