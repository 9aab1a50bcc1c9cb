"""
Few labels: where pretraining saves some, and where it does not
===============================================================

Labels cost more than rows do. This example measures how the score of a linear model grows with
the number of labels, behind transformers that have learned from all training rows without labels,
and on the raw features. It reads off how many labels the pretraining saves at equal score.

Three real tables that come with scikit-learn give different answers. Images of digits have many
columns that depend on each other, which is what there is to learn without labels. Measurements of
breast tissue tell the classes apart along nearly straight lines: a few labels find these lines in
the raw features, too. The ten columns of the diabetes data say little about each other, and are
related to the progress of the disease by little more than straight lines: there, more features
are more to be confused by, and pretraining may well cost labels instead of saving them.
"""

import argparse
import sys
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.model_selection import KFold, StratifiedKFold

from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor
from sklearn_ssl.evaluation import LabelEfficiencyDisplay, label_efficiency_curve, labels_saved

TABLES = {
    "Digits": (load_digits, [10, 20, 50, 100, 200]),
    "Breast cancer": (load_breast_cancer, [4, 10, 20, 50, 100]),
    # Ten labels on ten columns are left out: a ridge on the raw features then has no rows to choose
    # its penalty by, and loses to anything, for a reason that has nothing to do with pretraining.
    "Diabetes": (load_diabetes, [20, 50, 100, 200]),
}
QUANTITIES = ("Diabetes",)
TRANSFORMERS = ("DenoisingAutoencoder", "ContrastiveEmbedder", "MaskedFeaturePredictor")
FOREST = "forest, labeled rows alone"


# %%
# The curves
# ----------
# ``label_efficiency_curve`` fits each transformer once per split, on the training rows alone, and
# then draws the labeled ones among them several times. A random forest, which learns from nothing
# but the labeled rows, is a baseline of another kind.


def make_estimators(name, max_iter):
    forest = RandomForestRegressor if name in QUANTITIES else RandomForestClassifier
    return {
        "DenoisingAutoencoder": DenoisingAutoencoder(max_iter=max_iter),
        "ContrastiveEmbedder": ContrastiveEmbedder(max_iter=max_iter),
        "MaskedFeaturePredictor": MaskedFeaturePredictor(max_iter=max_iter),
        FOREST: forest(50),
    }


def measure(name, train_sizes, max_iter, n_repeats, n_splits):
    X, y = TABLES[name][0](return_X_y=True)
    folds = KFold if name in QUANTITIES else StratifiedKFold
    return label_efficiency_curve(
        make_estimators(name, max_iter),
        X,
        y,
        train_sizes=train_sizes,
        n_repeats=n_repeats,
        cv=folds(n_splits, shuffle=True, random_state=0),
        random_state=0,
    )


def score_of(name):
    return "R²" if name in QUANTITIES else "accuracy"


# %%
# The figure
# ----------
# The upper row shows all curves. The lower one answers the question that is asked most: the arrow
# leads from the best transformer to the labels with which the raw features score as high.


def draw(curves, output):
    figure, axes = plt.subplots(2, len(curves), figsize=(15, 9), layout="constrained")
    for (upper, lower), (name, curve) in zip(axes.T, curves.items(), strict=True):
        display = LabelEfficiencyDisplay(curve, score_name=score_of(name).capitalize())
        display.plot(ax=upper)
        n_runs = len(curve) // curve.groupby(["estimator", "n_labels"]).ngroups
        upper.set_title(f"{name} (mean and standard deviation of {n_runs} runs)", fontsize="medium")
        upper.get_legend().remove()
        best = curve[curve["estimator"].isin(TRANSFORMERS)].groupby("estimator")["score"].mean()
        display.plot_saving(best.idxmax(), ax=lower)
    figure.suptitle("A linear model on frozen features that were learned without labels")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=len(handles[0]), frameon=False)
    figure.savefig(output, dpi=100)


# %%
# The conclusion
# --------------
# Estimators share splits and labeled rows, so that they are compared draw by draw. Draws in a split
# have their test rows in common, and splits share training rows. The interval allows for both. If
# it holds the number of labels itself, it is not decided whether any are saved.


def conclude(name, curve):
    print(f"\n{name}")
    saved = labels_saved(curve)
    saved = saved[saved["estimator"].isin(TRANSFORMERS)]
    print(saved.round({"score": 3}).to_string(index=False))
    n_ahead = int((saved["low"] >= saved["n_labels"]).sum())
    n_behind = int((saved["high"] <= saved["n_labels"]).sum())
    conclusion = (
        f"Of {len(saved)} comparisons with the raw features, the transformers are ahead in "
        f"{n_ahead} and behind in {n_behind}; the others cannot be decided with so many labels and "
        "splits."
    )
    print(textwrap.fill(conclusion, 88))


def main():
    parser = argparse.ArgumentParser(description="How many labels pretraining saves.")
    parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).with_suffix(".png"))
    parser.add_argument("--short", action="store_true", help="fewer epochs and draws")
    options = parser.parse_args()
    settings = (2, 2, 2) if options.short else (30, 5, 3)
    curves = {
        name: measure(name, sizes[1:4:2] if options.short else sizes, *settings)
        for name, (_, sizes) in TABLES.items()
    }
    draw(curves, options.output)
    for name, curve in curves.items():
        conclude(name, curve)
    print(f"Figure: {options.output}")


if __name__ == "__main__":
    main()
