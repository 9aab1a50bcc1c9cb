"""Settings of the documentation; ``sphinx-build -t release`` links to other projects, too."""

import json
import os
import re
import sys
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

from sklearn_ssl import __version__

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"
sys.path.append(str(HERE))

from _search_words import WORDS  # noqa: E402, it lies beside this file

IS_RELEASE = tags.has("release")  # noqa: F821, Sphinx puts it here

project = "sklearn_ssl"
author = "The sklearn_ssl developers"
copyright = f"2026, {author}"
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_nb",
    "sphinx_design",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
nitpicky = True
default_role = "code"
smartquotes = False  # a string's quotes are to be copied
suppress_warnings = ["config.cache"]  # autosummary_context holds a function

# The pages of other projects are looked up over the network, which only a release needs.
intersphinx_mapping = {
    "matplotlib": ("https://matplotlib.org/stable/", None),
    "pandas": ("https://pandas.pydata.org/docs/", None),
    "sklearn": ("https://scikit-learn.org/stable/", None),
    "torch": ("https://docs.pytorch.org/docs/stable/", None),
}
if not IS_RELEASE:
    intersphinx_mapping = {}
    suppress_warnings += ["ref.ref", "ref.term"]  # which methods inherited from scikit-learn have
nitpick_ignore_regex = [("py:.*", r"(matplotlib|pandas|sklearn|torch)\..*")]

autosummary_generate = True
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 900
nb_merge_streams = True
# The notebooks of the gallery hold what examples/make_gallery.py printed and drew.
nb_execution_excludepatterns = ["gallery/*"]
os.environ["PYTHONSTARTUP"] = str(HERE / "_links.py")  # kernels read it
html_theme = "pydata_sphinx_theme"
html_title = f"sklearn_ssl {version}"
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_show_sourcelink = False
html_sidebars = {page: [] for page in ("index", "start", "tutorial", "alternatives", "scaling")}
html_sidebars["gallery/*"] = []  # the width is for the code
html_theme_options = {
    "footer_start": ["copyright"],
    "footer_end": [],
    "logo": {"text": f"sklearn_ssl {version}"},
    "header_links_before_dropdown": 6,
    "navbar_persistent": ["search-button"],
    "navigation_with_keys": False,
    # The pictures of the list of examples are read best if they are wide.
    "secondary_sidebar_items": {"**": ["page-toc"], "gallery/index": []},
    "show_toc_level": 2,
}
html_math_renderer = "mathml"


def write_formula(translator, node):
    """Write a formula as MathML, which browsers draw without a script from elsewhere."""
    is_block = isinstance(node, nodes.math_block)
    formula = tex2mathml(node.astext(), as_block=is_block)
    translator.body.append(f'<div class="formula">{formula}</div>' if is_block else formula)
    raise nodes.SkipNode


def examples_with(name):
    """Examples that use a public name, for its page in the reference."""
    scripts = sorted(EXAMPLES.glob("plot_*.py"))
    call = re.compile(rf"(?<![.\w]){name}\(")  # of the name itself, and not of a method
    used = [path for path in scripts if call.search(path.read_text("utf-8"))]
    return [path.stem.removeprefix("plot_") for path in used]


autosummary_context = {"examples_with": examples_with}


def end_of_example(name):
    """Cell below an example: what made the page, and what can be downloaded."""
    return {
        "cell_type": "markdown",
        "id": "downloads",
        "metadata": {},
        "source": f"""---
`python examples/make_gallery.py {name}` made this page; `python examples/plot_{name}.py` runs the
script alone, and `--short` a small form of it.
{{download}}`Download the notebook <{name}.ipynb>` or
{{download}}`the script <../../examples/plot_{name}.py>`.""",
    }


def add_end_of_example(app, docname, source):
    """Let each example end with its downloads, which a downloaded notebook does not need."""
    folder, _, name = docname.partition("/")
    if folder == "gallery" and name != "index":
        notebook = json.loads(source[0])
        notebook["cells"].append(end_of_example(name))
        source[0] = json.dumps(notebook)


class AddSearchWords(SphinxTransform):
    """Put the words by which readers search for a page into its index."""

    default_priority = 400  # before the entries of the index are collected

    def apply(self, **kwargs):
        """Add the entries at the beginning of the page."""
        entries = [
            ("single", word.lower(), "", "main", None) for word in WORDS.get(self.env.docname, ())
        ]
        if entries:
            self.document.insert(0, addnodes.index(entries=entries, inline=False))


class MarkPrintedTables(SphinxTransform):
    """Let printed tables scroll, since only sentences can be wrapped on a narrow screen."""

    default_priority = 400  # after the outputs of cells are there

    def apply(self, **kwargs):
        """Add a class to printed text of which several lines have columns."""
        for block in self.document.findall(nodes.literal_block):
            in_columns = [re.search(r"\S {2,}\S", line) for line in block.astext().splitlines()]
            if "stream" in block["classes"] and sum(map(bool, in_columns)) > 1:
                block["classes"].append("table-of-text")


INTERVAL = re.compile(r"[[(][-+\d][-+\d., to]*[])]")


class KeepFiguresTogether(SphinxTransform):
    """Let no line of a table end within an interval or before an arrow."""

    default_priority = 400  # after the pages of results are included

    def apply(self, **kwargs):
        """Replace the spaces there by those at which no line breaks."""
        for entry in self.document.findall(nodes.entry):
            for text in list(entry.findall(nodes.Text)):
                joined = INTERVAL.sub(lambda found: found[0].replace(" ", "\xa0"), text)
                text.parent.replace(text, nodes.Text(joined.replace(" →", "\xa0→")))


def setup(app):
    """Register what the settings above name, and what pages need before they are written."""
    app.add_html_math_renderer("mathml", (write_formula, None), (write_formula, None))
    app.add_transform(AddSearchWords)
    app.add_transform(MarkPrintedTables)
    app.add_transform(KeepFiguresTogether)
    app.connect("source-read", add_end_of_example)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
