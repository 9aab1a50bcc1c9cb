"""The README's Python blocks run as they stand."""

import re
from pathlib import Path

import matplotlib
import pytest

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_blocks_print_what_they_promise(block, capsys, monkeypatch):
    monkeypatch.setitem(matplotlib.rcParams, "backend", "agg")
    exec(compile(block, str(README), "exec"), {})
    assert capsys.readouterr().out.strip()


def test_files_that_the_readme_names_are_there():
    named = re.findall(r"(?:examples|benchmarks)/\w+\.(?:py|md)", README.read_text("utf-8"))
    assert [name for name in named if not (README.parent / name).exists()] == []
