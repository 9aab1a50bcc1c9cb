"""What the three transformers say of tables, parameters and fits that cannot be."""

import numpy as np
import pytest
import torch
from embedders import ESTIMATORS, SMALL, assert_as_it_was, every, small
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from skorch.callbacks import Callback

from sklearn_ssl import (
    ContrastiveEmbedder,
    DenoisingAutoencoder,
    FineTunedClassifier,
    FineTunedRegressor,
    MaskedFeaturePredictor,
    MaskedImputer,
)
from sklearn_ssl.evaluation import probe_score
from sklearn_ssl.model_selection import LabeledFold, LabeledRowsOnly


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.iloc[:0], "0 sample"),
        (lambda X: X.assign(number=np.inf), "infinity .* column 'number'"),
        (lambda X: X.set_axis([*X.columns[:-1], "number"], axis=1), "duplicate column names"),
        (lambda X: X.assign(town=["a", 1] * 40), r"mixes values of types \['int', 'str'\]"),
        (lambda X: X.assign(wave=1j), "'wave' has dtype complex128"),
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
def test_other_columns_and_unfitted_use_raise(Embedder, mixed):
    with pytest.raises(NotFittedError):
        Embedder(**SMALL).transform(mixed)
    embedder = Embedder(**SMALL).fit(mixed)
    with pytest.raises(ValueError, match="feature names"):
        embedder.transform(mixed[mixed.columns[::-1]])


@every
@pytest.mark.parametrize("how", ["fit", "partial_fit", "fit_stream"])
def test_divergence_is_reported_with_its_remedy_and_leaves_finite_weights(Embedder, how, mixed):
    embedder = Embedder(**small(learning_rate_init=1e30))
    rows = [mixed] if how == "fit_stream" else mixed
    with pytest.warns(ConvergenceWarning) as warned:
        getattr(embedder, how)(rows)
    reports = [str(w.message) for w in warned if "loss is no longer finite" in str(w.message)]
    assert len(reports) == 1
    assert "Lower learning_rate_init" in reports[0]
    assert np.isfinite(embedder.transform(mixed)).all()


@pytest.mark.parametrize("sizes", [(0,), (8, -1), (2.5,), ("a",), ((8,), (8,)), 0, True])
@every
def test_layer_sizes_out_of_range_raise(Embedder, sizes):
    X, _ = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="hidden_layer_sizes must hold integers of at least 1"):
        Embedder(hidden_layer_sizes=sizes).fit(X)


@every
def test_a_single_layer_is_written_with_a_comma(Embedder):
    X, _ = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=r"got 64\. For a single layer, write \(64,\)"):
        Embedder(hidden_layer_sizes=64).fit(X)


class _Flatten(Callback):
    def on_train_end(self, net, **kwargs):
        with torch.no_grad():
            for parameter in net.module_.parameters():
                parameter.zero_()


@every
def test_a_collapsed_embedding_is_reported_unless_all_rows_are_alike(Embedder, flowers):
    with pytest.warns(ConvergenceWarning, match=f"embedding of {Embedder.__name__} has collapsed"):
        Embedder(**SMALL, callbacks=[_Flatten()]).fit(flowers)
    alike = flowers.iloc[[0] * 20]
    assert np.isfinite(Embedder(**SMALL, callbacks=[_Flatten()]).fit_transform(alike)).all()


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
        ValueError,
        r"'species' held text, .* now holds values of types \['list'\], such as \['setosa'\]",
    ),
}


@pytest.mark.slow
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
    "output": "first",
    "bottleneck_size": 0,
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
    (DenoisingAutoencoder, "emphasis", 0.0),
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
def test_parameters_out_of_range_raise_with_their_name(Embedder, name, value, method, flowers):
    embedder = Embedder(**{name: value})
    with pytest.raises(ValueError, match=f"'{name}' parameter of {Embedder.__name__} must be"):
        getattr(embedder, method)(flowers)
    assert vars(embedder) == vars(Embedder(**{name: value}))


@pytest.mark.parametrize("n_rows", [30, 150])
@pytest.mark.parametrize("Estimator", [*ESTIMATORS, MaskedImputer])
def test_a_validation_fraction_that_leaves_no_row_is_named(Estimator, n_rows, flowers):
    estimator = Estimator(validation_fraction=0.999, early_stopping=True, max_iter=1)
    with pytest.raises(ValueError, match=f"validation_fraction=0.999 .* all of the {n_rows} rows"):
        estimator.fit(flowers[:n_rows])
    assert not hasattr(estimator, "n_features_in_")


METHODS = [
    *((Embedder, name) for Embedder in ESTIMATORS for name in ("transform", "score")),
    (DenoisingAutoencoder, "inverse_transform"),
    (DenoisingAutoencoder, "reconstruct"),
    (DenoisingAutoencoder, "reconstruction_error"),
    (MaskedFeaturePredictor, "impute"),
    (MaskedFeaturePredictor, "predict_masked"),
]


@pytest.mark.parametrize(("Embedder", "method"), METHODS)
def test_use_before_fit_raises(Embedder, method, flowers):
    rest = [flowers.isna()] if method == "predict_masked" else []
    with pytest.raises(NotFittedError, match=f"This {Embedder.__name__} instance is not fitted"):
        getattr(Embedder(), method)(flowers, *rest)


@every
def test_a_device_that_is_not_available_raises(Embedder, flowers, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device='cuda' is not available here"):
        Embedder(**SMALL, device="cuda").fit(flowers)


FEW = np.where(np.arange(150) % 10 == 0, load_iris().target, -1)
TAKERS_OF_LABELS = {
    "classifier": lambda X, y: FineTunedClassifier(DenoisingAutoencoder(**SMALL)).fit(X, y),
    "regressor": lambda X, y: FineTunedRegressor(DenoisingAutoencoder(**SMALL)).fit(X, y),
    "supervised": lambda X, y: DenoisingAutoencoder(**SMALL, supervision_weight=0.5).fit(X, y),
    "labeled rows": lambda X, y: LabeledRowsOnly(LogisticRegression()).fit(X, y),
    "score": lambda X, y: LabeledRowsOnly(LogisticRegression()).fit(X, FEW).score(X, y),
    "folds": lambda X, y: list(LabeledFold(cv=3).split(X, y)),
    "evaluation": lambda X, y: probe_score(DenoisingAutoencoder(**SMALL), X, y),
}


@pytest.mark.parametrize("take", TAKERS_OF_LABELS.values(), ids=TAKERS_OF_LABELS)
def test_labels_without_the_unlabeled_rows_are_refused_with_the_marks_to_use(take):
    message = "numbers of samples: 150 and 15. Pass all rows in X.* NaN or None marks .*so does -1"
    with pytest.raises(ValueError, match=message):
        take(load_iris().data, FEW[FEW != -1])
