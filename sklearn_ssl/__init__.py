"""Self-supervised representation learning for tables, as scikit-learn transformers.

Three transformers learn features from unlabeled rows: `DenoisingAutoencoder` rebuilds rows from
corrupted ones, `ContrastiveEmbedder` tells rows apart, `MaskedFeaturePredictor` tells what was
hidden. Each is fitted on a table as it comes and stands in a `Pipeline` before any classifier.
"""

from sklearn_ssl._contrastive_embedder import ContrastiveEmbedder
from sklearn_ssl._denoising_autoencoder import DenoisingAutoencoder
from sklearn_ssl._finetuning.classifier import FineTunedClassifier
from sklearn_ssl._finetuning.regressor import FineTunedRegressor
from sklearn_ssl._masked_feature_predictor import MaskedFeaturePredictor
from sklearn_ssl._outlier_detector import OutlierDetector
from sklearn_ssl._show_versions import show_versions
from sklearn_ssl._version import __version__

__all__ = [
    "ContrastiveEmbedder",
    "DenoisingAutoencoder",
    "FineTunedClassifier",
    "FineTunedRegressor",
    "MaskedFeaturePredictor",
    "OutlierDetector",
    "__version__",
    "show_versions",
]
