"""Colors are distinguishable, and matplotlib is left alone until something is drawn."""

import subprocess
import sys

import pytest

from sklearn_ssl.evaluation import _style


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


@pytest.mark.slow
def test_importing_the_evaluation_leaves_matplotlib_out():
    code = "import sys, sklearn_ssl.evaluation; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
