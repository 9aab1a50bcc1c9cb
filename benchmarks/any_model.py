"""Do the features suit any model? Scikit-learn's models with default parameters on them.

    python benchmarks/any_model.py run --data FOLDER [FOLDER ...] --results results/any-model
    python benchmarks/any_model.py report --results results/any-model --figure any-model.png

A transformer learns from all training rows of a table, at most 20,000, without labels, once for
each seed. Twelve classifiers or eight regressors with default parameters, and a linear probe whose
penalty is cross-validated, then see the labeled rows as each of ``--features`` shows them:

raw, quantile
    The two raw encodings of ``transfer.py``.
components
    What ``transform`` returns by default.
layers
    All layers of the network and the encoded row, ``output="layers"``.
standardized_components, standardized_layers
    The same with a ``StandardScaler``, fitted on the labeled rows, in front of the model. The
    probe has a scaler of its own and trees ignore scale: they are not fitted again, and the
    report takes their scores without one.

Models of quadratic time or worse (SVC, SVR, GaussianProcess, MLP) see 2,000 of the labeled rows at
most. ``--seeds-all 1`` draws one seed for "all" labels, and ``--skip
"HistGradientBoosting:*layers:all"`` leaves pairs out; the report counts what was measured. A run
continues where an earlier one ended: there is a file for each table, seed and kind of features.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _any_model_report import report
from _command_line import run_and_report
from _default_models import (
    DEFAULT_MODELS,
    PROBES,
    SLOW,
    fit_and_score,
    ignores_scale,
    make_fit,
    model_names,
)
from _methods import RAW, check_method, make_features
from _parts import write_part
from _tables import Split, draw_labeled, read_indexes, split_table
from joblib import Parallel, delayed

from sklearn_ssl._readout import gain_of

LABELS = ["50", "100", "500", "all"]
MOST_ROWS_OF_SLOW_MODELS = 2000
DEFAULT_TRANSFORMERS = ["MaskedFeaturePredictor"]

Show = Callable[[Any, Any], np.ndarray]
"""From a fitted transformer and rows to what a model sees of them."""


def transformed(transformer: Any, X: Any) -> np.ndarray:
    return transformer.transform(X)


def layers(transformer: Any, X: Any) -> np.ndarray:
    """What ``output="layers"`` returns, without another fit."""
    columns = transformer.model_.embed_layers(X, "cpu")
    return columns * np.float32(gain_of(columns.shape[1]))


FEATURES: dict[str, Show] = {
    **dict.fromkeys(RAW, transformed),
    "components": transformed,
    "standardized_components": transformed,
    "layers": layers,
    "standardized_layers": layers,
}


def check_components(features: list[str], transformers: list[str]) -> None:
    """Raise if the components are asked for and a transformer returns its layers by default."""
    asked = sorted(name for name in features if name.endswith("components"))
    for method in transformers if asked else []:
        if "output" not in make_features(method, 0).get_params():
            raise SystemExit(
                f"--features has {asked}, and {method} has no parameter output: transform returns "
                "its layers. Leave them out, and use layers."
            )


def is_scaled(features: str) -> bool:
    return features.startswith("standardized_")


@dataclass
class Learned:
    """A transformer that learns a split's rows when it is first asked for."""

    method: str
    seed: int
    split: Split
    seconds: float = 0.0
    fitted: Any = None

    @property
    def transformer(self) -> Any:
        """The fitted transformer."""
        if self.fitted is None:
            started = time.perf_counter()
            self.fitted = make_features(self.method, self.seed).fit(self.split.X_train)
            self.seconds = time.perf_counter() - started
        return self.fitted


@dataclass(frozen=True)
class Cell:
    """One model and number of labels."""

    labels: str
    model: str


@dataclass(frozen=True)
class Job:
    """A table and seed, and what is to be measured there."""

    folder: Path
    table: str
    task: str
    seed: int
    parts: Path

    def measure(self, arguments: argparse.Namespace) -> None:
        """Measure what no part holds yet, and write it, one part for each kind of features."""
        split = None
        for method, names in ways(arguments.features, arguments.transformers):
            learned = None
            for features in names:
                part = self.parts / f"{self.table}-{self.seed}-{method or 'raw'}-{features}.parquet"
                known = pd.read_parquet(part) if part.exists() else None
                missing = self.missing(features, known, arguments)
                if not missing:
                    continue
                split = split or split_table(self.folder, self.table, self.task, self.seed)
                learned = learned or Learned(method or features, self.seed, split)
                rows = score_cells(features, learned, missing, self.task, arguments.most_rows)
                frame = pd.DataFrame(rows).assign(
                    table=self.table,
                    folder=self.folder.name,
                    task=self.task,
                    seed=self.seed,
                    transformer=method,
                    features=features,
                )
                write_part(part, frame if known is None else pd.concat([known, frame]))
                print(f"{self.table} seed {self.seed} {method} {features}", flush=True)

    def missing(
        self, features: str, known: pd.DataFrame | None, arguments: argparse.Namespace
    ) -> list[Cell]:
        """Models and numbers of labels that were asked for and have no row."""
        done = set() if known is None else set(zip(known["labels"], known["model"], strict=True))
        names = model_names(self.task)
        return [
            Cell(labels, model)
            for labels in arguments.labels
            for model in (names if arguments.models is None else arguments.models)
            if model in names
            and (labels, model) not in done
            and not (labels == "all" and self.seed >= arguments.seeds_all)
            and not (ignores_scale(model) and is_scaled(features))
            and not is_skipped(f"{model}:{features}:{labels}", arguments.skip)
        ]


def ways(features: list[str], transformers: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Each way to learn features, and what is shown of it; a raw encoding is a way of its own."""
    for name in features:
        if name in RAW:
            yield "", [name]
    shown = [name for name in features if name not in RAW]
    for method in transformers if shown else []:
        yield method, shown


def is_skipped(cell: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(cell, pattern) for pattern in patterns)


def score_cells(
    features: str, learned: Learned, cells: list[Cell], task: str, most_rows: int
) -> list[dict[str, Any]]:
    """A row for each model and number of labels, on features that were learned once."""
    split, seed = learned.split, learned.seed
    show = partial(FEATURES[features], learned.transformer)
    started = time.perf_counter()
    Z_train, Z_test = show(split.X_train), show(split.X_test)
    seconds = time.perf_counter() - started
    rows = []
    for cell in cells:
        row: dict[str, Any] = {"labels": cell.labels, "model": cell.model}
        labeled = labeled_rows(split.y_train, cell, task, seed, most_rows)
        if labeled is not None:
            fit = make_fit(cell.model, task, seed, is_scaled(features))
            train = Z_train[labeled], split.y_train[labeled]
            row |= {
                "rows": len(labeled),
                "columns": Z_train.shape[1],
                "learn_seconds": learned.seconds,
                "transform_seconds": seconds,
                **fit_and_score(fit, train, (Z_test, split.y_test), task),
            }
        rows.append(row)
    return rows


def labeled_rows(
    y: np.ndarray, cell: Cell, task: str, seed: int, most_rows: int
) -> np.ndarray | None:
    """Positions of the labeled rows; None if the table has too few of them."""
    count = None if cell.labels == "all" else int(cell.labels)
    labeled = draw_labeled(y, count, task, seed)
    if labeled is None or cell.model not in SLOW or len(labeled) <= most_rows:
        return labeled
    return draw_labeled(y, most_rows, task, seed)


def run(arguments: argparse.Namespace) -> None:
    check_components(arguments.features, arguments.transformers)
    parts = arguments.results / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    if arguments.seeds_all is None:
        arguments.seeds_all = arguments.seeds
    index = read_indexes(arguments.data, arguments.tables)
    jobs = [
        Job(folder, name, task, seed, parts)
        for seed in range(arguments.seeds)
        for name, task, folder in index[["task", "folder"]].itertuples(name=None)
    ]
    Parallel(arguments.jobs)(delayed(job.measure)(arguments) for job in jobs)


def main(argv: list[str] | None = None) -> None:
    parser, runner, reporter = run_and_report(__doc__, run, report, n_seeds=5, n_folders="+")
    names = {*DEFAULT_MODELS["classification"], *DEFAULT_MODELS["regression"]}
    names |= {*PROBES["classification"], *PROBES["regression"]}
    runner.add_argument("--labels", nargs="+", default=LABELS)
    runner.add_argument("--features", nargs="+", default=list(FEATURES), choices=list(FEATURES))
    runner.add_argument("--models", nargs="+", choices=sorted(names), help="all by default")
    runner.add_argument(
        "--transformers",
        nargs="+",
        default=DEFAULT_TRANSFORMERS,
        type=check_method,
        help='what learns the features; "NAME:parameter=value" changes parameters',
    )
    runner.add_argument("--seeds-all", type=int, help='seeds of "all" labels; --seeds by default')
    runner.add_argument(
        "--skip", nargs="+", default=[], metavar="MODEL:FEATURES:LABELS", help="with wildcards"
    )
    runner.add_argument(
        "--most-rows",
        type=int,
        default=MOST_ROWS_OF_SLOW_MODELS,
        help=f"most labeled rows that {', '.join(SLOW)} see",
    )
    runner.add_argument("--jobs", type=int, default=1, help="tables at a time")
    reporter.add_argument("--figure", type=Path, help="where the heat maps are drawn")
    reporter.add_argument("--by-folder", action="store_true", help="a report for each folder, too")
    arguments = parser.parse_args(argv)
    arguments.command(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
