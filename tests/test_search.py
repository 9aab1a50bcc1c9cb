"""The search of the documentation finds the page that answers a word first."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="needs the extra docs")
DOCS = Path(__file__).parent.parent / "docs"
SITE = DOCS / "_build/html"
sys.path.append(str(DOCS))

from _search_words import WORDS  # noqa: E402
from check_search import Search, misses  # noqa: E402

ASKED = {
    *("impute", "anomaly", "outlier", "datetime", "date columns", "grid search", "GridSearchCV"),
    *("GPU", "install", "visualize", "t-SNE", "how many labels", "save", "deploy", "pickle"),
}


def index_of(pages, **others):
    """An index as the builder writes it, of pages with a title and some words."""
    titles = list(pages.values())
    return {
        "docnames": list(pages),
        "titles": titles,
        "alltitles": {title: [[number, None]] for number, title in enumerate(titles)},
        "titleterms": {title.lower(): number for number, title in enumerate(titles)},
        "terms": {},
        "indexentries": {},
        "objects": {},
        "objnames": {},
        **others,
    }


def test_the_list_has_the_words_that_readers_asked_for():
    assert {word for words in WORDS.values() for word in words} >= ASKED


def test_every_word_has_one_page():
    words = [word.lower() for words in WORDS.values() for word in words]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("page", WORDS)
def test_pages_of_words_are_there(page):
    assert [path for path in DOCS.glob(f"{page}.*") if path.suffix in {".md", ".ipynb"}]


PAGES = {"guide/save": "Save", "guide/load": "Load"}


def test_a_title_comes_first():
    assert Search(index_of(PAGES)).first("load") == "guide/load"


def test_an_entry_of_the_index_comes_before_a_title():
    index = index_of(PAGES, indexentries={"load": [[0, "", "main"]]})
    assert Search(index).first("Load") == "guide/save"


def test_an_entry_that_is_not_the_main_one_comes_last():
    index = index_of(PAGES, indexentries={"load": [[0, "", ""]]})
    assert Search(index).first("load") == "guide/load"


def test_all_words_must_be_found():
    index = index_of(PAGES, terms={"file": [0, 1], "folder": 1})
    assert Search(index).first("file folder") == "guide/load"
    assert Search(index).first("folder nowhere") is None


@pytest.mark.skipif(
    not (SITE / "searchindex.js").exists(), reason="needs the built pages, docs/_build/html"
)
def test_the_built_pages_are_found():
    assert misses(SITE) == [], "if the pages were built before the last change, build them again"
