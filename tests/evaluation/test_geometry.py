"""Geometry: closed forms, the papers' definitions as slow twins, and invariances."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.stats import ortho_group
from sklearn.metrics.pairwise import euclidean_distances

from sklearn_ssl.evaluation import (
    alignment,
    effective_rank,
    linear_cka,
    neighborhood_preservation,
    uniformity,
)


def normal(n_rows, n_features, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, n_features))


def unit(row):
    return row / np.linalg.norm(row)


@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.5])
def test_alignment_follows_its_definition(exponent):
    Z1, Z2 = normal(7, 3), normal(7, 3, seed=1)
    distances = [np.linalg.norm(unit(a) - unit(b)) for a, b in zip(Z1, Z2, strict=True)]
    expected = np.mean([distance**exponent for distance in distances])
    assert alignment(Z1, Z2, exponent=exponent) == pytest.approx(expected)


def test_alignment_of_equal_opposite_and_orthogonal_views():
    Z = normal(5, 4)
    assert alignment(Z, 3 * Z) == pytest.approx(0)
    assert alignment(Z, -Z) == pytest.approx(4)
    assert alignment([[1, 0]], [[0, 1]]) == pytest.approx(2)


@pytest.mark.parametrize("t", [0.5, 2.0])
def test_uniformity_follows_its_definition(t):
    Z = normal(9, 3)
    potentials = [
        math.exp(-t * np.sum((unit(a) - unit(b)) ** 2)) for a, b in itertools.combinations(Z, 2)
    ]
    assert uniformity(Z, t=t) == pytest.approx(math.log(np.mean(potentials)))


def test_uniformity_of_one_point_and_of_a_square():
    assert uniformity(np.ones((6, 2))) == pytest.approx(0)
    square = [[1, 0], [0, 1], [-1, 0], [0, -1]]
    expected = math.log((2 * math.exp(-4) + math.exp(-8)) / 3)
    assert uniformity(square) == pytest.approx(expected)


def test_uniformity_of_many_points_on_the_sphere_nears_its_limit():
    # On the sphere in three dimensions the mean potential is (1 - exp(-4 t)) / (4 t).
    t = 2.0
    limit = math.log((1 - math.exp(-4 * t)) / (4 * t))
    assert uniformity(normal(1500, 3), t=t) == pytest.approx(limit, abs=0.03)


def test_uniformity_in_blocks_is_that_at_once():
    import sklearn

    Z = normal(400, 3)
    with sklearn.config_context(working_memory=0.01):
        in_blocks = uniformity(Z)
    assert in_blocks == pytest.approx(uniformity(Z))


def test_effective_rank_of_known_spectra():
    assert effective_rank(np.eye(5)) == pytest.approx(5)
    assert effective_rank(np.outer([1, 2, 3], [4, 5])) == pytest.approx(1)
    assert effective_rank(np.zeros((4, 2))) == 0
    shares = np.array([3, 1]) / 4
    expected = math.exp(-sum(share * math.log(share) for share in shares))
    assert effective_rank(np.diag([3.0, 1.0])) == pytest.approx(expected)


def test_effective_rank_counts_the_mean_unless_centred():
    Z = np.tile([5.0, 0.0], (20, 1))
    Z[:, 1] = np.repeat([-1, 1], 10)
    assert effective_rank(Z) > 1.4
    assert effective_rank(Z, center=True) == pytest.approx(1)


@given(seed=st.integers(0, 1000), width=st.integers(1, 6), scale=st.floats(1e-3, 1e3))
@settings(max_examples=25, deadline=None)
def test_effective_rank_is_bounded_and_ignores_scale_and_rotation(seed, width, scale):
    Z = normal(8, width, seed)
    rank = effective_rank(Z)
    assert 1 <= rank <= width + 1e-9
    rotation = ortho_group.rvs(width, random_state=seed) if width > 1 else np.ones((1, 1))
    assert effective_rank(scale * Z @ rotation) == pytest.approx(rank)


def cka_by_definition(Z1, Z2):
    n = len(Z1)
    centring = np.eye(n) - np.ones((n, n)) / n
    K, L = Z1 @ Z1.T, Z2 @ Z2.T

    def hsic(K, L):
        return np.trace(K @ centring @ L @ centring) / (n - 1) ** 2

    return hsic(K, L) / math.sqrt(hsic(K, K) * hsic(L, L))


@pytest.mark.parametrize("widths", [(1, 1), (2, 5), (30, 3)])
def test_cka_follows_its_definition(widths):
    Z1, Z2 = (normal(12, width, seed) for seed, width in enumerate(widths))
    assert linear_cka(Z1, Z2) == pytest.approx(cka_by_definition(Z1, Z2))


def test_cka_ignores_shift_scale_and_rotation_but_not_stretching():
    Z = normal(50, 3)
    rotation = ortho_group.rvs(3, random_state=0)
    assert linear_cka(Z, 7 * Z @ rotation + 5) == pytest.approx(1)
    assert linear_cka(Z, Z * [1, 10, 100]) < 0.9


def test_cka_of_uncorrelated_and_of_constant_embeddings():
    a, b = np.array([1, 1, -1, -1.0]), np.array([1, -1, 1, -1.0])
    assert linear_cka(a[:, None], b[:, None]) == pytest.approx(0)
    assert linear_cka(a[:, None], np.ones((4, 2))) == 0
    # One column is common to both: 1 of the 1 * sqrt(2) units of similarity.
    both = np.column_stack([a, b])
    assert linear_cka(a[:, None], both) == pytest.approx(1 / math.sqrt(2))


def test_neighborhoods_follow_their_definition():
    X, Z = normal(40, 3), normal(40, 2, seed=1)
    shared = 0
    for i in range(40):
        near = [
            set(np.argsort(euclidean_distances(rows[[i]], rows)[0])[1:6].tolist())
            for rows in (X, Z)
        ]
        shared += len(near[0] & near[1])
    assert neighborhood_preservation(X, Z, n_neighbors=5) == pytest.approx(shared / 200)


def test_neighborhoods_kept_and_lost():
    X = normal(30, 3)
    assert neighborhood_preservation(X, 2 * X + 1) == 1
    line = np.arange(4.0)[:, None] ** 1.1
    swapped = line[[0, 2, 1, 3]]
    tree = cKDTree(swapped).query(swapped, 2)[1][:, 1]
    kept = np.mean(tree == cKDTree(line).query(line, 2)[1][:, 1])
    assert neighborhood_preservation(line, swapped, n_neighbors=1) == pytest.approx(kept)


def test_unrelated_embeddings_share_neighbors_by_chance():
    share = neighborhood_preservation(normal(500, 5), normal(500, 5, seed=1), n_neighbors=50)
    assert share == pytest.approx(50 / 499, abs=0.02)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (alignment, (np.ones((3, 2)), np.ones((4, 2))), "inconsistent numbers of samples"),
        (alignment, (np.ones((3, 2)), np.ones((3, 1))), "same shape; got"),
        (uniformity, (np.ones((1, 2)),), "minimum of 2 is required"),
        (effective_rank, ([1.0, 2.0],), "Expected 2D array, got 1D array"),
        (effective_rank, ([[np.nan]],), "contains NaN"),
        (linear_cka, (np.ones((3, 2)), "Z"), "'Z2' parameter of linear_cka must be an array-like"),
        (neighborhood_preservation, (np.ones((5, 2)),) * 2, "less than the number of rows, 5"),
    ],
)
def test_bad_arguments(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (alignment, {"exponent": 0}),
        (uniformity, {"t": -1}),
        (neighborhood_preservation, {"n_neighbors": 0}),
    ],
)
def test_bad_options(function, options):
    rows = (np.ones((5, 2)),) * (1 if function is uniformity else 2)
    with pytest.raises(ValueError, match=f"parameter of {function.__name__} must be"):
        function(*rows, **options)
