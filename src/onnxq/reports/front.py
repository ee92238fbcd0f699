"""What a search for a budget came to: as a table for a terminal, and as CSV."""

from __future__ import annotations

import csv
import io
import math

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from onnxq.core.budget import Outcome, Point
from onnxq.reports.number import counted

SHOWN = 12
"""Rows of the front: more are thinned out."""


def outcome_table(outcome: Outcome, verbose: bool) -> RenderableType:
    """Whether the budget holds, and the front: accuracy against the share of compute in INT8.

    Args:
        outcome: of a search.
        verbose: show the whole front, and name the groups in float.
    """
    parts: list[RenderableType] = [Text(_verdict(outcome), style="bold")]
    if len(outcome.front) > 1:
        parts.append(_front(outcome, verbose))
    floats, calibrators = sorted(outcome.reached.choice.floats), outcome.reached.choice.calibrators
    if floats:
        names = f": {', '.join(floats)}" if verbose else ""
        parts.append(Text(f"{counted(len(floats), 'group')} left in float for the budget{names}"))
    if calibrators:
        parts.append(Text(f"{counted(len(calibrators), 'activation')} calibrated in another way than the rest"))
    ended = "" if outcome.complete else "; the time limit ended the search"
    parts.append(
        Text(
            f"{counted(outcome.trials, 'choice')} measured on {counted(outcome.samples, 'sample')}{ended}", style="dim"
        )
    )
    return Group(*parts)


def front_csv(outcome: Outcome) -> str:
    """One row per point of the front, with a line of names."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["int8_share", outcome.budget.metric, "float_groups"])
    for point in outcome.front:
        writer.writerow([point.share, point.figure, " ".join(sorted(point.choice.floats))])
    return file.getvalue()


def number(value: float) -> str:
    """A figure of a budget."""
    return "exact" if value == math.inf else f"{value:.2f}"


def _verdict(outcome: Outcome) -> str:
    kept = "Budget kept" if outcome.met else "Budget NOT kept"
    reached = outcome.reached
    of_fp32 = "" if outcome.baseline is None else f", FP32 {number(outcome.baseline)}"
    return (
        f"{kept}: {outcome.budget} ({number(outcome.allowed)}). {outcome.budget.metric} is {number(reached.figure)}"
        f"{of_fp32}, with {reached.share:.1%} of the compute in INT8"
    )


def _front(outcome: Outcome, verbose: bool) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("compute in INT8", outcome.budget.metric, "groups in float"):
        table.add_column(head, justify="right")
    for point in outcome.front if verbose else _thinned(outcome):
        table.add_row(f"{point.share:.1%}", number(point.figure), str(len(point.choice.floats)))
    return table


def _thinned(outcome: Outcome) -> tuple[Point, ...]:
    """Points of the front, evenly spread; its ends are among them, and what was chosen."""
    front = outcome.front
    if len(front) <= SHOWN:
        return front
    places = {round(place * (len(front) - 1) / (SHOWN - 1)) for place in range(SHOWN)}
    chosen = outcome.reached.choice
    return tuple(point for place, point in enumerate(front) if place in places or point.choice == chosen)
