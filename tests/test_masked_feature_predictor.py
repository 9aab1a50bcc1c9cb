"""Predicting hidden cells and imputing missing ones."""

import numpy as np
import pandas as pd
import pytest
from embedders import LEARNING, SMALL
from sklearn.datasets import load_iris

from sklearn_ssl import MaskedFeaturePredictor


@pytest.mark.slow
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


def test_imputation_leaves_columns_without_a_cell_as_they_are(mixed):
    table = mixed.assign(
        nothing=pd.array([None] * len(mixed), dtype="Int64"), never=pd.Series([None] * len(mixed))
    )
    filled = MaskedFeaturePredictor(**SMALL).fit(table).impute(table)
    assert filled.columns[filled.isna().any()].tolist() == ["empty", "nothing", "never"]
    pd.testing.assert_series_equal(filled.dtypes, table.dtypes)


def test_masked_score_hides_the_cells_that_it_asks_for(monkeypatch):
    X = load_iris().data
    predictor, views = MaskedFeaturePredictor(**SMALL).fit(X), []
    model, output = predictor.model_, predictor.model_.cell_output
    monkeypatch.setattr(model, "cell_output", lambda *seen: views.append(seen[0]) or output(*seen))
    predictor.score(X)
    ((numeric, _),) = views
    assert numeric.isnan().float().mean().item() == pytest.approx(0.3, abs=0.05)


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
