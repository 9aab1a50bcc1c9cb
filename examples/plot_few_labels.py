"""How many labels does pretraining save?

Labels cost more than rows. This example measures how the score of a linear model grows with the
number of labels, both on features that transformers have learned from all training rows without
labels and on the raw columns. The curves show how many labels the pretraining saves at equal
score.

Three real tables that come with scikit-learn give three answers. Images of digits have many
columns that depend on each other, and that is what can be learned without labels. Measurements of
breast tissue separate the classes along nearly straight lines, which a few labels suffice to find
in the raw columns, too. The ten columns of the diabetes table hardly depend on each other. More
features then only add noise, and pretraining can cost labels instead of saving them.
"""

# %%
import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.model_selection import KFold, StratifiedKFold

from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor
from sklearn_ssl.evaluation import LabelEfficiencyDisplay, label_efficiency_curve, labels_saved

TRANSFORMERS = ["DenoisingAutoencoder", "ContrastiveEmbedder", "MaskedFeaturePredictor"]
max_iter, n_repeats, n_splits, step = 30, 5, 3, 1

# %% tags=["script"]
import argparse
import sys
from pathlib import Path

parser = argparse.ArgumentParser(description="How many labels pretraining saves.")
parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).with_suffix(".png"))
parser.add_argument(
    "--short", action="store_true", help="fewer epochs, draws and numbers of labels"
)
options = parser.parse_args()
if options.short:
    max_iter, n_repeats, n_splits, step = 2, 2, 2, 2

# %% [markdown]
# ## What is measured
#
# `label_efficiency_curve` fits each transformer once per split, on the training rows alone, and
# then draws the labeled rows among them several times. A random forest, which learns from the
# labeled rows only, is a baseline of another kind.


# %%
def measure(X, y, train_sizes, forest, folds):
    estimators = {
        "DenoisingAutoencoder": DenoisingAutoencoder(max_iter=max_iter),
        "ContrastiveEmbedder": ContrastiveEmbedder(max_iter=max_iter),
        "MaskedFeaturePredictor": MaskedFeaturePredictor(max_iter=max_iter),
        "forest, labeled rows alone": forest,
    }
    return label_efficiency_curve(
        estimators,
        X,
        y,
        train_sizes=train_sizes[::step],
        n_repeats=n_repeats,
        cv=folds(n_splits, shuffle=True, random_state=0),
        random_state=0,
    )


def draw_saving(display, title):
    """Draw the arrow from the best transformer to the labels that raw columns need to equal it."""
    curve = display.curve
    ours = curve[curve["estimator"].isin(TRANSFORMERS)]
    best = ours.groupby("estimator")["score"].mean().idxmax()
    _, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    display.plot_saving(best, ax=ax)
    ax.set_ylabel(title)
    return ax.figure


# %% [markdown]
# ## Digits: 64 columns that depend on each other

# %%
digits = measure(
    *load_digits(return_X_y=True),
    [10, 20, 50, 100, 200],
    RandomForestClassifier(50),
    StratifiedKFold,
)
display = LabelEfficiencyDisplay(digits, score_name="Accuracy").plot()

# %% tags=["thumbnail"]
figure = draw_saving(display, "Accuracy, digits")

# %% [markdown]
# The table has a row for each transformer and number of labels. `baseline_labels` is the number of
# labels with which the raw columns score as high, and `saved` is its difference to `n_labels`. If
# the raw columns were not measured that far, `bound` is "at least" or "at most". `low` to `high` is
# the interval of `baseline_labels`. It allows for the test rows that draws have in common, and for
# the training rows that splits share. If it contains `n_labels` itself, the data do not decide
# whether any labels are saved.

# %%
saved = labels_saved(digits)
print(saved[saved["estimator"].isin(TRANSFORMERS)].round(3).to_string(index=False))

# %% [markdown]
# ## Breast cancer: nearly straight lines

# %%
cancer = measure(
    *load_breast_cancer(return_X_y=True),
    [4, 10, 20, 50, 100],
    RandomForestClassifier(50),
    StratifiedKFold,
)
LabelEfficiencyDisplay(cancer, score_name="Accuracy").plot()
saved = labels_saved(cancer)
print(saved[saved["estimator"].isin(TRANSFORMERS)].round(3).to_string(index=False))

# %% [markdown]
# ## Diabetes: ten columns that say little about each other
#
# The curve begins with 20 labels. With ten, a ridge on the raw columns has too few rows to choose
# its penalty, and would lose for a reason that has nothing to do with pretraining.

# %%
diabetes = measure(
    *load_diabetes(return_X_y=True), [20, 50, 100, 200], RandomForestRegressor(50), KFold
)
LabelEfficiencyDisplay(diabetes, score_name="R²").plot()
saved = labels_saved(diabetes)
print(saved[saved["estimator"].isin(TRANSFORMERS)].round(3).to_string(index=False))

# %% [markdown]
# ## Conclusion
#
# The estimators share splits and labeled rows, so they are compared draw by draw.

# %%
for name, curve in {"digits": digits, "breast cancer": cancer, "diabetes": diabetes}.items():
    saved = labels_saved(curve)
    saved = saved[saved["estimator"].isin(TRANSFORMERS)]
    n_ahead = int((saved["low"] >= saved["n_labels"]).sum())
    n_behind = int((saved["high"] <= saved["n_labels"]).sum())
    n_open = len(saved) - n_ahead - n_behind
    print(f"{name}: {n_ahead} comparisons ahead of raw, {n_behind} behind, {n_open} undecided")

# %% tags=["script"]
figure.savefig(options.output, dpi=120)
print(f"Figure: {options.output}")
