"""What is compared: features before the same linear probe, and models of the table itself."""

import ast
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

from _encoders import ColumnAttention, ResidualNetwork
from _peers import PEERS, PeerFeatures
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
)
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.neural_network import BernoulliRBM
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    QuantileTransformer,
    StandardScaler,
)

from sklearn_ssl import (
    ContrastiveEmbedder,
    DenoisingAutoencoder,
    FineTunedClassifier,
    FineTunedRegressor,
    MaskedFeaturePredictor,
)

OURS = ("DenoisingAutoencoder", "ContrastiveEmbedder", "MaskedFeaturePredictor")
RAW = ("raw", "quantile")
UNTRAINED_RATE = 1e-30
"""One epoch at this learning rate leaves single-precision weights as they were drawn."""

numbers = make_column_selector(dtype_include=["number", "bool"])
names = make_column_selector(dtype_exclude=["number", "bool"])


def encode(scaler: Any) -> Any:
    """Scaled numbers with indicators of missing ones, and one-hot categories."""
    to_float = FunctionTransformer(_to_float, feature_names_out="one-to-one")
    return make_column_transformer(
        (make_pipeline(to_float, SimpleImputer(add_indicator=True), scaler), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), names),
    )


def _to_float(X):
    return X.astype("float64")


def standardized() -> Any:
    return encode(StandardScaler())


def umap() -> Any:
    from umap import UMAP

    return make_pipeline(standardized(), UMAP(n_components=16, random_state=0))


def peer(name: str, seed: int) -> Any:
    return make_pipeline(standardized(), PeerFeatures(name, random_state=seed))


def with_raw(features: Callable[[int], Any], seed: int) -> Any:
    """Features with the standardized row beside them, as ours have it."""
    return make_union(standardized(), features(seed))


FEATURES: dict[str, Callable[[int], Any]] = {
    "raw": lambda seed: standardized(),
    "quantile": lambda seed: encode(
        QuantileTransformer(output_distribution="normal", n_quantiles=256, random_state=seed)
    ),
    "pca": lambda seed: make_pipeline(standardized(), PCA(0.95, random_state=seed)),
    "nystroem": lambda seed: make_pipeline(
        standardized(), Nystroem(n_components=300, random_state=seed)
    ),
    "random_trees": lambda seed: make_pipeline(
        standardized(), RandomTreesEmbedding(sparse_output=False, random_state=seed)
    ),
    "rbm": lambda seed: make_pipeline(
        standardized(), MinMaxScaler(clip=True), BernoulliRBM(256, random_state=seed)
    ),
    "umap": lambda seed: umap(),
    "untrained": lambda seed: DenoisingAutoencoder(
        max_iter=1, learning_rate_init=UNTRAINED_RATE, random_state=seed
    ),
    "DenoisingAutoencoder": lambda seed: DenoisingAutoencoder(random_state=seed),
    "ContrastiveEmbedder": lambda seed: ContrastiveEmbedder(random_state=seed),
    "MaskedFeaturePredictor": lambda seed: MaskedFeaturePredictor(random_state=seed),
    "residual": lambda seed: MaskedFeaturePredictor(encoder=ResidualNetwork, random_state=seed),
    "attention": lambda seed: MaskedFeaturePredictor(encoder=ColumnAttention, random_state=seed),
    **{name: partial(peer, name) for name in PEERS},
}
FEATURES |= {f"raw_and_{name}": partial(with_raw, FEATURES[name]) for name in PEERS}

SUPERVISED: dict[str, dict[str, Callable[[int], Any]]] = {
    "random_forest": {
        "classification": lambda seed: RandomForestClassifier(n_estimators=300, random_state=seed),
        "regression": lambda seed: RandomForestRegressor(n_estimators=300, random_state=seed),
    },
    "hist_gradient_boosting": {
        # Of more than 10,000 rows it would hold some out, for which a class of one row is too few.
        "classification": lambda seed: HistGradientBoostingClassifier(
            early_stopping=False, random_state=seed
        ),
        "regression": lambda seed: HistGradientBoostingRegressor(random_state=seed),
    },
}


def fine_tuned(features: Any, task: str, seed: int, **changes: Any) -> Any:
    FineTuned = FineTunedClassifier if task == "classification" else FineTunedRegressor
    return FineTuned(features, random_state=seed, **changes)


PRETRAINED: dict[str, Callable[..., Any]] = {"fine_tuned": fine_tuned}
"""Models of a table that begin with a fitted transformer, the one that is their default."""

TRANSFORMER = "MaskedFeaturePredictor"


def installed_methods() -> list[str]:
    """What runs by default: all but peers and other encoders, and UMAP where it is there."""
    left_out = {name for name in FEATURES if name.removeprefix("raw_and_") in PEERS}
    left_out |= {"residual", "attention"}
    if find_spec("umap") is None:
        left_out.add("umap")
    return [name for name in (*FEATURES, *SUPERVISED) if name not in left_out]


def make_features(method: str, seed: int) -> Any:
    """Features by name; ``"name:parameter=value,..."`` changes parameters of one of ours."""
    name, changes = split_method(method)
    return FEATURES[name](seed).set_params(**changes)


def split_method(method: str) -> tuple[str, dict[str, Any]]:
    """The name before the colon, and the parameters after it."""
    name, _, changes = method.partition(":")
    pairs = (change.partition("=")[::2] for change in changes.split(",") if change)
    return name, {key: ast.literal_eval(value) for key, value in pairs}


def features_of(method: str) -> str | None:
    """The features that a method begins with, by name; None if it needs none."""
    name = split_method(method)[0]
    if name in PRETRAINED:
        return TRANSFORMER
    return None if name in SUPERVISED else method


def reads_features(method: str) -> bool:
    """Whether a probe sees the features; otherwise a model sees the table."""
    return split_method(method)[0] in FEATURES


def check_method(method: str) -> str:
    """Return a name that is known, or raise."""
    known = [*FEATURES, *SUPERVISED, *PRETRAINED]
    for part in parts_of(method):
        if split_method(part)[0] not in known:
            raise ValueError(f"{part} is none of {known}")
    return method


def parts_of(method: str) -> list[str]:
    """The methods whose mean prediction ``"one+other"`` stands for."""
    return method.split("+")


def make_model(method: str, features: Any, task: str, seed: int) -> Any:
    """A model of the table; ``features`` are fitted, for the methods that begin with them."""
    name, changes = split_method(method)
    if name in PRETRAINED:
        return PRETRAINED[name](features, task, seed, **changes)
    return make_pipeline(standardized(), SUPERVISED[name][task](seed))
