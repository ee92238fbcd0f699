"""Where tables are printed."""

from __future__ import annotations

import sys

from rich.console import Console

NARROW, WIDE = 100, 1000
"""Columns of a table that goes into a file or a pipe, which have no width of their own."""


def console(columns: int) -> Console:
    """Standard output: as wide as the terminal, or `columns` wide where there is none."""
    return Console(width=None if sys.stdout.isatty() else columns, highlight=False, markup=False, emoji=False)
