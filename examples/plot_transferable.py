"""Which measure predicts that features transfer?

Several measures promise to distinguish good features from bad ones without a single label: the
effective rank of the features, how evenly they fill the sphere, how little they move if a row is
corrupted, and how many neighbors they keep. Other measures need the factors behind a table: does
each feature represent one of them? This example measures how well each measure predicts the score
of a probe on rows of another domain.

The tables are generated, so their factors are known. Features are learned from rows whose first
factor is negative and probed on rows whose first factor is positive.
All embeddings have the same width; they differ in objective and in the number of epochs.
"""

# %%
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
    "effective_rank": "effective rank",
    "uniformity": "uniformity (lower: more even)",
    "alignment": "alignment (lower: closer)",
    "neighbors_kept": "neighbors kept",
    "disentanglement": "disentanglement (DCI)",
    "mutual_information_gap": "mutual information gap",
}
LOOKS = {
    "plain autoencoder": ("#0072B2", "o"),
    "DenoisingAutoencoder": ("#56B4E9", "s"),
    "MaskedFeaturePredictor": ("#009E73", "^"),
    "ContrastiveEmbedder": ("#D55E00", "D"),
    "PCA": ("#767676", "P"),
}
n_tables, epochs, n_samples = 3, (2, 10, 30), 1600

# %% tags=["script"]
import argparse
import sys
from pathlib import Path

parser = argparse.ArgumentParser(description="What makes features transferable.")
parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).with_suffix(".png"))
parser.add_argument("--short", action="store_true", help="one small table and fewer embeddings")
options = parser.parse_args()
if options.short:
    n_tables, epochs, n_samples = 1, (3,), 800

# %% [markdown]
# ## The embeddings
#
# Every objective is stopped early, in the middle and late, so that each has worse and better
# features.


# %%
def make_embedders(seed):
    for max_iter in epochs:
        settings = {
            "bottleneck_size": WIDTH,
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


# %% [markdown]
# ## Measures and scores
#
# All measures are computed on the target domain, with the transformer frozen as it was fitted on
# the source domain. The score is the mean R² of linear probes that predict the factors.


# %%
def measure(embedder, X, factors):
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


rows = []
for seed in range(n_tables):
    table = make_factors_table(n_samples, entanglement=0.5, n_noise_columns=4, random_state=seed)
    is_source = table.factors["factor0"] < 0
    for name, embedder in make_embedders(seed):
        embedder.fit(table.data[is_source])
        measured = measure(embedder, table.data[~is_source], table.factors[~is_source])
        rows.append({"objective": name, "table": seed, **measured})
results = pd.DataFrame(rows)

# %% [markdown]
# ## Agreement
#
# Spearman's rank correlation within each table: do features that a measure prefers score better?

# %%
correlations = pd.DataFrame(index=list(MEASURES))
for table, rows in results.groupby("table"):
    ranks = [spearmanr(rows[name], rows["score"]).statistic for name in MEASURES]
    correlations[f"table {table}"] = ranks
mean = correlations.mean(axis=1).sort_values(key=abs, ascending=False)
print(correlations.loc[mean.index].round(2).to_string())


# %% [markdown]
# ## The strongest and the weakest measure


# %%
def draw(measure):
    _, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    for name, (color, marker) in LOOKS.items():
        rows = results[results["objective"] == name]
        ax.scatter(rows[measure], rows["score"], marker=marker, color=color, alpha=0.75, label=name)
    rank = correlations.loc[measure].mean()
    label = MEASURES[measure]
    ax.set(xlabel=label[0].upper() + label[1:], ylabel="R² of probes, other domain")
    ax.set_title(f"Mean rank correlation {rank:+.2f}")
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    return ax.figure


_ = draw(mean.index[-1])
_ = draw(mean.index[0])

# %% [markdown]
# ## Conclusion
#
# A measure counts as a guide if its correlation has the same sign in every table and its mean is
# stronger than that which unrelated rankings would give any of the measures in nineteen of twenty
# trials.

# %% tags=["thumbnail"]
figure, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
names = [MEASURES[name] for name in mean.index[::-1]]
for table in correlations:
    ax.plot(correlations.loc[mean.index[::-1], table], names, "o", color="#0072B2", alpha=0.6)
ax.axvline(0, color="black", linewidth=0.8)
ax.set(xlim=(-1.05, 1.05), xlabel="Rank correlation with the score; one point a table")
ax.set_title("Which measure predicts transfer?")
ax.grid(axis="x", alpha=0.3)

# %%
n_embeddings = len(results) // n_tables
chance = norm.ppf(1 - 0.025 / len(MEASURES)) / np.sqrt(n_tables * (n_embeddings - 1))
is_same_sign = correlations.gt(0).all(axis=1) | correlations.lt(0).all(axis=1)
guides = [name for name in mean.index if is_same_sign[name] and abs(mean[name]) > chance]
print(f"Tables: {n_tables}, with {n_embeddings} embeddings each")
print(f"By chance, |rho| is up to {chance:.2f}")
print("Guides:", ", ".join(f"{name} ({mean[name]:+.2f})" for name in guides) or "none")
print("Not to be relied on here:", ", ".join(n for n in mean.index if n not in guides) or "none")

# %% tags=["script"]
figure.savefig(options.output, dpi=120)
print(f"Figure: {options.output}")
