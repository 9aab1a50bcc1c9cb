"""Which pretraining helps a network that is then trained under labels? SCARF's three settings.

    python benchmarks/scarf.py run --data FOLDER --results results/scarf
    python benchmarks/scarf.py report --results results/scarf

All labels, a quarter of them, and 30 % of them replaced by classes drawn at random (Bahri et al.,
2022). Encoder and head are trained together, from pretrained weights or from scratch. The tables
and splits are those of ``transfer.py``; a run continues where an earlier one ended.
"""

import argparse

import numpy as np
import pandas as pd
from _command_line import run_and_report
from _comparisons import count, win_matrix
from _methods import OURS, make_features
from _parts import read_parts, write_part
from _tables import draw_labeled, read_index, split_table
from sklearn.metrics import accuracy_score

from sklearn_ssl import FineTunedClassifier

FROM_SCRATCH = "untrained"
SETTINGS = ("all labels", "25 % of the labels", "30 % noise")
NOISE = 0.3


def draw_labels(setting: str, y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the labeled rows, and their labels."""
    if setting == "25 % of the labels":
        rows = draw_labeled(y, len(y) // 4, "classification", seed)
        return rows, y[rows]
    rows, labels = np.arange(len(y)), y.copy()
    if setting == "30 % noise":
        rng = np.random.default_rng(seed)
        is_noise = rng.random(len(y)) < NOISE
        labels[is_noise] = rng.integers(y.max() + 1, size=is_noise.sum())
    return rows, labels


def measure(name: str, seed: int, method: str, arguments: argparse.Namespace) -> None:
    """Pretrain one network on one split, train it in every setting, and write its part."""
    part = arguments.results / "parts" / f"{name}-{seed}-{method}.parquet"
    if part.exists():
        return
    split = split_table(arguments.data, name, "classification", seed)
    X, y = split.X_train[: arguments.rows], split.y_train[: arguments.rows]
    pretrained = make_features(method, seed).fit(X)
    rows = []
    for setting in SETTINGS:
        labeled, labels = draw_labels(setting, y, seed)
        model = FineTunedClassifier(pretrained, mode="full", random_state=seed)
        model.fit(X.iloc[labeled], labels)
        accuracy = accuracy_score(split.y_test, model.predict(split.X_test))
        rows.append({"setting": setting, "accuracy": accuracy})
    write_part(part, pd.DataFrame(rows).assign(table=name, seed=seed, method=method))
    print(f"{name} seed {seed} {method}", flush=True)


def run(arguments: argparse.Namespace) -> None:
    (arguments.results / "parts").mkdir(parents=True, exist_ok=True)
    index = read_index(arguments.data, arguments.tables)
    for seed in range(arguments.seeds):
        for name in index.index[index["task"] == "classification"]:
            for method in (FROM_SCRATCH, *OURS):
                measure(name, seed, method, arguments)


def report(arguments: argparse.Namespace) -> None:
    raw = read_parts(arguments.results)
    for setting in SETTINGS:
        chosen = raw[raw["setting"] == setting]
        wide = chosen.pivot_table(index=["table", "seed"], columns="method", values="accuracy")
        scores = wide.dropna().groupby(level="table").mean()
        scores = scores.rename(columns={FROM_SCRATCH: "from scratch"})
        print(f"\n## {setting}: {len(scores)} tables, {count(chosen['seed'].nunique(), 'seed')}\n")
        matrix = win_matrix(scores).round(2)
        matrix.insert(0, "accuracy", scores.mean().round(4))
        print(matrix.to_markdown())


def main() -> None:
    parser, runner, _ = run_and_report(__doc__, run, report, n_seeds=5)
    runner.add_argument("--rows", type=int, default=20_000, help="most training rows of a table")
    arguments = parser.parse_args()
    arguments.command(arguments)


if __name__ == "__main__":
    main()
