"""
A folder of Parquet files, larger than memory
=============================================

``fit_stream`` learns from a table that is read in parts: PyArrow's record batches here, chunks of
pandas or frames of Polars elsewhere. Columns, units and categories are learned from the first
rows; from then on only a buffer of rows is in memory. A callable that opens the files anew lets
it make several epochs, with the files in another order in each.

The files are generated, one per month. The features learned from the stream are compared with
those learned from all rows at once, by the nearest neighbors among 200 labeled rows.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow.dataset
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from sklearn_ssl import DenoisingAutoencoder

N_LABELS = 200


# %%
# The files
# ---------


def make_rows(n_rows, rng, mixing):
    """Generate rows that follow a few hidden causes, and a class that depends on two of them."""
    causes = rng.normal(size=(n_rows, 4))
    cells = np.tanh(causes @ mixing) + 0.3 * rng.normal(size=(n_rows, mixing.shape[1]))
    frame = pd.DataFrame(cells, columns=[f"sensor {i}" for i in range(mixing.shape[1])])
    frame["site"] = pd.Categorical(np.where(causes[:, 3] > 0, "north", "south"))
    return frame, (causes[:, 0] * causes[:, 1] > 0).astype(int)


def write_months(folder, n_months, n_rows, mixing):
    """Write one Parquet file per month."""
    for month in range(n_months):
        frame, _ = make_rows(n_rows, np.random.default_rng(month), mixing)
        frame.to_parquet(folder / f"month-{month:02d}.parquet")


# %%
# The stream
# ----------


def months_in_random_order(folder, seed=0):
    """Return a function that opens the files anew, in another order at each call."""
    rng = np.random.default_rng(seed)

    def open_months():
        paths = sorted(folder.glob("*.parquet"))
        for position in rng.permutation(len(paths)):
            yield from pyarrow.dataset.dataset(paths[position]).to_batches(batch_size=5000)

    return open_months


def accuracy(transformer, mixing):
    """Test accuracy of the nearest neighbors among a few labeled rows."""
    X, y = make_rows(N_LABELS, np.random.default_rng(1000), mixing)
    X_test, y_test = make_rows(5000, np.random.default_rng(1001), mixing)
    model = make_pipeline(FrozenEstimator(transformer), KNeighborsClassifier(n_neighbors=7))
    return model.fit(X, y).score(X_test, y_test)


def main():
    parser = argparse.ArgumentParser(description="Train on a stream of Parquet files.")
    parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).with_suffix(".png"))
    parser.add_argument("--short", action="store_true", help="fewer rows, for a quick check")
    options = parser.parse_args()
    n_months, n_rows, max_iter = (3, 1000, 2) if options.short else (8, 5000, 6)

    mixing = np.random.default_rng(7).normal(size=(4, 20))
    settings = {"hidden_layer_sizes": (128, 128), "max_iter": max_iter, "random_state": 0}
    settings |= {"n_components": 8, "output": "bottleneck", "passthrough": False}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_months(folder, n_months, n_rows, mixing)
        streamed = DenoisingAutoencoder(**settings).fit_stream(months_in_random_order(folder))
        whole = pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))])
        at_once = DenoisingAutoencoder(**settings).fit(whole)
    raw = DenoisingAutoencoder(**{**settings, "max_iter": 1, "learning_rate_init": 1e-12})
    scores = {
        "untrained network": accuracy(raw.fit(whole), mixing),
        "fit_stream": accuracy(streamed, mixing),
        "fit, all in memory": accuracy(at_once, mixing),
    }
    print(f"{n_months} files, {len(whole)} rows, {streamed.n_iter_} epochs; {N_LABELS} labels")
    print(pd.Series(scores, name="Test accuracy").round(3).to_string())

    figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
    for label, fitted in (("fit_stream", streamed), ("fit, all in memory", at_once)):
        epochs = np.arange(1, len(fitted.loss_curve_) + 1)
        axes.plot(epochs, fitted.loss_curve_, marker="o", label=f"{label}: {scores[label]:.3f}")
    axes.set(xlabel="Epoch", ylabel="Training loss", title="Loss, and accuracy with few labels")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()
    figure.savefig(options.output, dpi=120)
    print(f"Figure: {options.output}")


if __name__ == "__main__":
    main()
