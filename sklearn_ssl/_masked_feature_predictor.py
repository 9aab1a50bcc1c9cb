"""Masked feature prediction: learn features by predicting what was hidden."""

from collections.abc import Sequence
from dataclasses import replace
from numbers import Real

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from sklearn_ssl._base import BaseEmbedder
from sklearn_ssl._compat import Interval
from sklearn_ssl._network.custom import EncoderFactory
from sklearn_ssl._network.layers import Batch
from sklearn_ssl._parameters import Folder, RandomState
from sklearn_ssl._pretext.blueprints import Masking
from sklearn_ssl._pretext.corruptions import draw_mask, mark_missing
from sklearn_ssl._table.encoder import TableEncoder
from sklearn_ssl._table.filling import check_mask, fill, fill_array
from sklearn_ssl._table.schema import Schema
from sklearn_ssl._table.types import Table, TableLike
from sklearn_ssl._table.validation import as_dense
from sklearn_ssl._threads import torch_threads
from sklearn_ssl._training.options import Callbacks, resolve_device

SCORING_RATE = 0.3
SCORING_SEED = 0


class MaskedFeaturePredictor(BaseEmbedder):
    """Learn row embeddings by predicting which cells were hidden and what they held.

    Half of the hidden cells are replaced by cells of other rows, as in VIME [1]_, and half are
    marked as missing, so that the network also learns to impute.

    Parameters
    ----------
    n_components : int, default=128
        Columns that ``transform`` returns with ``output="components"``.

    bottleneck_size : int, default=64
        Width of the encoder's last layer, on which the pretext task is solved.

    hidden_layer_sizes : array-like of int, default=(256, 256, 256)
        Widths of the encoder's hidden layers.

    mask_rate : float, default=0.3
        Share of cells to hide, in (0, 1).

    alpha : float, default=2.0
        Weight of the hidden values' loss against that of the mask.

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

    learning_rate_init : float, default=2e-3
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
    DenoisingAutoencoder : Rebuilds all cells, and has a way back from the embedding.
    ContrastiveEmbedder : Compares rows instead of predicting cells.

    References
    ----------
    .. [1] J. Yoon et al., "VIME: Extending the success of self- and semi-supervised learning to
       tabular domain", NeurIPS (2020).

    .. [2] Y. Gorishniy, I. Rubachev, A. Babenko, "On embeddings for numerical features in tabular
       deep learning", NeurIPS (2022).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ssl import MaskedFeaturePredictor
    >>> X, _ = load_iris(return_X_y=True)
    >>> predictor = MaskedFeaturePredictor(random_state=0).fit(X)
    >>> X[0, 2] = np.nan
    >>> bool(np.isnan(predictor.impute(X)).any())
    False
    """

    _parameter_constraints = {
        **BaseEmbedder._parameter_constraints,
        "mask_rate": [Interval(Real, 0, 1, closed="neither")],
        "alpha": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_components: int = 128,
        *,
        bottleneck_size: int = 64,
        hidden_layer_sizes: Sequence[int] = (256, 256, 256),
        mask_rate: float = 0.3,
        alpha: float = 2.0,
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
        learning_rate_init: float = 2e-3,
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
        self.mask_rate = mask_rate
        self.alpha = alpha
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

    def _network_schema(self, schema: Schema) -> Schema:
        # Any number may be hidden, so the network must be able to see that it is.
        return replace(schema, nullable=(True,) * schema.n_numeric)

    def _blueprint(self, table_encoder: TableEncoder) -> Masking:
        return Masking(
            hidden_layer_sizes=tuple(map(int, self.hidden_layer_sizes)),
            bottleneck_size=self.bottleneck_size,
            encoder=self.encoder,
            mask_rate=self.mask_rate,
            alpha=self.alpha,
        )

    def predict_masked(self, X: TableLike, mask: npt.ArrayLike) -> Table:
        """Replace chosen cells by what the model expects from the others.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.

        mask : array-like of bool of shape (n_samples, n_features)
            True if a cell is to be hidden from the model and predicted. The columns of
            a DataFrame are matched by name, and its index must be that of ``X``.

        Returns
        -------
        X_filled : {DataFrame, ndarray} of shape (n_samples, n_features)
            A new table; cells that the mask leaves out are as they were.
        """
        X, table = self._encoded(X)
        return self._fill(X, table, check_mask(mask, X))

    def impute(self, X: TableLike) -> Table:
        """Replace missing cells by what the model expects from the others.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows with missing cells.

        Returns
        -------
        X_filled : {DataFrame, ndarray} of shape (n_samples, n_features)
            A new table. A column in which no cell was present while fitting stays as it is.
        """
        X, table = self._encoded(X)
        is_missing = np.asarray(pd.isna(as_dense(X)))
        return self._fill(X, table, is_missing)

    @torch_threads(1)
    def score(self, X: TableLike, y: None = None) -> float:
        """Share of the deviance of hidden cells that the prediction explains (D2).

        The same share of cells, 0.3, is hidden by the same seed for all estimators, so that a
        search can compare mask rates.

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
        generator = torch.Generator().manual_seed(SCORING_SEED)
        mask = draw_mask(table, SCORING_RATE, generator, self.model_.schema.leads)
        hidden = mark_missing(table, mask)
        losses = self.model_.cell_losses(hidden, table, resolve_device(self.device))
        return self.model_.deviance_explained(losses, table, mask)

    @torch_threads(1)
    def _fill(self, X: Table, table: Batch, mask: npt.NDArray[np.bool_]) -> Table:
        """Replace the cells in a mask by what the model expects there."""
        model = self.model_
        of_features = mask[:, model.table_encoder.order_]  # (n_rows, n_features of the schema)
        hidden = mark_missing(table, torch.from_numpy(of_features))
        output = model.cell_output(hidden, resolve_device(self.device))
        filled = model.decode(output, index=getattr(X, "index", None))
        if isinstance(X, pd.DataFrame) and isinstance(filled, pd.DataFrame):
            columns = []
            for place in range(X.shape[1]):
                values = X.iloc[:, place]
                expected = filled.iloc[:, place]
                columns.append(fill(values, mask[:, place], expected))
            # Names that are tuples, and the names of levels, would be lost without it.
            return pd.concat(columns, axis=1).set_axis(X.columns, axis=1)
        return fill_array(np.asarray(as_dense(X)), mask, np.asarray(filled))
