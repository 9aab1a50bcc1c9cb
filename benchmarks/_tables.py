"""Tables of a folder: an ``index.csv`` and one Parquet file each, with a column ``target``."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

TEST_FRACTION = 0.3
MOST_TRAINING_ROWS = 20_000
MOST_TEST_ROWS = 10_000


@dataclass(frozen=True)
class Split:
    """Training and test rows of one table for one seed."""

    X_train: pd.DataFrame
    y_train: np.ndarray
    X_test: pd.DataFrame
    y_test: np.ndarray


def read_index(folder: Path, names: list[str] | None = None) -> pd.DataFrame:
    """Rows of ``index.csv``, by name, of the tables that were asked for."""
    index = pd.read_csv(folder / "index.csv").set_index("name")
    unknown = sorted(set(names or []) - set(index.index))
    if unknown:
        raise SystemExit(f"--tables names {unknown}, which {folder / 'index.csv'} does not list.")
    return index.loc[names] if names else index


def read_indexes(folders: list[Path], names: list[str] | None = None) -> pd.DataFrame:
    """Rows of several ``index.csv``, by name, with the folder of each table."""
    index = pd.concat([read_index(folder).assign(folder=folder) for folder in folders])
    twice = sorted(set(index.index[index.index.duplicated()]))
    if twice:
        raise SystemExit(f"--data holds {twice} more than once; a table needs a name of its own.")
    unknown = sorted(set(names or []) - set(index.index))
    if unknown:
        raise SystemExit(f"--tables names {unknown}, which no index.csv of --data lists.")
    return index.loc[names] if names else index


def split_table(
    folder: Path,
    name: str,
    task: str,
    seed: int,
    most_training: int = MOST_TRAINING_ROWS,
    most_test: int = MOST_TEST_ROWS,
) -> Split:
    """Split a table at random, by class where there are classes."""
    X = pd.read_parquet(folder / f"{name}.parquet")
    y = X.pop("target").to_numpy()
    classes = None
    if task == "classification":
        classes = y = np.unique(y.astype(str), return_inverse=True)[1]
    train, test = train_test_split(
        np.arange(len(X)), test_size=TEST_FRACTION, stratify=classes, random_state=seed
    )
    train, test = train[:most_training], test[:most_test]
    return Split(X.iloc[train], y[train], X.iloc[test], y[test])


def draw_labeled(y: np.ndarray, n_labels: int | None, task: str, seed: int) -> np.ndarray | None:
    """Positions of the labeled rows; None where the table has too few of them."""
    if n_labels is None:
        return np.arange(len(y))
    if n_labels >= len(y):
        return None
    rng = np.random.default_rng(seed)
    if task == "regression":
        return rng.permutation(len(y))[:n_labels]
    # Every class is there at least once, and otherwise as often as among the training rows.
    shuffled = rng.permutation(len(y))
    _, first = np.unique(y[shuffled], return_index=True)
    rest = np.setdiff1d(np.arange(len(y)), first)
    return shuffled[np.concatenate([first, rest])[:n_labels]]
