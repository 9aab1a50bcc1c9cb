"""Progress: a bar for who watches, lines in a log, and silence unless it is asked for."""

import io
import sys

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA

from sklearn_ssl.evaluation import (
    EmbeddingDisplay,
    LabelEfficiencyDisplay,
    RepresentationReport,
    compare_objectives,
    dci,
    label_efficiency_curve,
    probe_score,
    transfer_score,
)

X, y = load_iris(return_X_y=True)
CALLS = {
    "probe_score": lambda **v: probe_score(PCA(2), X, y, cv=2, **v),
    "transfer_score": lambda **v: transfer_score(PCA(2), X[::2], X[1::2], y[1::2], cv=2, **v),
    "compare_objectives": lambda **v: compare_objectives(
        X, y, estimators={"PCA": PCA(2)}, cv=2, n_repeats=1, **v
    ),
    "label_efficiency_curve": lambda **v: label_efficiency_curve(
        PCA(2), X, y, train_sizes=[9], n_repeats=1, cv=2, **v
    ),
    "LabelEfficiencyDisplay": lambda **v: LabelEfficiencyDisplay.from_estimator(
        PCA(2), X, y, train_sizes=[9], n_repeats=1, cv=2, **v
    ),
    "RepresentationReport": lambda **v: RepresentationReport.from_estimator(PCA(2).fit(X), X, **v),
    "EmbeddingDisplay": lambda **v: EmbeddingDisplay.from_estimator(PCA(3).fit(X), X, y, **v),
    "dci": lambda **v: dci(X, X[:, :2], **v),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.slow
def test_nothing_is_shown_unless_it_is_asked_for(name, capsys):
    CALLS[name]()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.slow
def test_a_log_gets_lines_that_name_the_stage(name, capsys):
    CALLS[name](verbose=True)
    out, err = capsys.readouterr()
    stage = "label_efficiency_curve" if name == "LabelEfficiencyDisplay" else name
    assert all(line.startswith(f"{stage}: ") for line in out.splitlines())
    assert len(out.splitlines()) > 1
    assert err == ""
    assert "\r" not in out


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    CALLS["probe_score"](verbose=True)
    assert "probe_score: pretrain and probe: 100%" in terminal.getvalue()
    assert "split 2 of 2" in terminal.getvalue()
    assert capsys.readouterr().out == ""


def test_results_do_not_depend_on_it():
    np.testing.assert_array_equal(*(CALLS["probe_score"](verbose=v) for v in (True, False)))
