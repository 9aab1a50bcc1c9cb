"""The three transformers on whole tables, and among scikit-learn's own tools."""

import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.pandas import column, data_frames, range_indexes
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skorch.callbacks import Callback

from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor, _base

ESTIMATORS = [DenoisingAutoencoder, ContrastiveEmbedder, MaskedFeaturePredictor]
SMALL = {"hidden_layer_sizes": (16,), "n_components": 8, "max_iter": 3, "random_state": 0}
LEARNING = {"hidden_layer_sizes": (64,), "max_iter": 60, "random_state": 0}
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


@pytest.fixture(scope="module")
def flowers():
    """Fisher's irises: four measurements and the name of the species."""
    iris = load_iris(as_frame=True)
    return iris.data.assign(species=pd.Categorical.from_codes(iris.target, iris.target_names))


def assert_as_it_was(embedder, before):
    assert embedder.__dict__.keys() == before.keys()
    assert all(value is before[name] for name, value in embedder.__dict__.items())


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
    def __init__(self, error=KeyboardInterrupt):
        self.error = error

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 2:
            raise self.error


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
    X = load_digits().data[:600]
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


# Among scikit-learn's tools


@every
def test_survives_joblib_alone_and_in_a_pipeline(Embedder, flowers, tmp_path):
    pipeline = make_pipeline(Embedder(**SMALL), LogisticRegression(max_iter=500))
    pipeline.fit(flowers, flowers["species"])
    joblib.dump(pipeline, tmp_path / "pipeline.joblib")
    loaded = joblib.load(tmp_path / "pipeline.joblib")
    assert (loaded[0].transform(flowers) == pipeline[0].transform(flowers)).all()
    assert (loaded.predict_proba(flowers) == pipeline.predict_proba(flowers)).all()


def test_stand_side_by_side_in_a_feature_union():
    X, _ = load_wine(return_X_y=True)
    parts = [(Embedder.__name__, Embedder(**SMALL)) for Embedder in ESTIMATORS]
    union = FeatureUnion([*parts, ("raw", StandardScaler())], n_jobs=1)
    Z = union.fit_transform(X)
    expected = [clone(part).fit_transform(X) for _, part in parts]
    np.testing.assert_allclose(Z, np.hstack([*expected, StandardScaler().fit_transform(X)]))
    assert Z.shape[1] == len(union.get_feature_names_out())
    assert union.get_feature_names_out()[0] == "DenoisingAutoencoder__denoisingautoencoder0"


@every
def test_embeds_some_columns_in_a_column_transformer(Embedder, flowers):
    measured = flowers.columns[:4]
    columns = ColumnTransformer(
        [("embedded", Embedder(**SMALL), measured), ("names", OneHotEncoder(), ["species"])]
    )
    Z = columns.fit_transform(flowers)
    expected = Embedder(**SMALL).fit_transform(flowers[measured])
    np.testing.assert_allclose(Z[:, :-3], expected)
    assert Z[:, -3:].sum(axis=1).tolist() == [1] * len(flowers)
    assert columns.get_feature_names_out()[-1] == "names__species_virginica"


@every
def test_frozen_in_a_pipeline_it_learns_from_all_rows_and_few_labels(Embedder):
    X, y = load_iris(return_X_y=True)
    embedder = Embedder(**{**SMALL, "max_iter": 20}).fit(X)
    before = embedder.transform(X)
    model = make_pipeline(FrozenEstimator(embedder), LogisticRegression(max_iter=1000))
    model.fit(X[::10], y[::10])
    assert (embedder.transform(X) == before).all()
    assert model.score(X, y) > 0.8


@every
def test_frames_come_out_with_names_and_the_index_of_the_rows(Embedder, flowers):
    embedder = Embedder(**SMALL).set_output(transform="pandas").fit(flowers)
    rows = flowers.iloc[::-3]
    Z = embedder.transform(rows)
    assert Z.index.equals(rows.index)
    assert Z.columns.tolist() == embedder.get_feature_names_out().tolist()
    assert Z.columns[0] == f"{Embedder.__name__.lower()}0"
    assert (
        Z.to_numpy() == clone(embedder).set_output(transform="default").fit(flowers).transform(rows)
    ).all()


# Tables of every shape and kind


@every
@pytest.mark.parametrize("container", [sp.csr_matrix, sp.csc_array, sp.coo_array])
def test_sparse_rows_are_embedded_as_dense_ones(Embedder, container):
    X, _ = load_digits(return_X_y=True)
    dense, sparse = (Embedder(**SMALL).fit(part) for part in (X[:300], container(X[:300])))
    expected = dense.transform(X[300:330])
    assert (sparse.transform(container(X[300:330])) == expected).all()
    assert (sparse.transform(X[300:330]) == expected).all()


@every
@pytest.mark.parametrize(("n_rows", "n_columns"), [(1, 4), (2, 4), (3, 4), (150, 1), (1, 1)])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_small_tables_can_be_embedded(Embedder, n_rows, n_columns, early_stopping):
    X = load_iris().data[:, :n_columns]
    embedder = Embedder(**SMALL, early_stopping=early_stopping).fit(X[:n_rows])
    assert np.isfinite(embedder.transform(X)).all()
    assert np.isfinite(embedder.transform(X[:1])).all()


@every
def test_a_batch_larger_than_the_table_is_the_table(Embedder):
    X, _ = load_wine(return_X_y=True)
    larger, whole = (
        Embedder(**SMALL, batch_size=size).fit_transform(X) for size in (10**6, len(X))
    )
    assert (larger == whole).all()


@every
@given(
    frame=data_frames(
        [
            column(
                "number", elements=st.one_of(st.just(np.nan), st.floats(-1e9, 1e9)), dtype=float
            ),
            column("count", elements=st.integers(-3, 3), dtype="int64"),
            column("flag", elements=st.booleans(), dtype=bool),
            column("name", elements=st.sampled_from(["a", "b", None]), dtype=object),
        ],
        index=range_indexes(min_size=1, max_size=12),
    )
)
@settings(derandomize=True, deadline=None, max_examples=8)
def test_any_table_can_be_embedded(Embedder, frame):
    tiny = {**SMALL, "n_components": 3, "hidden_layer_sizes": (4,)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        embedder = Embedder(**tiny).fit(frame)
    assert np.isfinite(embedder.transform(frame)).all()


@every
def test_embedding_is_standardised_and_named_by_its_layers(Embedder):
    X, _ = load_breast_cancer(return_X_y=True)
    Z = {
        (embedding, passthrough): Embedder(
            **SMALL, embedding=embedding, passthrough=passthrough
        ).fit_transform(X)
        for embedding in ("all", "last")
        for passthrough in (False, True)
    }
    last, every_layer = Z["last", False], Z["all", False]
    assert last.shape == (len(X), 8)
    assert every_layer.shape == (len(X), 8 + 16)
    np.testing.assert_array_equal(every_layer[:, :8], last)
    np.testing.assert_array_equal(Z["last", True][:, :8], last)
    np.testing.assert_array_equal(Z["all", True][:, : 8 + 16], every_layer)
    np.testing.assert_allclose(every_layer.mean(axis=0), 0, atol=1e-5)
    deviation = every_layer.std(axis=0)
    np.testing.assert_allclose(deviation[deviation > 0], 1, rtol=1e-4)
    raw = Embedder(**SMALL, embedding="last", n_bins=1).fit_transform(X)[:, 8:]
    assert raw.shape == X.shape
    np.testing.assert_array_equal(Z["last", True][:, 8 : 8 + X.shape[1]], raw)
    assert Z["last", True].shape[1] == 8 + X.shape[1] + 16 * X.shape[1]
    deviations = np.abs(X - X.mean(axis=0)) / X.std(axis=0)
    ordinary = ((deviations**4).mean(axis=0) < 10).nonzero()[0]
    assert len(ordinary) > 15
    expected = (X - X.mean(axis=0)) / X.std(axis=0)
    np.testing.assert_allclose(raw[:, ordinary], expected[:, ordinary], atol=1e-4)


@every
def test_new_rows_are_embedded_within_reach_of_the_training_rows(Embedder):
    X, _ = load_diabetes(return_X_y=True)
    embedder = Embedder(max_iter=10, random_state=0).fit(X[:330])
    assert np.abs(embedder.transform(X[330:])).max() < 2 * np.abs(embedder.transform(X[:330])).max()


@every
def test_blocks_of_rows_do_not_show(Embedder, flowers, monkeypatch):
    embedder = Embedder(**SMALL).fit(flowers)
    whole = embedder.transform(flowers)
    monkeypatch.setattr(_base, "ROWS_PER_BLOCK", 40)
    np.testing.assert_allclose(embedder.transform(flowers), whole, atol=1e-6)


@every
def test_the_table_is_not_written_to(Embedder, mixed):
    before = mixed.copy()
    embedder = Embedder(**SMALL).fit(mixed)
    embedder.transform(mixed)
    embedder.score(mixed)
    pd.testing.assert_frame_equal(mixed, before)


# Fitting


@every
def test_fitted_attributes_tell_what_was_seen_and_done(Embedder, flowers):
    embedder = Embedder(**SMALL).fit(flowers)
    assert embedder.n_features_in_ == 5
    assert embedder.feature_names_in_.tolist() == flowers.columns.tolist()
    assert embedder.n_iter_ == len(embedder.loss_curve_) == 3
    assert np.isfinite(embedder.loss_curve_).all()
    assert isinstance(embedder.module_, torch.nn.Module)
    assert not embedder.module_.training
    assert not hasattr(embedder, "validation_scores_")


@every
def test_early_stopping_stops_early_and_a_later_fit_forgets_it(Embedder, flowers):
    options = {**SMALL, "max_iter": 50, "n_iter_no_change": 2, "tol": 1e9}
    embedder = Embedder(**options, early_stopping=True).fit(flowers)
    assert embedder.n_iter_ == len(embedder.validation_scores_) == 3
    embedder.set_params(early_stopping=False, max_iter=4).fit(flowers)
    assert embedder.n_iter_ == 4
    assert not hasattr(embedder, "validation_scores_")


@every
def test_neither_global_seeds_nor_threads_nor_default_types_matter(Embedder, flowers):
    expected = Embedder(**SMALL).fit_transform(flowers)
    n_threads = torch.get_num_threads()
    torch.manual_seed(5)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            again = joblib.Parallel(n_jobs=2, backend="threading")(
                joblib.delayed(Embedder(**SMALL).fit_transform)(flowers) for _ in range(3)
            )
    finally:
        torch.set_default_dtype(torch.float32)
    assert all((part == expected).all() for part in again)
    assert torch.get_num_threads() == n_threads


@every
def test_random_state_decides_the_embedding(Embedder, flowers):
    def embed(random_state):
        return Embedder(**{**SMALL, "random_state": random_state}).fit_transform(flowers)

    assert (embed(1) == embed(np.random.RandomState(1))).all()
    assert (embed(1) != embed(2)).any()
    assert (embed(None) != embed(None)).any()


@every
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_an_error_midway_leaves_the_estimator_as_it_was(Embedder, flowers, method):
    embedder = Embedder(**SMALL).fit(flowers)
    embedder.set_params(callbacks=[_Interrupt(ZeroDivisionError)], max_iter=9)
    before = embedder.__dict__.copy()
    if method == "partial_fit":
        embedder.callbacks[0].on_epoch_end = embedder.callbacks[0].on_train_begin = _fail
    with pytest.raises(ZeroDivisionError):
        getattr(embedder, method)(flowers)
    assert_as_it_was(embedder, before)


def _fail(net, **kwargs):
    raise ZeroDivisionError


@every
def test_fit_forgets_the_stream_that_was_learned_before_it(Embedder, flowers):
    fresh, used = Embedder(**SMALL), Embedder(**SMALL)
    used.partial_fit(flowers.iloc[:50])
    for embedder in (fresh, used):
        embedder.fit(flowers).partial_fit(flowers)
    assert (used.transform(flowers) == fresh.transform(flowers)).all()


class _Flatten(Callback):
    def on_train_end(self, net, **kwargs):
        with torch.no_grad():
            for parameter in net.module_.parameters():
                parameter.zero_()


@every
def test_a_collapsed_embedding_is_told_unless_all_rows_are_alike(Embedder, flowers):
    with pytest.warns(ConvergenceWarning, match=f"embedding of {Embedder.__name__} has collapsed"):
        Embedder(**SMALL, callbacks=[_Flatten()]).fit(flowers)
    alike = flowers.iloc[[0] * 20]
    assert np.isfinite(Embedder(**SMALL, callbacks=[_Flatten()]).fit_transform(alike)).all()


# What is told


BAD_ROWS = {
    "no rows": (lambda X: X.iloc[:0], ValueError, "0 sample"),
    "infinite": (
        lambda X: X.assign(**{"sepal width (cm)": np.inf}),
        ValueError,
        r"infinity .* column 'sepal width \(cm\)'",
    ),
    "too few columns": (
        lambda X: X.iloc[:, :3],
        ValueError,
        "(?s)feature names should match.*yet now missing:\n- petal width",
    ),
    "other names": (
        lambda X: X.rename(columns={"species": "kind"}),
        ValueError,
        "(?s)feature names should match.*unseen at fit time:\n- kind",
    ),
    "other order": (lambda X: X.iloc[:, ::-1], ValueError, "must be in the same order"),
    "too few in an array": (
        lambda X: X.iloc[:, :3].to_numpy(),
        ValueError,
        "X has 3 features, but .* is expecting 5",
    ),
    "duplicate names": (
        lambda X: X.set_axis([*X.columns[:-1], X.columns[0]], axis=1),
        ValueError,
        r"duplicate column names: \['sepal length",
    ),
    "text for numbers": (
        lambda X: X.assign(**{"sepal width (cm)": "wide"}),
        ValueError,
        r"'sepal width \(cm\)' must hold numbers",
    ),
    "a list in a cell": (
        lambda X: X.assign(species=[["setosa"]] * len(X)),
        TypeError,
        "'species' holds a value that cannot be a category",
    ),
}


@every
@pytest.mark.parametrize("method", ["transform", "partial_fit", "score"])
@pytest.mark.parametrize(("change", "error", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_rows_that_do_not_fit_get_one_sentence_and_change_nothing(
    Embedder, flowers, method, change, error, message
):
    embedder = Embedder(**SMALL).fit(flowers)
    before = embedder.__dict__.copy()
    with pytest.raises(error, match=message):
        getattr(embedder, method)(change(flowers))
    assert_as_it_was(embedder, before)


OUT_OF_RANGE = {
    "n_components": 0,
    "embedding": "first",
    "passthrough": 2,
    "categorical_features": "all",
    "max_categories": 0,
    "min_frequency": 0,
    "batch_size": 0,
    "learning_rate": "warm",
    "learning_rate_init": 0.0,
    "weight_decay": -1.0,
    "max_iter": 0,
    "early_stopping": "yes",
    "validation_fraction": 1.0,
    "n_iter_no_change": 0,
    "tol": -1.0,
    "callbacks": "PrintLog",
    "device": "tpu",
    "random_state": -1,
}
OF_ONE = [
    (DenoisingAutoencoder, "noise", "salt"),
    (DenoisingAutoencoder, "noise_level", -0.1),
    (DenoisingAutoencoder, "tied_weights", 2),
    (ContrastiveEmbedder, "corruption_rate", 1.0),
    (ContrastiveEmbedder, "n_corrupted_views", 3),
    (ContrastiveEmbedder, "objective", "triplet"),
    (ContrastiveEmbedder, "temperature", 0.0),
    (ContrastiveEmbedder, "projection_size", 0),
    (MaskedFeaturePredictor, "mask_rate", 0.0),
    (MaskedFeaturePredictor, "alpha", -1.0),
]
OF_ALL = [(Embedder, *item) for Embedder in ESTIMATORS for item in OUT_OF_RANGE.items()]


@pytest.mark.parametrize(("Embedder", "name", "value"), OF_ALL + OF_ONE)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_parameters_out_of_range_are_told_by_name(Embedder, name, value, method, flowers):
    embedder = Embedder(**{name: value})
    with pytest.raises(ValueError, match=f"'{name}' parameter of {Embedder.__name__} must be"):
        getattr(embedder, method)(flowers)
    assert vars(embedder) == vars(Embedder(**{name: value}))


METHODS = [
    *((Embedder, name) for Embedder in ESTIMATORS for name in ("transform", "score")),
    (DenoisingAutoencoder, "inverse_transform"),
    (DenoisingAutoencoder, "reconstruct"),
    (DenoisingAutoencoder, "reconstruction_error"),
    (MaskedFeaturePredictor, "impute"),
    (MaskedFeaturePredictor, "predict_masked"),
]


@pytest.mark.parametrize(("Embedder", "method"), METHODS)
def test_use_before_fit_is_told(Embedder, method, flowers):
    rest = [flowers.isna()] if method == "predict_masked" else []
    with pytest.raises(NotFittedError, match=f"This {Embedder.__name__} instance is not fitted"):
        getattr(Embedder(), method)(flowers, *rest)


@every
def test_a_device_that_is_not_there_is_told(Embedder, flowers, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device='cuda' is not available here"):
        Embedder(**SMALL, device="cuda").fit(flowers)


# Each on its own


def test_noise_levels_belong_to_their_columns(flowers):
    levels = [0.1, 0.2, 0.3, 0.4, 0.5]
    table = flowers[flowers.columns[::-1]]
    rate = DenoisingAutoencoder(**SMALL, noise_level=levels).fit(table).module_.rate
    np.testing.assert_allclose(rate, [0.2, 0.3, 0.4, 0.5, 0.1])


@pytest.mark.parametrize("noise", ["swap", "gaussian", "masking", "mix"])
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
    rebuilt = autoencoder._decode(torch.full((1, autoencoder._schema.width), logit))
    assert rebuilt["flag"].item() == (logit > 0)


def test_masked_score_hides_the_cells_that_it_asks_for(monkeypatch):
    X = load_iris().data
    predictor, views = MaskedFeaturePredictor(**SMALL).fit(X), []
    output = predictor._output
    monkeypatch.setattr(predictor, "_output", lambda view: views.append(view) or output(view))
    predictor.score(X)
    ((numeric, _),) = views
    assert numeric.isnan().float().mean().item() == pytest.approx(0.3, abs=0.05)


def test_embeddings_of_another_width_are_told(flowers):
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


@pytest.mark.parametrize(
    ("Embedder", "name", "value"),
    [
        (DenoisingAutoencoder, "noise_level", 0.9),
        (ContrastiveEmbedder, "corruption_rate", 0.1),
        (MaskedFeaturePredictor, "mask_rate", 0.9),
    ],
)
def test_score_does_not_depend_on_the_corruption_of_training(Embedder, name, value, flowers):
    embedder = Embedder(**SMALL).fit(flowers)
    score = embedder.score(flowers)
    assert embedder.set_params(**{name: value}).score(flowers) == score


@pytest.mark.parametrize("objective", ["info_nce", "nt_xent", "barlow_twins", "vicreg"])
@pytest.mark.parametrize("n_corrupted_views", [1, 2])
def test_every_objective_falls_and_finds_rows_better_than_chance(objective, n_corrupted_views):
    X = load_digits().data[:200]
    embedder = ContrastiveEmbedder(
        **LEARNING, objective=objective, n_corrupted_views=n_corrupted_views
    ).fit(X)
    assert embedder.loss_curve_[-1] < 0.95 * embedder.loss_curve_[0]
    assert 5 / len(X) < embedder.score(X) <= 1


def test_prediction_does_not_see_the_cells_it_predicts(flowers):
    predictor = MaskedFeaturePredictor(**SMALL).fit(flowers)
    mask = np.zeros(flowers.shape, dtype=bool)
    mask[::2, 1] = mask[1::3, 4] = True
    blind = flowers.astype({"species": object}).mask(mask)
    predicted = predictor.predict_masked(flowers, mask)
    filled = predictor.impute(blind.astype(flowers.dtypes))
    pd.testing.assert_frame_equal(predicted, filled)
    pd.testing.assert_frame_equal(predicted.mask(mask), flowers.mask(mask))
    pd.testing.assert_frame_equal(predictor.predict_masked(flowers, pd.DataFrame(mask)), predicted)


def test_imputation_learns_names_from_measurements(flowers):
    predictor = MaskedFeaturePredictor(**LEARNING).fit(flowers)
    filled = predictor.impute(flowers.assign(species=flowers["species"].where(flowers.index < 0)))
    assert (filled["species"] == flowers["species"]).mean() > 0.85
    pd.testing.assert_series_equal(filled.dtypes, flowers.dtypes)
