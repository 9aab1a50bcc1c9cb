"""Progress in the kernel of a notebook: named bars where they are asked for, and nothing else."""

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

PREPARE = """
import numpy as np
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn_ssl import DenoisingAutoencoder, FineTunedClassifier
from sklearn_ssl.evaluation import compare_objectives
X, y = load_iris(return_X_y=True)
few = np.where(np.arange(150) % 3, -1, y)
small = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}
"""
CALLS = {
    "Pretraining DenoisingAutoencoder": "DenoisingAutoencoder(**small, {}).fit(X);",
    "Choosing epochs, fold 1 of 5": (
        "FineTunedClassifier(DenoisingAutoencoder(**small), max_iter=2, {}).fit(X, few);"
    ),
    "compare_objectives": (
        "compare_objectives(X, y, estimators={{'it': PCA(2)}}, cv=2, n_repeats=1, {});"
    ),
}


@pytest.fixture(scope="module")
def outputs():
    """What the cells of a notebook show: the imports, then each call with verbose and without."""
    sources = [PREPARE]
    for call in CALLS.values():
        sources += [call.format("verbose=1"), call.format("verbose=0")]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    return [cell.outputs for cell in notebook.cells]


def texts(shown):
    """Texts of a stream, and of widgets as text."""
    return [output.get("text") or output["data"]["text/plain"] for output in shown]


@pytest.mark.slow
def test_a_notebook_gets_a_named_bar_for_each_stage(outputs):
    for stage, shown in zip(CALLS, outputs[1::2], strict=True):
        assert any(stage in text for text in texts(shown))


@pytest.mark.slow
def test_a_notebook_shows_nothing_unless_it_is_asked_for(outputs):
    assert texts(outputs[0]) == []
    assert [texts(shown) for shown in outputs[2::2]] == [[]] * len(CALLS)
