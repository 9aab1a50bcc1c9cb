"""Customers who leave, with 2% of the labels

A table of customers holds numbers, categories, flags and missing cells. Whether a customer left
is known for only 2% of them. `FineTunedClassifier` takes all rows as they are, and -1 marks those
without a label. These are used in pretraining and, optionally, in a term of the loss that makes
the predictions for corrupted copies of a row agree. The other models learn from the labeled rows.

The customers are generated: usage follows a few hidden habits, and so does the decision to leave.
"""

# %%
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

n_rows, max_iter = 10_000, 30

# %% tags=["script"]
import argparse
import sys
from pathlib import Path

parser = argparse.ArgumentParser(description="Churn with 2% of the labels.")
parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).with_suffix(".png"))
parser.add_argument("--short", action="store_true", help="fewer rows and epochs")
options = parser.parse_args()
if options.short:
    n_rows, max_iter = 3000, 3

# %% [markdown]
# ## The table


# %%
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


X, y = make_customers(n_rows, np.random.default_rng(0))
X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
is_labeled = np.arange(len(y)) < 0.02 * len(y)  # the split has shuffled the rows
print(f"{is_labeled.sum()} labels, {len(y)} rows, {len(y_test)} rows to test on")
print(X.iloc[:4, 10:].to_string(index=False))

# %% [markdown]
# ## Models that learn from the labeled rows alone

# %%
numbers = make_pipeline(SimpleImputer(), StandardScaler())
is_category = make_column_selector(dtype_include="category")
columns = make_column_transformer(
    (OneHotEncoder(handle_unknown="ignore"), is_category), remainder=numbers
)
supervised = {
    "logistic regression": make_pipeline(columns, LogisticRegression(max_iter=1000)),
    "gradient boosting": HistGradientBoostingClassifier(
        categorical_features="from_dtype", random_state=0
    ),
}
areas = {}
for name, model in supervised.items():
    model.fit(X[is_labeled], y[is_labeled])
    areas[name] = roc_auc_score(y_test, model.predict_proba(X_test)[:, 1])

# %% [markdown]
# ## Models that learn from all rows
#
# The columns need no preparation.

# %%
transformer = DenoisingAutoencoder(max_iter=max_iter, random_state=0)
common = {"class_weight": "balanced", "random_state": 0}
semi_supervised = {
    "pretrained, frozen": FineTunedClassifier(transformer, mode="frozen", **common),
    "pretrained, fine-tuned": FineTunedClassifier(transformer, **common),
    "with consistency": FineTunedClassifier(transformer, consistency_weight=1.0, **common),
}
for name, model in semi_supervised.items():
    model.fit(X, np.where(is_labeled, y, -1))
    areas[name] = roc_auc_score(y_test, model.predict_proba(X_test)[:, 1])
areas = pd.Series(areas, name="Area under the ROC curve")
print(areas.round(3).to_string())

# %% tags=["thumbnail"]
figure, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
bars = ax.barh(areas.index[::-1], areas[::-1], color=["#0072B2"] * 3 + ["#767676"] * 2)
ax.bar_label(bars, fmt="%.2f", padding=3)
ax.set(xlim=(0.5, 1), xlabel="Area under the ROC curve, test rows")
ax.set_title(f"Who leaves? {is_labeled.sum()} labels, {len(y)} rows")
ax.spines[["top", "right"]].set_visible(False)

# %% tags=["script"]
figure.savefig(options.output, dpi=120)
print(f"Figure: {options.output}")
