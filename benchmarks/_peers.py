"""Other libraries' pretraining over the same rows, with the same widths, epochs and batches.

Each stands in its own function, which imports the library and returns a fit; the fit returns what
embeds new rows. Everything that is not named here is as their documentation has it.
"""

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.neural_network import MLPRegressor

from sklearn_ssl._training.options import resolve_batch_size

HIDDEN, WIDTH = (256, 256, 256), 64

Embed = Callable[[np.ndarray], np.ndarray]
Fit = Callable[[], Embed]


@dataclass(frozen=True)
class Plan:
    """How long and how to train, the same for all."""

    n_epochs: int
    batch_size: int
    seed: int


def mlp_regressor(X: np.ndarray, plan: Plan) -> Fit:
    model = MLPRegressor(
        hidden_layer_sizes=(*HIDDEN, WIDTH, *HIDDEN),
        max_iter=plan.n_epochs,
        random_state=plan.seed,
        batch_size=plan.batch_size,
    )

    def embed(rows):
        for weights, bias in zip(model.coefs_[: len(HIDDEN) + 1], model.intercepts_, strict=False):
            rows = np.maximum(rows @ weights + bias, 0)
        return rows

    def fit():
        model.fit(X, X)
        return embed

    return fit


def tabnet(X: np.ndarray, plan: Plan) -> Fit:
    from pytorch_tabnet.pretraining import TabNetPretrainer

    model = TabNetPretrainer(n_d=WIDTH, n_a=WIDTH, seed=plan.seed, device_name="cpu", verbose=0)
    size = plan.batch_size

    def encode(rows):
        steps, _ = model.network.encoder(model.network.embedder(rows))
        return torch.stack(steps).sum(dim=0)

    def fit():
        model.fit(X, max_epochs=plan.n_epochs, batch_size=size, virtual_batch_size=size)
        return partial(embed_with, model.network, encode)

    return fit


def ts3l(method: str, X: np.ndarray, plan: Plan) -> Fit:
    import pytorch_lightning as lightning
    from ts3l import pl_modules, utils

    tools = getattr(utils, f"{method.lower()}_utils")
    n_columns = X.shape[1]
    config = getattr(tools, f"{method}Config")(
        task="regression",
        loss_fn="MSELoss",
        output_dim=1,
        embedding_config=utils.embedding_utils.IdentityEmbeddingConfig(input_dim=n_columns),
        backbone_config=utils.backbone_utils.MLPBackboneConfig(
            input_dim=n_columns, hidden_dims=list(HIDDEN), output_dim=WIDTH
        ),
        random_seed=plan.seed,
        **{"corruption_rate": 0.6} if method == "SCARF" else {"num_continuous": n_columns},
    )
    frame = named(X)
    given = {} if method == "DAE" else {"config": config}

    def fit():
        dataset = getattr(tools, f"{method}Dataset")(
            frame, continuous_cols=list(frame), category_cols=[], **given
        )
        collate = tools.DAECollateFN(config) if method == "DAE" else None
        loader = torch.utils.data.DataLoader(
            dataset, plan.batch_size, shuffle=True, collate_fn=collate
        )
        module = getattr(pl_modules, f"{method}Lightning")(config)
        trainer = lightning.Trainer(
            max_epochs=plan.n_epochs,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, loader)
        model = module.model
        return partial(embed_with, model, lambda rows: model.encoder(model.embedding_module(rows)))

    return fit


def pytorch_tabular(X: np.ndarray, plan: Plan) -> Fit:
    from pytorch_tabular import TabularModel
    from pytorch_tabular.config import DataConfig, OptimizerConfig, TrainerConfig
    from pytorch_tabular.models import CategoryEmbeddingModelConfig
    from pytorch_tabular.ssl_models import DenoisingAutoEncoderConfig

    frame = named(X)

    def widths(*layers):
        return CategoryEmbeddingModelConfig(task="backbone", layers="-".join(map(str, layers)))

    def fit():
        model = TabularModel(
            data_config=DataConfig(
                target=None, continuous_cols=list(frame), normalize_continuous_features=False
            ),
            model_config=DenoisingAutoEncoderConfig(
                encoder_config=widths(*HIDDEN, WIDTH), decoder_config=widths(*HIDDEN)
            ),
            optimizer_config=OptimizerConfig(),
            trainer_config=TrainerConfig(
                batch_size=plan.batch_size,
                max_epochs=plan.n_epochs,
                accelerator="cpu",
                checkpoints=None,
                early_stopping=None,
                load_best=False,
                progress_bar="none",
                seed=plan.seed,
                trainer_kwargs={"enable_model_summary": False},
            ),
            verbose=False,
            suppress_lightning_logger=True,
        )
        model.pretrain(train=frame, validation=frame[: plan.batch_size])
        network = model.model

        def encode(rows):
            parts = {"continuous": rows, "categorical": torch.zeros(len(rows), 0)}
            return network.featurizer(network.embedding_layer(parts), perturb=False).features

        return partial(embed_with, network, encode)

    return fit


def widedeep(X: np.ndarray, plan: Plan) -> Fit:
    from pytorch_widedeep.models import TabMlp
    from pytorch_widedeep.self_supervised_training import EncoderDecoderTrainer

    names = list(named(X))

    def fit():
        torch.manual_seed(plan.seed)
        encoder = TabMlp(
            column_idx={name: i for i, name in enumerate(names)},
            continuous_cols=names,
            mlp_hidden_dims=[*HIDDEN, WIDTH],
        )
        trainer = EncoderDecoderTrainer(encoder=encoder, verbose=0, seed=plan.seed, device="cpu")
        trainer.pretrain(X, n_epochs=plan.n_epochs, batch_size=plan.batch_size)
        return partial(embed_with, encoder, encoder)

    return fit


def parametric_umap(X: np.ndarray, plan: Plan) -> Fit:
    import keras
    from umap.parametric_umap import ParametricUMAP

    def fit():
        layers = [keras.layers.Dense(width, activation="relu") for width in HIDDEN]
        encoder = keras.Sequential([keras.Input((X.shape[1],)), *layers, keras.layers.Dense(WIDTH)])
        model = ParametricUMAP(
            encoder=encoder,
            n_components=WIDTH,
            batch_size=plan.batch_size,
            random_state=plan.seed,
            verbose=False,
            keras_fit_kwargs={"verbose": 0},
        )
        # An epoch of its own goes over all edges of the graph of neighbors.
        model.loss_report_frequency = plan.n_epochs
        model.fit(X)
        return model.transform

    return fit


def named(X: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])


def embed_with(module: torch.nn.Module, encode: Callable, X: np.ndarray) -> np.ndarray:
    module.eval()
    with torch.no_grad():
        parts = [encode(rows) for rows in torch.from_numpy(X).split(4096)]
    return torch.cat(parts).numpy()


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Without their warnings and records, some of which are files in the folder of the run."""
    with (
        warnings.catch_warnings(),
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


@dataclass(frozen=True)
class Peer:
    """The module it needs, which of our estimators does the same work, what prepares a fit."""

    module: str
    compared_with: str
    prepare: Callable[[np.ndarray, Plan], Fit]

    def is_installed(self) -> bool:
        return find_spec(self.module) is not None


PEERS = {
    "mlp_autoencoder": Peer("sklearn", "DenoisingAutoencoder", mlp_regressor),
    "pytorch_tabular": Peer("pytorch_tabular", "DenoisingAutoencoder", pytorch_tabular),
    "pytorch_widedeep": Peer("pytorch_widedeep", "DenoisingAutoencoder", widedeep),
    "ts3l_dae": Peer("ts3l", "DenoisingAutoencoder", partial(ts3l, "DAE")),
    "tabnet": Peer("pytorch_tabnet", "MaskedFeaturePredictor", tabnet),
    "ts3l_vime": Peer("ts3l", "MaskedFeaturePredictor", partial(ts3l, "VIME")),
    "ts3l_scarf": Peer("ts3l", "ContrastiveEmbedder", partial(ts3l, "SCARF")),
    "parametric_umap": Peer("keras", "ContrastiveEmbedder", parametric_umap),
}


class PeerFeatures(TransformerMixin, BaseEstimator):
    """A peer as a transformer of standardized numbers."""

    def __init__(self, peer, n_epochs=50, random_state=0):
        self.peer = peer
        self.n_epochs = n_epochs
        self.random_state = random_state

    def fit(self, X, y=None):
        rows = np.ascontiguousarray(X, dtype=np.float32)
        plan = Plan(self.n_epochs, resolve_batch_size("auto", len(rows)), self.random_state)
        with quietly():
            self.embed_ = PEERS[self.peer].prepare(rows, plan)()
        return self

    def transform(self, X):
        return self.embed_(np.ascontiguousarray(X, dtype=np.float32))
