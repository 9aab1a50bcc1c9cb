"""Few and many labels: the linear probe, fine-tuning in its modes, and training from scratch.

    python benchmarks/finetuning.py --data DIR --results results.csv [--datasets a b] [--seeds 2]

``DIR`` holds ``index.csv`` with the columns ``name`` and ``task``, and one ``name.parquet`` each
with a column ``target``. A transformer learns from all training rows without their labels. Every
method then gets the same labelled rows, and is judged on the same test rows: accuracy for
classes, R2 for numbers. New results are appended to the file; the table is of all that is in it.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, KFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_ssl import DenoisingAutoencoder, FineTunedClassifier, FineTunedRegressor


def load(folder, name):
    frame = pd.read_parquet(Path(folder) / f"{name}.parquet")
    y = frame.pop("target")
    return frame, y.to_numpy()


def split(X, y, task, n_rows, seed):
    """Training and test rows; a class that has fewer than ten rows is left out."""
    if task == "classification":
        counts = pd.Series(y).value_counts()
        kept = np.flatnonzero(pd.Series(y).isin(counts[counts >= 10].index))
    else:
        kept = np.arange(len(X))
    strata = y[kept] if task == "classification" else None
    n_test = min(len(kept) // 3, 3000)
    train, test = train_test_split(kept, test_size=n_test, stratify=strata, random_state=seed)
    return train[:n_rows], test


def linear_probe(task, n_labels, seed):
    """The usual probe with a cross-validated penalty."""
    if task == "regression":
        return RidgeCV(np.logspace(-1, 4, 6))
    folds = KFold(3, shuffle=True, random_state=seed)
    model = LogisticRegression(max_iter=300)
    return GridSearchCV(model, {"C": [1e-3, 1e-2, 1e-1, 1.0]}, cv=folds, scoring=_log_loss)


def _log_loss(model, X, y):
    """Negative log loss; a class that the model has not seen gets a small probability."""
    known = {label: k for k, label in enumerate(model.classes_)}
    p = model.predict_proba(X)
    own = [p[i, known[label]] if label in known else 0.0 for i, label in enumerate(y)]
    return float(np.log(np.clip(own, 1e-4, 1)).mean())


def methods(task, pretrained, untrained, n_labels, seed):
    """Name and unfitted model of each method; the transformers are fitted."""
    FineTuned = FineTunedClassifier if task == "classification" else FineTunedRegressor
    embed = FunctionTransformer(pretrained.transform)
    yield "linear probe", make_pipeline(embed, linear_probe(task, n_labels, seed))
    yield "fine-tuned, frozen", FineTuned(pretrained, mode="frozen", random_state=seed)
    yield "fine-tuned, gradual", FineTuned(pretrained, random_state=seed)
    # Where the head starts at zero, the usual rate of Adam is the better one.
    full = {"mode": "full", "learning_rate_init": 1e-3, "random_state": seed}
    yield "fine-tuned, full", FineTuned(pretrained, **full)
    yield "from scratch", FineTuned(untrained, **full)


def label_sets(y, task, n_labels, seed):
    """Positions of the labelled rows for every number of labels; 0 stands for all."""
    for n in (*n_labels, 0):
        if n == 0 or n >= len(y):
            yield 0, np.arange(len(y))
            return
        strata = y if task == "classification" and n >= 2 * len(np.unique(y)) else None
        positions = np.arange(len(y))
        yield n, train_test_split(positions, train_size=n, stratify=strata, random_state=seed)[0]


def run(name, task, arguments, seed):
    """One row per method and number of labels."""
    X, y = load(arguments.data, name)
    train, test = split(X, y, task, arguments.rows, seed)
    X_train, y_train = X.iloc[train], y[train]
    pretrained = DenoisingAutoencoder(random_state=seed).fit(X_train)
    # So low a rate leaves the network at its first weights.
    untrained = DenoisingAutoencoder(random_state=seed, max_iter=1, learning_rate_init=1e-12)
    untrained.fit(X_train)
    for n, rows in label_sets(y_train, task, arguments.labels, seed):
        for method, model in methods(task, pretrained, untrained, len(rows), seed):
            start = time.perf_counter()
            model.fit(X_train.iloc[rows], y_train[rows])
            seconds = time.perf_counter() - start
            judge = accuracy_score if task == "classification" else r2_score
            yield {
                "dataset": name,
                "task": task,
                "seed": seed,
                "labels": n or "all",
                "method": method,
                "score": judge(y[test], model.predict(X.iloc[test])),
                "seconds": seconds,
                "passes": getattr(model, "best_iter_", 0),
            }


def report(results):
    """Print the mean scores per method and number of labels."""
    results = results.assign(labels=results["labels"].astype(str))
    n_methods = results["method"].nunique()
    for task, part in results.groupby("task"):
        counts = part.groupby(["dataset", "seed", "labels"])["method"].nunique()
        complete = counts[counts == n_methods].index
        part = part.set_index(["dataset", "seed", "labels"]).loc[complete].reset_index()
        columns = [c for c in ("100", "500", "all") if c in set(part["labels"])]
        table = part.pivot_table(index="method", columns="labels", values="score", sort=False)
        seconds = part.pivot_table(index="method", columns="labels", values="seconds", sort=False)
        names = sorted(part["dataset"].unique())
        print(f"\n{task}: mean over {len(names)} tables ({', '.join(names)})")
        print(table[columns].round(4).to_string())
        print("seconds per fit")
        print(seconds[columns].round(1).to_string())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--datasets", nargs="*", help="names of tables; all of them by default")
    parser.add_argument("--labels", nargs="*", type=int, default=[100, 500])
    parser.add_argument("--rows", type=int, default=5000, help="most training rows of a table")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--only-report", action="store_true")
    arguments = parser.parse_args()

    # The probe's solver is cut off after 300 steps, which its validation takes into account.
    warnings.simplefilter("ignore", ConvergenceWarning)
    index = pd.read_csv(Path(arguments.data) / "index.csv").set_index("name")
    for name in [] if arguments.only_report else (arguments.datasets or index.index):
        for seed in arguments.seeds:
            for row in run(name, index.loc[name, "task"], arguments, seed):
                frame = pd.DataFrame([row])
                is_new = not arguments.results.exists()
                frame.to_csv(arguments.results, mode="a", header=is_new, index=False)
                print(" ".join(str(value) for value in row.values()), flush=True)
    report(pd.read_csv(arguments.results))


if __name__ == "__main__":
    main()
