"""Rows of figures as a Markdown table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

NOTE_LENGTH = 180


@dataclass(frozen=True)
class Row:
    """One model with one tool; None where there is nothing to tell."""

    model: str
    tool: str
    seconds: float | None = None
    cpu_seconds: float | None = None
    peak_mb: float | None = None
    sqnr_db: float | None = None
    worst_db: float | None = None
    top1: float | None = None
    agreement: float | None = None
    accepted: bool | None = None
    int8: int | None = None
    computes: int | None = None
    moved_mb: float | None = None
    note: str = ""


TITLES = {
    "model": "model",
    "tool": "tool",
    "seconds": "time, s",
    "cpu_seconds": "CPU, s",
    "peak_mb": "peak, MB",
    "sqnr_db": "SQNR, dB",
    "worst_db": "worst output, dB",
    "top1": "top-1, %",
    "agreement": "as FP32, %",
    "accepted": "builds",
    "int8": "INT8 computes",
    "moved_mb": "moved, MB",
    "note": "note",
}
DIGITS = {"peak_mb": 0, "moved_mb": 2}
"""Digits after the point; 1 elsewhere."""
TEXTS = frozenset({"model", "tool", "note"})


def render(rows: Iterable[Row]) -> str:
    """A Markdown table, numbers to the right."""
    return "\n".join([line(list(TITLES.values())), rule(), *(line(cells(row)) for row in rows)])


def rule() -> str:
    return line(["---" if name in TEXTS else "---:" for name in TITLES])


def line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def cells(row: Row) -> list[str]:
    return [cell(field.name, getattr(row, field.name), row) for field in fields(row) if field.name in TITLES]


def cell(name: str, value: str | float | bool | None, row: Row) -> str:
    """One value as text: "-" for nothing, "exact" for a noise of zero, "19/20" for INT8 computes of all."""
    if value is None:
        return "-"
    if name == "int8":
        return f"{value}/{row.computes}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        text = " ".join(value.split()).replace("|", "\\|")
        return text if len(text) <= NOTE_LENGTH else text[: NOTE_LENGTH - 4] + " ..."
    return "exact" if math.isinf(value) and value > 0 else f"{value:.{DIGITS.get(name, 1)}f}"
