"""A pass of other libraries over the same rows, with the same widths and batches.

Each stands in its own function, which imports the library: those that are not installed are named.
"""

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Callable

import pandas as pd
import torch
from _speed_fits import ESTIMATORS
from _speed_timing import numbers, show, take_turns
from sklearn.neural_network import MLPRegressor

HIDDEN, WIDTH, BATCH = (256, 256, 256), 64, 256


def peers(n_rows: int, n_columns: int, repeats: int) -> None:
    """Print the time of a fit of one pass of each library, and its ratio to ours."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    X = numbers(n_rows, n_columns)
    sides, absent = dict(ours(X)), []
    for name, (_, prepare) in PEERS.items():
        try:
            sides[name] = prepare(X)
        except ImportError as error:
            absent.append(f"{name} ({error})")
    # Lightning writes its records into the folder in which it runs.
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        seconds = take_turns(sides, repeats)
    rows = [{"fit": name, "s": s} for name, s in seconds.items()]
    for row in rows:
        reference = PEERS[row["fit"]][0] if row["fit"] in PEERS else "DenoisingAutoencoder"
        row |= {"compared with": reference, "ratio": row["s"] / seconds[reference]}
    print(f"\nOne pass over {n_rows} x {n_columns} numbers, batches of {BATCH}, 1 thread\n")
    show(rows)
    print(f"\nNot importable, so not measured: {'; '.join(absent) or 'none'}.")


def ours(X):
    for estimator in ESTIMATORS:
        settings = {"hidden_layer_sizes": HIDDEN, "n_components": WIDTH, "batch_size": BATCH}
        model = estimator(**settings, max_iter=1, random_state=0, device="cpu")
        yield estimator.__name__, lambda model=model: model.fit(X)


def mlp_regressor(X):
    widths = (*HIDDEN, WIDTH, *HIDDEN)
    model = MLPRegressor(hidden_layer_sizes=widths, max_iter=1, random_state=0, batch_size=BATCH)
    return lambda: model.fit(X, X)


def tabnet(X):
    from pytorch_tabnet.pretraining import TabNetPretrainer

    model = TabNetPretrainer(n_d=WIDTH, n_a=WIDTH, seed=0, device_name="cpu", verbose=0)
    return lambda: model.fit(X, max_epochs=1, batch_size=BATCH, virtual_batch_size=BATCH)


def ts3l(method: str, X):
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
        **{"corruption_rate": 0.6} if method == "SCARF" else {"num_continuous": n_columns},
    )
    names = [f"x{i}" for i in range(n_columns)]
    frame = pd.DataFrame(X, columns=names)
    given = {} if method == "DAE" else {"config": config}

    def fit():
        dataset = getattr(tools, f"{method}Dataset")(
            frame, continuous_cols=names, category_cols=[], **given
        )
        collate = tools.DAECollateFN(config) if method == "DAE" else None
        loader = torch.utils.data.DataLoader(dataset, BATCH, shuffle=True, collate_fn=collate)
        module = getattr(pl_modules, f"{method}Lightning")(config)
        trainer(lightning).fit(module, loader)

    return fit


def trainer(lightning):
    return lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def pytorch_tabular(X):
    from pytorch_tabular import TabularModel
    from pytorch_tabular.config import DataConfig, OptimizerConfig, TrainerConfig
    from pytorch_tabular.models import CategoryEmbeddingModelConfig
    from pytorch_tabular.ssl_models import DenoisingAutoEncoderConfig

    names = [f"x{i}" for i in range(X.shape[1])]
    frame = pd.DataFrame(X, columns=names)

    def widths(*layers):
        return CategoryEmbeddingModelConfig(task="backbone", layers="-".join(map(str, layers)))

    def fit():
        model = TabularModel(
            data_config=DataConfig(target=None, continuous_cols=names),
            model_config=DenoisingAutoEncoderConfig(
                encoder_config=widths(*HIDDEN, WIDTH), decoder_config=widths(*HIDDEN)
            ),
            optimizer_config=OptimizerConfig(),
            trainer_config=TrainerConfig(
                batch_size=BATCH,
                max_epochs=1,
                accelerator="cpu",
                checkpoints=None,
                early_stopping=None,
                load_best=False,
                progress_bar="none",
                trainer_kwargs={"enable_model_summary": False},
            ),
            verbose=False,
            suppress_lightning_logger=True,
        )
        model.pretrain(train=frame, validation=frame[:BATCH])

    return fit


def parametric_umap(X):
    from umap.parametric_umap import ParametricUMAP

    return lambda: ParametricUMAP(batch_size=BATCH, n_training_epochs=1).fit(X)


PEERS: dict[str, tuple[str, Callable]] = {
    "MLPRegressor as an autoencoder, without noise": ("DenoisingAutoencoder", mlp_regressor),
    "TabNetPretrainer, width 64, 3 steps": ("MaskedFeaturePredictor", tabnet),
    "ts3l, DAE": ("DenoisingAutoencoder", lambda X: ts3l("DAE", X)),
    "ts3l, SCARF": ("ContrastiveEmbedder", lambda X: ts3l("SCARF", X)),
    "ts3l, VIME": ("MaskedFeaturePredictor", lambda X: ts3l("VIME", X)),
    "pytorch-tabular, DAE": ("DenoisingAutoencoder", pytorch_tabular),
    "ParametricUMAP": ("ContrastiveEmbedder", parametric_umap),
}
"""Of each library: which of our estimators it is compared with, and what prepares a fit."""
