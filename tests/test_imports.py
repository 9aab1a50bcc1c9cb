"""What importing the package loads, and how its names come."""

import pickle
import subprocess
import sys

import pytest

import sklearn_ssl

HEAVY = {"torch", "skorch", "sklearn", "pandas", "numpy", "scipy"}


def modules_after(code):
    """Names of the top-level modules that a new process has loaded after some code."""
    program = f"{code}\nimport sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(answer.stdout.split())


def test_the_package_alone_loads_nothing_heavy():
    code = "import sklearn_ssl; dir(sklearn_ssl); sklearn_ssl.__version__"
    assert not modules_after(code) & HEAVY


@pytest.mark.parametrize("name", sklearn_ssl.__all__)
def test_public_names_are_there_and_listed(name):
    assert name in dir(sklearn_ssl)
    assert getattr(sklearn_ssl, name) is getattr(sklearn_ssl, name)


@pytest.mark.parametrize("name", ["distributed", "evaluation", "model_selection", "persistence"])
@pytest.mark.slow
def test_rooms_need_no_import_of_their_own(name):
    assert name in dir(sklearn_ssl)
    code = f"import sklearn_ssl; assert sklearn_ssl.{name}.__name__ == 'sklearn_ssl.{name}'"
    assert modules_after(code)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Denoiser'"):
        _ = sklearn_ssl.Denoiser
    with pytest.raises(ImportError, match="Denoiser"):
        exec("from sklearn_ssl import Denoiser")


def test_classes_are_pickled_by_their_names():
    transformer = sklearn_ssl.DenoisingAutoencoder
    assert pickle.loads(pickle.dumps(transformer)) is transformer


@pytest.mark.slow
def test_a_silent_fit_looks_for_no_bar():
    # In a notebook without widgets, tqdm.auto warns when it is imported.
    code = (
        "import sys, numpy; from sklearn_ssl import DenoisingAutoencoder;"
        "DenoisingAutoencoder(max_iter=1).fit(numpy.eye(9));"
        "assert 'tqdm.auto' not in sys.modules"
    )
    assert modules_after(code)
