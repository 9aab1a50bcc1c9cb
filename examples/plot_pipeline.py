"""
Few labels, many rows: three ways to learn from the rows without labels
========================================================================

Each transformer learns from all training rows of the digits data without their labels. A logistic
regression then sees 100 labeled rows, through the frozen transformer or as raw features.
"""

import argparse
import sys
from pathlib import Path

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


def accuracies(X_train, y_train, X_test, y_test, params, n_repeats):
    """Test accuracy of each pipeline for several draws of the labeled rows."""
    transformers = {
        "raw features": StandardScaler(),
        "DenoisingAutoencoder": DenoisingAutoencoder(random_state=0, **params),
        "ContrastiveEmbedder": ContrastiveEmbedder(random_state=0, **params),
        "MaskedFeaturePredictor": MaskedFeaturePredictor(random_state=0, **params),
    }
    rows = []
    for name, transformer in transformers.items():
        frozen = FrozenEstimator(transformer.fit(X_train))
        for repeat in range(n_repeats):
            labeled, _, y_labeled, _ = train_test_split(
                X_train, y_train, train_size=N_LABELS, stratify=y_train, random_state=repeat
            )
            model = make_pipeline(frozen, LogisticRegression(max_iter=1000))
            model.fit(labeled, y_labeled)
            rows.append({"features": name, "accuracy": model.score(X_test, y_test)})
    return pd.DataFrame(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).with_suffix(".png"))
    parser.add_argument("--short", action="store_true", help="fewer epochs and draws")
    options = parser.parse_args()
    params, n_repeats = ({"max_iter": 5}, 2) if options.short else ({}, 5)

    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    scores = accuracies(X_train, y_train, X_test, y_test, params, n_repeats)
    table = scores.groupby("features", sort=False)["accuracy"].agg(["mean", "std"])
    print(f"Test accuracy with {N_LABELS} labels of {len(X_train)} rows, {n_repeats} draws")
    print(table.round(3).to_string())

    figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
    # Points, since the length of a bar that does not begin at zero would mislead.
    axes.errorbar(table["mean"], table.index, xerr=table["std"], fmt="o", color="#0072B2")
    axes.set(xlabel="Test accuracy (mean and std of draws)")
    axes.grid(axis="x", alpha=0.3)
    axes.invert_yaxis()
    axes.margins(y=0.2)
    axes.set_title(f"Digits: logistic regression with {N_LABELS} labels")
    figure.savefig(options.output, dpi=120)
    print(f"Figure: {options.output}")


if __name__ == "__main__":
    main()
