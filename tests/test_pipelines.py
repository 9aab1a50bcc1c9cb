"""The three transformers among scikit-learn's own tools."""

import pickle

import joblib
import numpy as np
import pytest
from embedders import ESTIMATORS, SMALL, every
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris, load_wine
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


@every
def test_survives_pickle_and_clone(Embedder, mixed):
    embedder = Embedder(**SMALL).fit(mixed)
    loaded = pickle.loads(pickle.dumps(embedder))
    assert (loaded.transform(mixed) == embedder.transform(mixed)).all()
    assert clone(embedder).get_params() == embedder.get_params()


@every
@pytest.mark.slow
def test_searches_and_scores_in_a_pipeline(Embedder):
    X, y = load_iris(return_X_y=True)
    search = GridSearchCV(Embedder(**SMALL), {"n_components": [2, 4]}, cv=3, n_jobs=2).fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    model = make_pipeline(Embedder(**SMALL), LogisticRegression(max_iter=500))
    assert cross_val_score(model, X, y, cv=3).mean() > 0.85


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
