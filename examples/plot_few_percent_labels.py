"""
Customers who leave, with 2% of the labels
==========================================

A table of customers holds numbers, categories, flags and missing cells. Whether a customer left
is known for 2% of them only. ``FineTunedClassifier`` takes all rows as they are, those without a
label marked by -1: they serve the pretraining, and an optional term that asks for the same answer
on disturbed copies of a row. Models that need labels get the labeled rows alone.

The customers are generated: usage follows a few hidden habits, and so does the decision to leave.
"""

import argparse
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_ssl import DenoisingAutoencoder, FineTunedClassifier

LABELLED_SHARE = 0.02


# %%
# The table
# ---------


def make_customers(n_rows, rng):
    """Generate customers, and whether they left (1) or stayed (0)."""
    habits = rng.normal(size=(n_rows, 4))
    curves = np.tanh(habits @ rng.normal(size=(4, 12))) + 0.3 * rng.normal(size=(n_rows, 12))
    frame = pd.DataFrame(curves, columns=[f"usage_{i}" for i in range(12)])
    for i in range(4):
        noisy = habits @ rng.normal(size=4) + rng.normal(size=n_rows)
        names = [f"plan {letter}" for letter in "ABCDE"]
        frame[f"choice_{i}"] = pd.Categorical.from_codes(pd.qcut(noisy, 5, labels=False), names)
    frame["paperless"] = habits[:, 0] + rng.normal(size=n_rows) > 0
    frame["charge"] = np.exp(3 + 0.5 * habits[:, 1] + 0.2 * rng.normal(size=n_rows))
    frame.loc[rng.random(n_rows) < 0.1, "charge"] = np.nan
    wish = 2 * habits[:, 0] * habits[:, 1] + habits[:, 2] + 0.5 * rng.normal(size=n_rows)
    return frame, (wish > np.quantile(wish, 0.7)).astype(int)


# %%
# The models
# ----------


def supervised_models():
    """Models that learn from the labeled rows alone."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include="category")),
        remainder=numbers,
    )
    return {
        "logistic regression": make_pipeline(columns, LogisticRegression(max_iter=1000)),
        "gradient boosting": HistGradientBoostingClassifier(
            categorical_features="from_dtype", random_state=0
        ),
    }


def semi_supervised_models(max_iter):
    """Models that learn from all rows, pretrained in ``fit``."""
    transformer = DenoisingAutoencoder(max_iter=max_iter, random_state=0)
    options = {"class_weight": "balanced", "random_state": 0}
    return {
        "pretrained, frozen": FineTunedClassifier(transformer, mode="frozen", **options),
        "pretrained, fine-tuned": FineTunedClassifier(transformer, **options),
        "with consistency": FineTunedClassifier(transformer, consistency_weight=1.0, **options),
    }


def areas(X, y, X_test, y_test, is_labeled, max_iter):
    """Area under the ROC curve of each model on the test rows."""
    found = {}
    for name, model in supervised_models().items():
        model.fit(X[is_labeled], y[is_labeled])
        found[name] = roc_auc_score(y_test, model.predict_proba(X_test)[:, 1])
    for name, model in semi_supervised_models(max_iter).items():
        model.fit(X, np.where(is_labeled, y, -1))
        found[name] = roc_auc_score(y_test, model.predict_proba(X_test)[:, 1])
    return pd.Series(found, name="ROC AUC")


def main():
    parser = argparse.ArgumentParser(description="Churn with 2% of the labels.")
    parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).with_suffix(".png"))
    parser.add_argument("--short", action="store_true", help="fewer rows, for a quick check")
    options = parser.parse_args()
    n_rows, max_iter = (3000, 3) if options.short else (10_000, 30)

    rng = np.random.default_rng(0)
    X, y = make_customers(n_rows, rng)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
    is_labeled = np.zeros(len(y), dtype=bool)
    is_labeled[: int(LABELLED_SHARE * len(y))] = True  # the split has shuffled the rows
    table = areas(X, y, X_test, y_test, is_labeled, max_iter)
    print(f"{is_labeled.sum()} labels for {len(y)} rows; area under the ROC curve on {len(y_test)}")
    print(table.round(3).to_string())

    figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
    axes.barh(table.index[::-1], table[::-1], color="#0072B2")
    axes.set(xlim=(0.5, 1), xlabel="Area under the ROC curve, test rows")
    axes.set_title(f"Customers who leave: {is_labeled.sum()} labels for {len(y)} rows")
    figure.savefig(options.output, dpi=120)
    print(f"Figure: {options.output}")


if __name__ == "__main__":
    main()
