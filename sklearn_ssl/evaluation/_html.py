"""Tables for notebooks."""

from html import escape

import pandas as pd


def html_table(frame: pd.DataFrame, title: str, notes: list[str]) -> str:
    """A table with a title above it and a paragraph for each note below it."""
    text = frame.map(_cell)
    paragraphs = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return f"<div><p><b>{escape(title)}</b></p>{text.to_html(border=0)}{paragraphs}</div>"


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"
