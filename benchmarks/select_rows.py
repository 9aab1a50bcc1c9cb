"""Which rows to label first? Representatives in the embedding and in raw features, or random ones.

    python benchmarks/select_rows.py run --data FOLDER --results results/select
    python benchmarks/select_rows.py report --results results/select

``FOLDER`` is one of transfer.py. A transformer learns from the training rows without labels. Each
way to choose rows sees the rows' points in the embedding ("learned/") or in standardized raw
features ("raw/"), at most 128 principal directions of them, and never a label: a class that no
chosen row has stays unknown. A logistic regression (a cross-validated ridge for numbers) on the
embedding and a random forest on the raw features then see the labels of the chosen rows and are
scored on the test rows. A run continues where an earlier one ended.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _command_line import run_and_report
from _comparisons import compare, count, to_markdown
from _methods import SUPERVISED, make_features, standardized
from _parts import read_parts, write_part
from _probe import score
from _report import FORMATS, table_means
from _selections import RANDOM, SELECTIONS, Selection
from _tables import Split, read_index, split_table
from joblib import Parallel, delayed
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, RidgeCV

LABELS = [20, 50, 100, 200]
MOST_DIRECTIONS = 128
MEAN_SQUARED_NORM = 10.0
"""Mean over the rows of the embedding; it suits the default penalty of a logistic regression."""


def directions(train: np.ndarray, test: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows in their principal directions, with the mean squared norm above."""
    n_directions = min(MOST_DIRECTIONS, *train.shape)
    rotation = PCA(n_directions, random_state=seed).fit(train)
    train, test = rotation.transform(train), rotation.transform(test)
    factor = np.sqrt(MEAN_SQUARED_NORM / (train**2).sum(axis=1).mean())
    return train * factor, test * factor


def probe(Z: np.ndarray, y: np.ndarray, task: str):
    """A linear model; with a single class among the labels, that class."""
    if task == "regression":
        return RidgeCV(alphas=np.logspace(-3, 5, 17)).fit(Z, y)
    if len(np.unique(y)) == 1:
        return DummyClassifier().fit(Z, y)
    return LogisticRegression(max_iter=1000).fit(Z, y)


def measure(arguments: argparse.Namespace, name: str, task: str, seed: int) -> None:
    """Score every way to choose rows on one split of one table, and write the part."""
    part = arguments.results / "parts" / f"{arguments.data.name}-{name}-{seed}.parquet"
    if part.exists():
        return
    started = time.perf_counter()
    split = split_table(arguments.data, name, task, seed, arguments.rows, arguments.rows)
    frame = pd.DataFrame(score_selections(split, task, seed, arguments))
    write_part(part, frame.assign(table=name, task=task, seed=seed))
    print(f"{name} seed {seed}: {time.perf_counter() - started:.0f} s", flush=True)


def score_selections(split: Split, task: str, seed: int, arguments: argparse.Namespace):
    features = make_features(arguments.transformer, seed).fit(split.X_train)
    learned, Z_test = directions(
        features.transform(split.X_train), features.transform(split.X_test), seed
    )
    encoder = standardized().fit(split.X_train)
    encoded = encoder.transform(split.X_train), encoder.transform(split.X_test)
    raw, _ = directions(*encoded, seed)
    ways = {"random": (RANDOM, learned)}
    ways |= {f"learned/{name}": (way, learned) for name, way in SELECTIONS.items()}
    ways |= {f"raw/{name}": (way, raw) for name, way in SELECTIONS.items()}
    sizes = [n for n in arguments.labels if n < len(learned)]
    for method, (way, points) in ways.items():
        for draw in range(way.n_draws):
            for n_labels, rows, seconds in choices(way, points, sizes, [seed, draw]):
                y = split.y_train[rows]
                scores = score(probe(learned[rows], y, task), Z_test, split.y_test, task)
                if arguments.forest and draw < 3 and task == "classification":
                    forest = SUPERVISED["random_forest"][task](seed).set_params(n_estimators=100)
                    forest.fit(encoded[0][rows], y)
                    on_raw = score(forest, encoded[1], split.y_test, task)
                    scores["forest_accuracy"] = on_raw["accuracy"]
                n_classes = len(np.unique(y)) if task == "classification" else np.nan
                yield {
                    "method": method,
                    "labels": n_labels,
                    "draw": draw,
                    "classes_found": n_classes,
                    "seconds": seconds,
                    **scores,
                }


def choices(way: Selection, points: np.ndarray, sizes: list[int], entropy: list[int]):
    """Rows of each size; where a way is nested, the beginnings of one choice."""
    longest = None
    for n_labels in sizes:
        started = time.perf_counter()
        rng = np.random.default_rng(entropy)
        if not way.is_nested:
            rows = way.choose(points, n_labels, rng)
        else:
            longest = way.choose(points, sizes[-1], rng) if longest is None else longest
            rows = longest[:n_labels]
        yield n_labels, rows, time.perf_counter() - started


def run(arguments: argparse.Namespace) -> None:
    (arguments.results / "parts").mkdir(parents=True, exist_ok=True)
    index = read_index(arguments.data, arguments.tables)
    jobs = [
        (name, task, seed)
        for seed in range(arguments.seeds)
        for name, task in index["task"].items()
    ]
    Parallel(arguments.jobs)(delayed(measure)(arguments, *job) for job in jobs)


METRICS = {
    "classification": ["accuracy", "balanced_accuracy", "log_loss", "forest_accuracy"],
    "regression": ["r2"],
}


def report(results: Path) -> None:
    """Print how every way compares with random rows, by number of labels."""
    raw = read_parts(results)
    for task, metrics in METRICS.items():
        for n_labels in sorted(raw["labels"].unique()):
            chosen = raw[(raw["task"] == task) & (raw["labels"] == n_labels)]
            for metric in metrics:
                if metric not in chosen or chosen[metric].isna().all():
                    continue
                scores = table_means(chosen, metric)
                scores = scores if metric != "log_loss" else -scores
                print(
                    f"\n## {task}, {n_labels} labels, {metric}: {len(scores)} tables, "
                    f"{count(chosen['seed'].nunique(), 'seed')}\n"
                )
                order = compare(scores, "random").sort_values("mean", ascending=False)
                print(to_markdown(order, FORMATS))


def main(argv: list[str] | None = None) -> None:
    parser, runner, _ = run_and_report(__doc__, run, lambda a: report(a.results), n_seeds=3)
    runner.add_argument("--transformer", default="MaskedFeaturePredictor")
    runner.add_argument("--labels", nargs="+", type=int, default=LABELS)
    runner.add_argument("--rows", type=int, default=5_000, help="most rows to choose from")
    runner.add_argument("--forest", action="store_true", help="score a forest, too")
    runner.add_argument("--jobs", type=int, default=1, help="tables at a time")
    arguments = parser.parse_args(argv)
    arguments.command(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
