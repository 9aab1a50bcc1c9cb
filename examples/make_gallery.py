"""Run the examples in full, and keep what they print and draw for the documentation.

``python examples/make_gallery.py`` runs all of them, ``python examples/make_gallery.py few_labels``
one. Each becomes a notebook in ``docs/gallery``, with a picture for the page that lists them. The
documentation shows these notebooks as they are, so that building it runs no example.
"""

import ast
import base64
import os
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

EXAMPLES = Path(__file__).parent
GALLERY = EXAMPLES.parent / "docs/gallery"
HEADER = re.compile(r"^# %%(?P<words>.*)\n", re.MULTILINE)


def name_of(script: Path) -> str:
    return script.stem.removeprefix("plot_")


def notebook_of(script: Path) -> NotebookNode:
    """Turn a script into a notebook without outputs.

    Cells are in the percent format that editors and Jupytext know. Those tagged ``script`` read the
    command line or write a file, and are left out.
    """
    text = script.read_text(encoding="utf-8")
    title, _, introduction = (ast.get_docstring(ast.parse(text)) or "").partition("\n")
    cells = [new_markdown_cell(f"# {title}\n{introduction}".strip())]
    # What stands before the first header is the docstring; then come headers and bodies in turns.
    _, *pieces = HEADER.split(text)
    for words, body in zip(pieces[::2], pieces[1::2], strict=True):
        if "script" in words:
            continue
        if "[markdown]" in words:
            cells.append(new_markdown_cell(re.sub("^# ?", "", body.strip(), flags=re.MULTILINE)))
        else:
            cells.append(new_code_cell(body.strip()))
            cells[-1].metadata["tags"] = ["thumbnail"] if "thumbnail" in words else []
    for number, cell in enumerate(cells):
        # Random ones would change with each run.
        cell["id"] = f"cell-{number}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    language = {"name": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": language})


def run(notebook: NotebookNode) -> None:
    """Fill in the outputs, without what differs from one machine or moment to the next."""
    # tqdm would warn that its bars are plain text, which a kept page is in any case.
    os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"
    NotebookClient(notebook, timeout=None, record_timing=False).execute()
    notebook.metadata["language_info"] = {"name": "python"}


def picture_of(notebook: NotebookNode) -> bytes:
    """The figure that stands for an example in the list: the first of the cell with the tag."""
    for cell in notebook.cells:
        if "thumbnail" in cell.metadata.get("tags", ()):
            figures = [output.data for output in cell.outputs if "data" in output]
            return base64.b64decode(
                next(data["image/png"] for data in figures if "image/png" in data)
            )
    raise ValueError('No cell is tagged as the thumbnail: # %% tags=["thumbnail"].')


def main() -> None:
    scripts = {name_of(script): script for script in sorted(EXAMPLES.glob("plot_*.py"))}
    GALLERY.mkdir(exist_ok=True)
    for name in sys.argv[1:] or scripts:
        print(f"{name}: running", flush=True)
        notebook = notebook_of(scripts[name])
        run(notebook)
        nbformat.write(notebook, GALLERY / f"{name}.ipynb")
        (GALLERY / f"{name}.png").write_bytes(picture_of(notebook))


if __name__ == "__main__":
    main()
