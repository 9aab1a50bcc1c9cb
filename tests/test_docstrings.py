"""Docstrings: shared parameters read the same everywhere, and state the defaults of signatures."""

import inspect
import re

import pytest
from embedders import ESTIMATORS

from sklearn_ssl import FineTunedClassifier, FineTunedRegressor

FINE_TUNED = [FineTunedClassifier, FineTunedRegressor]


def documented(estimator):
    """What the docstring of an estimator says of each parameter: type, default and description."""
    text = inspect.getdoc(estimator)
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-+\n)", text, re.M | re.S)[1]
    parts = re.split(r"^(\w+) : ", section, flags=re.M)
    return {
        name: re.sub(r"\s+", " ", described).strip()
        for name, described in zip(parts[1::2], parts[2::2], strict=True)
    }


def defaults(estimator):
    """Defaults of the parameters, in the order of the signature."""
    parameters = inspect.signature(estimator).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters}


def stated_default(described):
    """The default that a description states, as a value."""
    stated = re.match(r".*?\bdefault=(\(.*?\)|\"[^\"]*\"|[\w.+-]+)", described)
    return eval(stated[1], {}) if stated else "none stated"


def plain(described):
    """A description without its default, which may differ, and numbers of references."""
    return re.sub(r"default=\S+| \[\d+\]_", "", described)


@pytest.mark.parametrize("estimator", ESTIMATORS + FINE_TUNED)
def test_parameters_are_documented_in_the_order_of_the_signature(estimator):
    assert list(documented(estimator)) == list(defaults(estimator))


@pytest.mark.parametrize("estimator", ESTIMATORS + FINE_TUNED)
def test_documented_defaults_are_those_of_the_signature(estimator):
    stated = {name: stated_default(text) for name, text in documented(estimator).items()}
    assert stated == defaults(estimator)


@pytest.mark.parametrize("group", [ESTIMATORS, FINE_TUNED], ids=["transformers", "fine-tuned"])
def test_shared_parameters_have_the_same_words(group):
    described = [documented(estimator) for estimator in group]
    shared = set.intersection(*map(set, described))
    assert len(shared) > 10
    words = {name: {plain(text[name]) for text in described} for name in shared}
    assert {name: texts for name, texts in words.items() if len(texts) > 1} == {}
