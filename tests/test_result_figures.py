"""The figures of benchmarks/README.md: read from the pages of results, and all of them shown."""

import importlib.util
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
spec = importlib.util.spec_from_file_location("draw_results", BENCHMARKS / "draw_results.py")
draw_results = importlib.util.module_from_spec(spec)
spec.loader.exec_module(draw_results)


def name_of(question):
    return question.__name__.replace("_", "-")


@pytest.mark.parametrize("question", draw_results.QUESTIONS, ids=name_of)
@pytest.mark.slow
def test_the_pages_of_results_have_the_table_of_the_figure(question):
    figure = question()
    (axes,) = figure.axes
    assert figure.get_supxlabel()
    # Three rows at least, each with its name.
    assert len([label for label in axes.get_yticklabels() if label.get_text()]) >= 3
    plt.close(figure)


def test_every_figure_is_shown_and_every_shown_figure_is_drawn():
    shown = re.findall(r"\]\(figures/([a-z-]+)\.svg\)", (BENCHMARKS / "README.md").read_text())
    assert sorted(shown) == sorted(map(name_of, draw_results.QUESTIONS))
    assert all((BENCHMARKS / "figures" / f"{name}.svg").exists() for name in shown)


def test_a_page_without_the_table_is_named():
    with pytest.raises(ValueError, match=r"outliers\.md has no table under a heading .* 'Weather'"):
        draw_results.table("outliers", "Weather")
