"""The recipe of the README with 200 labels: raw columns, learned columns, fine-tuning.

    python benchmarks/recipe.py --data FOLDER --tables adult telco_churn

Every draw splits a table, pretrains on at most 10,000 training rows without their labels, labels
200 of them at random, and scores on the other rows. All models have their default parameters.
"""

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from _methods import standardized
from _tables import draw_labeled, read_index, split_table
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline

from sklearn_ssl import FineTunedClassifier, MaskedFeaturePredictor

N_LABELS = 200
MOST_ROWS = 10_000


def scores_of_draw(folder: Path, name: str, draw: int) -> list[dict[str, object]]:
    """Accuracy and log loss of each way on one draw."""
    split = split_table(folder, name, "classification", draw, MOST_ROWS)
    labeled = draw_labeled(split.y_train, N_LABELS, "classification", draw)
    few = np.full(len(split.y_train), -1)
    few[labeled] = split.y_train[labeled]
    features = FrozenEstimator(MaskedFeaturePredictor(random_state=draw).fit(split.X_train))
    ways: dict[str, Callable[[], object]] = {
        "logistic regression, raw columns": lambda: make_pipeline(
            standardized(), LogisticRegression()
        ),
        "random forest, raw columns": lambda: make_pipeline(
            standardized(), RandomForestClassifier(random_state=draw)
        ),
        "logistic regression, learned columns": lambda: make_pipeline(
            features, LogisticRegression()
        ),
        "FineTunedClassifier": lambda: FineTunedClassifier(features, random_state=draw),
    }
    rows = []
    for way, make in ways.items():
        if way == "FineTunedClassifier":
            model = make().fit(split.X_train, few)
        else:
            model = make().fit(split.X_train.iloc[labeled], split.y_train[labeled])
        probabilities = model.predict_proba(split.X_test)
        accuracy = model.score(split.X_test, split.y_test)
        loss = log_loss(split.y_test, probabilities, labels=model.classes_)
        rows.append({"table": name, "way": way, "accuracy": accuracy, "log loss": loss})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tables", nargs="+", default=["adult", "telco_churn"])
    parser.add_argument("--draws", type=int, default=5)
    arguments = parser.parse_args()
    # The raw columns of some draws need more than the default steps of a logistic regression.
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows = [
        row
        for name in read_index(arguments.data, arguments.tables).index
        for draw in range(arguments.draws)
        for row in scores_of_draw(arguments.data, name, draw)
    ]
    table = pd.DataFrame(rows).groupby(["table", "way"], sort=False).mean()
    print(table.unstack("table").round(3).to_string())


if __name__ == "__main__":
    main()
