"""The imports between the rooms of the package are those of the design, and no others."""

import ast
import sys
from pathlib import Path

import pytest

import sklearn_ssl

PACKAGE = Path(sklearn_ssl.__file__).parent

# The rooms in the order in which data flows: what each imports from us, and from outside. Both are
# exact, so that a permission that nobody uses fails, too.
DESIGN = {
    "_version": (set(), set()),
    "_compat": (set(), {"sklearn", "torch"}),
    "_progress": (set(), {"tqdm"}),
    "_threads": (set(), {"threadpoolctl", "torch"}),
    "_effective_rank": (set(), {"numpy", "scipy"}),
    "_show_versions": ({"_version"}, {"torch"}),
    "_display": (set(), set()),
    "_marks": ({"_compat"}, {"numpy", "pandas"}),
    "_stratified": ({"_marks"}, {"numpy", "pandas"}),
    "_table": ({"_compat"}, {"numpy", "pandas", "scipy", "sklearn"}),
    "_network": ({"_table", "_threads"}, {"numpy", "torch"}),
    "_pretext": ({"_network", "_table"}, {"torch"}),
    "_readout": ({"_table"}, {"numpy", "scipy", "torch"}),
    "_model": (
        {"_compat", "_effective_rank", "_network", "_pretext", "_readout", "_table", "_threads"},
        {"numpy", "pandas", "torch"},
    ),
    "_serialization": (
        {"_version"},
        {"numpy", "pandas", "pyarrow", "safetensors", "sklearn", "torch"},
    ),
    "_training": (
        {"_compat", "_progress", "_serialization", "_threads"},
        {"numpy", "sklearn", "skorch", "torch"},
    ),
    "_labels": (
        {"_compat", "_marks", "_pretext", "_table"},
        {"numpy", "scipy", "sklearn", "torch"},
    ),
    "_parameters": ({"_compat", "_training"}, {"joblib", "numpy"}),
    "_streams": ({"_compat", "_network", "_pretext", "_table", "_training"}, {"numpy", "torch"}),
    "_base": (
        {
            "_compat",
            "_display",
            "_labels",
            "_marks",
            "_model",
            "_network",
            "_parameters",
            "_pretext",
            "_readout",
            "_serialization",
            "_streams",
            "_table",
            "_training",
        },
        {"numpy", "sklearn", "torch"},
    ),
    "_contrastive_embedder": (
        {"_base", "_compat", "_network", "_parameters", "_pretext", "_table", "_training"},
        {"numpy", "torch"},
    ),
    "_denoising_autoencoder": (
        {"_base", "_compat", "_network", "_parameters", "_pretext", "_table", "_training"},
        {"numpy", "pandas", "sklearn"},
    ),
    "_masked_feature_predictor": (
        {
            "_base",
            "_compat",
            "_network",
            "_parameters",
            "_pretext",
            "_table",
            "_threads",
            "_training",
        },
        {"numpy", "pandas", "torch"},
    ),
    "_finetuning": (
        {
            "_base",
            "_compat",
            "_display",
            "_labels",
            "_marks",
            "_masked_feature_predictor",
            "_model",
            "_network",
            "_parameters",
            "_pretext",
            "_table",
            "_training",
        },
        {"numpy", "scipy", "sklearn", "skorch", "torch"},
    ),
    "_imputer": (
        {
            "_compat",
            "_model",
            "_network",
            "_parameters",
            "_pretext",
            "_serialization",
            "_table",
            "_training",
        },
        {"numpy", "pandas", "sklearn", "torch"},
    ),
    "model_selection": (
        {"_compat", "_labels", "_marks", "_stratified", "_table"},
        {"numpy", "sklearn"},
    ),
    "distributed": ({"_base", "_table", "_training"}, set()),
    "__main__": ({"_show_versions", "_version"}, set()),
    "_outlier_scores": (set(), {"numpy", "scipy", "sklearn"}),
    "_outlier_detector": (
        {
            "_compat",
            "_masked_feature_predictor",
            "_model",
            "_network",
            "_outlier_scores",
            "_pretext",
            "_table",
            "_threads",
            "_training",
        },
        {"numpy", "pandas", "sklearn", "torch"},
    ),
    "persistence": (
        {
            "_contrastive_embedder",
            "_denoising_autoencoder",
            "_finetuning",
            "_imputer",
            "_masked_feature_predictor",
            "_model",
            "_outlier_detector",
            "_serialization",
            "model_selection",
        },
        {"sklearn"},
    ),
    "_row_selection": ({"_compat", "_table"}, {"numpy", "sklearn"}),
    "__init__": (
        {
            "_contrastive_embedder",
            "_denoising_autoencoder",
            "_finetuning",
            "_imputer",
            "_masked_feature_predictor",
            "_outlier_detector",
            "_row_selection",
            "_show_versions",
            "_version",
        },
        set(),
    ),
    "evaluation": (
        # Of the room of tables the evaluation knows the types alone.
        {
            "__init__",
            "_compat",
            "_effective_rank",
            "_marks",
            "_progress",
            "_stratified",
            "_table",
            "_threads",
        },
        {"matplotlib", "numpy", "pandas", "scipy", "sklearn", "threadpoolctl", "umap"},
    ),
}

MODULES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}


def room_of(module):
    """The sub-package that a module lies in, or its own name."""
    return module.split("/")[0].removesuffix(".py")


def imports(module, at_once=False):
    """Full names of what a module of ours imports; at once, or within functions, too."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    for node in tree.body if at_once else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + str(node.module)


def imports_of_room(room):
    """Our rooms, and packages from outside, that the modules of a room import."""
    modules = [module for module in MODULES if room_of(module) == room]
    names = [name.split(".") for module in modules for name in imports(module)]
    ours = {name[1] if len(name) > 1 else "__init__" for name in names if name[0] == "sklearn_ssl"}
    others = {name[0] for name in names} - {"sklearn_ssl"} - sys.stdlib_module_names
    return ours - {room}, others


@pytest.mark.parametrize("room", DESIGN)
def test_a_room_imports_what_the_design_says_and_nothing_else(room):
    assert imports_of_room(room) == DESIGN[room]


@pytest.mark.parametrize("module", MODULES)
def test_drawing_libraries_are_imported_where_they_draw(module):
    at_once = {name.split(".")[0] for name in imports(module, at_once=True)}
    assert not at_once & {"matplotlib", "umap"}


def test_every_module_has_its_place_in_the_design():
    assert {room_of(module) for module in MODULES} == set(DESIGN)


def test_data_flows_one_way():
    above = set()
    for room, (ours, _) in DESIGN.items():
        assert ours <= above
        above.add(room)


def test_only_rooms_that_train_know_skorch():
    assert {room for room in DESIGN if "skorch" in DESIGN[room][1]} == {"_training", "_finetuning"}
