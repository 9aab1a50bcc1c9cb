"""One row at a time: what a service that answers single rows waits for.

    OMP_NUM_THREADS=1 python benchmarks/serving.py --data FOLDER --table adult

A fitted pipeline is written by skops, a transformer and a fine-tuned classifier by ``save``. Each
is then loaded by processes of its own, which time the imports, the load, the first row and
the rows after it. Rows are data frames of one line, with names, categories and missing cells. Times
are those of the processor, with one thread: what a machine that does nothing else takes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from _speed_timing import show
from _tables import read_index, split_table
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklearn_ssl import FineTunedClassifier, MaskedFeaturePredictor
from sklearn_ssl.persistence import save

READ = {
    "transformer": "from sklearn_ssl.persistence import load\nmodel = load(path)",
    "classifier": "from sklearn_ssl.persistence import load\nmodel = load(path)",
    "pipeline": """import skops.io
from sklearn_ssl.persistence import TRUSTED_TYPES
model = skops.io.load(path, trusted=TRUSTED_TYPES)""",
}

SERVE = """
import json, sys, time
start = time.process_time()
path, rows_path, method = sys.argv[1:]
import sklearn_ssl.persistence
imported = time.process_time()
{read}
loaded = time.process_time()
import pandas as pd
rows = pd.read_parquet(rows_path)
one = [rows.iloc[[i]] for i in range(len(rows))]
answer, seconds = getattr(model, method), []
for row in one:
    begin = time.process_time()
    answer(row)
    seconds.append(time.process_time() - begin)
print(json.dumps({{"import": imported - start, "load": loaded - imported, "rows": seconds}}))
"""


def write_models(folder: Path, X: pd.DataFrame, y: np.ndarray, max_iter: int) -> dict[str, str]:
    """Fit and write the three models; return the method that answers for each."""
    import skops.io

    transformer = MaskedFeaturePredictor(max_iter=max_iter, random_state=0)
    few = np.where(np.arange(len(y)) < 200, y, -1)
    classifier = FineTunedClassifier(transformer, random_state=0).fit(X, few)
    pipeline = make_pipeline(transformer, LogisticRegression(max_iter=1000)).fit(X, y)
    save(pipeline[0], folder / "transformer")
    save(classifier, folder / "classifier")
    skops.io.dump(pipeline, folder / "pipeline")
    return {
        "transformer": "transform",
        "classifier": "predict_proba",
        "pipeline": "predict_proba",
    }


def serve(folder: Path, name: str, method: str) -> dict[str, float]:
    """Milliseconds of a new process, from the first import to the last row."""
    command = [sys.executable, "-c", SERVE.format(read=READ[name])]
    command += [str(folder / name), str(folder / "rows.parquet"), method]
    answer = json.loads(subprocess.check_output(command, text=True))
    first, *others = 1e3 * np.array(answer["rows"])
    return {
        "import": 1e3 * answer["import"],
        "load": 1e3 * answer["load"],
        "first row": first,
        "median": float(np.median(others)),
        "95 %": float(np.quantile(others, 0.95)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of tables, see transfer.py"
    )
    parser.add_argument("--table", default="adult")
    parser.add_argument("--rows", type=int, default=1_000, help="rows to answer, one at a time")
    parser.add_argument("--train", type=int, default=5_000, help="rows to fit on")
    parser.add_argument("--max-iter", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5, help="processes of each model")
    options = parser.parse_args()
    task = read_index(options.data, [options.table])["task"].iloc[0]
    split = split_table(options.data, options.table, task, 0, options.train, options.rows)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        split.X_test.to_parquet(folder / "rows.parquet")
        methods = write_models(folder, split.X_train, split.y_train, options.max_iter)
        measured = {model: [] for model in methods}
        for _ in range(options.repeats):
            for model, method in methods.items():
                measured[model].append(serve(folder, model, method))
        sizes = {model: (folder / model).stat().st_size / 2**20 for model in methods}
    medians = {model: pd.DataFrame(rows).median() for model, rows in measured.items()}
    columns = split.X_train.shape[1]
    print(f"\n{options.table}, {columns} columns; milliseconds of the processor\n")
    show([{"model": model, **row, "file, MB": sizes[model]} for model, row in medians.items()])


if __name__ == "__main__":
    main()
