"""Colors are distinguishable, and matplotlib is left alone until something is drawn."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from sklearn_ssl.evaluation import EmbeddingDisplay, LabelEfficiencyDisplay, _style


@pytest.mark.parametrize("n", [1, 7, 56])
def test_pairs_of_color_and_marker_do_not_repeat(n):
    assert len(set(_style.styles(n))) == n


def test_raw_features_look_like_a_reference():
    looks = _style.named_styles(["PCA", "raw features", "other"])
    assert looks["raw features"][0] == _style.GRAY
    assert looks["PCA"] != looks["other"]


def test_axes_given_are_used():
    axes = _style.make_axes(None)
    assert _style.make_axes(axes) is axes


def test_legends_show_names_as_they_are():
    X = np.arange(12.0).reshape(6, 2)
    classes = np.array(["_low", "$5 to $9", "other"] * 2)
    display = EmbeddingDisplay.from_estimator(PCA(2).fit(X), X, classes)
    texts = display.ax_.get_legend().get_texts()
    assert [text.get_text().strip() for text in texts] == sorted(set(classes))
    assert not any(text.get_parse_math() for text in texts)


@pytest.mark.parametrize("name", ["_private", "$a$"])
def test_estimators_of_any_name_are_in_the_legend(name):
    curve = pd.DataFrame({"estimator": name, "n_labels": [10, 20], "score": [0.5, 0.6]})
    legend = LabelEfficiencyDisplay(curve).plot().ax_.get_legend()
    assert [text.get_text().strip() for text in legend.get_texts()] == [name]


@pytest.mark.slow
def test_importing_the_evaluation_leaves_matplotlib_out():
    code = "import sys, sklearn_ssl.evaluation; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
