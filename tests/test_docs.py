"""The sessions on the pages of the documentation print what they show."""

import doctest
import re
from pathlib import Path

import pytest

import sklearn_ssl
from sklearn_ssl import evaluation

DOCS = Path(__file__).parent.parent / "docs"
SESSIONS = {
    str(page.relative_to(DOCS)): re.findall(
        r"```pycon\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL
    )
    for page in sorted(DOCS.glob("**/*.md"))
}
PAGES = [page for page, sessions in SESSIONS.items() if sessions]


@pytest.mark.parametrize("page", PAGES)
def test_sessions_of_a_page_print_what_it_shows(page):
    text = "\n".join(SESSIONS[page])
    session = doctest.DocTestParser().get_doctest(text, {}, page, page, 0)
    report: list[str] = []
    failed, attempted = doctest.DocTestRunner().run(session, out=report.append)
    assert attempted
    assert not failed, "".join(report)


@pytest.mark.parametrize("module", [sklearn_ssl, evaluation])
def test_reference_lists_all_public_names(module):
    listed = (DOCS / "reference.md").read_text(encoding="utf-8").split()
    assert set(module.__all__) - {"__version__"} <= set(listed)


def test_every_method_has_a_page_with_a_session():
    guide = {page for page in PAGES if page.startswith("guide/")}
    assert len(guide) >= 8
