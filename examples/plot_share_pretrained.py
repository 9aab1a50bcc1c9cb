"""Pretrain once, share the file, fine-tune on few labels

One group has many rows and no labels; another has a few labeled rows. The first pretrains a
transformer and saves it to one file, which holds numbers and plain JSON. Loading it runs no code,
so the worst that a file can do is fill the memory.

The second group loads the file and fine-tunes it. The result is compared with the same network
trained on the labels alone, and with a logistic regression on the raw columns.
"""

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ssl import DenoisingAutoencoder, FineTunedClassifier
from sklearn_ssl.persistence import load, save

n_labels, n_draws, max_iter = 100, 5, 50

# %% tags=["script"]
import argparse
import sys

parser = argparse.ArgumentParser(description="Pretrain, save, load, fine-tune.")
parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).with_suffix(".png"))
parser.add_argument("--short", action="store_true", help="fewer labels, draws and epochs")
options = parser.parse_args()
if options.short:
    n_labels, n_draws, max_iter = 50, 1, 5

# %% [markdown]
# ## The group with many rows
#
# This group has no labels. `save` writes the file under another name and then renames it, so nobody
# can read half a file.

# %%
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "digits.safetensors"
save(DenoisingAutoencoder(max_iter=max_iter, random_state=0).fit(X_train), path)
print(f"Pretrained on {len(X_train)} rows; {path.name} has {path.stat().st_size:,} bytes")

# %% [markdown]
# ## The group with few labels
#
# The loaded transformer does not change, because the classifier trains a copy of it.

# %%
pretrained = load(path)
rows = []
for draw in range(n_draws):
    X_labeled, _, y_labeled, _ = train_test_split(
        X_train, y_train, train_size=n_labels, stratify=y_train, random_state=draw
    )
    # At this learning rate, the weights remain those that were drawn at random.
    untrained = DenoisingAutoencoder(max_iter=1, learning_rate_init=1e-12, random_state=draw)
    models = {
        "raw columns": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "network, labels alone": FineTunedClassifier(
            untrained, mode="full", learning_rate_init=1e-3, random_state=draw
        ),
        "pretrained, frozen": FineTunedClassifier(pretrained, mode="frozen", random_state=draw),
        "pretrained, fine-tuned": FineTunedClassifier(pretrained, random_state=draw),
    }
    for name, model in models.items():
        model.fit(X_labeled, y_labeled)
        rows.append({"model": name, "accuracy": model.score(X_test, y_test)})
folder.cleanup()

scores = pd.DataFrame(rows).groupby("model", sort=False)["accuracy"].agg(["mean", "std"])
print(f"Test accuracy with {n_labels} labels, {n_draws} draws")
print(scores.round(3).dropna(axis="columns").to_string())

# %% [markdown]
# The bars of the figure are standard deviations over the draws of the labeled rows.

# %% tags=["thumbnail"]
figure, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
# Points, since the length of a bar that does not begin at zero would mislead.
ax.errorbar(scores["mean"], scores.index, xerr=scores["std"], fmt="o", color="#0072B2")
ax.set(xlabel="Test accuracy", title=f"A shared file, {n_labels} labels of digits")
ax.grid(axis="x", alpha=0.3)
ax.invert_yaxis()
ax.margins(y=0.2)

# %% tags=["script"]
figure.savefig(options.output, dpi=120)
print(f"Figure: {options.output}")
