"""Tables on which training is hard: finite at the end, or reported, and never silently wrong."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from embedders import DEEP
from sklearn.exceptions import ConvergenceWarning

from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor

N = 300

rng = np.random.default_rng(0)
normal = rng.normal(size=(N, 4))
letters = np.array(list("abcdefgh"))


def with_missing(X, share):
    return np.where(np.random.default_rng(1).random(X.shape) < share, np.nan, X)


def blocks(n_blocks):
    return np.repeat(np.arange(n_blocks), -(-N // n_blocks))[:N]


TABLES = {
    "Cauchy": rng.standard_cauchy((N, 4)),
    "log-normal with sigma 10": rng.lognormal(sigma=10, size=(N, 4)),
    "Pareto with index 0.1": rng.pareto(0.1, size=(N, 4)).clip(max=1e300),
    "one cell of 1e30": np.where(np.arange(N * 4).reshape(N, 4) == 7, 1e30, normal),
    "one column of 1e30": normal * [1e30, 1, 1, 1],
    "columns from 1e-30 to 1e30": normal * [1e-30, 1e-10, 1e10, 1e30],
    "near the largest number": rng.uniform(-1, 1, (N, 3)) * 1.7e308,
    "below the smallest normal number": normal * 1e-310,
    "offset that hides the variance": normal * 1e-6 + 1e9,
    "numbers that differ in the last bit": 1 + np.finfo(float).eps * rng.integers(0, 3, (N, 3)),
    "single precision overflows": normal * 1e200,
    "all cells equal": np.ones((N, 4)),
    "all rows equal": np.tile([1.0, -5.0, 1e9], (N, 1)),
    "two rows, many times": normal[blocks(2)],
    "constant but for one cell": np.where(np.arange(N)[:, None] == 5, 1.0, np.zeros((N, 3))),
    "99 % missing": with_missing(normal, 0.99),
    "one cell per column": np.where(np.arange(N)[:, None] == np.arange(4), normal, np.nan),
    "all cells missing": np.full((N, 3), np.nan),
    "all but one column missing": np.where([True, False, False], normal[:, :3], np.nan),
    "missingness reveals the value": np.where(normal > 0, np.nan, normal),
    "columns all equal": np.repeat(normal[:, :1], 30, axis=1),
    "columns in exact opposition": np.hstack([normal, -normal]),
    "more columns than rows": rng.normal(size=(20, 500)),
    "1 % of ones": (rng.random((N, 30)) < 0.01).astype(float),
    "sparse counts": sp.random(N, 100, 0.01, format="csr", random_state=0),
    "10,000 categories": pd.DataFrame(
        {"id": [f"name {i}" for i in range(10_000)], "number": rng.normal(size=10_000)}
    ),
    "a category per row": pd.DataFrame({"id": np.arange(N).astype(str)}),
    "one category in 99 % of rows": pd.DataFrame(
        {"kind": np.where(np.arange(N) % 100, "usual", "rare"), "number": normal[:, 0]}
    ),
    "categories without a row": pd.DataFrame(
        {"kind": pd.Categorical(["a"] * N, categories=letters), "number": normal[:, 0]}
    ),
    "many categorical columns": pd.DataFrame(rng.choice(letters, (N, 60))),
    "integers at their limits": pd.DataFrame(
        {"low": np.full(N, np.iinfo("int64").min), "wide": rng.choice([-(2**63), 2**63 - 1], N)}
    ),
    "three rows": normal[:3],
    "sorted and growing": np.exp(np.linspace(0, 600, N))[:, None] * [1.0, 2.0],
}

EMBEDDERS = [
    DenoisingAutoencoder(**DEEP),
    ContrastiveEmbedder(**DEEP),
    MaskedFeaturePredictor(**DEEP),
]


@pytest.mark.parametrize("embedder", EMBEDDERS, ids=lambda embedder: type(embedder).__name__)
@pytest.mark.parametrize("name", TABLES)
@pytest.mark.slow
def test_hard_tables_end_finite(name, embedder):
    X = TABLES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "Column 'id' becomes categories", UserWarning)
        Z = embedder.fit_transform(X)
    assert np.isfinite(Z).all()
    assert np.isfinite(embedder.loss_curve_).all()
    assert np.isfinite(embedder.score(X))
    assert np.isfinite(embedder.effective_rank_)


def reports_divergence(embedder, X):
    """Whether fitting reports a divergence; what it leaves is finite in any case."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Z = embedder.fit(X).transform(X)
    assert np.isfinite(Z).all()
    assert {warning.category for warning in caught} <= {ConvergenceWarning}
    return any("no longer finite" in str(warning.message) for warning in caught)


@pytest.mark.parametrize("embedder", EMBEDDERS, ids=lambda embedder: type(embedder).__name__)
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("rate", [1.0, 1e10, 1e30])
def test_rates_too_high_end_finite_and_divergence_is_reported(embedder, early_stopping, rate):
    embedder = type(embedder)(
        **{**DEEP, "max_iter": 5}, learning_rate_init=rate, early_stopping=early_stopping
    )
    reported = reports_divergence(embedder, TABLES["Cauchy"])
    assert reported == (rate > 1.0) == (not np.isfinite(embedder.loss_curve_).all())


@pytest.mark.parametrize("embedder", EMBEDDERS, ids=lambda embedder: type(embedder).__name__)
@pytest.mark.parametrize("hidden_layer_sizes", [(), (1, 1), (8,)])
@pytest.mark.parametrize("rate", [1e5, 1e20, 1e30, 1e38, 1e300])
def test_a_last_step_too_long_ends_finite(embedder, hidden_layer_sizes, rate):
    embedder = type(embedder)(
        **{**DEEP, "max_iter": 1, "hidden_layer_sizes": hidden_layer_sizes},
        learning_rate_init=rate,
        learning_rate="constant",
        batch_size=len(normal),
    )
    reports_divergence(embedder, normal)
    assert np.isfinite(embedder.score(normal))


def test_a_stream_goes_on_after_a_divergence():
    embedder = DenoisingAutoencoder(**DEEP, learning_rate_init=1e30)
    with pytest.warns(ConvergenceWarning, match="no longer finite"):
        embedder.partial_fit(normal)
    before = embedder.score(normal)
    embedder.set_params(learning_rate_init=1e-3)
    for _ in range(20):
        embedder.partial_fit(normal)
    assert embedder.score(normal) > before


@pytest.mark.parametrize("objective", ["info_nce", "nt_xent", "barlow_twins", "vicreg"])
@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_strict_contrast_in_small_batches_ends_finite(objective, batch_size):
    embedder = ContrastiveEmbedder(
        **DEEP, objective=objective, temperature=0.01, batch_size=batch_size
    )
    reports_divergence(embedder, normal[:40])
    assert np.isfinite(embedder.loss_curve_).all()
