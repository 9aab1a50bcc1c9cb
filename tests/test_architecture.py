"""The imports between modules are those of the design, and no others."""

import ast
import re
import sys
from pathlib import Path

import pytest

import sklearn_ssl

PACKAGE = Path(sklearn_ssl.__file__).parent
TENSORS = {"_schema", "_views", "_objectives", "_networks", "_pretext"}
SHARED = TENSORS | {
    "_compat",
    "_tabular",
    "_batches",
    "_callbacks",
    "_processes",
    "_training",
    "_checkpoints",
    "_fitting",
    "_streams",
    "_base",
    "_parameters",
    "_reconstruction",
    "_targets",
}
ESTIMATORS = {"_denoising_autoencoder", "_contrastive_embedder", "_masked_feature_predictor"}
FINE_TUNED = {"_finetuned_classifier", "_finetuned_regressor"}

# What a module may import from us, and from outside; a module comes after those it imports.
DESIGN = {
    "_version": (set(), set()),
    "_compat": (set(), {"sklearn"}),
    "_schema": (set(), set()),
    "_columns": ({"_schema"}, {"numpy", "pandas", "scipy"}),
    "_tabular": ({"_schema", "_compat", "_columns"}, {"numpy", "pandas", "scipy", "sklearn"}),
    "_codec": ({"_schema", "_columns", "_tabular"}, {"numpy", "pandas", "sklearn", "torch"}),
    "_files": ({"_codec", "_version"}, {"numpy", "safetensors"}),
    "_spectrum": (set(), {"numpy", "scipy"}),
    "_display": (set(), set()),
    "_show_versions": ({"_version"}, {"torch"}),
    "_views": ({"_schema"}, {"torch"}),
    "_objectives": ({"_schema"}, {"torch"}),
    "_networks": ({"_schema"}, {"torch"}),
    "_pretext": (TENSORS - {"_pretext"}, {"torch"}),
    "_inference": ({"_networks", "_views"}, {"numpy", "torch"}),
    "_batches": (set(), {"torch"}),
    "_callbacks": (set(), {"skorch", "tqdm"}),
    "_processes": (set(), {"torch"}),
    "_training": ({"_batches", "_callbacks", "_processes"}, {"skorch", "torch"}),
    "_checkpoints": ({"_codec", "_files", "_processes"}, {"skorch", "torch"}),
    "_targets": ({"_objectives", "_tabular"}, {"numpy", "pandas", "scipy", "sklearn", "torch"}),
    "_parameters": ({"_callbacks", "_compat"}, {"numpy"}),
    "_fitting": ({"_batches", "_training"}, {"numpy", "sklearn", "torch"}),
    "_streams": (
        {
            "_callbacks",
            "_checkpoints",
            "_compat",
            "_fitting",
            "_processes",
            "_schema",
            "_training",
            "_views",
        },
        {"numpy", "pandas", "scipy", "sklearn"},
    ),
    "_base": (
        {
            "_batches",
            "_callbacks",
            "_checkpoints",
            "_codec",
            "_fitting",
            "_streams",
            "_compat",
            "_display",
            "_inference",
            "_networks",
            "_parameters",
            "_pretext",
            "_processes",
            "_schema",
            "_spectrum",
            "_targets",
            "_tabular",
            "_training",
            "_views",
        },
        {"numpy", "sklearn", "torch"},
    ),
    "_reconstruction": ({"_objectives", "_schema", "_views"}, {"numpy", "sklearn", "torch"}),
    **dict.fromkeys(sorted(ESTIMATORS), (SHARED, {"numpy", "pandas", "torch"})),
    "_heads": ({"_objectives"}, {"torch"}),
    "_held_out": ({"_batches", "_objectives"}, {"numpy", "scipy", "skorch", "torch"}),
    "_finetuning": (
        SHARED | ESTIMATORS | {"_display", "_heads", "_held_out"},
        {"numpy", "sklearn", "torch"},
    ),
    **dict.fromkeys(
        sorted(FINE_TUNED), (SHARED | {"_finetuning"}, {"numpy", "scipy", "sklearn", "torch"})
    ),
    "persistence": (
        ESTIMATORS | FINE_TUNED | {"_codec", "_files"},
        {"sklearn"},
    ),
    "_process_group": ({"_processes"}, {"torch"}),
    "distributed": (
        {"_base", "_checkpoints", "_fitting", "_process_group", "_training"},
        {"numpy", "sklearn"},
    ),
    "__init__": (ESTIMATORS | FINE_TUNED | {"persistence", "_show_versions", "_version"}, set()),
    "__main__": ({"_show_versions", "_version"}, set()),
}
MODULES = [name for name in DESIGN if (PACKAGE / f"{name}.py").exists()]


EVALUATION = [f"evaluation/{path.stem}" for path in sorted((PACKAGE / "evaluation").glob("*.py"))]


def imports(name, at_once=False):
    """Full names of the modules that a module of ours imports; at once, or within functions too."""
    tree = ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))
    for node in tree.body if at_once else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + str(node.module)


def is_ours(full_name):
    return full_name.split(".")[0] == "sklearn_ssl"


@pytest.mark.parametrize("name", MODULES)
def test_module_imports_from_us_what_the_design_allows(name):
    found = {full_name for full_name in imports(name) if is_ours(full_name)}
    assert found <= {f"sklearn_ssl.{module}" for module in DESIGN[name][0]}


@pytest.mark.parametrize("name", MODULES)
def test_module_imports_from_outside_what_the_design_allows(name):
    found = {full_name.split(".")[0] for full_name in imports(name) if not is_ours(full_name)}
    assert found - sys.stdlib_module_names <= DESIGN[name][1]


@pytest.mark.parametrize("name", EVALUATION)
def test_evaluation_knows_estimators_by_their_public_interface(name):
    found = set(imports(name))
    ours = {full_name for full_name in found if is_ours(full_name)}
    inside = {full_name for full_name in ours if full_name.startswith("sklearn_ssl.evaluation.")}
    assert ours - inside <= {"sklearn_ssl", "sklearn_ssl._compat", "sklearn_ssl._spectrum"}
    outside = {full_name.split(".")[0] for full_name in found - ours} - sys.stdlib_module_names
    assert outside <= {"matplotlib", "numpy", "pandas", "scipy", "sklearn", "umap"}


@pytest.mark.parametrize("name", MODULES + EVALUATION)
def test_drawing_libraries_are_imported_where_they_draw(name):
    at_once = {full_name.split(".")[0] for full_name in imports(name, at_once=True)}
    assert not at_once & {"matplotlib", "umap"}


def test_every_module_has_its_place_in_the_design():
    assert {path.stem for path in PACKAGE.glob("*.py")} <= set(DESIGN)


def test_data_flows_one_way():
    above = set()
    for name, (ours, _) in DESIGN.items():
        assert ours <= above
        above.add(name)


def test_contributing_states_the_order_of_the_design():
    text = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    stated = re.findall(r"`(_\w+)`", text.partition("Data flows one way")[2].partition("\n\n")[0])
    assert len(stated) > 5
    assert stated == [name for name in DESIGN if name in stated]
