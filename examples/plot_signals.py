"""
Signals from unlabeled data: how each objective makes its own targets
======================================================================

Without labels a network has nothing to predict, unless a part of the table itself becomes the
target. Each objective makes one in its own way:

- **denoising** swaps cells for those of other rows and asks for the row as it was;
- **masking** hides cells and asks what stood in them;
- **contrast** asks which row a disturbed copy comes from, among all others.

This example shows the three questions on images of digits, whose cells can be looked at, and
measures on images held out from training how well each is answered. A question that cannot be
answered better than by a guess teaches nothing.
"""

import argparse
import sys
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor

SWAP_RATE = 0.3
X_WIDTH = 64
N_SHOWN = 5
N_MATCHED = 10


# %%
# The questions
# -------------
# Cells to disturb are drawn for each image anew. Swapped cells take the value of the same cell in
# another image: a value that is usual for the cell but wrong for the image.


def swap_cells(X, rate, rng):
    """Replace a share of the cells by those of other rows, column by column."""
    donors = rng.permuted(np.tile(np.arange(len(X))[:, None], X.shape[1]), axis=0)
    return np.where(rng.random(X.shape) < rate, np.take_along_axis(X, donors, axis=0), X)


# %%
# The answers
# -----------
# Each estimator is fitted on training images alone; ``reconstruct``, ``predict_masked`` and
# ``transform`` answer for held-out ones. Every answer has a guess to beat: leave the swapped cells
# as they are, fill hidden cells with their mean, or name a row at random.
#
# The contrastive question is asked of a projection head, which is left out of the features.
# ``score`` asks the head; what is left of its answer in the features, and what the raw cells would
# answer, is measured as well.


def ask_denoiser(X_train, X_test, rng, max_iter):
    model = DenoisingAutoencoder(noise_level=SWAP_RATE, max_iter=max_iter, random_state=0)
    noisy = swap_cells(X_test, SWAP_RATE, rng)
    rebuilt = model.fit(X_train).reconstruct(noisy)
    error, guess = (np.mean((X - X_test) ** 2) for X in (rebuilt, noisy))
    return noisy, X_test, rebuilt, 1 - error / guess


def ask_masked(X_train, X_test, rng, max_iter):
    model = MaskedFeaturePredictor(mask_rate=SWAP_RATE, max_iter=max_iter, random_state=0)
    hidden = rng.random(X_test.shape) < SWAP_RATE
    filled = model.fit(X_train).predict_masked(X_test, hidden)
    means = np.broadcast_to(X_train.mean(axis=0), X_test.shape)
    error, guess = (np.mean((X - X_test)[hidden] ** 2) for X in (filled, means))
    asked, target = np.where(hidden, np.nan, X_test), np.where(hidden, X_test, np.nan)
    return asked, target, filled, 1 - error / guess


def ask_contrastive(X_train, X_test, rng, max_iter):
    model = ContrastiveEmbedder(
        temperature=0.1, output="bottleneck", passthrough=False, max_iter=max_iter, random_state=0
    ).fit(X_train)
    views = swap_cells(X_test, model.corruption_rate, rng)
    similarity = cosine_similarity(model.transform(views), model.transform(X_test))
    scaler = StandardScaler().fit(X_train)
    raw = cosine_similarity(scaler.transform(views), scaler.transform(X_test))
    found, found_raw = (
        np.mean(cosines.argmax(axis=1) == np.arange(len(X_test))) for cosines in (similarity, raw)
    )
    print("Copies matched with their row")
    print(f"    by the projection head: {model.score(X_test):.0%}")
    print(f"    by the features: {found:.0%}")
    print(f"    by the raw cells: {found_raw:.0%}")
    return views, X_test, similarity, found


# %%
# The figure
# ----------
# One row per objective: the question, the target, and the answer.


def strip(images):
    """Put the first few images side by side."""
    frames = [np.pad(image.reshape(8, 8), 1, constant_values=0) for image in images[:N_SHOWN]]
    return np.hstack(frames)


def draw(answers, output):
    titles = ("What the network gets", "What it is asked for", "What it answers")
    figure, axes = plt.subplots(
        3, 3, figsize=(11, 5), layout="constrained", height_ratios=(1, 1, 2.8)
    )
    figure.suptitle("Three questions that a table asks of itself (held-out images)")
    colors = plt.get_cmap("Greys").with_extremes(bad="#56B4E9")
    for row, (name, (asked, target, answer, _)) in zip(axes, answers.items(), strict=True):
        for ax, images in zip(row, (asked, target, answer), strict=True):
            if images.shape[1] == X_WIDTH:
                ax.imshow(np.ma.masked_invalid(strip(images)), cmap=colors, vmin=0, vmax=16)
            ax.set(xticks=[], yticks=[])
        row[0].set_ylabel(name)
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title)
    axes[1, 0].set_xlabel("blue: hidden")
    axes[1, 1].set_xlabel("blue: not asked for")
    axes[2, 1].set_xlabel("its own row, among all rows")
    draw_matches(axes[2, 2], answers["Contrast"][2][:N_MATCHED, :N_MATCHED])
    figure.savefig(output, dpi=120)


def draw_matches(ax, similarity):
    image = ax.imshow(similarity, cmap="cividis")
    places = range(N_MATCHED)
    ax.set(xlabel="Row", ylabel="Disturbed copy", xticks=places, yticks=places)
    ax.tick_params(labelsize="x-small")
    ax.figure.colorbar(image, ax=ax, label="Cosine of features")


# %%
# The conclusion
# --------------


def conclude(answers, n_test):
    denoised, filled, found = (answer[-1] for answer in answers.values())
    print(f"Denoising: {denoised:.0%} of the squared error that the swaps made is undone.")
    print(f"Masking: {filled:.0%} of the hidden cells' squared error around means is explained.")
    print(f"Contrast: {found:.0%} of the copies find their row by their features.")
    print(f"A guess finds {1 / n_test:.1%} of them.")
    guesses = {"Denoising": 0.0, "Masking": 0.0, "Contrast": 1 / n_test}
    learned = [name for name, answer in answers.items() if answer[-1] > guesses[name]]
    conclusion = (
        f"Conclusion: {len(learned)} of {len(answers)} objectives answer their own question better "
        f"than a guess on rows that they have not seen ({', '.join(learned) or 'none'}): as far as "
        "they do, the columns say something about each other, and that is the signal."
    )
    print(textwrap.fill(conclusion, 88))


def main():
    parser = argparse.ArgumentParser(description="How each objective makes its own targets.")
    parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).with_suffix(".png"))
    parser.add_argument("--short", action="store_true", help="fewer epochs, for a quick check")
    options = parser.parse_args()

    X, _ = load_digits(return_X_y=True)
    X_train, X_test = train_test_split(X, test_size=300, random_state=0)
    settings = (X_train, X_test, np.random.default_rng(0), 5 if options.short else 50)
    answers = {
        "Denoising": ask_denoiser(*settings),
        "Masking": ask_masked(*settings),
        "Contrast": ask_contrastive(*settings),
    }
    draw(answers, options.output)
    conclude(answers, len(X_test))
    print(f"Figure: {options.output}")


if __name__ == "__main__":
    main()
