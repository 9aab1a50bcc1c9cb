"""Settings of the documentation; ``sphinx-build -t release`` runs the examples in full."""

import os
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx_gallery.directives import imgsgnode

from sklearn_ssl import __version__

IS_RELEASE = tags.has("release")  # noqa: F821, Sphinx puts it here

project = "sklearn_ssl"
author = "The sklearn_ssl developers"
copyright = f"2026, {author}"
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "numpydoc",
    "myst_nb",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "auto_examples/*.ipynb"]
nitpicky = True
default_role = "code"
smartquotes = False  # a string's quotes are to be copied
suppress_warnings = ["config.cache"]  # the gallery's settings hold a function

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
nb_execution_timeout = 300
nb_merge_streams = True
os.environ["PYTHONSTARTUP"] = str(Path(__file__).parent / "_links.py")  # kernels read it


SHORT_FORM = (
    "Drawn by the script's short form (--short): few rows, epochs and draws. It shows what the "
    "figure looks like; for conclusions, run the script as it is."
)


def arguments_of_example(gallery_conf, script_vars):
    """Command line of an example; the figure's name stands without its folder, as it is shown."""
    figure = Path(script_vars["src_file"]).with_suffix(".png").name
    return ["--output", figure, *([] if IS_RELEASE else ["--short"])]


sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": "generated/examples",
    "doc_module": ("sklearn_ssl",),
    "reference_url": {"sklearn_ssl": None},
    "reset_argv": arguments_of_example,
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 3600,  # other machines take other times
    "notebook_extensions": set(),  # in a notebook the examples would read its command line
}

html_theme = "pydata_sphinx_theme"
html_title = "sklearn_ssl"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_show_sourcelink = False
html_sidebars = {page: [] for page in ("index", "start", "tutorial", "alternatives", "scaling")}
html_sidebars["auto_examples/*"] = []  # the width is for the code
html_theme_options = {
    "footer_start": ["copyright"],
    "footer_end": [],
    "header_links_before_dropdown": 6,
    "navbar_persistent": ["search-button"],
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
}
html_math_renderer = "mathml"


def write_formula(translator, node):
    """Write a formula as MathML, which browsers draw without a script from elsewhere."""
    is_block = isinstance(node, nodes.math_block)
    formula = tex2mathml(node.astext(), as_block=is_block)
    translator.body.append(f'<div class="formula">{formula}</div>' if is_block else formula)
    raise nodes.SkipNode


def frame_figures(app, doctree):
    """Put the figures of examples into frames, in which a telephone can move them."""
    for figure in list(doctree.findall(imgsgnode)):
        frame = nodes.container("", figure.deepcopy(), classes=["figure-frame"])
        figure.replace_self([frame] if IS_RELEASE else [frame, nodes.paragraph(text=SHORT_FORM)])


def setup(app):
    """Register what the settings above name, and what pages need before they are written."""
    app.add_html_math_renderer("mathml", (write_formula, None), (write_formula, None))
    app.connect("doctree-read", frame_figures)
