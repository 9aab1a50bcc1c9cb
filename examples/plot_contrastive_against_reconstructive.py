"""What each objective keeps, and what it discards

A reconstruction needs every column, so every column deserves a place in the embedding, whether
other columns predict it or not. A contrast has to distinguish rows, and keeps whatever
distinguishes them. A masked column can only be predicted from other columns, so a column that
depends on no other one deserves no place at all.

This example tests these three claims. In a generated table, some columns are *shared*: they have
causes in common with other columns. Others are *private*: they hold noise that appears in no other
column.
The factors and the private columns are then predicted from embeddings of several widths.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator

from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor
from sklearn_ssl.evaluation import make_factors_table, probe_score

N_ROWS = 800
N_PRIVATE = 5
LOOKS = {
    "plain autoencoder": ("#0072B2", "o"),
    "DenoisingAutoencoder": ("#56B4E9", "s"),
    "MaskedFeaturePredictor": ("#009E73", "^"),
    "contrast, temperature 1": ("#D55E00", "D"),
    "contrast, temperature 0.1": ("#E69F00", "v"),
    "PCA": ("#767676", "P"),
}
widths, n_tables, max_iter = (4, 8, 16), 3, 30

# %% tags=["script"]
import argparse
import sys
from pathlib import Path

parser = argparse.ArgumentParser(description="What each objective keeps and discards.")
parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).with_suffix(".png"))
parser.add_argument("--short", action="store_true", help="one table and fewer epochs")
options = parser.parse_args()
if options.short:
    widths, n_tables, max_iter = (4, 16), 1, 5

# %% [markdown]
# ## The embeddings
#
# Only the bottleneck is examined. By default, the transformers also return combinations of their
# hidden layers and of the row itself, and then nothing is discarded. PCA of the same width
# is the reference. It keeps what varies most, whether shared or private.


# %%
def make_embedders(width, seed):
    settings = {
        "bottleneck_size": width,
        "hidden_layer_sizes": (64,),
        "output": "bottleneck",
        "passthrough": False,
        "max_iter": max_iter,
        "random_state": seed,
    }
    return {
        "plain autoencoder": DenoisingAutoencoder(noise_level=0, **settings),
        "DenoisingAutoencoder": DenoisingAutoencoder(**settings),
        "MaskedFeaturePredictor": MaskedFeaturePredictor(**settings),
        "contrast, temperature 1": ContrastiveEmbedder(temperature=1.0, **settings),
        "contrast, temperature 0.1": ContrastiveEmbedder(temperature=0.1, **settings),
        "PCA": PCA(width),
    }


# %% [markdown]
# ## The questions
#
# Each embedder is fitted on one half of the rows. On the other half a linear probe predicts the
# three factors and the five private columns. R² is 1 if the embedding determines them, and 0
# if nothing of them is left.

# %%
rows = []
for seed in range(n_tables):
    table = make_factors_table(
        2 * N_ROWS, n_factors=3, n_noise_columns=N_PRIVATE, random_state=seed
    )
    seen, new = table.data[:N_ROWS], table.data[N_ROWS:]
    targets = {"shared": table.factors[N_ROWS:], "private": new.iloc[:, -N_PRIVATE:]}
    for width in widths:
        for name, embedder in make_embedders(width, seed).items():
            frozen = FrozenEstimator(embedder.fit(seen))
            for kind, columns in targets.items():
                kept = [probe_score(frozen, new, columns[c], cv=3).mean() for c in columns]
                rows.append((name, width, seed, kind, np.mean(kept)))
scores = pd.DataFrame(rows, columns=["embedder", "width", "table", "kind", "R²"])
means = scores.pivot_table(index="embedder", columns=["kind", "width"], values="R²", sort=False)
print(f"R² of linear probes on new rows (tables: {n_tables})")
print(means.round(2).to_string())


# %% [markdown]
# ## What is kept
#
# Lines are means over the tables, bands show their range.


# %%
def draw(kind, title):
    _, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    for name, (color, marker) in LOOKS.items():
        is_chosen = (scores["kind"] == kind) & (scores["embedder"] == name)
        chosen = scores[is_chosen].groupby("width")["R²"]
        ax.plot(widths, chosen.mean(), color=color, marker=marker, label=name)
        ax.fill_between(widths, chosen.min(), chosen.max(), color=color, alpha=0.12, linewidth=0)
    ax.set_xscale("log")
    ax.set_xticks(widths, widths)
    ax.set_xticks([], minor=True)
    ax.set(xlabel="Width of the embedding", ylabel="R² on new rows")
    ax.set(title=title, ylim=(-0.05, 1.02))
    ax.grid(axis="y", alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    return ax.figure


_ = draw("shared", "Shared: factors behind several columns")

# %% tags=["thumbnail"]
figure = draw("private", "Private: columns that depend on no other")

# %% [markdown]
# ## Conclusion
#
# The widest embeddings have room for every column, so their scores show what is discarded.

# %%
widest = means.xs(max(widths), axis=1, level="width").drop(index="PCA")
most, least = widest["private"].idxmax(), widest["private"].idxmin()
print(f"Private columns: {most} keeps most ({widest.loc[most, 'private']:.0%} of their variance),")
print(f"{least} least ({widest.loc[least, 'private']:.0%}).")
print(f"Shared factors: all objectives keep at least {widest['shared'].min():.0%}.")

# %% tags=["script"]
figure.savefig(options.output, dpi=120)
print(f"Figure: {options.output}")
