"""Small tables for notebooks, which show a value by its `_repr_html_`."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

SHOWN = 12
"""Rows; the rest is counted."""


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: what it is of.
        head: names of its columns.
        rows: as many cells each as there are columns.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    @property
    def html(self) -> str:
        """The table, its first rows only if there are many."""
        lines = [_line("td", row) for row in self.rows[:SHOWN]]
        if len(self.rows) > SHOWN:
            more = f"and {len(self.rows) - SHOWN} more"
            lines.append(f'<tr><td colspan="{len(self.head)}">{more}</td></tr>')
        caption = f'<caption style="text-align:left"><b>{escape(self.caption)}</b></caption>'
        head = f"<thead>{_line('th', self.head)}</thead>" if self.head else ""
        return f"<table>{caption}{head}<tbody>{''.join(lines)}</tbody></table>"


def _line(cell: str, values: tuple[object, ...]) -> str:
    return f"<tr>{''.join(f'<{cell}>{escape(str(value))}</{cell}>' for value in values)}</tr>"
