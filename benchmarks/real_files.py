"""Files as people have them, through every entrance of the transformers: what falls is printed.

    python benchmarks/real_files.py FOLDER

Every CSV, Parquet and JSON file below the folder is read in several ways. On the first rows of each
table a small estimator of every kind is fitted, saved and loaded, and the other rows, one row and
rows with missing cells go through all methods. A line is printed for every error, with the file,
the reading, the method and the message, and for every kind of warning. Errors that name a column
are answers, and are counted apart from those that do not.
"""

import argparse
import re
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from sklearn_ssl import (
    ContrastiveEmbedder,
    DenoisingAutoencoder,
    FineTunedClassifier,
    MaskedFeaturePredictor,
    MaskedImputer,
    OutlierDetector,
)
from sklearn_ssl.persistence import load, save

SMALL = {"n_components": 4, "hidden_layer_sizes": (16,), "max_iter": 1, "random_state": 0}
ESTIMATORS = (
    DenoisingAutoencoder(**SMALL),
    ContrastiveEmbedder(**SMALL),
    MaskedFeaturePredictor(**SMALL),
    MaskedImputer(width=16, n_blocks=1, max_iter=1, random_state=0),
    OutlierDetector(MaskedFeaturePredictor(**SMALL), n_estimators=5, random_state=0),
)

Reader = Callable[[Path], Any]
Call = Callable[[], Any]


def as_polars(frame: pd.DataFrame) -> Any:
    import polars as pl

    return pl.from_pandas(frame)


def readers(path: Path) -> dict[str, Reader]:
    """Ways in which people read a file."""
    plain: dict[str, Reader] = {
        ".csv": lambda path: pd.read_csv(path, low_memory=False),
        ".parquet": pd.read_parquet,
        ".json": pd.read_json,
        ".jsonl": lambda path: pd.read_json(path, lines=True),
    }
    read = plain[path.suffix]
    ways: dict[str, Reader] = {
        "as it is": read,
        "convert_dtypes": lambda path: read(path).convert_dtypes(),
        "Arrow": lambda path: read(path).convert_dtypes(dtype_backend="pyarrow"),
        "categories": lambda path: with_categories(read(path)),
        "objects": lambda path: read(path).astype(object),
        "Polars": lambda path: as_polars(read(path)),
    }
    if path.suffix == ".csv":
        ways["all text"] = lambda path: pd.read_csv(path, dtype=str)
    return ways


def with_categories(frame: pd.DataFrame) -> pd.DataFrame:
    """Text as categories, which is what makes parts differ in their categories."""
    text = frame.select_dtypes(["object", "string"]).columns
    return frame.astype(dict.fromkeys(text, "category"))


def taken(table: Any, rows: slice) -> Any:
    return table.iloc[rows] if isinstance(table, pd.DataFrame) else table[rows]


def with_holes(table: Any) -> Any:
    """A copy in which a tenth of the cells is missing."""
    if not isinstance(table, pd.DataFrame):
        return table
    return table.mask(np.random.default_rng(0).random(table.shape) < 0.1)


def without_unused(table: Any) -> Any:
    """A copy whose categories are those that occur."""
    if not isinstance(table, pd.DataFrame):
        return table
    table = table.copy()
    for name in table.select_dtypes("category"):
        table[name] = table[name].cat.remove_unused_categories()
    return table


def calls(estimator: Any, table: Any) -> Iterator[tuple[str, Call]]:
    """Names of the entrances, and calls that use them; the first one fits."""
    middle = max(len(table) // 2, 1)
    first, later = taken(table, slice(middle)), without_unused(taken(table, slice(middle, None)))
    if not len(later):
        later = first
    single, holes = taken(later, slice(1)), with_holes(later)
    yield "fit", lambda: estimator.fit(first)
    if isinstance(estimator, OutlierDetector):
        yield "predict", lambda: estimator.predict(later)
        yield "score_samples with holes", lambda: estimator.score_samples(holes)
        yield "explain", lambda: estimator.explain(taken(holes, slice(5)))
        yield "save and load", lambda: saved_and_loaded(estimator).predict(later)
        return
    yield "transform", lambda: estimator.transform(later)
    yield "transform of one row", lambda: estimator.transform(single)
    yield "transform with holes", lambda: estimator.transform(holes)
    yield "score", lambda: estimator.score(later)
    if isinstance(estimator, MaskedImputer):
        yield "sample", lambda: estimator.sample(holes, 1, random_state=0)
        yield "quantile", lambda: estimator.quantile(holes, 0.9)
        yield "save and load", lambda: saved_and_loaded(estimator).transform(holes)
        return
    if hasattr(estimator, "reconstruct"):
        yield "reconstruct", lambda: estimator.reconstruct(later)
        yield "reconstruction_error", lambda: estimator.reconstruction_error(holes)
        yield "inverse_transform", lambda: estimator.inverse_transform(estimator.transform(later))
    if hasattr(estimator, "impute"):
        yield "impute", lambda: estimator.impute(holes)
        yield "impute of one row", lambda: estimator.impute(taken(holes, slice(1)))
        mask = np.random.default_rng(1).random(later.shape) < 0.3
        yield "predict_masked", lambda: estimator.predict_masked(later, mask)
    yield "save and load", lambda: saved_and_loaded(estimator).transform(later)
    yield "partial_fit", lambda: clone(estimator).partial_fit(first).partial_fit(later)
    yield "fit_stream", lambda: clone(estimator).fit_stream([first, later], buffer_size=middle)
    labels = np.arange(len(first)) % 2
    if len(first) > 1 and isinstance(estimator, DenoisingAutoencoder):
        model = FineTunedClassifier(estimator, mode="frozen", random_state=0)
        yield "predict_proba", lambda: model.fit(first, labels).predict_proba(later)


def saved_and_loaded(estimator: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        save(estimator, Path(folder) / "estimator.safetensors")
        return load(Path(folder) / "estimator.safetensors")


def outcomes(path: Path, n_rows: int) -> Iterator[tuple[str, str, str]]:
    """Where something fell, what kind of thing it is, and what was said."""
    for way, read in readers(path).items():
        try:
            table = read(path)
            table = taken(table, slice(n_rows))
        except Exception as error:
            yield f"{path}, {way}", "unreadable", f"{type(error).__name__}: {error}"
            continue
        if not len(table):
            yield f"{path}, {way}", "empty", "The table has no rows."
            continue
        for estimator in map(clone, ESTIMATORS):
            for entrance, call in calls(estimator, table):
                where = f"{path}, {way}, {type(estimator).__name__}.{entrance}"
                found = list(outcome(call))
                yield from ((where, kind, text) for kind, text in found)
                if entrance == "fit" and any("error" in kind for kind, _ in found):
                    break


def outcome(call: Call) -> Iterator[tuple[str, str]]:
    """Warnings and the error of a call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            call()
        # A study of errors has to take them all.
        except Exception as error:
            names_column = bool(re.match("Column |.* in column ", str(error)))
            kind = "error that names a column" if names_column else "error"
            yield kind, f"{type(error).__name__}: {error}"
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        yield "warning", text


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=200, help="rows of a file that are used")
    parser.add_argument("--warnings", action="store_true", help="print warnings, too")
    arguments = parser.parse_args()
    kinds = (".csv", ".parquet", ".json", ".jsonl")
    paths = sorted(path for path in arguments.folder.rglob("*") if path.suffix in kinds)
    counts: Counter[str] = Counter()
    for path in paths:
        for where, kind, text in outcomes(path, arguments.rows):
            counts[kind] += 1
            if kind != "warning" or arguments.warnings:
                print(f"{kind}: {where}\n    {text[:300]}", flush=True)
    print(f"{len(paths)} files: {dict(counts)}")


if __name__ == "__main__":
    main()
