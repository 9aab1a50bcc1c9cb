"""Outliers: which rows are found, what is said of their cells, and how the detector behaves."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.covariance import LedoitWolf
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ssl import DenoisingAutoencoder, MaskedFeaturePredictor, OutlierDetector
from sklearn_ssl import _outlier_detector as module
from sklearn_ssl._outlier_scores import (
    category_rarity,
    combine,
    ellipsoid_distances,
    forest_scores,
    learn_ellipsoid,
    learn_spread,
    learn_tails,
    surprises,
    write_forest,
)
from sklearn_ssl.persistence import load, save

SMALL = MaskedFeaturePredictor(hidden_layer_sizes=(32,), n_components=8, max_iter=15)


def people(n_rows=400, seed=0):
    """A mixed table in which height decides weight and size; row 7 is swapped, row 9 extreme."""
    rng = np.random.default_rng(seed)
    height = rng.normal(170, 10, size=n_rows)
    weight = height - 100 + rng.normal(size=n_rows)
    size = np.select([height < 160, height < 180], ["small", "medium"], "large")
    table = pd.DataFrame(
        {"height": height, "weight": weight, "size": size, "age": rng.normal(size=n_rows)}
    )
    table.loc[7] = [187.0, 52.0, "large", 0.0]
    table.loc[9, "age"] = 40.0
    table.loc[11::20, "weight"] = np.nan
    table.loc[12::20, "size"] = None
    return table


@pytest.fixture(scope="module")
def table():
    return people()


@pytest.fixture(scope="module")
def detector(table):
    return OutlierDetector(SMALL, random_state=0).fit(table)


def test_swapped_and_extreme_rows_are_the_outliers(detector, table):
    assert detector.score_samples(table).argmin() == 7
    assert set(np.flatnonzero(detector.predict(table) == -1)) >= {7, 9}
    assert (detector.predict(table) == -1).mean() < 0.15


def test_attributes_agree_with_methods(detector, table):
    scores = detector.score_samples(table)
    np.testing.assert_array_equal(detector.decision_scores_, -scores)
    np.testing.assert_array_equal(detector.labels_ == 1, detector.predict(table) == -1)
    np.testing.assert_array_equal(detector.decision_function(table), scores - detector.offset_)


@pytest.mark.slow
@pytest.mark.parametrize("contamination", [0.01, 0.1, 0.5])
def test_contamination_is_the_share_of_outliers(table, contamination):
    detector = OutlierDetector(SMALL, contamination=contamination, random_state=0)
    assert (detector.fit_predict(table) == -1).mean() == pytest.approx(contamination, abs=0.005)


def test_explanation_names_cells_and_what_was_expected(detector, table):
    cells = detector.explain(table.loc[[7, 9, 11]], n_cells=4)
    assert list(cells) == ["row", "column", "value", "expected", "score", "reason"]
    assert cells["row"].tolist() == [7] * 4 + [9] * 4 + [11] * 4
    first = cells.groupby("row").first()
    assert first.loc[7, "column"] in {"height", "weight"}
    assert first.loc[7, "reason"] == "does not fit the row"
    assert first.loc[9, "column"] == "age"
    assert first.loc[9, "value"] == 40.0
    missing = cells[cells["reason"] == "missing"].iloc[0]
    assert (missing["row"], missing["column"]) == (11, "weight")
    assert isinstance(missing["expected"], float)


def test_explanation_expects_a_cell_from_the_others(detector, table):
    cells = detector.explain(table.loc[[7]], n_cells=4).set_index("column")
    assert cells.loc["weight", "expected"] > 65
    assert cells.loc["weight", "value"] == 52.0


@pytest.mark.parametrize("n_rows", [1, 2, 5])
def test_explanation_of_categories_that_are_tuples(n_rows):
    pairs = pd.Series([("a", 1), ("b", 2), None] * 20, dtype=object).astype("category")
    X = pd.DataFrame({"pair": pairs})
    detector = OutlierDetector(clone(SMALL).set_params(max_iter=1), random_state=0).fit(X)
    rows = X.dropna()[:n_rows]
    cells = detector.explain(rows)
    assert cells["value"].tolist() == rows["pair"].tolist()
    assert set(cells["expected"]) <= {("a", 1), ("b", 2)}
    assert detector.explain(X[2:3])["reason"].tolist() == ["missing"]


def test_explanation_names_no_more_cells_than_there_are(detector, table):
    assert len(detector.explain(table[:3], n_cells=10)) == 3 * table.shape[1]


def test_scores_of_cells_are_a_table_like_the_rows(detector, table):
    rows = table[5:10]
    scores = detector.score_cells(rows)
    assert scores.shape == rows.shape
    assert list(scores) == list(rows)
    assert (scores.index == rows.index).all()
    assert (scores.to_numpy() >= 0).all()
    assert scores["age"].idxmax() == 9


@pytest.mark.parametrize("n_cells", [0, -1, 1.5, "2"])
def test_explanation_rejects_other_counts(detector, table, n_cells):
    with pytest.raises(ValueError, match="n_cells must be an integer of at least 1; got"):
        detector.explain(table, n_cells=n_cells)


def test_scores_do_not_depend_on_blocks(detector, table, monkeypatch):
    scores, cells = detector.score_samples(table), detector.explain(table)
    monkeypatch.setattr(module, "ROWS_PER_BLOCK", 64)
    np.testing.assert_allclose(detector.score_samples(table), scores, atol=1e-4)
    assert (detector.explain(table)["row"] == cells["row"]).all()


@pytest.mark.parametrize("size", [1, 7, 100])
def test_scores_of_a_row_have_the_same_bits_among_any_rows(detector, table, size):
    parts = [table[start : start + size] for start in range(0, len(table), size)]
    for method in (detector.score_samples, detector.decision_function, detector.predict):
        together = method(table)
        np.testing.assert_array_equal(np.concatenate([method(part) for part in parts]), together)
    of_cells = pd.concat([detector.score_cells(part) for part in parts])
    pd.testing.assert_frame_equal(of_cells, detector.score_cells(table), check_exact=True)


def test_statistics_are_learned_from_some_rows_of_a_long_table(table, monkeypatch):
    monkeypatch.setattr(module, "N_ROWS_OF_STATISTICS", 200)
    detector = OutlierDetector(SMALL, random_state=0).fit(table)
    assert len(detector.decision_scores_) == len(table)
    # The forest cannot tell how far a number lies beyond those that it has seen.
    assert detector.decision_scores_.argmax() == 7
    assert detector.labels_.mean() < 0.15


@pytest.mark.slow
@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame, csr_matrix, list])
def test_containers_of_numbers_give_the_same_scores(container):
    X = np.random.default_rng(0).normal(size=(60, 3)).round(2)
    expected = OutlierDetector(SMALL, random_state=0).fit(X)
    detector = OutlierDetector(SMALL, random_state=0).fit(container(X))
    np.testing.assert_allclose(detector.decision_scores_, expected.decision_scores_, rtol=1e-6)
    assert detector.explain(container(X)[:2]).shape == (6, 6)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["Int64", "Float32", "boolean", "category", "string"])
def test_extension_dtypes_with_missing_cells(dtype):
    kinds = pd.Series([0, 1, None] * 30, dtype="Int64").astype(dtype)
    X = pd.DataFrame({"a": kinds, "b": np.random.default_rng(0).normal(size=90)})
    detector = OutlierDetector(SMALL, random_state=0).fit(X)
    assert np.isfinite(detector.decision_scores_).all()
    assert (detector.explain(X[:3], n_cells=2)["row"] == [0, 0, 1, 1, 2, 2]).all()


@pytest.mark.parametrize("n_rows", [1, 2, 5])
def test_few_rows_get_finite_scores(n_rows):
    detector = OutlierDetector(SMALL, random_state=0).fit(people(20)[:n_rows])
    assert np.isfinite(detector.score_samples(people(20))).all()


def test_columns_without_variation_and_rows_that_are_all_alike():
    X = pd.DataFrame({"a": [1.0] * 30, "b": [np.nan] * 30, "c": ["x"] * 30})
    detector = OutlierDetector(SMALL, random_state=0).fit(X)
    assert np.ptp(detector.decision_scores_) < 1e-6


def test_new_categories_and_newly_missing_cells_are_scored(detector, table):
    rows = table[:4].copy()
    rows.loc[0, "size"] = "gigantic"
    rows.loc[1, "height"] = np.nan
    scores = detector.score_samples(rows)
    assert np.isfinite(scores).all()
    assert scores[0] < detector.score_samples(table[:1])[0]


def test_infinite_cells_name_the_column_and_leave_the_detector_alone(table):
    detector = OutlierDetector(SMALL, random_state=0).fit(table)
    before = detector.score_samples(table)
    bad = table.copy()
    bad.loc[3, "age"] = np.inf
    for method in (detector.fit, detector.score_samples, detector.explain):
        with pytest.raises(ValueError, match=r"infinity .* in column 'age'"):
            method(bad)
    np.testing.assert_array_equal(detector.score_samples(table), before)


@pytest.mark.parametrize("transformer", [DenoisingAutoencoder(), StandardScaler()])
def test_transformers_that_predict_no_hidden_cells_are_rejected(table, transformer):
    with pytest.raises(TypeError, match=r"must be a MaskedFeaturePredictor.*; got"):
        OutlierDetector(transformer).fit(table)


@pytest.mark.parametrize("wrap", [lambda fitted: fitted, FrozenEstimator])
def test_a_fitted_transformer_is_used_as_it_is(table, wrap):
    fitted = clone(SMALL).set_params(random_state=0).fit(table)
    detector = OutlierDetector(wrap(fitted), random_state=0).fit(table)
    np.testing.assert_array_equal(detector.transformer_.transform(table), fitted.transform(table))


OTHER_COLUMNS = {
    "renamed": (lambda X: X.rename(columns={"age": "years"}), "unseen at fit time:\n- years"),
    "in another order": (lambda X: X[["age", "size", "weight", "height"]], "in the same order"),
    "fewer": (lambda X: X[["height", "weight"]], "now missing:\n- age\n- size"),
    "more": (lambda X: X.assign(id=0), "unseen at fit time:\n- id"),
    "array": (lambda X: X[["height"]].to_numpy(), "X has 1 features, but MaskedFeaturePredictor"),
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize(("change", "message"), OTHER_COLUMNS.values(), ids=OTHER_COLUMNS)
@pytest.mark.parametrize("wrap", [lambda fitted: fitted, FrozenEstimator])
def test_a_fitted_transformer_of_other_columns_is_rejected(table, wrap, change, message):
    fitted = clone(SMALL).set_params(max_iter=1).fit(table)
    detector = OutlierDetector(wrap(fitted))
    with pytest.raises(ValueError, match=message):
        detector.fit(change(table))
    assert not hasattr(detector, "n_features_in_")


def test_a_frozen_transformer_must_be_fitted(table):
    with pytest.raises(NotFittedError, match="MaskedFeaturePredictor"):
        OutlierDetector(FrozenEstimator(clone(SMALL))).fit(table)


def test_the_given_transformer_stays_unfitted(detector):
    assert not hasattr(SMALL, "module_")
    assert detector.transformer_ is not SMALL


def test_the_same_seed_gives_the_same_scores(detector, table):
    again = OutlierDetector(SMALL, random_state=0).fit(table)
    np.testing.assert_array_equal(again.decision_scores_, detector.decision_scores_)


def test_files_and_pickles_give_the_same_scores_and_explanations(detector, table, tmp_path):
    save(detector, tmp_path / "detector.safetensors")
    for copied in (load(tmp_path / "detector.safetensors"), pickle.loads(pickle.dumps(detector))):
        np.testing.assert_array_equal(copied.score_samples(table), detector.score_samples(table))
        pd.testing.assert_frame_equal(copied.explain(table[:9]), detector.explain(table[:9]))


@pytest.mark.slow
def test_stands_in_pipelines_and_searches():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    y = np.repeat([1, -1], [110, 10])
    X[y == -1] += 8
    pipeline = make_pipeline(StandardScaler(), OutlierDetector(SMALL, random_state=0))
    assert roc_auc_score(y, pipeline.fit(X).decision_function(X)) > 0.95
    search = GridSearchCV(
        pipeline, {"outlierdetector__contamination": [0.05, 0.1]}, scoring="accuracy", cv=2
    )
    assert search.fit(X, y).best_score_ > 0.5


@pytest.mark.parametrize("n_rows", [1, 2, 3, 300])
def test_forest_in_arrays_scores_as_scikit_learn_does(n_rows):
    X = np.random.default_rng(0).normal(size=(n_rows, 4)).astype(np.float32)
    forest = IsolationForest(n_estimators=10, random_state=0).fit(X)
    if n_rows > 1:
        new = np.concatenate([X, 3 * X])
        expected = -forest.score_samples(new)
        np.testing.assert_allclose(forest_scores(new, write_forest(forest)), expected, rtol=1e-12)


def test_distances_follow_the_definition_without_shrinkage_in_large_tables():
    X = np.random.default_rng(0).normal(size=(5000, 3)) @ [[1, 2, 0], [0, 1, 0], [0, 0, 9]]
    centered = X - X.mean(axis=0)
    inverse = np.linalg.inv(centered.T @ centered / len(X))
    expected = np.einsum("ij,jk,ik->i", centered, inverse, centered) / 3
    np.testing.assert_allclose(ellipsoid_distances(X, learn_ellipsoid(X)), expected, rtol=0.1)


def test_distances_of_fewer_rows_than_columns_differ():
    X = np.random.default_rng(0).normal(size=(10, 30))
    X[0] *= 5
    assert ellipsoid_distances(X, learn_ellipsoid(X)).argmax() == 0


@pytest.mark.parametrize("n_rows", [5, 10, 29, 30])
def test_distances_follow_the_definition_with_about_as_many_rows_as_columns(n_rows):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 20)) @ rng.normal(size=(20, 30)) + rng.normal(size=30)
    new = np.concatenate([X, rng.normal(size=(5, 30))])
    unit = (new - X.mean(axis=0)) / X.std(axis=0)
    precision = np.linalg.inv(LedoitWolf(assume_centered=True).fit(unit[:n_rows]).covariance_)
    expected = np.einsum("ij,jk,ik->i", unit, precision, unit) / 30
    np.testing.assert_allclose(ellipsoid_distances(new, learn_ellipsoid(X)), expected, rtol=1e-6)


def test_surprise_is_the_logarithm_of_the_share_of_larger_values():
    values = np.array([[1.0], [2.0], [2.0], [4.0], [np.nan]])
    new = np.array([[0.0], [1.0], [2.0], [4.0], [9.0], [np.nan]])
    shares = np.exp(-surprises(new, learn_tails(values)).ravel())
    # 9 is 5/3 of the range beyond the largest value: the share of one row in four, over 1 + 5/3.
    np.testing.assert_allclose(shares, [1, 1, 0.75, 0.25, 0.25 * 3 / 8, 1])


def test_values_beyond_one_that_many_rows_share_are_rarer_than_one_row():
    tails = learn_tails(np.array([[0.0], [1.0], [1.0], [1.0]]))
    shares = np.exp(-surprises(np.array([[1.0], [1 + 1e-12], [1.1]]), tails).ravel())
    np.testing.assert_allclose(shares, [0.75, 0.75, 0.25 / 1.1])


def test_rarity_of_unseen_codes_is_that_of_one_row():
    shares = np.exp(-category_rarity(np.array([1, 1, 1, 2]), 4))
    np.testing.assert_allclose(shares, [0.25, 0.75, 0.25, 0.25])


@pytest.mark.parametrize("telling", range(3))
def test_scores_that_differ_by_rounding_alone_count_for_nothing(telling):
    scores = np.ones((50, 3)) + np.linspace(0, 1e-9, 50)[:, None]
    scores[:, telling] = np.linspace(0, 1, 50)
    combined = combine(scores, learn_spread(scores))
    assert (np.diff(combined) > 0).all()
    np.testing.assert_allclose(np.diff(combined), np.diff(combined)[0])


@pytest.mark.parametrize("unusual", [[9.0, 0.0, 0.0], [0.0, 2.0, 2.0], [0.0, 0.0, 4.0]])
def test_a_row_that_is_unusual_in_one_way_is_not_hidden_by_the_other(unusual):
    spread = learn_spread(np.random.default_rng(0).normal(size=(500, 3)))
    mixed = np.array([unusual, [1.5, 1.0, 1.0]]) * spread["iqr"] + spread["median"]
    scores = combine(mixed, spread)
    assert scores[0] > scores[1]


def test_no_measure_alone_grows_without_end():
    spread = learn_spread(np.random.default_rng(0).normal(size=(500, 3)))
    far = combine(np.array([[1e3, 0.0, 0.0], [1e9, 0.0, 0.0], [0.0, 1e9, 1e9]]), spread)
    assert far[0] < far[1] < 50
    assert far[2] < 50
