"""Scikit-learn's own checks, and those that ``check_estimator`` leaves out."""

import warnings

import pytest
from embedders import UNSEEDED
from sklearn.utils import estimator_checks as checks

from sklearn_ssl import (
    ContrastiveEmbedder,
    DenoisingAutoencoder,
    MaskedFeaturePredictor,
    MaskedImputer,
    OutlierDetector,
)

# Small and short: the checks fit each estimator hundreds of times, and test behavior.
VARIANTS = [
    DenoisingAutoencoder(**UNSEEDED),
    DenoisingAutoencoder(**UNSEEDED, output="bottleneck", passthrough=False),
    DenoisingAutoencoder(**UNSEEDED, noise="gaussian", tied_weights=True),
    DenoisingAutoencoder(**UNSEEDED, noise="mix", early_stopping=True),
    DenoisingAutoencoder(**UNSEEDED, noise="masking", noise_level=0.0),
    ContrastiveEmbedder(**UNSEEDED),
    ContrastiveEmbedder(**UNSEEDED, objective="nt_xent", n_corrupted_views=2),
    ContrastiveEmbedder(**UNSEEDED, objective="barlow_twins"),
    ContrastiveEmbedder(**UNSEEDED, objective="vicreg"),
    MaskedFeaturePredictor(**UNSEEDED),
    MaskedFeaturePredictor(**UNSEEDED, early_stopping=True, batch_size=16),
    DenoisingAutoencoder(**UNSEEDED, supervision_weight=1.0, early_stopping=True),
    OutlierDetector(MaskedFeaturePredictor(**UNSEEDED), n_estimators=10),
    MaskedImputer(width=8, n_blocks=1, n_bins=4, max_iter=2),
    MaskedImputer(width=8, n_blocks=1, max_iter=2, strategy="median", add_indicator=True),
]


@checks.parametrize_with_checks(VARIANTS)
@pytest.mark.slow
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_scikit_learn_check_of_parameters_of_the_outlier_detector():
    checks.check_param_validation("OutlierDetector", VARIANTS[12])


@pytest.mark.parametrize("estimator", [VARIANTS[0], VARIANTS[5], VARIANTS[9], VARIANTS[13]])
@pytest.mark.parametrize(
    "check",
    [
        checks.check_transformer_get_feature_names_out,
        checks.check_transformer_get_feature_names_out_pandas,
        checks.check_set_output_transform,
        checks.check_set_output_transform_pandas,
        checks.check_global_output_transform_pandas,
        checks.check_set_output_transform_polars,
        checks.check_global_set_output_transform_polars,
        checks.check_param_validation,
    ],
)
@pytest.mark.slow
def test_checks_that_check_estimator_leaves_out(estimator, check):
    expect_arrays = (
        checks.check_set_output_transform_pandas,
        checks.check_global_output_transform_pandas,
    )
    if isinstance(estimator, MaskedImputer) and check in expect_arrays:
        pytest.skip("The check expects arrays by default; filled DataFrames remain DataFrames.")
    with warnings.catch_warnings():
        # These checks transform arrays after fitting frames on purpose.
        warnings.filterwarnings("ignore", message=".*feature names", category=UserWarning)
        check(type(estimator).__name__, estimator)
