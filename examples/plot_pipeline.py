"""Few labels, many rows: three ways to learn from the rows without labels

Each transformer learns from all training rows of the digits data without their labels. A logistic
regression is then trained on 100 labeled rows, with the learned features or the raw columns.
"""

# %%
import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor

N_LABELS = 100
max_iter, n_draws = 25, 5

# %% tags=["script"]
import argparse
import sys
from pathlib import Path

parser = argparse.ArgumentParser(description="Accuracy with 100 labels of the digits data.")
parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).with_suffix(".png"))
parser.add_argument("--short", action="store_true", help="fewer epochs and draws")
options = parser.parse_args()
if options.short:
    max_iter, n_draws = 5, 2

# %% [markdown]
# ## Learn from the rows
#
# No label is read here. The transformers use their default settings.

# %%
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
transformers = {
    "raw features": StandardScaler(),
    "DenoisingAutoencoder": DenoisingAutoencoder(max_iter=max_iter, random_state=0),
    "ContrastiveEmbedder": ContrastiveEmbedder(max_iter=max_iter, random_state=0),
    "MaskedFeaturePredictor": MaskedFeaturePredictor(max_iter=max_iter, random_state=0),
}
for transformer in transformers.values():
    transformer.fit(X_train)

# %% [markdown]
# ## Learn from the labels
#
# `FrozenEstimator` keeps the pipeline from fitting a transformer again, on the labeled rows
# alone. The labeled rows are drawn several times, because one draw of 100 rows proves little.

# %%
rows = []
for name, transformer in transformers.items():
    for draw in range(n_draws):
        X_labeled, _, y_labeled, _ = train_test_split(
            X_train, y_train, train_size=N_LABELS, stratify=y_train, random_state=draw
        )
        model = make_pipeline(FrozenEstimator(transformer), LogisticRegression(max_iter=1000))
        model.fit(X_labeled, y_labeled)
        rows.append({"features": name, "accuracy": model.score(X_test, y_test)})
scores = pd.DataFrame(rows).groupby("features", sort=False)["accuracy"].agg(["mean", "std"])
print(f"Test accuracy with {N_LABELS} labels of {len(X_train)} rows, {n_draws} draws")
print(scores.round(3).to_string())

# %% [markdown]
# The bars of the figure are standard deviations over the draws.

# %% tags=["thumbnail"]
figure, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
# Points, since the length of a bar that does not begin at zero would mislead.
ax.errorbar(scores["mean"], scores.index, xerr=scores["std"], fmt="o", color="#0072B2")
ax.set(xlabel="Test accuracy", title=f"Digits: {N_LABELS} labels, {len(X_train)} rows")
ax.grid(axis="x", alpha=0.3)
ax.invert_yaxis()
ax.margins(y=0.2)

# %% tags=["script"]
figure.savefig(options.output, dpi=120)
print(f"Figure: {options.output}")
