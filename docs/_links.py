"""Run at the start of a notebook on these pages: links of diagrams, size and type of figures."""

from pathlib import Path

import matplotlib as mpl

from sklearn_ssl._display import DisplayMixin

# Diagrams of estimators link to the reference, which lies beside the guide's folder.
REFERENCE = "../generated" if Path.cwd().name == "guide" else "generated"
DisplayMixin._doc_link_template = f"{REFERENCE}/{{estimator_module}}.{{estimator_name}}.html"

# A figure of 6 inches is as wide as the text of a page, and can be read on a telephone.
mpl.rcParams.update(
    {
        "figure.dpi": 130,
        "figure.figsize": (6, 3.4),
        "figure.constrained_layout.use": True,
        "font.size": 11,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)
