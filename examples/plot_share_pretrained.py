"""
Pretrain once, share the file, fine-tune on few labels
======================================================

One group has many rows and no labels; another has a few labeled rows. The first pretrains a
transformer and saves it to one file, which holds numbers and plain JSON: loading it runs no code,
so that a file from elsewhere can be opened without trust in whoever wrote it.

The second group loads the file and fine-tunes it: a linear head first, then the encoder with it,
for as long as held-out labels say that it helps. It is compared with the same network trained on
the labels alone, and with a logistic regression on the raw features.
"""

import argparse
import sys
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

# %%
# The group with many rows
# ------------------------
# It never sees a label. ``save`` writes under another name and renames, so that a reader never
# meets half a file.


def pretrain_and_save(X, path, max_iter):
    """Learn from unlabeled rows and leave a file."""
    save(DenoisingAutoencoder(max_iter=max_iter, random_state=0).fit(X), path)
    print(f"Pretrained on {len(X)} rows without labels; {path.name}: {path.stat().st_size:,} bytes")


# %%
# The group with few labels
# -------------------------
# The loaded transformer stays as it is: the classifier works on a copy. The network that learns
# from the labels alone is fitted, without pretraining, on the labeled rows.


def accuracies(path, X_train, y_train, X_test, y_test, n_labels, n_draws):
    """Test accuracy of each model for several draws of the labeled rows."""
    pretrained = load(path)
    rows = []
    for draw in range(n_draws):
        X, _, y, _ = train_test_split(
            X_train, y_train, train_size=n_labels, stratify=y_train, random_state=draw
        )
        # At this learning rate, the weights remain those that were drawn at random.
        untrained = DenoisingAutoencoder(max_iter=1, learning_rate_init=1e-12, random_state=draw)
        # A head that starts at zero learns best at a higher rate than one that has been fitted.
        full = {"mode": "full", "learning_rate_init": 1e-3, "random_state": draw}
        models = {
            "raw features": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
            "labels alone": FineTunedClassifier(untrained, **full),
            "pretrained, frozen": FineTunedClassifier(pretrained, mode="frozen", random_state=draw),
            "pretrained, fine-tuned": FineTunedClassifier(pretrained, random_state=draw),
        }
        for name, model in models.items():
            rows.append({"model": name, "accuracy": model.fit(X, y).score(X_test, y_test)})
    return pd.DataFrame(rows)


def main():
    parser = argparse.ArgumentParser(description="Pretrain, save, load, fine-tune.")
    parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).with_suffix(".png"))
    parser.add_argument("--short", action="store_true", help="fewer epochs, for a quick check")
    options = parser.parse_args()
    n_labels, n_draws = (50, 1) if options.short else (100, 5)

    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.safetensors"
        pretrain_and_save(X_train, path, max_iter=5 if options.short else 50)
        scores = accuracies(path, X_train, y_train, X_test, y_test, n_labels, n_draws)
    table = scores.groupby("model", sort=False)["accuracy"].agg(["mean", "std"])
    print(f"Test accuracy with {n_labels} labels, {n_draws} draws")
    print(table.round(3).dropna(axis="columns").to_string())

    figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
    # Points, since the length of a bar that does not begin at zero would mislead.
    axes.errorbar(table["mean"], table.index, xerr=table["std"], fmt="o", color="#0072B2")
    axes.set(xlabel="Test accuracy (mean and std of draws)")
    axes.grid(axis="x", alpha=0.3)
    axes.invert_yaxis()
    axes.margins(y=0.2)
    axes.set_title(f"Digits with {n_labels} labels")
    figure.savefig(options.output, dpi=120)
    print(f"Figure: {options.output}")


if __name__ == "__main__":
    main()
