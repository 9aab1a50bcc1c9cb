"""The versions that are said to be supported are those that are tested."""

import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = [PROJECT["optional-dependencies"][name] for name in ("files", "plot")]
REQUIRED = [Requirement(text) for text in chain(PROJECT["dependencies"], *EXTRAS)]


def pins(name):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    texts = [line.partition("#")[0].strip() for line in lines]
    requirements = [Requirement(text) for text in texts if text]
    return {
        canonicalize_name(r.name): Version(next(iter(r.specifier)).version) for r in requirements
    }


@pytest.mark.parametrize("requirement", REQUIRED, ids=str)
def test_the_lowest_version_allowed_is_the_oldest_one_tested(requirement):
    (lowest,) = requirement.specifier
    assert lowest.operator == ">="
    assert pins("constraints-oldest.txt")[requirement.name] == Version(lowest.version)


@pytest.mark.parametrize("requirement", REQUIRED, ids=str)
def test_what_ci_tests_is_allowed(requirement):
    assert requirement.specifier.contains(str(pins("constraints.txt")[requirement.name]))
