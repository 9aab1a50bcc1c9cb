"""
What makes features transferable: geometry and disentangling against probe scores
=================================================================================

Several measures promise to tell good features from bad ones without a single label: their
effective rank, how evenly they fill the sphere, how little they move when a row is disturbed, how
many neighbors they keep. Others need the factors behind a table: whether each feature stands for
one of them. This example asks how well each of these measures foretells what features are worth
on rows of another domain.

The tables are generated, so that their factors are known. Features are learned where the first
factor is negative, and probed where it is positive: rows unlike those that the features come from.
All embeddings have the same width; they differ in objective and in the epochs made.
"""

import argparse
import sys
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import norm, spearmanr
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.frozen import FrozenEstimator

from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor
from sklearn_ssl.evaluation import (
    RepresentationReport,
    dci,
    make_factors_table,
    mutual_information_gap,
    probe_score,
)

WIDTH = 8
MEASURES = {
    "effective_rank": "Effective rank (directions)",
    "uniformity": "Uniformity (nats, lower: more even)",
    "alignment": "Alignment (squared distance, lower: closer)",
    "neighbors_kept": "Share of neighbors kept",
    "disentanglement": "Disentanglement (DCI)",
    "mutual_information_gap": "Mutual information gap",
}
LOOKS = {
    "plain autoencoder": ("#0072B2", "o"),
    "DenoisingAutoencoder": ("#56B4E9", "s"),
    "MaskedFeaturePredictor": ("#009E73", "^"),
    "ContrastiveEmbedder": ("#D55E00", "D"),
    "PCA": ("#767676", "P"),
}


# %%
# The embeddings
# --------------
# Every objective stops early, in the middle and late, so that there are worse and better features
# of each kind.


def make_embedders(epochs, seed):
    for max_iter in epochs:
        settings = {
            "n_components": WIDTH,
            "hidden_layer_sizes": (64,),
            "output": "bottleneck",
            "passthrough": False,
            "max_iter": max_iter,
            "random_state": seed,
        }
        yield "plain autoencoder", DenoisingAutoencoder(noise_level=0, **settings)
        yield "DenoisingAutoencoder", DenoisingAutoencoder(**settings)
        yield "MaskedFeaturePredictor", MaskedFeaturePredictor(**settings)
        yield "ContrastiveEmbedder", ContrastiveEmbedder(temperature=1.0, **settings)
        yield "ContrastiveEmbedder", ContrastiveEmbedder(temperature=0.1, **settings)
    yield "PCA", PCA(WIDTH)


# %%
# Measures and scores
# -------------------
# All are taken on the target domain, with the transformer frozen as it was fitted on the source
# domain. The score is the mean R² of linear probes for the factors.


def judge(embedder, X, factors):
    Z = embedder.transform(X)
    report = RepresentationReport.from_estimator({"embedding": embedder}, X, random_state=0)
    forest = RandomForestRegressor(30, min_samples_leaf=3)
    frozen = FrozenEstimator(embedder)
    return {
        **report.measures.loc["embedding"].to_dict(),
        "disentanglement": dci(Z, factors, model=forest, random_state=0).disentanglement,
        "mutual_information_gap": mutual_information_gap(Z, factors).gap,
        "score": np.mean([probe_score(frozen, X, factors[name], cv=3).mean() for name in factors]),
    }


def measure(seeds, epochs, n_samples):
    rows = []
    for seed in seeds:
        table = make_factors_table(
            n_samples, entanglement=0.5, n_noise_columns=4, random_state=seed
        )
        is_source = table.factors["factor0"] < 0
        for name, embedder in make_embedders(epochs, seed):
            embedder.fit(table.data[is_source])
            judged = judge(embedder, table.data[~is_source], table.factors[~is_source])
            rows.append({"objective": name, "table": seed, **judged})
    return pd.DataFrame(rows)


# %%
# Agreement
# ---------
# Spearman's rank correlation within each table: do features that a measure prefers score better?


def agreement(results):
    rank_correlations = {
        table: {name: spearmanr(rows[name], rows["score"]).statistic for name in MEASURES}
        for table, rows in results.groupby("table")
    }
    return pd.DataFrame(rank_correlations)


# %%
# The figure
# ----------


def draw(results, correlations, output):
    figure, axes = plt.subplots(2, 3, figsize=(12, 7), sharey=True, layout="constrained")
    for ax, (measure, label) in zip(axes.flat, MEASURES.items(), strict=True):
        for name, (color, marker) in LOOKS.items():
            rows = results[results["objective"] == name]
            ax.plot(
                rows[measure],
                rows["score"],
                marker,
                color=color,
                alpha=0.75,
                ls="none",
                label=name,
            )
        low, high = (f"{rho:.2f}" for rho in correlations.loc[measure].agg(["min", "max"]))
        extent = low if low == high else f"{low} to {high}"
        ax.set(xlabel=label, title=f"Rank correlation {extent}")
        ax.locator_params(axis="x", nbins=6)
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes[:, 0]:
        ax.set_ylabel("R² of probes, other domain")
    n_tables = results["table"].nunique()
    figure.suptitle(
        f"Which measure foretells the score? {len(results)} embeddings of width {WIDTH}, "
        f"tables: {n_tables} (correlations within each)"
    )
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=5, frameon=False)
    figure.savefig(output, dpi=120)


# %%
# The conclusion
# --------------
# A measure counts as a guide where its correlation has the same sign in every table and its mean
# is stronger than unrelated rankings would make any of the measures in nineteen of twenty trials.


def conclude(results, correlations):
    mean = correlations.mean(axis=1).sort_values(key=abs, ascending=False)
    print("Rank correlation with the score on the other domain, by table")
    print(correlations.loc[mean.index].round(2).to_string())
    n_tables = correlations.shape[1]
    n_embeddings = len(results) // n_tables
    chance = norm.ppf(1 - 0.025 / len(MEASURES)) / np.sqrt(n_tables * (n_embeddings - 1))
    if chance >= 1:
        print(f"Conclusion: {len(results)} embeddings are too few to tell a guide from chance.")
        return
    is_same_sign = correlations.gt(0).all(axis=1) | correlations.lt(0).all(axis=1)
    guides = [name for name in mean.index if is_same_sign[name] and abs(mean[name]) > chance]
    others = [name for name in mean.index if name not in guides]
    conclusion = (
        f"Conclusion: over {n_tables} table(s), each with {n_embeddings} embeddings, the measures "
        f"that foretell the score beyond chance (mean |rho| > {chance:.2f}, the same sign in each) "
        f"are: {', '.join(f'{name} ({mean[name]:+.2f})' for name in guides) or 'none'}. Not to be "
        f"relied on here: {', '.join(others) or 'none'}."
    )
    print(textwrap.fill(conclusion, 88))


def main():
    parser = argparse.ArgumentParser(description="What makes features transferable.")
    parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).with_suffix(".png"))
    parser.add_argument("--short", action="store_true", help="one table, for a quick check")
    options = parser.parse_args()
    settings = (range(1), (3,), 800) if options.short else (range(3), (2, 10, 30), 1600)
    results = measure(*settings)
    correlations = agreement(results)
    draw(results, correlations, options.output)
    conclude(results, correlations)
    print(f"Figure: {options.output}")


if __name__ == "__main__":
    main()
