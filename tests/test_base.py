"""What the three transformers learn, embed and keep, whatever their objective."""

import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from embedders import SMALL, assert_as_it_was, every
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.pandas import column, data_frames, range_indexes
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback

from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor, _model


@every
def test_embeds_mixed_columns_unseen_categories_and_new_missing_cells(Embedder, mixed):
    embedder = Embedder(**SMALL).fit(mixed)
    new = mixed.astype({"color": object})
    new.loc[3, "color"] = "violet"
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
def test_embedding_of_a_row_does_not_depend_on_its_neighbors(Embedder):
    X, _ = load_breast_cancer(return_X_y=True)
    embedder = Embedder(**SMALL).fit(X)
    together = embedder.transform(X)
    shuffled = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(embedder.transform(X[shuffled]), together[shuffled], atol=1e-5)
    np.testing.assert_allclose(embedder.transform(X[:1]), together[:1], atol=1e-5)


@every
@pytest.mark.slow
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


@every
@pytest.mark.parametrize("container", [sp.csr_matrix, sp.csc_array, sp.coo_array])
@pytest.mark.slow
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
@pytest.mark.slow
def test_any_table_can_be_embedded(Embedder, frame):
    tiny = {**SMALL, "n_components": 3, "hidden_layer_sizes": (4,)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        embedder = Embedder(**tiny).fit(frame)
    assert np.isfinite(embedder.transform(frame)).all()


@every
@pytest.mark.slow
def test_layers_stand_side_by_side_in_a_common_scale(Embedder):
    X, _ = load_breast_cancer(return_X_y=True)
    Z = {
        (output, passthrough): Embedder(
            **SMALL, output=output, passthrough=passthrough
        ).fit_transform(X)
        for output in ("layers", "bottleneck")
        for passthrough in (False, True)
    }
    for embedded in Z.values():
        np.testing.assert_allclose(embedded.mean(axis=0), 0, atol=1e-5)
        deviation = embedded.std(axis=0)
        assert (embedded**2).sum(axis=1).mean() == pytest.approx(10, rel=1e-3)
        np.testing.assert_allclose(deviation[deviation > 0], deviation.max(), rtol=1e-3)
        embedded /= deviation.max()
    bottleneck, layers = Z["bottleneck", False], Z["layers", False]
    assert bottleneck.shape == (len(X), 8)
    assert layers.shape == (len(X), 8 + 16)
    np.testing.assert_allclose(layers[:, :8], bottleneck, atol=1e-4)
    np.testing.assert_allclose(Z["bottleneck", True][:, :8], bottleneck, atol=1e-4)
    np.testing.assert_allclose(Z["layers", True][:, : 8 + 16], layers, atol=1e-4)
    # Of 16 bins the two at the ends of the range have nearly all rows on one side.
    assert Z["bottleneck", True].shape[1] == 8 + X.shape[1] + 14 * X.shape[1]
    deviations = np.abs(X - X.mean(axis=0)) / X.std(axis=0)
    ordinary = ((deviations**4).mean(axis=0) < 10).nonzero()[0]
    assert len(ordinary) > 15
    expected = (X - X.mean(axis=0)) / X.std(axis=0)
    raw = Z["bottleneck", True][:, 8 : 8 + X.shape[1]]
    np.testing.assert_allclose(raw[:, ordinary], expected[:, ordinary], atol=1e-3)


@every
@pytest.mark.slow
def test_new_rows_are_embedded_within_reach_of_the_training_rows(Embedder):
    X, _ = load_diabetes(return_X_y=True)
    embedder = Embedder(max_iter=10, random_state=0).fit(X[:330])
    assert np.abs(embedder.transform(X[330:])).max() < 2 * np.abs(embedder.transform(X[:330])).max()


@every
def test_blocks_of_rows_do_not_show(Embedder, flowers, monkeypatch):
    embedder = Embedder(**SMALL).fit(flowers)
    whole = embedder.transform(flowers)
    monkeypatch.setattr(_model, "ROWS_PER_BLOCK", 40)
    np.testing.assert_allclose(embedder.transform(flowers), whole, atol=1e-6)


@every
def test_the_table_is_not_written_to(Embedder, mixed):
    before = mixed.copy()
    embedder = Embedder(**SMALL).fit(mixed)
    embedder.transform(mixed)
    embedder.score(mixed)
    pd.testing.assert_frame_equal(mixed, before)


@every
def test_fitted_attributes_state_what_was_seen_and_done(Embedder, flowers):
    embedder = Embedder(**SMALL).fit(flowers)
    assert embedder.n_features_in_ == 5
    assert embedder.feature_names_in_.tolist() == flowers.columns.tolist()
    assert embedder.n_iter_ == len(embedder.loss_curve_) == 3
    assert np.isfinite(embedder.loss_curve_).all()
    assert isinstance(embedder.model_.task, torch.nn.Module)
    assert not embedder.model_.task.training
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
@pytest.mark.slow
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
@pytest.mark.slow
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


# On other devices

OPTIONS = [
    *(DenoisingAutoencoder(noise=noise) for noise in ("swap", "gaussian", "masking", "mix")),
    DenoisingAutoencoder(emphasis=4.0, tied_weights=True),
    *(
        ContrastiveEmbedder(objective=objective, n_corrupted_views=2)
        for objective in ("info_nce", "nt_xent", "barlow_twins", "vicreg")
    ),
    ContrastiveEmbedder(supervision_weight=1.0),
    MaskedFeaturePredictor(),
]


@pytest.mark.slow
@pytest.mark.parametrize("embedder", OPTIONS, ids=str)
def test_a_step_is_made_where_the_batch_is(embedder, mixed):
    """Torch's device without data refuses tensors of another one, as a GPU does."""
    y = np.arange(len(mixed)) % 2 if embedder.supervision_weight else None
    embedder = clone(embedder).set_params(**SMALL).fit(mixed, y)
    task = embedder.model_.task.to("meta")
    batch = [part.to("meta") for part in embedder.model_.encode(mixed)]
    loss = task(batch, None)  # that device has no generators
    assert loss.device.type == "meta"
    loss.backward()


@every
@pytest.mark.parametrize("how", ["fit", "partial_fit", "fit_stream"])
@pytest.mark.parametrize(
    ("name", "value"), [("bottleneck_size", 3), ("hidden_layer_sizes", (4, 4))]
)
def test_a_fit_that_continues_says_which_parameter_would_change_the_network(
    Embedder, how, name, value, flowers
):
    embedder = Embedder(**SMALL, warm_start=True).fit(flowers)
    before = embedder.set_params(**{name: value}).__dict__.copy()
    with pytest.raises(ValueError, match=f"made with {name}=.*Set it back, or fit anew"):
        getattr(embedder, how)([flowers] if how == "fit_stream" else flowers)
    assert_as_it_was(embedder, before)


@every
@pytest.mark.parametrize("n_components", [1, 7, 200])
def test_as_many_columns_come_out_as_components_are_asked_for(Embedder, n_components, flowers):
    settings = {**SMALL, "n_components": n_components}
    embedded = Embedder(**settings).fit_transform(flowers)
    assert embedded.shape == (len(flowers), n_components)
    assert (embedded.astype(float) ** 2).sum(axis=1).mean() == pytest.approx(10, rel=1e-4)


@every
@pytest.mark.slow
def test_a_scaler_behind_the_components_changes_their_scale_alone(Embedder):
    X, _ = load_digits(return_X_y=True)
    deviation = Embedder(**{**SMALL, "n_components": 32}).fit_transform(X).std(axis=0)
    assert deviation.max() < 2 * deviation.min()


@every
def test_columns_of_the_passthrough_have_the_names_of_what_they_hold(Embedder, flowers):
    table = flowers.assign(weight=np.where(flowers.index % 3, flowers.index, np.nan))
    embedder = Embedder(**SMALL, output="layers").fit(table)
    names = embedder.get_feature_names_out().tolist()
    embedded = pd.DataFrame(embedder.transform(table), columns=names)
    assert len(set(names)) == len(names)
    prefix = type(embedder).__name__.lower()
    assert names[: 8 + 16] == [f"{prefix}{i}" for i in range(24)]
    for number in ("sepal length (cm)", "weight"):
        assert embedded[number].corr(table[number]) == pytest.approx(1, abs=1e-4)
    assert set(table["weight"][embedded["weight missing"] > 0].isna()) == {True}
    assert set(table["species"][embedded["species=setosa"] > 0]) == {"setosa"}
    cut = next(name for name in names if name.startswith("sepal length (cm)>5."))
    beyond = table["sepal length (cm)"] > float(cut.partition(">")[2])
    assert embedded[cut][beyond].min() > embedded[cut][~beyond].max()


@every
def test_columns_of_arrays_are_named_by_their_position(Embedder):
    X = load_iris().data
    embedder = Embedder(**SMALL, output="bottleneck", n_bins=1).fit(X)
    assert embedder.get_feature_names_out()[-4:].tolist() == ["x0", "x1", "x2", "x3"]


@pytest.mark.slow
def test_rows_come_back_from_components_about_as_well_as_from_the_bottleneck():
    X = load_breast_cancer().data
    settings = {"hidden_layer_sizes": (64,), "max_iter": 30, "random_state": 0}

    def error(output):
        autoencoder = DenoisingAutoencoder(64, bottleneck_size=16, output=output, **settings)
        rebuilt = autoencoder.fit(X).inverse_transform(autoencoder.transform(X))
        return (((rebuilt - X) / X.std(axis=0)) ** 2).mean()

    assert error("components") < error("bottleneck") + 0.05
    assert error("layers") == pytest.approx(error("bottleneck"), rel=1e-3)
