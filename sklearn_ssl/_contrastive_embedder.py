"""Contrastive embedding: learn features by distinguishing rows."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import cast

import numpy.typing as npt
import torch
import torch.nn.functional as F

from sklearn_ssl._base import BaseEmbedder
from sklearn_ssl._compat import Interval, StrOptions
from sklearn_ssl._network.custom import EncoderFactory
from sklearn_ssl._parameters import Folder, RandomState
from sklearn_ssl._pretext.blueprints import Contrasting, Objective
from sklearn_ssl._pretext.tasks import Contrast
from sklearn_ssl._table.encoder import TableEncoder
from sklearn_ssl._table.types import TableLike
from sklearn_ssl._training.dataset import BatchIterator, TableDataset
from sklearn_ssl._training.options import Callbacks, resolve_device

SCORING_RATE = 0.6
SCORING_ROWS = 256
SCORING_SEED = 0


class ContrastiveEmbedder(BaseEmbedder):
    """Learn row embeddings by pulling two views of a row together and others apart.

    A view swaps a share of a row's cells for cells of other rows, each from its own column
    (SCARF [1]_). Behind the encoder a projection head maps views to the space where they are
    compared; it is left out of the embedding.

    Parameters
    ----------
    n_components : int, default=128
        Columns that ``transform`` returns with ``output="components"``.

    bottleneck_size : int, default=64
        Width of the encoder's last layer, on which the pretext task is solved.

    hidden_layer_sizes : array-like of int, default=(256, 256, 256)
        Widths of the encoder's hidden layers.

    corruption_rate : float, default=0.6
        Share of cells swapped in a corrupted view, in (0, 1). Near 0 the views are alike and
        there is nothing to learn; near 1 they have nothing in common.

    n_corrupted_views : {1, 2}, default=1
        Whether the other view is the row as it is, or corrupted as well.

    objective : {"info_nce", "nt_xent", "barlow_twins", "vicreg"} or callable, default="info_nce"
        "info_nce" compares across the views, as SCARF does; "nt_xent" also within them, as SimCLR
        does [2]_. "barlow_twins" [3]_ and "vicreg" [4]_ need no other rows to push away and suit
        small batches. A callable takes two tensors of projected views, of shape
        (n_rows, ``projection_size``), and returns their loss.

    temperature : float, default=0.2
        Divides the cosines of "info_nce" and "nt_xent"; smaller is stricter.

    projection_size : int, default=128
        Width of both layers of the projection head.

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
        that a linear model can bend the number's effect [5]_. Bins that only a few rows reach are
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
    DenoisingAutoencoder : Prefer it if the way back to the table matters.
    MaskedFeaturePredictor : Prefer it if missing cells are to be imputed.

    References
    ----------
    .. [1] D. Bahri et al., "SCARF: Self-supervised contrastive learning using random feature
       corruption", ICLR (2022).
    .. [2] T. Chen et al., "A simple framework for contrastive learning of visual
       representations", ICML (2020).
    .. [3] J. Zbontar et al., "Barlow Twins: Self-supervised learning via redundancy reduction",
       ICML (2021).
    .. [4] A. Bardes, J. Ponce and Y. LeCun, "VICReg: Variance-invariance-covariance
       regularization for self-supervised learning", ICLR (2022).

    .. [5] Y. Gorishniy, I. Rubachev, A. Babenko, "On embeddings for numerical features in tabular
       deep learning", NeurIPS (2022).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ssl import ContrastiveEmbedder
    >>> X, _ = load_iris(return_X_y=True)
    >>> embedder = ContrastiveEmbedder(
    ...     n_components=8, random_state=0
    ... )
    >>> embedder.fit_transform(X).shape
    (150, 8)
    """

    _parameter_constraints = {
        **BaseEmbedder._parameter_constraints,
        "corruption_rate": [Interval(Real, 0, 1, closed="neither")],
        "n_corrupted_views": [Interval(Integral, 1, 2, closed="both")],
        "objective": [StrOptions({"info_nce", "nt_xent", "barlow_twins", "vicreg"}), callable],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "projection_size": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_components: int = 128,
        *,
        bottleneck_size: int = 64,
        hidden_layer_sizes: Sequence[int] = (256, 256, 256),
        corruption_rate: float = 0.6,
        n_corrupted_views: int = 1,
        objective: str | Objective = "info_nce",
        temperature: float = 0.2,
        projection_size: int = 128,
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
        self.corruption_rate = corruption_rate
        self.n_corrupted_views = n_corrupted_views
        self.objective = objective
        self.temperature = temperature
        self.projection_size = projection_size
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

    def _blueprint(self, table_encoder: TableEncoder) -> Contrasting:
        return Contrasting(
            hidden_layer_sizes=tuple(map(int, self.hidden_layer_sizes)),
            bottleneck_size=self.bottleneck_size,
            encoder=self.encoder,
            projection_size=self.projection_size,
            objective=self.objective,
            temperature=self.temperature,
            corruption_rate=self.corruption_rate,
            n_corrupted_views=self.n_corrupted_views,
        )

    def score(self, X: TableLike, y: None = None) -> float:
        """Share of held-out rows that are found again by a corrupted view of them.

        Rows are compared with up to 255 others by the cosine of their projections. The views
        have the same seed and the same rate, 0.6, for all estimators, so that a search can
        compare objectives, temperatures and corruption rates.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Held-out rows.

        y : None
            Ignored.

        Returns
        -------
        score : float
            Between 0 and 1; 1 finds every row.
        """
        _, table = self._encoded(X)
        device = resolve_device(self.device)
        with self.model_.task_on(device) as task:
            return share_found(cast(Contrast, task), TableDataset(*table).to(device))


@torch.no_grad()
def share_found(task: Contrast, rows: TableDataset) -> float:
    """Share of rows whose corrupted copy is more similar to them than to the rows around them."""
    generator = torch.Generator(rows.device).manual_seed(SCORING_SEED)
    n_found = 0
    for numeric, codes in BatchIterator(rows, SCORING_ROWS):
        batch = numeric, codes
        corrupted = task.corrupt(batch, generator, SCORING_RATE)
        projected = F.normalize(task.project(batch), dim=1)
        views = F.normalize(task.project(corrupted), dim=1)
        cosines = views @ projected.T  # (n_rows, n_rows)
        nearest = cosines.argmax(dim=1)
        itself = torch.arange(len(nearest), device=rows.device)
        n_found += int((nearest == itself).sum())
    return n_found / len(rows)
