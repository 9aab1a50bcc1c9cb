"""The sessions on the pages of the documentation print what they show."""

import doctest
import re
from pathlib import Path

import pytest

import sklearn_ssl
from sklearn_ssl import evaluation, model_selection

DOCS = Path(__file__).parent.parent / "docs"
SESSIONS = {
    str(page.relative_to(DOCS)): re.findall(
        r"```pycon\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL
    )
    for page in sorted(DOCS.glob("**/*.md"))
}
PAGES = [page for page, sessions in SESSIONS.items() if sessions]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.slow
def test_sessions_of_a_page_print_what_it_shows(page):
    text = "\n".join(SESSIONS[page])
    session = doctest.DocTestParser().get_doctest(text, {}, page, page, 0)
    report: list[str] = []
    failed, attempted = doctest.DocTestRunner().run(session, out=report.append)
    assert attempted
    assert not failed, "".join(report)


@pytest.mark.parametrize("module", [sklearn_ssl, evaluation, model_selection])
def test_reference_lists_all_public_names(module):
    listed = (DOCS / "reference.md").read_text(encoding="utf-8").split()
    assert set(module.__all__) - {"__version__"} <= set(listed)


PAGES_OF_METHODS = {
    "DenoisingAutoencoder": "guide/denoising_autoencoder.md",
    "ContrastiveEmbedder": "guide/contrastive_embedder.md",
    "MaskedFeaturePredictor": "guide/masked_feature_predictor.md",
    "MaskedImputer": "guide/imputing.md",
    "OutlierDetector": "guide/outliers.md",
    "FineTunedClassifier": "guide/fine_tuning.md",
    "FineTunedRegressor": "guide/fine_tuning.md",
    "select_rows": "guide/selecting_rows.md",
    "LabeledFold": "guide/model_selection.md",
    "LabeledRowsOnly": "guide/model_selection.md",
}
NO_METHODS = {"__version__", "show_versions"}


def test_every_method_has_a_page():
    public = {*sklearn_ssl.__all__, *model_selection.__all__} - NO_METHODS
    assert public == set(PAGES_OF_METHODS)


@pytest.mark.parametrize(("method", "page"), PAGES_OF_METHODS.items())
def test_the_page_of_a_method_has_a_session_with_it_and_stands_in_the_guide(method, page):
    sessions = "\n".join(SESSIONS[page])
    assert re.search(rf"^(>>>|\.\.\.) .*\b{method}\(", sessions, re.MULTILINE), (
        f"no session on {page} uses {method}"
    )
    listed = (DOCS / "guide/index.md").read_text(encoding="utf-8").split()
    assert Path(page).stem in listed
