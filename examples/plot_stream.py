"""A folder of Parquet files, larger than memory

`fit_stream` learns from a table that is read in parts: PyArrow's record batches here, chunks of
pandas or frames of Polars elsewhere. The columns, their scale and their categories are learned
from the first rows. From then on, only a buffer of rows is in memory. A callable that opens the
files anew allows several epochs, each with the files in another order.

The files are generated, one per month. The features learned from the stream are compared with
those learned from all rows at once, by the nearest neighbors among 200 labeled rows.
"""

# %%
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
n_months, n_rows, max_iter = 8, 5000, 6

# %% tags=["script"]
import argparse
import sys

parser = argparse.ArgumentParser(description="Train on a stream of Parquet files.")
parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).with_suffix(".png"))
parser.add_argument("--short", action="store_true", help="fewer rows and epochs")
options = parser.parse_args()
if options.short:
    n_months, n_rows, max_iter = 3, 1000, 2

# %% [markdown]
# ## The files

# %%
mixing = np.random.default_rng(7).normal(size=(4, 20))


def make_rows(n_rows, seed):
    """Generate rows that follow a few hidden causes, and a class that depends on two of them."""
    rng = np.random.default_rng(seed)
    causes = rng.normal(size=(n_rows, 4))
    cells = np.tanh(causes @ mixing) + 0.3 * rng.normal(size=(n_rows, mixing.shape[1]))
    frame = pd.DataFrame(cells, columns=[f"sensor {i}" for i in range(mixing.shape[1])])
    frame["site"] = pd.Categorical(np.where(causes[:, 3] > 0, "north", "south"))
    return frame, (causes[:, 0] * causes[:, 1] > 0).astype(int)


folder = tempfile.TemporaryDirectory()
paths = [Path(folder.name) / f"month-{month:02d}.parquet" for month in range(n_months)]
for month, path in enumerate(paths):
    make_rows(n_rows, seed=month)[0].to_parquet(path)

# %% [markdown]
# ## The stream
#
# Rows are shuffled within a buffer, not across buffers. The months are therefore read in another
# order in each epoch.

# %%
rng = np.random.default_rng(0)


def months_in_random_order():
    for position in rng.permutation(len(paths)):
        yield from pyarrow.dataset.dataset(paths[position]).to_batches(batch_size=5000)


settings = {"hidden_layer_sizes": (128, 128), "max_iter": max_iter, "random_state": 0}
settings |= {"bottleneck_size": 8, "output": "bottleneck", "passthrough": False}
streamed = DenoisingAutoencoder(**settings).fit_stream(months_in_random_order)

# %% [markdown]
# ## All rows at once

# %%
whole = pd.concat([pd.read_parquet(path) for path in paths])
folder.cleanup()
at_once = DenoisingAutoencoder(**settings).fit(whole)
# At this learning rate, the weights remain those that were drawn at random.
as_drawn = {**settings, "max_iter": 1, "learning_rate_init": 1e-12}
untrained = DenoisingAutoencoder(**as_drawn).fit(whole)

# %% [markdown]
# ## What the features are worth

# %%
X, y = make_rows(N_LABELS, seed=1000)
X_test, y_test = make_rows(5000, seed=1001)
scores = {}
models = {"untrained network": untrained, "fit_stream": streamed, "fit, all in memory": at_once}
for name, transformer in models.items():
    model = make_pipeline(FrozenEstimator(transformer), KNeighborsClassifier(n_neighbors=7))
    scores[name] = model.fit(X, y).score(X_test, y_test)
scores = pd.Series(scores, name="Test accuracy")
print(f"{n_months} files, {len(whole)} rows, {streamed.n_iter_} epochs; {N_LABELS} labels")
print(scores.round(3).to_string())

# %% tags=["thumbnail"]
figure, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
for name, fitted in (("fit_stream", streamed), ("fit, all in memory", at_once)):
    epochs = np.arange(1, len(fitted.loss_curve_) + 1)
    ax.plot(epochs, fitted.loss_curve_, marker="o", label=f"{name}: accuracy {scores[name]:.2f}")
ax.set(xlabel="Epoch", ylabel="Training loss", title=f"{n_months} files, {len(whole)} rows")
ax.legend()
ax.xaxis.get_major_locator().set_params(integer=True)

# %% tags=["script"]
figure.savefig(options.output, dpi=120)
print(f"Figure: {options.output}")
