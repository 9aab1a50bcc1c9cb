"""Pages of the documentation show what their code does: the build runs their cells."""

import ast
import re
from pathlib import Path

import pytest

import sklearn_ssl
from sklearn_ssl import evaluation, model_selection

DOCS = Path(__file__).parent.parent / "docs"
CELL = re.compile(r"```\{code-cell\} ipython3\n(?::[^\n]*\n)*(.*?)```", re.DOTALL)
CELLS = {
    str(page.relative_to(DOCS)): CELL.findall(page.read_text(encoding="utf-8"))
    for page in [DOCS / "tutorial.md", *sorted(DOCS.glob("guide/*.md"))]
}
PAGES = [page for page, cells in CELLS.items() if cells]
WITHOUT_FIGURE = {"guide/glossary.md", "guide/index.md"}


def test_no_page_shows_a_session_that_nothing_runs():
    pages = DOCS.glob("**/*.md")
    assert [page.name for page in pages if "```pycon" in page.read_text(encoding="utf-8")] == []


def test_cells_are_found():
    markers = {
        page: (DOCS / page).read_text(encoding="utf-8").count("{code-cell}") for page in CELLS
    }
    assert {page: len(cells) for page, cells in CELLS.items()} == markers


@pytest.mark.parametrize("page", sorted(set(CELLS) - WITHOUT_FIGURE))
def test_a_page_draws_a_figure(page):
    assert re.search(r"plt\.subplots\(|Display|\.plot\(", "\n".join(CELLS[page]))


@pytest.mark.parametrize("page", PAGES)
def test_what_a_cell_shows_says_more_than_true_or_2(page):
    shown = [last for cell in CELLS[page] if isinstance(last := ast.parse(cell).body[-1], ast.Expr)]
    bare = [
        ast.unparse(expression)
        for expression in shown
        if isinstance(expression.value, ast.Compare)
        or re.match(r"(bool|len|int|float)\(", ast.unparse(expression))
    ]
    assert bare == []


BLOCKS_RUN_BY = {
    "guide/outliers.md": None,  # it reads a table that is not part of scikit-learn
    "guide/tables.md": "test_skrub.py",
    "index.md": "test_readme.py",
    "scaling.md": "test_scaling.py",
}
"""Python blocks that the build does not run, by page, and the tests that run them."""


def test_blocks_that_the_build_does_not_run_are_run_by_a_test():
    pages = {
        str(page.relative_to(DOCS)): page.read_text(encoding="utf-8")
        for page in DOCS.glob("**/*.md")
    }
    assert {page for page, text in pages.items() if "```python\n" in text} == set(BLOCKS_RUN_BY)
    tests = [Path(__file__).parent / name for name in BLOCKS_RUN_BY.values() if name]
    assert [test for test in tests if not test.exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_with_cells_is_run_by_the_build(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    assert text.startswith("---\nfile_format: mystnb\n")
    assert "raises-exception" not in text


def names_in(cell, context):
    """Names that a cell stores, or loads."""
    nodes = list(ast.walk(ast.parse(cell)))
    names = {node.id for node in nodes if isinstance(node, ast.Name) and type(node.ctx) is context}
    if context is ast.Store:
        aliases = [alias for node in nodes for alias in getattr(node, "names", ())]
        names |= {alias.asname or alias.name for alias in aliases if isinstance(alias, ast.alias)}
    return names


@pytest.mark.parametrize("page", PAGES)
def test_what_a_reader_sees_runs_without_the_cells_that_are_folded(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    seen, folded = set(), set()
    for options, cell in re.findall(
        r"```\{code-cell\} ipython3\n((?::[^\n]*\n)*)(.*?)```", text, re.DOTALL
    ):
        if "hide-input" in options:
            folded |= names_in(cell, ast.Store)
            continue
        assert (names_in(cell, ast.Load) & folded) - seen - names_in(cell, ast.Store) == set()
        seen |= names_in(cell, ast.Store)


@pytest.mark.parametrize("module", [sklearn_ssl, evaluation, model_selection])
def test_reference_lists_all_public_names(module):
    listed = (DOCS / "reference.md").read_text(encoding="utf-8").split()
    assert set(module.__all__) - {"__version__"} <= set(listed)


def test_sphinx_reads_the_source_of_every_module():
    """It fails on a dictionary that is unpacked in a decorator, and then links to no source."""
    analyzer = pytest.importorskip("sphinx.pycode").ModuleAnalyzer
    root = Path(sklearn_ssl.__file__).parent
    for path in root.rglob("*.py"):
        module = ".".join(path.relative_to(root.parent).with_suffix("").parts)
        analyzer.for_file(path, module).find_tags()


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
def test_the_page_of_a_method_has_a_cell_with_it_and_stands_in_the_guide(method, page):
    assert re.search(rf"\b{method}\(", "\n".join(CELLS[page])), f"no cell on {page} uses {method}"
    listed = (DOCS / "guide/index.md").read_text(encoding="utf-8").split()
    assert Path(page).stem in listed
