"""Examples run in their short form, and their pages are those of the scripts as they stand."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs the extra docs")
pytest.importorskip("nbclient", reason="needs the extra docs")

ROOT = Path(__file__).parent.parent
GALLERY = ROOT / "docs/gallery"
SCRIPTS = sorted((ROOT / "examples").glob("plot_*.py"))
NAMES = [script.stem.removeprefix("plot_") for script in SCRIPTS]

notebook_of = runpy.run_path(str(ROOT / "examples/make_gallery.py"))["notebook_of"]


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_an_example_runs_and_draws(script, tmp_path):
    if script.stem == "plot_watch_a_fit":
        pytest.importorskip("sklearn.callback", reason="needs scikit-learn 1.9")
    figure = tmp_path / "figure.png"
    command = [sys.executable, str(script), "--short", "--output", str(figure)]
    environment = {**os.environ, "MPLBACKEND": "agg"}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ran.returncode == 0, ran.stderr
    assert f"Figure: {figure}" in ran.stdout
    assert figure.stat().st_size > 1000


@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_the_page_of_an_example_holds_the_script_as_it_stands(script):
    name = script.stem.removeprefix("plot_")
    kept = nbformat.read(GALLERY / f"{name}.ipynb", as_version=4)
    cells = [(cell.cell_type, cell.source) for cell in kept.cells]
    now = [(cell.cell_type, cell.source) for cell in notebook_of(script).cells]
    assert cells == now, f"run: python examples/make_gallery.py {name}"


@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_the_page_of_an_example_shows_what_was_printed_and_drawn(script):
    name = script.stem.removeprefix("plot_")
    kept = nbformat.read(GALLERY / f"{name}.ipynb", as_version=4)
    outputs = [output for cell in kept.cells for output in cell.get("outputs", ())]
    assert any(output.output_type == "stream" for output in outputs)
    assert any("image/png" in output.get("data", {}) for output in outputs)
    # Warnings and the names of objects are no demonstration.
    assert not [o for o in outputs if o.output_type == "stream" and o.name == "stderr"]
    assert (GALLERY / f"{name}.png").exists()


def test_the_list_of_examples_has_all_of_them():
    page = (GALLERY / "index.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r":link: (\w+)", page)) == NAMES
    assert sorted(page.rsplit(":hidden:", 1)[1].strip("` \n").split()) == NAMES
