"""Self-supervised representation learning for tables, as scikit-learn estimators.

Three transformers learn features from unlabeled rows: `DenoisingAutoencoder` reconstructs rows from
corrupted ones, `ContrastiveEmbedder` distinguishes rows from each other, `MaskedFeaturePredictor`
predicts hidden cells. Each takes a table as it is and precedes any model in a `Pipeline`.
`FineTunedClassifier` and `FineTunedRegressor` learn from labeled and unlabeled rows.
"""

import importlib
from typing import TYPE_CHECKING

from sklearn_ssl._version import __version__

if TYPE_CHECKING:
    from sklearn_ssl import distributed as distributed
    from sklearn_ssl import evaluation as evaluation
    from sklearn_ssl import model_selection as model_selection
    from sklearn_ssl import persistence as persistence
    from sklearn_ssl._contrastive_embedder import ContrastiveEmbedder
    from sklearn_ssl._denoising_autoencoder import DenoisingAutoencoder
    from sklearn_ssl._finetuning.classifier import FineTunedClassifier
    from sklearn_ssl._finetuning.regressor import FineTunedRegressor
    from sklearn_ssl._imputer import MaskedImputer
    from sklearn_ssl._masked_feature_predictor import MaskedFeaturePredictor
    from sklearn_ssl._outlier_detector import OutlierDetector
    from sklearn_ssl._row_selection import select_rows
    from sklearn_ssl._show_versions import show_versions

# torch and scikit-learn are loaded with the first name that needs them.
_MODULES = {
    "ContrastiveEmbedder": "_contrastive_embedder",
    "DenoisingAutoencoder": "_denoising_autoencoder",
    "FineTunedClassifier": "_finetuning.classifier",
    "FineTunedRegressor": "_finetuning.regressor",
    "MaskedFeaturePredictor": "_masked_feature_predictor",
    "MaskedImputer": "_imputer",
    "OutlierDetector": "_outlier_detector",
    "select_rows": "_row_selection",
    "show_versions": "_show_versions",
}
_ROOMS = {"distributed", "evaluation", "model_selection", "persistence"}

__all__ = [
    "ContrastiveEmbedder",
    "DenoisingAutoencoder",
    "FineTunedClassifier",
    "FineTunedRegressor",
    "MaskedFeaturePredictor",
    "MaskedImputer",
    "OutlierDetector",
    "__version__",
    "select_rows",
    "show_versions",
]


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    # From now on the name is found without this function.
    globals()[name] = getattr(module, name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
