"""Tables that nobody looked at while the defaults were chosen, from a public collection.

    git clone https://github.com/renatopp/arff-datasets
    pip install liac-arff
    python benchmarks/arff_tables.py arff-datasets unseen

``unseen`` is then a folder for ``transfer.py --data``. One rule chooses, so that no result could:
every table of three folders that liac-arff reads, with enough rows for 500 labels and a target of
the folder's kind. Tables of the development and second versions of one table are left out.
"""

import argparse
from pathlib import Path

import arff
import pandas as pd

TASKS = {
    "classification": "classification",
    "statlib/nominal": "classification",
    "regression": "regression",
}
LEAST_ROWS = 715
LEAST_ROWS_OF_A_CLASS = 20
DEVELOPMENT = {
    *("cal.housing", "cmc", "credit.g", "diabetes", "letter", "optdigits", "sick", "soybean"),
    *("spambase", "splice", "vehicle", "waveform5000"),
}
SECOND_VERSIONS = {"anneal.orig", "cpu.small", "hypothyroid"}  # of anneal, cpu.act and sick


def usable_table(path: Path, task: str) -> pd.DataFrame | None:
    """The table without its rare classes; None where the rule leaves it out."""
    try:
        table, kind = read_table(path)
    except arff.ArffException as error:
        print(f"{path.name} is left out: {str(error).splitlines()[0]}")
        return None
    if kind != task or len(table) < LEAST_ROWS:
        return None
    if task == "regression":
        return table
    sizes = table["target"].map(table["target"].value_counts())
    table = table[sizes >= LEAST_ROWS_OF_A_CLASS].reset_index(drop=True)
    return table if table["target"].nunique() > 1 else None


def read_table(path: Path) -> tuple[pd.DataFrame, str]:
    """The table, its last column named "target", and the task that the target's kind makes."""
    content = arff.loads(path.read_text(errors="replace"))
    names = [name for name, _ in content["attributes"]]
    table = pd.DataFrame(content["data"], columns=[*names[:-1], "target"])
    is_nominal = isinstance(content["attributes"][-1][1], list)
    return table, "classification" if is_nominal else "regression"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path, help="a checkout of renatopp/arff-datasets")
    parser.add_argument("folder", type=Path, help="where index.csv and the tables are written")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    index = []
    for folder, task in TASKS.items():
        for path in sorted((arguments.source / folder).glob("*.arff")):
            if path.stem in DEVELOPMENT | SECOND_VERSIONS:
                continue
            table = usable_table(path, task)
            if table is not None:
                table.to_parquet(arguments.folder / f"{path.stem}.parquet")
                index.append({"name": path.stem, "task": task, "n_rows": len(table)})
    pd.DataFrame(index).to_csv(arguments.folder / "index.csv", index=False)


if __name__ == "__main__":
    main()
