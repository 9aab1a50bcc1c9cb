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
import numpy as np
import pandas as pd
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
RAW = "raw features"
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
# The difference
# --------------
# Estimators share splits and labeled rows, so that they can be compared draw by draw. A lead
# counts where it is the same way round in every split: draws within a split have their test rows
# in common, and are no independent witnesses.


def lead_over_raw(curve):
    """Mean lead over the raw features in each split, by estimator and number of labels."""
    scores = curve.pivot_table(index=["n_labels", "split"], columns="estimator", values="score")
    return scores.drop(columns=RAW).sub(scores[RAW], axis=0)


def verdicts(curve):
    leads = lead_over_raw(curve).groupby("n_labels")
    low, high = leads.min(), leads.max()
    words = np.select([low > 0, high < 0], ["ahead", "behind"], default="undecided")
    return pd.DataFrame(words, index=low.index, columns=low.columns)


# %%
# The figure
# ----------


def draw(curves, output):
    figure, axes = plt.subplots(1, len(curves), figsize=(13, 4.6), layout="constrained")
    for ax, (name, curve) in zip(axes, curves.items(), strict=True):
        score_name = f"{score_of(name).capitalize()} on test rows"
        LabelEfficiencyDisplay.from_predictions(curve, score_name=score_name, ax=ax)
        n_runs = len(curve) // curve.groupby(["estimator", "n_labels"]).ngroups
        ax.set_title(f"{name} (mean and standard deviation of {n_runs} runs)", fontsize="medium")
        ax.get_legend().remove()
    figure.suptitle("A linear model on frozen features that were learned without labels")
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=len(handles[0]), frameon=False)
    figure.savefig(output, dpi=120)


# %%
# The conclusion
# --------------


def print_tables(name, curve):
    saved = labels_saved(curve)
    whole = saved.round({"score": 3})
    for column in ("baseline_labels", "saved"):
        whole[column] = saved[column].round().astype(int)
    print(f"\n{name}: labels saved against the raw features at equal {score_of(name)}")
    print(whole[whole["estimator"] != FOREST].to_string(index=False))
    print(f"\n{name}: against the raw features, in all splits")
    print(verdicts(curve).to_string())


def conclude(name, curve):
    words = verdicts(curve).drop(columns=FOREST)
    n_ahead, n_behind = (int((words == word).to_numpy().sum()) for word in ("ahead", "behind"))
    if n_ahead > words.size / 2:
        verdict = "pretraining helps"
    elif n_ahead > n_behind:
        verdict = "pretraining helps in some places only"
    else:
        verdict = "pretraining does not help on the whole"
    fewest = curve["n_labels"].min()
    lead = lead_over_raw(curve).loc[fewest, words.columns].mean().sort_values()
    conclusion = (
        f"Conclusion for {name.lower()}: {verdict}. Of {words.size} comparisons it is ahead of the "
        f"raw features in all splits in {n_ahead} and behind in {n_behind}; with {fewest} labels "
        f"the lead in {score_of(name)} is {lead.iloc[0]:+.3f} ({lead.index[0]}) to "
        f"{lead.iloc[-1]:+.3f} ({lead.index[-1]})."
    )
    return textwrap.fill(conclusion, 88)


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
        print_tables(name, curve)
    print("", *(conclude(name, curve) for name, curve in curves.items()), sep="\n")
    print(f"Figure: {options.output}")


if __name__ == "__main__":
    main()
