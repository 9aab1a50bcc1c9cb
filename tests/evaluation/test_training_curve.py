"""TrainingCurveDisplay shows the losses that an estimator keeps."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from sklearn_ssl import DenoisingAutoencoder
from sklearn_ssl.evaluation import TrainingCurveDisplay

SMALL = {
    "hidden_layer_sizes": (8,),
    "bottleneck_size": 2,
    "n_components": 2,
    "max_iter": 4,
    "random_state": 0,
}


@pytest.fixture
def X():
    return load_iris().data


def test_it_shows_training_and_held_out_losses(X):
    fitted = DenoisingAutoencoder(**SMALL, early_stopping=True).fit(X)
    display = TrainingCurveDisplay.from_estimator(fitted)
    np.testing.assert_array_equal(display.line_.get_ydata(), fitted.loss_curve_)
    np.testing.assert_array_equal(
        display.validation_line_.get_ydata(), -np.array(fitted.validation_scores_)
    )
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels[:2] == [
        "DenoisingAutoencoder, training rows",
        "DenoisingAutoencoder, held-out rows",
    ]
    best = int(np.argmax(fitted.validation_scores_)) + 1
    assert labels[2] == f"lowest, after epoch {best}"
    assert display.ax_.get_xlabel() == "Epochs over the training rows"


def test_without_held_out_rows_there_is_one_line(X):
    display = TrainingCurveDisplay.from_estimator(DenoisingAutoencoder(**SMALL).fit(X))
    assert display.validation_line_ is None
    assert len(display.ax_.lines) == 1


def test_displays_on_the_same_axes_differ_in_color():
    first = TrainingCurveDisplay.from_predictions([3, 2, 1], name="first")
    second = TrainingCurveDisplay.from_predictions(
        [3, 2], validation_curve=[3, 4], name="second", ax=first.ax_
    )
    third = TrainingCurveDisplay.from_predictions([1.0], name="third", ax=first.ax_)
    assert second.ax_ is first.ax_
    assert len({display.line_.get_color() for display in (first, second, third)}) == 3
    assert third.line_.get_marker() == "o"


def test_bad_estimators(X):
    with pytest.raises(NotFittedError):
        TrainingCurveDisplay.from_estimator(DenoisingAutoencoder())
    with pytest.raises(TypeError, match="must have the attribute 'loss_curve_'; PCA has none"):
        TrainingCurveDisplay.from_estimator(PCA().fit(X))
