"""Does every estimator take every table as it comes? One line for each table of a folder.

    python benchmarks/real_tables.py --data FOLDER [--tables NAME ...] [--max-iter 2]

Each estimator is fitted on the table as ``read_parquet`` gives it, less its column ``target``. It
then embeds rows in which a tenth of the cells of every column are newly missing, and a tenth of
the cells of every category column hold a category that was not there while fitting.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from _tables import read_index

from sklearn_ssl import ContrastiveEmbedder, DenoisingAutoencoder, MaskedFeaturePredictor

ESTIMATORS = [DenoisingAutoencoder, ContrastiveEmbedder, MaskedFeaturePredictor]
SHARE = 0.1
MOST_ROWS = 5000


def disturb(X: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Copy rows with new missing cells and unseen categories."""
    rng = np.random.default_rng(seed)
    disturbed = {}
    for name, column in X.items():
        if not pd.api.types.is_numeric_dtype(column):
            column = column.astype(object).mask(rng.random(len(X)) < SHARE, "never seen")
        elif not pd.api.types.is_extension_array_dtype(column.dtype):
            column = column.astype("float64")
        disturbed[name] = column.mask(rng.random(len(X)) < SHARE)
    return pd.DataFrame(disturbed, index=X.index)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tables", nargs="+")
    parser.add_argument("--max-iter", type=int, default=2)
    arguments = parser.parse_args()
    failures = 0
    for name in read_index(arguments.data, arguments.tables).index:
        X = pd.read_parquet(arguments.data / f"{name}.parquet").drop(columns="target")
        new = disturb(X.iloc[:MOST_ROWS], seed=0)
        seen = []
        for Embedder in ESTIMATORS:
            embedder = Embedder(max_iter=arguments.max_iter, random_state=0).fit(X)
            Z = embedder.transform(new)
            is_good = np.isfinite(Z).all() and Z.shape == (
                len(new),
                len(embedder.get_feature_names_out()),
            )
            failures += not is_good
            seen.append(f"{Embedder.__name__} {Z.shape[1]} {'finite' if is_good else 'FAILED'}")
        print(f"{name} {X.shape}: " + ", ".join(seen), flush=True)
    print(f"{failures} failures")
    raise SystemExit(failures > 0)


if __name__ == "__main__":
    main()
