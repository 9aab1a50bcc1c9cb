"""Raw results: one Parquet file for each piece of a run, so that a run can go on where it ended."""

import os
from pathlib import Path

import pandas as pd


def write_part(part: Path, frame: pd.DataFrame) -> None:
    """Write a part in one step: a run that is cut off leaves no half of one."""
    unfinished = part.with_suffix(f".{os.getpid()}")
    frame.to_parquet(unfinished)
    unfinished.replace(part)


def read_parts(results: Path) -> pd.DataFrame:
    """All parts of a run, which are also written to ``raw.parquet``."""
    parts = [pd.read_parquet(path) for path in sorted((results / "parts").glob("*.parquet"))]
    if not parts:
        raise SystemExit(f"{results / 'parts'} holds no parts; use the command 'run' first.")
    raw = pd.concat(parts, ignore_index=True)
    raw.to_parquet(results / "raw.parquet")
    return raw
