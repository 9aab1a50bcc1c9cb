"""Among scikit-learn's tools, and on arrays and frames as other programs hand them over.

``CHECKED_COMPOSITIONS=all`` runs scikit-learn's own checks on more of its tools around ours.
"""

import os

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from embedders import BRIEF, every
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    BaggingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import HalvingGridSearchCV, cross_val_score, learning_curve
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_ssl import (
    ContrastiveEmbedder,
    DenoisingAutoencoder,
    FineTunedClassifier,
    MaskedFeaturePredictor,
)
from sklearn_ssl.model_selection import LabeledFold, LabeledRowsOnly

X, y = load_iris(return_X_y=True)
order = np.random.default_rng(0).permutation(len(X))
X, y = X[order], y[order]
few_labels = np.where(np.arange(len(y)) % 3, -1, y)


def model(Embedder):
    return make_pipeline(Embedder(**BRIEF), LogisticRegression(max_iter=1000, tol=1e-2))


def finetuned(Embedder):
    return FineTunedClassifier(Embedder(**BRIEF), mode="frozen", random_state=0)


both = pytest.mark.parametrize(
    ("build", "Embedder"),
    [
        (model, DenoisingAutoencoder),
        (model, ContrastiveEmbedder),
        (model, MaskedFeaturePredictor),
        (finetuned, DenoisingAutoencoder),
    ],
)


MISSING_CELLS = {"check_estimators_nan_inf": "the embedder has a place for missing cells"}
WEIGHTS = {
    f"check_sample_weight_equivalence_on_{kind}_data": "rows are drawn, or put into folds, first"
    for kind in ("dense", "sparse")
}
SCIKIT_LEARNS_OWN = {
    Pipeline: {
        "check_dont_overwrite_parameters": "steps are fitted in place",
        "check_estimators_overwrite_params": "steps are fitted in place",
    },
    BaggingClassifier: {
        **WEIGHTS,
        "check_fit2d_1feature": "a draw of one class is refused in the classifier's words",
        "check_classifiers_train": "means of decisions and of probabilities rank rows differently",
        "check_decision_proba_consistency": "means of decisions and of probabilities rank rows "
        "differently",
    },
    StackingClassifier: {
        "check_transformer_preserve_dtypes": "features are of single precision",
    },
    CalibratedClassifierCV: WEIGHTS,
    SelfTrainingClassifier: {
        "check_non_transformer_estimators_n_iter": "n_iter_ is 0 where all rows have labels",
    },
}


def expected_to_fail(composition):
    """Checks that scikit-learn's tools fail around steps of its own, too, or by our design."""
    return {**MISSING_CELLS, **SCIKIT_LEARNS_OWN[type(composition)]}


@both
@pytest.mark.parametrize(
    "compose",
    [
        lambda part: BaggingClassifier(part, n_estimators=3, max_samples=0.5, random_state=0),
        lambda part: BaggingClassifier(part, n_estimators=3, max_features=0.5, random_state=0),
        lambda part: StackingClassifier([("one", part), ("two", part)], cv=2),
        lambda part: CalibratedClassifierCV(part, cv=2),
    ],
    ids=["bagging", "bagging of columns", "stacking", "calibration"],
)
@pytest.mark.slow
def test_classifiers_on_embeddings_can_be_composed(Embedder, build, compose):
    assert compose(build(Embedder)).fit(X, y).score(X, y) > 0.8


@pytest.mark.slow
def test_the_mean_with_a_random_forest_learns_from_labeled_rows_alone():
    pretrained = FrozenEstimator(DenoisingAutoencoder(**BRIEF).fit(X))
    network = FineTunedClassifier(pretrained, max_iter=2, random_state=0)
    forest = RandomForestClassifier(n_estimators=10, random_state=0)
    vote = VotingClassifier([("network", network), ("forest", forest)], voting="soft")
    both = LabeledRowsOnly(vote).fit(X, few_labels)
    assert both.classes_.tolist() == [0, 1, 2]
    is_labeled = few_labels != -1
    parts = [clone(part).fit(X[is_labeled], y[is_labeled]) for part in (network, forest)]
    expected = np.mean([part.predict_proba(X) for part in parts], axis=0)
    np.testing.assert_allclose(both.predict_proba(X), expected)
    assert cross_val_score(both, X, few_labels, cv=LabeledFold(2)).mean() > 0.8


@every
def test_self_training_learns_from_few_labels(Embedder):
    classifier = SelfTrainingClassifier(model(Embedder), max_iter=2).fit(X, few_labels)
    assert classifier.score(X, y) > 0.8
    assert (classifier.transduction_ != -1).mean() > 1 / 3


@every
@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.slow
def test_halving_search_drops_the_worse_settings(Embedder, n_jobs):
    name = Embedder.__name__.lower()
    grid = {f"{name}__n_components": [2, 4], "logisticregression__C": [1e-5, 1.0]}
    search = HalvingGridSearchCV(
        model(Embedder), grid, factor=2, min_resources=40, cv=2, random_state=0, n_jobs=n_jobs
    ).fit(X, y)
    assert search.best_params_["logisticregression__C"] == 1.0
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    unsupervised = HalvingGridSearchCV(
        Embedder(**BRIEF), {"n_components": [2, 4]}, min_resources=40, cv=2, random_state=0
    ).fit(X)
    assert np.isfinite(unsupervised.cv_results_["mean_test_score"]).all()


@both
@pytest.mark.slow
def test_permutation_importance_finds_the_columns_that_matter(Embedder, build):
    noisy = np.hstack([X, np.random.default_rng(0).normal(size=(len(X), 1))])
    fitted = build(Embedder).fit(noisy, y)
    importances = permutation_importance(fitted, noisy, y, n_repeats=5, random_state=0)
    assert importances.importances_mean[2:4].min() > importances.importances_mean[4]


@both
@pytest.mark.slow
def test_learning_curves_rise(Embedder, build):
    sizes, _, scores = learning_curve(
        build(Embedder), X, y, train_sizes=[5, 100], cv=3, error_score="raise"
    )
    assert sizes.tolist() == [5, 100]
    # Five labels leave classes out in some folds; a hundred are enough.
    assert scores[1].mean() > scores[0].mean() + 0.2
    assert scores[1].min() > 0.85


COMPOSITIONS = [
    model(DenoisingAutoencoder),
    BaggingClassifier(model(DenoisingAutoencoder), n_estimators=3, max_samples=0.5, random_state=0),
    StackingClassifier([("one", model(DenoisingAutoencoder))], cv=2),
    CalibratedClassifierCV(model(DenoisingAutoencoder), cv=2),
    SelfTrainingClassifier(model(DenoisingAutoencoder), max_iter=2),
]
if os.environ.get("CHECKED_COMPOSITIONS") != "all":
    del COMPOSITIONS[1:]


# What scikit-learn's tools say of the checks' data: few rows, all with labels, infinite classes.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:y contains no unlabeled samples:UserWarning")
@pytest.mark.filterwarnings("ignore:Since Pipeline does not appear to accept:UserWarning")
@pytest.mark.filterwarnings("ignore:Using the fractional value max_samples:UserWarning")
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
@parametrize_with_checks(COMPOSITIONS, expected_failed_checks=expected_to_fail)
def test_scikit_learn_checks_its_tools_around_ours(estimator, check):
    check(estimator)


@every
@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.slow
def test_column_transformers_hand_over_frames_of_either_library(Embedder, library):
    frame = pd.DataFrame(X, columns=list("abcd")).assign(kind=pd.Categorical(y.astype(str)))
    table = frame if library == "pandas" else pl.from_pandas(frame)
    columns = ColumnTransformer(
        [("embedded", Embedder(**BRIEF), ["a", "b", "kind"])], remainder="passthrough"
    ).set_output(transform=library)
    Z = columns.fit_transform(table)
    assert isinstance(Z, pd.DataFrame if library == "pandas" else pl.DataFrame)
    assert list(Z.columns) == columns.get_feature_names_out().tolist()
    assert np.isfinite(Z.to_numpy()).all()
    assert cross_val_score(make_pipeline(columns, LogisticRegression()), table, y).mean() > 0.9


# Arrays and frames


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "every other row of a larger array": lambda X: np.repeat(X, 2, axis=0)[::2],
    "backwards in memory": lambda X: X[::-1].copy()[::-1],
    "read-only": read_only,
    "big-endian": lambda X: X.astype(">f8"),
    "list of lists": lambda X: X.tolist(),
    "objects": lambda X: X.astype(object),
    "double of Arrow": lambda X: pd.DataFrame(X, columns=list("abcd")).astype("double[pyarrow]"),
    "Float64": lambda X: pd.DataFrame(X, columns=list("abcd")).astype("Float64"),
    "Polars": lambda X: pl.DataFrame(X, schema=list("abcd")),
    "Arrow": lambda X: pl.DataFrame(X, schema=list("abcd")).to_arrow(),
}


@pytest.mark.slow
@every
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_numbers_in_another_layout_give_the_same_bits(Embedder, layout):
    expected = Embedder(**BRIEF).fit_transform(X)
    other = LAYOUTS[layout](X)
    assert np.asarray(Embedder(**BRIEF).fit(other).transform(other)).tobytes() == expected.tobytes()


@every
@pytest.mark.slow
def test_read_only_memory_maps_can_be_learned_from(Embedder, tmp_path):
    joblib.dump(X, tmp_path / "X")
    mapped = joblib.load(tmp_path / "X", mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    Z = Embedder(**BRIEF).fit_transform(mapped)
    np.testing.assert_array_equal(Z, Embedder(**BRIEF).fit_transform(X))
    searched = cross_val_score(Embedder(**BRIEF), mapped, cv=2, n_jobs=2)
    assert np.isfinite(searched).all()


@every
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "int64", "uint8", "bool"])
def test_numbers_of_any_width_are_embedded_as_their_values(Embedder, dtype):
    narrow = (X - X.mean(axis=0) > 0 if dtype == "bool" else X.round()).astype(dtype)
    Z = Embedder(**BRIEF).fit(narrow).transform(narrow)
    assert Z.dtype == np.float32
    expected = Embedder(**BRIEF).fit_transform(narrow.astype("float64"))
    np.testing.assert_array_equal(Z, expected)


NULLABLE = {
    "Int64": pd.array([1, 2, None] * 10, dtype="Int64"),
    "Float32": pd.array([1.5, 2, None] * 10, dtype="Float32"),
    "boolean": pd.array([True, False, None] * 10, dtype="boolean"),
    "string": pd.array(["a", "b", None] * 10, dtype="string"),
    "int64 of Arrow": pd.array([1, 2, None] * 10, dtype="int64[pyarrow]"),
    "bool of Arrow": pd.array([True, False, None] * 10, dtype="bool[pyarrow]"),
    "string of Arrow": pd.array(["a", "b", None] * 10, dtype="string[pyarrow]"),
    "dictionary of Arrow": pd.Series(["a", "b", None] * 10).astype("category"),
}


@every
@pytest.mark.parametrize("kind", NULLABLE)
def test_missing_cells_of_nullable_columns_are_seen(Embedder, kind):
    frame = pd.DataFrame({"column": NULLABLE[kind], "number": np.arange(30.0)})
    Z = Embedder(**BRIEF).fit(frame).transform(frame.assign(number=1.0))
    assert np.isfinite(Z).all()
    assert len(np.unique(Z.round(4), axis=0)) == 3


@every
@pytest.mark.parametrize(
    ("column", "remedy"),
    [
        (np.ones(150) * 1j, "real and imaginary"),
        (pd.Series([3] * 150, dtype="time64[us][pyarrow]"), "to_timedelta"),
    ],
    ids=["complex", "times of the day"],
)
def test_columns_that_are_no_numbers_raise_with_a_way_out(Embedder, column, remedy):
    frame = pd.DataFrame({"number": X[:, 0], "when": column})
    with pytest.raises(ValueError, match=f"Column 'when' has dtype .*{remedy}.*drop it"):
        Embedder(**BRIEF).fit(frame)
