"""Finding rows again by their views."""

import pytest
from embedders import LEARNING
from sklearn.datasets import load_digits

from sklearn_ssl import ContrastiveEmbedder


@pytest.mark.slow
def test_contrast_score_rises_with_training():
    X = load_digits().data[:600]
    short, long = (ContrastiveEmbedder(max_iter=n, random_state=0).fit(X).score(X) for n in (1, 30))
    assert short < long <= 1


@pytest.mark.parametrize("objective", ["info_nce", "nt_xent", "barlow_twins", "vicreg"])
@pytest.mark.parametrize("n_corrupted_views", [1, 2])
@pytest.mark.slow
def test_every_objective_falls_and_finds_rows_better_than_chance(objective, n_corrupted_views):
    X = load_digits().data[:200]
    embedder = ContrastiveEmbedder(
        **LEARNING, objective=objective, n_corrupted_views=n_corrupted_views
    ).fit(X)
    assert embedder.loss_curve_[-1] < 0.95 * embedder.loss_curve_[0]
    assert 5 / len(X) < embedder.score(X) <= 1
