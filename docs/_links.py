"""Run at the start of a notebook on these pages: its diagrams link to the reference beside it."""

from sklearn_ssl._display import DisplayMixin

DisplayMixin._doc_link_template = "generated/{estimator_module}.{estimator_name}.html"
