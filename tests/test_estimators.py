"""The three transformers on tables of mixed columns."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor

ESTIMATORS = [DenoisingAutoencoder, ContrastiveEmbedder, MaskedFeaturePredictor]
SMALL = {"hidden_layer_sizes": (16,), "n_components": 8, "max_iter": 3, "random_state": 0}
every = pytest.mark.parametrize("Embedder", ESTIMATORS)


@pytest.fixture
def mixed():
    rng = np.random.default_rng(0)
    n = 80
    frame = pd.DataFrame(
        {
            "number": rng.normal(50, 10, n),
            "count": rng.integers(0, 9, n),
            "flag": rng.random(n) < 0.3,
            "colour": pd.Categorical(rng.choice(["red", "green", "blue"], n)),
            "town": rng.choice(["Köln", "Łódź"], n),
            "nullable": pd.array(rng.integers(0, 5, n), dtype="Int64"),
            "constant": 1.0,
            "empty": np.nan,
        }
    )
    frame.loc[::7, "number"] = np.nan
    frame.loc[::9, "colour"] = None
    frame.loc[::5, "nullable"] = pd.NA
    return frame


@every
def test_embeds_mixed_columns_unseen_categories_and_new_missing_cells(Embedder, mixed):
    embedder = Embedder(**SMALL).fit(mixed)
    new = mixed.astype({"colour": object})
    new.loc[3, "colour"] = "violet"
    new["count"] = new["count"].astype(float)
    new.loc[4, "count"] = np.nan
    Z = embedder.transform(new)
    assert Z.dtype == np.float32
    assert Z.shape == (80, len(embedder.get_feature_names_out()))
    assert np.isfinite(Z).all()


@every
def test_same_seed_same_bits_and_global_state_untouched(Embedder, mixed):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, again = (Embedder(**SMALL).fit_transform(mixed) for _ in range(2))
    assert first.tobytes() == again.tobytes()
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()  # noqa: NPY002


@every
def test_embedding_of_a_row_does_not_depend_on_its_neighbours(Embedder):
    X, _ = load_breast_cancer(return_X_y=True)
    embedder = Embedder(**SMALL).fit(X)
    together = embedder.transform(X)
    shuffled = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(embedder.transform(X[shuffled]), together[shuffled], atol=1e-5)
    np.testing.assert_allclose(embedder.transform(X[:1]), together[:1], atol=1e-5)


@every
def test_survives_pickle_and_clone(Embedder, mixed):
    embedder = Embedder(**SMALL).fit(mixed)
    loaded = pickle.loads(pickle.dumps(embedder))
    assert (loaded.transform(mixed) == embedder.transform(mixed)).all()
    assert clone(embedder).get_params() == embedder.get_params()


@every
def test_searches_and_scores_in_a_pipeline(Embedder):
    X, y = load_iris(return_X_y=True)
    search = GridSearchCV(Embedder(**SMALL), {"n_components": [2, 4]}, cv=3, n_jobs=2).fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    model = make_pipeline(Embedder(**SMALL), LogisticRegression(max_iter=500))
    assert cross_val_score(model, X, y, cv=3).mean() > 0.85


@every
def test_partial_fit_and_warm_start_continue(Embedder, mixed):
    embedder = Embedder(**SMALL)
    for _ in range(3):
        embedder.partial_fit(mixed)
    assert embedder.n_iter_ == len(embedder.loss_curve_) == 3
    warm = Embedder(**{**SMALL, "max_iter": 30}, warm_start=True).fit(mixed)
    before = warm.loss_curve_[0]
    assert warm.fit(mixed).loss_curve_[0] < before


class _Interrupt(Callback):
    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


@every
def test_interrupted_fit_leaves_a_usable_estimator(Embedder, mixed):
    embedder = Embedder(**{**SMALL, "max_iter": 9}, callbacks=[_Interrupt()])
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        embedder.fit(mixed)
    assert 1 <= embedder.n_iter_ < 9
    assert np.isfinite(embedder.transform(mixed)).all()


@every
def test_early_stopping_records_validation_scores(Embedder, mixed):
    embedder = Embedder(**SMALL, early_stopping=True).fit(mixed)
    assert len(embedder.validation_scores_) == embedder.n_iter_


@every
def test_partial_fit_learns_from_every_row_whatever_the_schedule(Embedder, mixed):
    embedder = Embedder(**SMALL, early_stopping=True, learning_rate="constant")
    embedder.partial_fit(mixed)
    assert not hasattr(embedder, "validation_scores_")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.iloc[:0], "0 sample"),
        (lambda X: X.assign(number=np.inf), "infinity .* column 'number'"),
        (lambda X: X.set_axis([*X.columns[:-1], "number"], axis=1), "duplicate column names"),
        (lambda X: X.assign(town=["a", 1] * 40), r"mixes values of types \['int', 'str'\]"),
        (lambda X: X.assign(day=pd.Timestamp("2026-01-01")), "'day' has dtype datetime64"),
    ],
)
@every
def test_bad_tables_get_one_sentence_and_change_nothing(Embedder, mixed, change, message):
    embedder = Embedder(**SMALL).fit(mixed)
    before = embedder.transform(mixed)
    with pytest.raises(ValueError, match=message):
        embedder.fit(change(mixed))
    assert (embedder.transform(mixed) == before).all()


@every
def test_other_columns_and_unfitted_use_are_told(Embedder, mixed):
    with pytest.raises(NotFittedError):
        Embedder(**SMALL).transform(mixed)
    embedder = Embedder(**SMALL).fit(mixed)
    with pytest.raises(ValueError, match="feature names"):
        embedder.transform(mixed[mixed.columns[::-1]])


def test_inverse_transform_restores_columns_dtypes_and_units(mixed):
    autoencoder = DenoisingAutoencoder(**SMALL).fit(mixed)
    rebuilt = autoencoder.inverse_transform(autoencoder.transform(mixed))
    pd.testing.assert_series_equal(rebuilt.dtypes, mixed.dtypes)
    assert rebuilt["number"].between(mixed["number"].min(), mixed["number"].max()).all()
    assert set(rebuilt["colour"]) <= {"red", "green", "blue"}


@pytest.mark.parametrize("tied_weights", [False, True])
def test_plain_autoencoder_learns_to_rebuild(tied_weights):
    X, _ = load_iris(return_X_y=True)
    autoencoder = DenoisingAutoencoder(
        noise_level=0.0, max_iter=100, tied_weights=tied_weights, random_state=0
    ).fit(X)
    assert autoencoder.score(X) > 0.9
    strange = X[:1] * [1, 1, 30, 1]
    assert autoencoder.reconstruction_error(strange) > autoencoder.reconstruction_error(X).max()


def test_imputation_beats_the_mean_and_keeps_present_cells():
    X, _ = load_iris(return_X_y=True)
    predictor = MaskedFeaturePredictor(max_iter=100, random_state=0).fit(X)
    holes = X.copy()
    holes[::3, 2] = np.nan
    filled = predictor.impute(holes)
    assert (filled[~np.isnan(holes)] == X[~np.isnan(holes)]).all()
    error = np.mean((filled[::3, 2] - X[::3, 2]) ** 2)
    assert error < 0.5 * X[:, 2].var()
    with pytest.raises(ValueError, match="boolean array of the shape of X"):
        predictor.predict_masked(X, [True])


def test_contrast_score_rises_with_training():
    X, _ = load_breast_cancer(return_X_y=True)
    short, long = (ContrastiveEmbedder(max_iter=n, random_state=0).fit(X).score(X) for n in (1, 30))
    assert short < long <= 1


def test_divergence_is_told_and_leaves_finite_weights(mixed):
    with pytest.warns(ConvergenceWarning), warnings.catch_warnings():
        embedder = DenoisingAutoencoder(**{**SMALL, "learning_rate_init": 1e30}).fit(mixed)
    assert np.isfinite(embedder.transform(mixed)).all()


@pytest.mark.parametrize("sizes", [(0,), (8, -1), (2.5,), ("a",), ((8,), (8,))])
@every
def test_layer_sizes_out_of_range_are_told(Embedder, sizes):
    X, _ = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="hidden_layer_sizes must hold integers of at least 1"):
        Embedder(hidden_layer_sizes=sizes).fit(X)


def test_imputation_leaves_columns_without_a_cell_as_they_are(mixed):
    table = mixed.assign(
        nothing=pd.array([None] * len(mixed), dtype="Int64"), never=pd.Series([None] * len(mixed))
    )
    filled = MaskedFeaturePredictor(**SMALL).fit(table).impute(table)
    assert filled.columns[filled.isna().any()].tolist() == ["empty", "nothing", "never"]
    pd.testing.assert_series_equal(filled.dtypes, table.dtypes)


@pytest.mark.parametrize("level", [1.5, [0.1, 0.2]])
def test_noise_level_out_of_range_or_shape(level):
    X, _ = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="noise_level must"):
        DenoisingAutoencoder(noise_level=level).fit(X)
