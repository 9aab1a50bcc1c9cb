import subprocess
import sys

import pytest
import torch

from sklearn_ssl import __version__, show_versions


def test_versions_of_what_results_depend_on_are_shown(capsys):
    show_versions()
    lines = capsys.readouterr().out.splitlines()
    assert f"sklearn_ssl: {__version__}" in lines
    assert f"torch: {torch.__version__}" in lines
    assert {"numpy", "scikit-learn", "python", "threads", "cuda"} <= {
        line.split(":")[0] for line in lines
    }


def test_package_that_is_not_installed_is_shown_as_none(capsys, monkeypatch):
    monkeypatch.setattr("sklearn_ssl._show_versions.PACKAGES", ("no-such-package",))
    show_versions()
    assert "no-such-package: None" in capsys.readouterr().out


@pytest.mark.slow
def test_module_runs_as_a_command():
    command = [sys.executable, "-m", "sklearn_ssl", "--version"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == f"sklearn_ssl {__version__}\n"
