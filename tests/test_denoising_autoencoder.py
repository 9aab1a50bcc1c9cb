"""Rebuilding rows and telling strange ones."""

import numpy as np
import pandas as pd
import pytest
import torch
from embedders import LEARNING, SMALL
from sklearn.datasets import load_iris, load_wine

from sklearn_ssl import DenoisingAutoencoder


def test_inverse_transform_restores_columns_dtypes_and_scale(mixed):
    autoencoder = DenoisingAutoencoder(**SMALL).fit(mixed)
    rebuilt = autoencoder.inverse_transform(autoencoder.transform(mixed))
    pd.testing.assert_series_equal(rebuilt.dtypes, mixed.dtypes)
    assert rebuilt["number"].between(mixed["number"].min(), mixed["number"].max()).all()
    assert set(rebuilt["color"]) <= {"red", "green", "blue"}


@pytest.mark.parametrize("tied_weights", [False, True])
@pytest.mark.slow
def test_plain_autoencoder_learns_to_rebuild(tied_weights):
    X, _ = load_iris(return_X_y=True)
    autoencoder = DenoisingAutoencoder(
        noise_level=0.0, max_iter=100, tied_weights=tied_weights, random_state=0
    ).fit(X)
    assert autoencoder.score(X) > 0.9
    strange = X[:1] * [1, 1, 30, 1]
    assert autoencoder.reconstruction_error(strange) > autoencoder.reconstruction_error(X).max()


@pytest.mark.parametrize("level", [1.5, [0.1, 0.2]])
def test_noise_level_out_of_range_or_shape(level):
    X, _ = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="noise_level must"):
        DenoisingAutoencoder(noise_level=level).fit(X)


def test_noise_levels_belong_to_their_columns(flowers):
    levels = [0.1, 0.2, 0.3, 0.4, 0.5]
    table = flowers[flowers.columns[::-1]]
    rate = DenoisingAutoencoder(**SMALL, noise_level=levels).fit(table).model_.task.rate
    np.testing.assert_allclose(rate, [0.2, 0.3, 0.4, 0.5, 0.1])


@pytest.mark.parametrize("noise", ["swap", "masking"])
@pytest.mark.slow
def test_emphasis_makes_hidden_cells_better_known(noise):
    X, _ = load_wine(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    errors = {}
    for emphasis in (0.2, 20.0):
        model = DenoisingAutoencoder(
            noise=noise, emphasis=emphasis, max_iter=50, random_state=0
        ).fit(X)
        corrupted = X.copy()
        corrupted[:, 0] = 0.0
        errors[emphasis] = np.square(model.reconstruct(corrupted)[:, 0] - X[:, 0]).mean()
    assert errors[20.0] < errors[0.2]


@pytest.mark.parametrize("noise", ["swap", "gaussian", "masking", "mix"])
@pytest.mark.slow
def test_every_noise_learns_to_rebuild(noise):
    X, _ = load_wine(return_X_y=True)
    autoencoder = DenoisingAutoencoder(**LEARNING, noise=noise).fit(X)
    assert 0.5 < autoencoder.score(X) < 1


def test_rebuilt_rows_keep_columns_dtypes_and_index(flowers):
    autoencoder = DenoisingAutoencoder(**LEARNING).fit(flowers)
    rows = flowers.iloc[::-2]
    rebuilt = autoencoder.reconstruct(rows)
    assert rebuilt.index.equals(rows.index)
    pd.testing.assert_series_equal(rebuilt.dtypes, flowers.dtypes)
    assert (rebuilt["species"] == rows["species"]).mean() > 0.95
    Z = autoencoder.transform(rows)
    pd.testing.assert_frame_equal(
        autoencoder.inverse_transform(Z), rebuilt.reset_index(drop=True), rtol=1e-3
    )
    Z[:, autoencoder.n_components :] = 0
    pd.testing.assert_frame_equal(
        autoencoder.inverse_transform(Z), rebuilt.reset_index(drop=True), rtol=1e-3
    )


def test_columns_without_a_frequent_category_are_rebuilt_as_missing(flowers):
    table = flowers.assign(tag=range(len(flowers)))
    autoencoder = DenoisingAutoencoder(
        **SMALL, categorical_features=["species", "tag"], min_frequency=2
    ).fit(table)
    rebuilt = autoencoder.reconstruct(table)
    assert rebuilt["tag"].isna().all()
    assert rebuilt["species"].notna().all()


@pytest.mark.parametrize("logit", [-0.2, 0.2])
def test_zeros_and_ones_are_rebuilt_by_the_sign_of_their_logit(mixed, logit):
    autoencoder = DenoisingAutoencoder(**SMALL).fit(mixed)
    rebuilt = autoencoder.model_.decode(torch.full((1, autoencoder.model_.schema.width), logit))
    assert rebuilt["flag"].item() == (logit > 0)


def test_embeddings_of_another_width_raise(flowers):
    autoencoder = DenoisingAutoencoder(**SMALL).fit(flowers)
    with pytest.raises(ValueError, match="X has 3 features, but DenoisingAutoencoder returns"):
        autoencoder.inverse_transform(np.ones((2, 3)))


def test_reconstruction_error_is_per_row_and_finds_the_strange_flower(flowers):
    autoencoder = DenoisingAutoencoder(**LEARNING).fit(flowers)
    strange = flowers.copy()
    strange.loc[7, "species"] = "virginica"
    error = autoencoder.reconstruction_error(strange)
    assert error.shape == (len(flowers),)
    assert error.argmax() == 7
    np.testing.assert_allclose(
        np.delete(error, 7), np.delete(autoencoder.reconstruction_error(flowers), 7), rtol=1e-4
    )


def test_rows_from_a_frame_of_embeddings_have_its_index(mixed):
    named = mixed.set_index(pd.Index([f"row {i}" for i in range(len(mixed))]))
    autoencoder = DenoisingAutoencoder(**SMALL).set_output(transform="pandas").fit(named)
    rebuilt = autoencoder.inverse_transform(autoencoder.transform(named))
    assert rebuilt.index.equals(named.index)
