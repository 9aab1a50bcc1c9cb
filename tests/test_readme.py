"""The README's Python blocks run as they stand, and print what the text behind them promises."""

import re
from pathlib import Path

import matplotlib
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

README = Path(__file__).parent.parent / "README.md"
TEXT = README.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```\n\n(This prints .*?)[.]\s", TEXT, re.DOTALL)
FINE_TUNE, LEARN, COMPARE = BLOCKS

AS_PRINTED = 0.01
"""Promises are rounded to two digits, and other versions of the libraries round differently."""


@pytest.fixture
def run(capsys, monkeypatch):
    """What a block prints."""
    monkeypatch.setitem(matplotlib.rcParams, "backend", "agg")

    def printed(block):
        exec(compile(block, str(README), "exec"), {})
        return capsys.readouterr().out

    return printed


def test_the_first_page_of_the_site_shows_the_first_block_and_its_promise():
    page = (README.parent / "docs" / "index.md").read_text(encoding="utf-8")
    assert re.findall(r"```python\n(.*?)```\n\n(This prints .*?)[.]\s", page, re.DOTALL) == [
        FINE_TUNE
    ]


def test_every_block_promises_something():
    assert len(BLOCKS) == TEXT.count("```python\n")


@pytest.mark.slow
def test_the_first_block_prints_the_accuracy_that_the_text_states(run):
    block, promise = FINE_TUNE
    learned, forest, logistic = re.fullmatch(
        r"This prints about (0[.]\d+); a random forest on the 50 labeled rows reaches (0[.]\d+), "
        r"and a logistic regression on them (0[.]\d+)",
        re.sub(r"\s+", " ", promise),
    ).groups()
    assert float(run(block)) == pytest.approx(float(learned), abs=AS_PRINTED)
    X, y = load_digits(return_X_y=True)
    baselines = {
        forest: RandomForestClassifier(random_state=0),
        logistic: make_pipeline(StandardScaler(), LogisticRegression()),
    }
    for stated, model in baselines.items():
        score = model.fit(X[:50], y[:50]).score(X[50:], y[50:])
        assert score == pytest.approx(float(stated), abs=AS_PRINTED)


@pytest.mark.slow
def test_the_second_block_prints_the_accuracies_that_the_text_states(run):
    block, promise = LEARN
    learned, other, scaled = re.fullmatch(
        r"This prints about (0[.]\d+); with `(.*?)` in place of the learned features, (0[.]\d+)",
        re.sub(r"\s+", " ", promise),
    ).groups()
    assert float(run(block)) == pytest.approx(float(learned), abs=AS_PRINTED)
    changed = block.replace("FrozenEstimator(features)", other)
    assert changed != block
    changed = f"from sklearn.preprocessing import StandardScaler\n{changed}"
    assert float(run(changed)) == pytest.approx(float(scaled), abs=AS_PRINTED)


@pytest.mark.slow
def test_the_third_block_prints_a_column_for_each_objective_and_each_baseline(run):
    block, promise = COMPARE
    assert "a column for each objective and each baseline" in promise
    header = next(line for line in run(block).splitlines() if line.startswith("estimator"))
    columns = ["DenoisingAutoencoder", "ContrastiveEmbedder", "MaskedFeaturePredictor"]
    columns += ["plain autoencoder", "raw features", "random forest", "gradient boosting"]
    assert [column for column in columns if column not in header] == []


def test_files_that_the_readme_names_are_there():
    named = re.findall(r"(?:examples|benchmarks|docs(?:/guide)?)/\w+\.(?:py|md)", TEXT)
    assert [name for name in named if not (README.parent / name).exists()] == []
