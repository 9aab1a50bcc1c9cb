"""What is learned without labels: three questions that a table asks of itself

Without labels, a network has nothing to predict unless a part of the table becomes the target.
Each objective makes targets in its own way:

- **denoising** swaps cells for those of other rows and asks for the original row;
- **masking** hides cells and asks for their values;
- **contrast** asks which row a corrupted copy comes from, among all rows.

This example shows the three questions on images of digits, whose cells can be looked at, and
measures on held-out images how well each question is answered. A network learns nothing from a
question that it cannot answer better than by a guess.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.model_selection import train_test_split

from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor

SHARE = 0.3  # of the cells that are swapped or hidden
max_iter = 50

# %% tags=["script"]
import argparse
import sys
from pathlib import Path

parser = argparse.ArgumentParser(description="How each objective makes its own targets.")
parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).with_suffix(".png"))
parser.add_argument("--short", action="store_true", help="fewer epochs")
options = parser.parse_args()
if options.short:
    max_iter = 5

# %%
X, _ = load_digits(return_X_y=True)
X_train, X_test = train_test_split(X, test_size=300, random_state=0)
rng = np.random.default_rng(0)


def swap_cells(X):
    """Replace a share of the cells by those of other rows, column by column."""
    donors = rng.permuted(np.tile(np.arange(len(X))[:, None], X.shape[1]), axis=0)
    return np.where(rng.random(X.shape) < SHARE, np.take_along_axis(X, donors, axis=0), X)


def show(parts, suptitle=None):
    """Draw the first images of each part in a row."""
    figure, axes = plt.subplots(len(parts), 6, figsize=(6.4, 1.15 * len(parts)))
    colors = plt.get_cmap("Greys").with_extremes(bad="#56B4E9")
    for row, (title, images) in zip(axes, parts.items(), strict=True):
        row[0].set_ylabel(title, rotation=0, ha="right", va="center")
        for ax, image in zip(row, images, strict=False):
            ax.imshow(np.ma.masked_invalid(image.reshape(8, 8)), cmap=colors, vmin=0, vmax=16)
            ax.set(xticks=[], yticks=[])
    figure.suptitle(suptitle)
    figure.tight_layout()
    return figure


# %% [markdown]
# ## Denoising
#
# A swapped cell holds a value that is usual for its column but wrong for its row. The guess to
# beat is to leave the swapped cells as they are.

# %%
denoiser = DenoisingAutoencoder(noise_level=SHARE, max_iter=max_iter, random_state=0)
swapped = swap_cells(X_test)
rebuilt = denoiser.fit(X_train).reconstruct(swapped)
denoised = 1 - np.mean((rebuilt - X_test) ** 2) / np.mean((swapped - X_test) ** 2)
print(f"{denoised:.0%} of the squared error that the swaps made is undone")

# %%
_ = show({"input": swapped, "target": X_test, "answer": rebuilt})

# %% [markdown]
# ## Masking
#
# Blue cells are hidden. The guess to beat is the mean of each column.

# %%
predictor = MaskedFeaturePredictor(mask_rate=SHARE, max_iter=max_iter, random_state=0)
hidden = rng.random(X_test.shape) < SHARE
filled = predictor.fit(X_train).predict_masked(X_test, hidden)
answers = filled, X_train.mean(axis=0)
error, guess = (np.mean((answer - X_test)[hidden] ** 2) for answer in answers)
explained = 1 - error / guess
print(f"{explained:.0%} of the squared error of the column means is explained")

# %% tags=["thumbnail"]
asked = np.where(hidden, np.nan, X_test)
figure = show({"input": asked, "answer": filled, "truth": X_test}, "Blue cells are predicted")

# %% [markdown]
# ## Contrast
#
# A projection head answers the question; it is not part of the features. `score` measures the
# head. The same question is also answered with the features and with the raw cells. The guess to
# beat is a row at random.

# %%
embedder = ContrastiveEmbedder(
    temperature=0.1, output="bottleneck", passthrough=False, max_iter=max_iter, random_state=0
).fit(X_train)
copies = swap_cells(X_test)
similarity = cosine_similarity(embedder.transform(copies), embedder.transform(X_test))
mean, scale = X_train.mean(axis=0), X_train.std(axis=0).clip(1e-9)
raw = cosine_similarity((copies - mean) / scale, (X_test - mean) / scale)
found, found_raw = (np.mean(s.argmax(axis=1) == np.arange(len(s))) for s in (similarity, raw))
print("Copies whose row is found")
print(f"    by the projection head: {embedder.score(X_test):.0%}")
print(f"    by the features: {found:.0%}")
print(f"    by the raw cells: {found_raw:.0%}")
print(f"    by a guess: {1 / len(X_test):.1%}")

# %% [markdown]
# Bright cells on the diagonal are copies that are most similar to their own row.

# %%
_, ax = plt.subplots(figsize=(4.4, 3.6), layout="constrained")
image = ax.imshow(similarity[:10, :10], cmap="cividis")
ax.set(xlabel="Row", ylabel="Corrupted copy", xticks=range(10), yticks=range(10))
_ = ax.figure.colorbar(image, label="Cosine of features")

# %% [markdown]
# ## Conclusion

# %%
gains = {"denoising": denoised, "masking": explained, "contrast": found - 1 / len(X_test)}
learned = [name for name, gain in gains.items() if gain > 0]
print(f"Better than a guess on rows not seen in training: {', '.join(learned) or 'none'}.")

# %% tags=["script"]
figure.savefig(options.output, dpi=120)
print(f"Figure: {options.output}")
