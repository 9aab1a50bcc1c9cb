"""Denoising autoencoder: learn features by rebuilding rows from corrupted ones."""

from collections.abc import Sequence
from numbers import Real

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sklearn_ssl._base import BaseEmbedder, check_embedding
from sklearn_ssl._compat import Interval, StrOptions
from sklearn_ssl._network.custom import EncoderFactory
from sklearn_ssl._parameters import Folder, RandomState
from sklearn_ssl._pretext.blueprints import Denoising
from sklearn_ssl._table.encoder import TableEncoder
from sklearn_ssl._table.types import Table, TableLike
from sklearn_ssl._training.options import Callbacks, resolve_device


class DenoisingAutoencoder(BaseEmbedder):
    """Learn row embeddings by rebuilding rows from corrupted copies of them.

    An encoder and a decoder are trained to predict the clean row from a corrupted one: squared
    error for numbers, cross-entropy for zeros and ones and for categories. To undo the corruption
    of a cell the network has to know how the columns depend on each other [1]_.

    Parameters
    ----------
    n_components : int, default=128
        Columns that ``transform`` returns with ``output="components"``.

    bottleneck_size : int, default=64
        Width of the encoder's last layer, on which the pretext task is solved.

    hidden_layer_sizes : array-like of int, default=(256, 256, 256)
        Widths of the encoder's hidden layers.

    noise : {"swap", "gaussian", "masking", "mix"}, default="swap"
        Corruption. "swap" replaces cells by those of other rows of the same column; "gaussian"
        adds normal noise to numbers and leaves categories alone; "masking" sets numbers to their
        mean and categories to missing; "mix" picks one of the three for each cell.

    noise_level : float or array-like of shape (n_features,), default=0.3
        Share of cells to corrupt, in [0, 1], one for all columns or one each; for "gaussian" the
        standard deviation of the noise, in those of the column. With 0 the estimator is a plain
        autoencoder.

    emphasis : float, default=1.0
        Weight of a corrupted cell in the loss; that of any other cell is 1. A cell that is as it
        was can be read off the input, a corrupted one only off the others, so that more emphasis
        asks more for rules between columns, and less for the row as it is.

    tied_weights : bool, default=False
        Whether the decoder uses the transposes of the encoder's weights.

    output : {"components", "layers", "bottleneck"}, default="components"
        What ``transform`` returns. "components" are ``n_components`` combinations of all layers,
        learned on the training rows without labels: their principal directions, rotated so that
        all columns have about the same variance. "layers" are the layers themselves, the
        bottleneck first and then the hidden layers from the input upwards, about a thousand
        columns. "bottleneck" is the last layer alone.

    passthrough : bool, default=True
        Whether the encoded row counts as a layer: standardized numbers, missingness, one-hot
        categories, and the numbers cut into ``n_bins`` bins. A model on top of the transformer
        then sees the row itself, too.

    n_bins : int, default=16
        Quantile bins of a number in the passthrough. Within each, a column rises from 0 to 1, so
        that a linear model can bend the number's effect [2]_. Bins that only a few rows reach are
        dropped. With 1 there are none; tables of more than 128 numeric columns get fewer, 2048 in
        all.

    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Columns that hold categories: those whose dtype is categorical, string or an object
        column of strings; none; or their names, indices or a boolean mask.

    max_categories : int or None, default=256
        Most categories of a column that get a code of their own. The rarer ones share the code
        that unseen categories get. None gives all of them one; memory, and the time of a step,
        then grow with their number.

    min_frequency : int, default=1
        Categories that occur in fewer rows share the code that unseen categories get.

    encoder : callable or None, default=None
        A network of your own in place of the multi-layer perceptron: called with the features,
        ``hidden_layer_sizes`` and ``bottleneck_size``, it returns a ``torch.nn.Module`` with a
        method ``layers(numeric, codes)``, which returns tensors of shape (n_rows, width), the
        bottleneck first. Estimators with an encoder are pickled, not written by ``save``.

    supervision_weight : float, default=0.0
        Weight of a supervised loss beside that of the pretext task. With 0, ``y`` is ignored.
        Otherwise ``fit(X, y)`` also trains an auxiliary linear head, discarded afterwards, to
        predict the targets of the labeled rows from the bottleneck: classes, -1 for unlabeled
        rows, or numbers with fractions, NaN for unlabeled rows. Features that have seen labels
        must be evaluated on other rows: cross-validate them within a pipeline.

    batch_size : int or "auto", default="auto"
        Rows per step. "auto" is a 32nd of the rows, between 32 and 256.

    learning_rate : {"one_cycle", "cosine", "constant"}, default="one_cycle"
        Schedule of the learning rate over ``max_iter`` epochs.

    learning_rate_init : float, default=1e-3
        Highest learning rate of the schedule.

    weight_decay : float, default=1e-5
        Decoupled weight decay of AdamW.

    max_iter : int, default=25
        Epochs over the training rows.

    early_stopping : bool, default=False
        Whether to hold rows out, stop if their loss does not fall, and keep the best weights.

    validation_fraction : float, default=0.1
        Share of rows that early stopping holds out.

    n_iter_no_change : int, default=10
        Epochs without an improvement after which early stopping stops.

    tol : float, default=1e-4
        Smallest improvement of the loss that counts.

    warm_start : bool, default=False
        Whether ``fit`` continues from the weights and the columns of the previous call. The
        network must then be the same.

    callbacks : list of skorch.callbacks.Callback or None, default=None
        Called by the training loop, for instance to log.

    checkpoint_dir : str, path-like or None, default=None
        Folder in which ``fit`` and ``fit_stream`` keep their state after each epoch, in a file of
        their own for every table and set of parameters. The same call with the same
        ``random_state``, an int, then continues a fit that was interrupted, to the same bits. A
        fit that had finished is read, not repeated. Needs the extra ``files``.

    device : {"auto", "cpu", "cuda", "mps"}, default="auto"
        Where the network is trained and applied; "auto" takes the first of CUDA, MPS, CPU.

    random_state : int, RandomState instance or None, default=None
        Source of weights, corruptions and shuffling. With an int the results on a CPU are the
        same bit by bit. Global random state is read and changed only with None.

    verbose : bool, default=False
        Whether to report progress: a bar in terminals and notebooks, lines in a log.

    Attributes
    ----------
    model_ : TableModel
        The fitted network and the table that it reads; ``model_.task`` is the trained pretext
        task, a :class:`torch.nn.Module` with an ``encoder``.

    n_iter_ : int
        Epochs made.

    loss_curve_ : list of float
        Mean training loss of each epoch.

    validation_scores_ : list of float
        Negative loss on the held-out rows after each epoch. Only with ``early_stopping=True``.

    effective_rank_ : float
        Directions that the bottleneck uses on training rows, from 1 to ``bottleneck_size``
        (RankMe, Garrido et al., ICML 2023). Near 1 the embedding has collapsed, and a warning says
        so.

    n_features_in_ : int
        Number of columns seen while fitting.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns; only if all are strings.

    See Also
    --------
    ContrastiveEmbedder : Compares rows instead of rebuilding them; has no way back to the table.
    MaskedFeaturePredictor : Also predicts which cells were hidden, and imputes missing ones.

    References
    ----------
    .. [1] P. Vincent et al., "Stacked denoising autoencoders: Learning useful representations in
       a deep network with a local denoising criterion", JMLR 11 (2010).

    .. [2] Y. Gorishniy, I. Rubachev, A. Babenko, "On embeddings for numerical features in tabular
       deep learning", NeurIPS (2022).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ssl import DenoisingAutoencoder
    >>> X, _ = load_iris(return_X_y=True)
    >>> autoencoder = DenoisingAutoencoder(
    ...     n_components=2, random_state=0
    ... )
    >>> Z = autoencoder.fit_transform(X)
    >>> Z.shape
    (150, 2)
    >>> autoencoder.inverse_transform(Z).shape
    (150, 4)
    """

    _parameter_constraints = {
        **BaseEmbedder._parameter_constraints,
        "noise": [StrOptions({"swap", "gaussian", "masking", "mix"})],
        "noise_level": [Interval(Real, 0, None, closed="left"), "array-like"],
        "emphasis": [Interval(Real, 0, None, closed="neither")],
        "tied_weights": ["boolean"],
    }

    def __init__(
        self,
        n_components: int = 128,
        *,
        bottleneck_size: int = 64,
        hidden_layer_sizes: Sequence[int] = (256, 256, 256),
        noise: str = "swap",
        noise_level: npt.ArrayLike = 0.3,
        emphasis: float = 1.0,
        tied_weights: bool = False,
        output: str = "components",
        passthrough: bool = True,
        n_bins: int = 16,
        categorical_features: npt.ArrayLike | None = "from_dtype",
        max_categories: int | None = 256,
        min_frequency: int = 1,
        encoder: EncoderFactory | None = None,
        supervision_weight: float = 0.0,
        batch_size: int | str = "auto",
        learning_rate: str = "one_cycle",
        learning_rate_init: float = 1e-3,
        weight_decay: float = 1e-5,
        max_iter: int = 25,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        callbacks: Callbacks | None = None,
        checkpoint_dir: Folder | None = None,
        device: str = "auto",
        random_state: RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.n_components = n_components
        self.bottleneck_size = bottleneck_size
        self.hidden_layer_sizes = hidden_layer_sizes
        self.noise = noise
        self.noise_level = noise_level
        self.emphasis = emphasis
        self.tied_weights = tied_weights
        self.output = output
        self.passthrough = passthrough
        self.n_bins = n_bins
        self.categorical_features = categorical_features
        self.max_categories = max_categories
        self.min_frequency = min_frequency
        self.encoder = encoder
        self.supervision_weight = supervision_weight
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.weight_decay = weight_decay
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _blueprint(self, table_encoder: TableEncoder) -> Denoising:
        return Denoising(
            hidden_layer_sizes=tuple(map(int, self.hidden_layer_sizes)),
            bottleneck_size=self.bottleneck_size,
            encoder=self.encoder,
            noise=self.noise,
            noise_level=self._noise_levels(table_encoder.order_),
            emphasis=self.emphasis,
            tied_weights=self.tied_weights,
        )

    def _noise_levels(self, order: npt.NDArray[np.intp]) -> tuple[float, ...]:
        """Noise level of each feature of the schema, checked."""
        n_features = self.n_features_in_
        levels = np.asarray(self.noise_level, dtype=np.float64)
        if levels.shape not in {(), (n_features,)}:
            raise ValueError(
                f"noise_level must be a number or have shape (n_features,) = ({n_features},); got "
                f"an array of shape {levels.shape}."
            )
        # With Gaussian noise a level is a standard deviation; otherwise it is a share of cells.
        highest = np.inf if self.noise == "gaussian" else 1.0
        is_inside = (levels >= 0) & (levels <= highest)
        # NaN compares false, so it is outside only by this negation.
        outside = levels[~is_inside]
        if outside.size:
            raise ValueError(
                f"noise_level must be in [0, {highest:g}] with noise={self.noise!r}; got "
                f"{outside.tolist()}."
            )
        # One level per column of the table; all features of a date get that of their column.
        of_columns = np.broadcast_to(levels, n_features)
        return tuple(of_columns[order].tolist())

    def inverse_transform(self, X: npt.ArrayLike) -> Table:
        """Turn embeddings back into rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_out)
            Embeddings as ``transform`` returns them. The decoder reads the encoder's last layer,
            which components do not hold exactly: it is estimated from them by least squares.

        Returns
        -------
        X_original : {DataFrame, ndarray} of shape (n_samples, `n_features_in_`)
            Rows in the columns, dtypes and units seen while fitting. Only a column in which no
            cell was present then has missing cells.
        """
        check_is_fitted(self)
        Z = check_embedding(X, self)
        output = self.model_.write_out(self.model_.bottleneck_of(Z))
        index = X.index if isinstance(X, pd.DataFrame) else None
        return self.model_.decode(output, index=index)

    def reconstruct(self, X: TableLike) -> Table:
        """Rebuild rows, as a denoised version of them.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows to rebuild.

        Returns
        -------
        X_rebuilt : {DataFrame, ndarray} of shape (n_samples, n_features)
            Rows in the columns, dtypes and units seen while fitting. Only a column in which no
            cell was present then has missing cells.
        """
        X, table = self._encoded(X)
        output = self.model_.cell_output(table, resolve_device(self.device))
        return self.model_.decode(output, index=getattr(X, "index", None))

    def reconstruction_error(self, X: TableLike) -> npt.NDArray[np.float32]:
        """Measure how badly each row is rebuilt: an anomaly score.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows to rebuild.

        Returns
        -------
        error : ndarray of shape (n_samples,)
            Mean over the row's present cells: squared error in standard deviations for numbers
            and dates, cross-entropy in nats otherwise. A number outside the range seen while
            fitting costs what the end of the range does, and the square of its distance from
            there; that of a heavy-tailed column is measured in widths of the range, and that of a
            date by its logarithm, since time goes on. Larger is more unusual. NaN if no cell is
            present.
        """
        X, _ = self._encoded(X)
        return self.model_.row_losses(X, resolve_device(self.device)).numpy()

    def score(self, X: TableLike, y: None = None) -> float:
        """Share of the deviance of clean rows that the reconstruction explains (D2).

        It does not depend on the noise, so that a search can compare noise levels.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Held-out rows.

        y : None
            Ignored.

        Returns
        -------
        score : float
            1 is perfect; 0 is no better than each column's own mean or frequencies.
        """
        _, table = self._encoded(X)
        losses = self.model_.cell_losses(table, table, resolve_device(self.device))
        return self.model_.deviance_explained(losses, table)
