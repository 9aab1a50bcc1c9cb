"""Contrastive embedding: learn features by telling rows apart."""

from functools import partial
from numbers import Integral, Real
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from sklearn_ssl._base import BaseEmbedder
from sklearn_ssl._compat import Interval, StrOptions
from sklearn_ssl._network.autoencoder import Encoder, projection_head
from sklearn_ssl._pretext.losses import barlow_twins, info_nce, nt_xent, vicreg
from sklearn_ssl._pretext.tasks import Contrast
from sklearn_ssl._table.schema import Schema
from sklearn_ssl._training.dataset import BatchIterator, TableDataset

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
    n_components : int, default=64
        Width of the encoder's last layer.

    hidden_layer_sizes : array-like of int, default=(256, 256, 256)
        Widths of the encoder's hidden layers.

    corruption_rate : float, default=0.6
        Share of cells swapped in a corrupted view, in (0, 1). Near 0 the views are alike and
        there is nothing to learn; near 1 they have nothing in common.

    n_corrupted_views : {1, 2}, default=1
        Whether the other view is the row as it is, or corrupted as well.

    objective : {"info_nce", "nt_xent", "barlow_twins", "vicreg"}, default="info_nce"
        "info_nce" compares across the views, as SCARF does; "nt_xent" also within them, as SimCLR
        does [2]_. "barlow_twins" [3]_ and "vicreg" [4]_ need no other rows to push away and suit
        small batches.

    temperature : float, default=0.2
        Divides the cosines of "info_nce" and "nt_xent"; smaller is stricter.

    projection_size : int, default=128
        Width of both layers of the projection head.

    embedding : {"all", "last"}, default="all"
        Layers that make the embedding: all of the encoder's, or its last one alone.

    passthrough : bool, default=True
        Whether to append the encoded row itself: standardized numbers, missingness, one-hot
        categories, and the numbers cut into ``n_bins`` bins. A linear model behind the
        transformer then never has less to go on than without it.

    n_bins : int, default=16
        Quantile bins of a number in the passthrough; within each, a column rises from 0 to 1, so
        that a linear model can bend the number's effect [5]_. Columns that a few rows alone would
        be far from are left out. With 1 there are none; tables of more than 128 numeric columns
        get fewer, 2048 in all.

    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Columns that hold categories: those whose dtype is categorical, string or an object
        column of strings; none; or their names, indices or a boolean mask.

    max_categories : int or None, default=256
        Most categories of a column that get a code of their own. The rarer ones share the code
        that unseen categories get. None gives all of them one; memory, and the time of a step,
        then grow with their number.

    min_frequency : int, default=1
        Categories that occur in fewer rows share the code that unseen categories get.

    supervision_weight : float, default=0.0
        Weight of a supervised loss beside the pretext's. With 0, ``y`` is ignored. Otherwise
        ``fit(X, y)`` also trains a linear head, forgotten afterwards, to tell the targets of the
        labeled rows from the encoder's last layer: classes, -1 for unlabeled rows, or numbers
        with fractions, NaN for unlabeled rows. Features that have seen labels must be judged on
        other rows: cross-validate them within a pipeline.

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
        Whether to hold rows out, stop when their loss does not fall, and keep the best weights.

    validation_fraction : float, default=0.1
        Share of rows that early stopping holds out.

    n_iter_no_change : int, default=10
        Epochs without an improvement after which early stopping stops.

    tol : float, default=1e-4
        Smallest improvement of the loss that counts.

    warm_start : bool, default=False
        Whether ``fit`` continues from the weights and the columns of the previous call.

    callbacks : list of skorch.callbacks.Callback or None, default=None
        Called by the training loop, for instance to log.

    checkpoint_dir : str, path-like or None, default=None
        Folder in which ``fit`` and ``fit_stream`` keep their state after each epoch, in a file of
        their own for every table and set of parameters. The same call with the same
        ``random_state``, an int, then goes on where an earlier one was cut off, to the same
        bits; one that had finished is read, not repeated. Needs the extra ``files``.

    device : {"auto", "cpu", "cuda", "mps"}, default="auto"
        Where the network is trained and applied; "auto" takes the first of CUDA, MPS, CPU.

    random_state : int, RandomState instance or None, default=None
        Source of weights, views and shuffling. With an int the results on a CPU are the same bit
        by bit. Global random state is neither read nor changed.

    verbose : bool, default=False
        Whether to show a progress bar on a terminal.

    Attributes
    ----------
    module_ : torch.nn.Module
        The trained pretext task; its ``encoder`` makes the embedding.

    n_iter_ : int
        Epochs made.

    loss_curve_ : list of float
        Mean training loss of each epoch.

    validation_scores_ : list of float
        Negative loss on the held-out rows after each epoch. Only with ``early_stopping=True``.

    effective_rank_ : float
        Directions that the last layer makes use of on training rows, from 1 to ``n_components``
        (RankMe, Garrido et al., ICML 2023). Near 1 the embedding has collapsed, which is warned
        about.

    n_features_in_ : int
        Number of columns seen while fitting.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns; only where all are strings.

    See Also
    --------
    DenoisingAutoencoder : Prefer it where the way back to the table matters.
    MaskedFeaturePredictor : Prefer it where missing cells are to be imputed.

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
    ...     n_components=8, embedding="last", passthrough=False, random_state=0
    ... )
    >>> embedder.fit_transform(X).shape
    (150, 8)
    """

    _parameter_constraints = {
        **BaseEmbedder._parameter_constraints,
        "corruption_rate": [Interval(Real, 0, 1, closed="neither")],
        "n_corrupted_views": [Interval(Integral, 1, 2, closed="both")],
        "objective": [StrOptions({"info_nce", "nt_xent", "barlow_twins", "vicreg"})],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "projection_size": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_components=64,
        *,
        hidden_layer_sizes=(256, 256, 256),
        corruption_rate=0.6,
        n_corrupted_views=1,
        objective="info_nce",
        temperature=0.2,
        projection_size=128,
        embedding="all",
        passthrough=True,
        n_bins=16,
        categorical_features="from_dtype",
        max_categories=256,
        min_frequency=1,
        supervision_weight=0.0,
        batch_size="auto",
        learning_rate="one_cycle",
        learning_rate_init=1e-3,
        weight_decay=1e-5,
        max_iter=25,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        callbacks=None,
        checkpoint_dir=None,
        device="auto",
        random_state=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.corruption_rate = corruption_rate
        self.n_corrupted_views = n_corrupted_views
        self.objective = objective
        self.temperature = temperature
        self.projection_size = projection_size
        self.embedding = embedding
        self.passthrough = passthrough
        self.n_bins = n_bins
        self.categorical_features = categorical_features
        self.max_categories = max_categories
        self.min_frequency = min_frequency
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

    def _make_pretext(self, schema: Schema, generator: torch.Generator) -> nn.Module:
        encoder = Encoder(schema, self.hidden_layer_sizes, self.n_components, generator)
        projection = projection_head(self.n_components, self.projection_size, generator)
        objectives: dict[str, Any] = {
            "info_nce": partial(info_nce, temperature=self.temperature),
            "nt_xent": partial(nt_xent, temperature=self.temperature),
            "barlow_twins": barlow_twins,
            "vicreg": vicreg,
        }
        return Contrast(
            encoder,
            projection,
            objectives[self.objective],
            self.corruption_rate,
            self.n_corrupted_views,
            schema.leads,
        )

    def score(self, X, y=None) -> float:
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
        _, table = self._checked_and_encoded(X)
        n_found = 0
        with self._network_on_device() as pretext, torch.no_grad():
            device = pretext.encoder.rows.code_weight.device
            generator = torch.Generator(device).manual_seed(SCORING_SEED)
            dataset = TableDataset(*table).to(device)
            for batch in BatchIterator(dataset, SCORING_ROWS):
                view = pretext.corrupt(batch, generator, SCORING_RATE)
                rows, views = (F.normalize(pretext.project(part), dim=1) for part in (batch, view))
                found = (views @ rows.T).argmax(dim=1)
                n_found += int((found == torch.arange(len(found), device=device)).sum())
        return n_found / len(table[0])
