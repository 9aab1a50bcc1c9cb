"""Encoding and embedding of tables: time against the least there is to compute, and memory."""

from pathlib import Path

import pandas as pd
import torch
from _speed_timing import in_new_process, numbers, show, take_turns
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_ssl import DenoisingAutoencoder
from sklearn_ssl._table.encoder import TableEncoder


def transform(n_rows: int, n_columns: int, repeats: int, threads: int) -> None:
    """Print the time of transform against the encoder's matrix products, and its memory."""
    torch.set_num_threads(threads)
    X = numbers(n_rows, n_columns)
    rows = []
    for settings in (
        {},
        {"output": "layers"},
        {"output": "bottleneck", "passthrough": False},
    ):
        model = DenoisingAutoencoder(max_iter=1, random_state=0, device="cpu", **settings)
        model.fit(X[:2000])
        sides = {"transform": lambda model=model: model.transform(X)}
        for precision in (torch.float32, torch.float64):
            sides[str(precision)] = products(model.model_.embedding(), n_rows, precision)
        seconds = take_turns(sides, repeats, "cpu" if threads == 1 else "wall")
        peak = in_new_process(peak_of_transform(n_rows, n_columns, settings), threads)
        rows.append(
            {
                "settings": settings or "default",
                "columns out": model.transform(X[:2]).shape[1],
                "rows per s": n_rows / seconds["transform"],
                "share of the rate of products, float32": seconds["torch.float32"]
                / seconds["transform"],
                "float64": seconds["torch.float64"] / seconds["transform"],
                "output MB": peak["output"],
                "extra memory beyond output, MB": peak["peak"] - peak["output"],
            }
        )
    print(f"\n`transform` of {n_rows} x {n_columns} numbers, {threads} thread(s)\n")
    show(rows)


def products(embedding, n_rows: int, precision: torch.dtype, block: int = 512):
    """The matrix products alone of encoder and readout, in blocks that stay in the cache."""
    weights = [p.detach() for p in embedding.encoder.parameters() if p.ndim == 2 and len(p)]
    if embedding.directions is not None:
        weights.append(embedding.directions.T.contiguous())
    weights = [weight.to(precision) for weight in weights]
    places = [
        (torch.randn(block, w.shape[1], dtype=precision), w.T, torch.empty(block, len(w)).to(w))
        for w in weights
    ]

    def multiply():
        for _ in range(-(-n_rows // block)):
            for x, weight, out in places:
                torch.mm(x, weight, out=out)

    return multiply


def peak_of_transform(n_rows: int, n_columns: int, settings: dict) -> str:
    return f"""
import json
from sklearn_ssl import DenoisingAutoencoder
from _speed_timing import PeakMemory, numbers
X = numbers({n_rows}, {n_columns})
model = DenoisingAutoencoder(max_iter=1, random_state=0, **{settings}).fit(X[:200])
model.transform(X[:2000])
with PeakMemory() as peak:
    Z = model.transform(X)
print(json.dumps({{"peak": peak.megabytes, "output": Z.nbytes / 2**20}}))
"""


def rows(most_rows: int, n_columns: int) -> None:
    """Print the memory and time per row of scoring outliers and of filling in missing cells."""
    shown = []
    for task in PEAK_OF_TASK:
        for n_rows in (most_rows // 10, most_rows):
            answer = in_new_process(PEAK_OF_TASK[task].format(n_rows=n_rows, n_columns=n_columns))
            shown.append(
                {
                    "task": task,
                    "rows": n_rows,
                    "table, MB": answer["table"],
                    "output, MB": answer["output"],
                    "extra memory, MB": answer["peak"] - answer["output"],
                    "microseconds a row": 1e6 * answer["seconds"] / n_rows,
                }
            )
    print(f"\nNew rows of {n_columns} numbers, a tenth of the cells missing\n")
    show(shown)


DETECTOR = "OutlierDetector(MaskedFeaturePredictor(max_iter=1), random_state=0)"
IMPUTER = "MaskedImputer(max_iter=1, random_state=0)"
PEAK_OF_TASK = {
    task: f"""
import json, time
import numpy as np, pandas as pd
from sklearn_ssl import MaskedFeaturePredictor, MaskedImputer, OutlierDetector
from _speed_timing import PeakMemory, numbers
X = numbers({{n_rows}}, {{n_columns}})
X[np.random.default_rng(1).random(X.shape, dtype=np.float32) < 0.1] = np.nan
X = {table}
model = {estimator}.fit(X[:2000])
model.{method}(X[:10000])
started = time.perf_counter()
with PeakMemory() as peak:
    found = model.{method}(X)
seconds = time.perf_counter() - started
table, output = (np.asarray(values).nbytes / 2**20 for values in (X, found))
sizes = {{{{"table": table, "output": output}}}}
print(json.dumps({{{{"peak": peak.megabytes, "seconds": seconds, **sizes}}}}))
"""
    for task, estimator, method, table in (
        ("OutlierDetector.score_samples", DETECTOR, "score_samples", "X"),
        ("MaskedImputer.transform", IMPUTER, "transform", "X"),
        ("the same, DataFrame", IMPUTER, "transform", "pd.DataFrame(X)"),
    )
}


def encode(data: Path, name: str, n_rows: int, repeats: int) -> None:
    """Print the time and memory of encoding a mixed table against a ColumnTransformer."""
    X = resample(data, name, n_rows)
    ours = TableEncoder(categorical_features="from_dtype", max_categories=256, min_frequency=1)
    theirs = column_transformer()
    sides = {
        "fit": lambda: ours.fit(X),
        "their fit": lambda: theirs.fit(X),
        "transform": lambda: ours.transform(X),
        "their transform": lambda: theirs.transform(X),
    }
    ours.fit(X), theirs.fit(X)
    seconds = take_turns(sides, repeats)
    rows = [
        {
            "step": step,
            "ours, s": seconds[step],
            "ColumnTransformer, s": seconds[f"their {step}"],
            "ratio": seconds[step] / seconds[f"their {step}"],
        }
        for step in ("fit", "transform")
    ]
    print(f"\nEncoding of {name}, {n_rows} resampled rows, {X.shape[1]} columns\n")
    show(rows)


def resample(data: Path, name: str, n_rows: int) -> pd.DataFrame:
    frame = pd.read_parquet(data / f"{name}.parquet").drop(columns="target")
    return frame.sample(n_rows, replace=True, random_state=0, ignore_index=True)


def column_transformer():
    """Imputer, scaler and one-hot encoder (sparse, its default) for a mixed table."""
    scaled = make_pipeline(SimpleImputer(), StandardScaler())
    names = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    )
    return make_column_transformer(
        (scaled, make_column_selector(dtype_include="number")),
        (names, make_column_selector(dtype_exclude="number")),
    )
