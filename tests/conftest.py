"""What several test modules share."""

import gc
import os

# Before torch is imported. Small tables gain nothing from more threads, and where several
# processes run the tests, threads wait for each other in busy loops.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris
from threadpoolctl import threadpool_limits

SLOW_EXAMPLES = {
    "LabelEfficiencyDisplay",
    "MaskedImputer",
    "OutlierDetector",
    "compare_objectives",
    "label_efficiency_curve",
}


def pytest_collection_modifyitems(items):
    """Mark the slow examples of docstrings, which have no decorators."""
    for item in items:
        if isinstance(item, pytest.DoctestItem) and item.name.split(".")[-1] in SLOW_EXAMPLES:
            item.add_marker("slow")


def pytest_collection():
    """Collect without Python's garbage collector, which would find nothing to free."""
    gc.disable()


def pytest_collection_finish():
    """Let the garbage collector leave out what lives as long as the process.

    These are half a million objects of torch, scikit-learn and the tests themselves. Each full
    collection would otherwise visit all of them.
    """
    gc.enable()
    gc.freeze()


@pytest.fixture(scope="module")
def one_thread():
    """As workers have; sums that several threads share round otherwise."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(n_threads)


@pytest.fixture
def mixed():
    rng = np.random.default_rng(0)
    n = 80
    frame = pd.DataFrame(
        {
            "number": rng.normal(50, 10, n),
            "count": rng.integers(0, 9, n),
            "flag": rng.random(n) < 0.3,
            "color": pd.Categorical(rng.choice(["red", "green", "blue"], n)),
            "town": rng.choice(["Köln", "Łódź"], n),
            "nullable": pd.array(rng.integers(0, 5, n), dtype="Int64"),
            "constant": 1.0,
            "empty": np.nan,
        }
    )
    frame.loc[::7, "number"] = np.nan
    frame.loc[::9, "color"] = None
    frame.loc[::5, "nullable"] = pd.NA
    return frame


@pytest.fixture(scope="module")
def flowers():
    """Fisher's irises: four measurements and the name of the species."""
    iris = load_iris(as_frame=True)
    return iris.data.assign(species=pd.Categorical.from_codes(iris.target, iris.target_names))
