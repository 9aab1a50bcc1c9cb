import xml.etree.ElementTree as ET
from math import nan

import numpy as np
import pytest
import sklearn
from embedders import SMALL
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_ssl import DenoisingAutoencoder, FineTunedClassifier
from sklearn_ssl._display import MOST_POINTS, draw_losses

X = np.random.default_rng(0).normal(size=(40, 3))
Y = np.arange(40) % 2


class Trained:
    """Stands for an estimator with the given losses."""

    def __init__(self, losses, **fitted):
        self.loss_curve_ = losses
        self.__dict__.update(fitted)


def html_of(estimator):
    return estimator._repr_mimebundle_()["text/html"]


def polylines(figure):
    return [
        [tuple(map(float, point.split(","))) for point in line.get("points").split()]
        for line in ET.fromstring(figure.replace("&nbsp;", " ")).iter("polyline")
    ]


def test_diagram_shows_the_losses_once_fitted():
    autoencoder = DenoisingAutoencoder(**SMALL)
    assert "<svg" not in html_of(autoencoder)
    assert "Loss over 3 epochs" in html_of(autoencoder.fit(X))
    assert autoencoder._repr_html_().count("<svg") == 1


def test_held_out_losses_are_a_second_curve():
    autoencoder = DenoisingAutoencoder(**SMALL, early_stopping=True).fit(X)
    assert html_of(autoencoder).count("<polyline") == 2


def test_fine_tuned_estimators_show_the_held_out_loss_from_before_the_first_epoch():
    classifier = FineTunedClassifier(DenoisingAutoencoder(**SMALL), max_iter=2, random_state=0)
    figure = draw_losses(classifier.fit(X, Y))
    assert "held-out rows" in figure
    assert "Loss over 2 epochs" in figure


def test_words_are_those_of_the_losses():
    assert 'aria-label="Mean loss over 2 epochs: training rows 3 to 1.5"' in draw_losses(
        Trained([3.0, 1.5])
    )
    assert "Loss over 1 epoch:" in draw_losses(Trained([3.0]))


def test_falling_losses_go_down_from_left_to_right():
    (line,) = polylines(draw_losses(Trained([3.0, 2.0, 1.0])))
    x, y = np.transpose(line)
    assert (np.diff(x) >= 0).all()
    assert (np.diff(y) >= 0).all()  # SVG counts from the top
    assert y[-1] > y[0]


@pytest.mark.parametrize("losses", [[], [nan], [nan, nan]])
def test_nothing_is_drawn_without_a_finite_loss(losses):
    assert draw_losses(Trained(losses)) == ""


@pytest.mark.parametrize("losses", [[1.0], [1.0, 1.0], [2.0, nan, 1.0]])
def test_every_point_lies_on_the_canvas(losses):
    (line,) = polylines(draw_losses(Trained(losses)))
    assert all(0 <= x <= 240 and 0 <= y <= 64 for x, y in line)


def test_long_curves_are_thinned_and_keep_their_end():
    losses = np.linspace(1, 0, 10_000).tolist()
    (line,) = polylines(draw_losses(Trained(losses)))
    assert len(line) <= MOST_POINTS + 1
    assert line[-1] == (236.0, 60.0)


def test_text_remains_if_diagrams_are_switched_off():
    autoencoder = DenoisingAutoencoder(**SMALL).fit(X)
    with sklearn.config_context(display="text"):
        assert not hasattr(autoencoder, "_repr_html_")
        assert set(autoencoder._repr_mimebundle_()) == {"text/plain"}


def test_diagrams_of_compositions_are_whole():
    pipeline = make_pipeline(DenoisingAutoencoder(**SMALL), LogisticRegression())
    search = GridSearchCV(pipeline, {"logisticregression__C": [1.0, 10.0]}, cv=2).fit(X, Y)
    assert "DenoisingAutoencoder" in html_of(search)


@pytest.mark.parametrize("html_of", [html_of, lambda estimator: estimator._repr_html_()])
def test_the_diagram_is_scikit_learns_and_the_losses_follow_it(html_of):
    fitted = DenoisingAutoencoder(**SMALL).fit(X)
    html = html_of(fitted)
    assert html.startswith("<style>")
    assert html.endswith(draw_losses(fitted))


def test_repr_names_changed_parameters_alone():
    assert repr(DenoisingAutoencoder(8, noise="mix")) == (
        "DenoisingAutoencoder(n_components=8, noise='mix')"
    )
