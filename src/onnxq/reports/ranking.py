"""A Ranking as a table for a terminal, and as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from onnxq.core.metric import Metric, OwnMetric
from onnxq.core.ranking import Rank, Ranking
from onnxq.core.report import Fidelity
from onnxq.reports.number import counted

SHOWN = 20
"""Rows of a short table; the rest is counted."""

LEFT = ("operator", "group", "worst output")
"""Columns that hold no numbers."""

TITLES = {"sqnr": "SQNR", "kl": "KL", "top1": "top-1", "agreement": "same class", "max_error": "max error"}


def ranking_table(ranking: Ranking, verbose: bool) -> RenderableType:
    """One row per group, the most sensitive first.

    Args:
        ranking: of one model.
        verbose: show all groups.
    """
    shown = ranking.ranks if verbose else ranking.ranks[:SHOWN]
    has_outputs = sum(1 for output in ranking.full.figures if output) > 1
    one_mode = len(ranking.modes) == 1
    metrics = ranking.metrics if one_mode or verbose else ranking.metrics[:1]
    heads = ["", "operator", "group", "MACs", "damage"]
    for mode in ranking.modes:
        heads += [title(metric) if one_mode else f"{title(metric)} {mode}" for metric in metrics]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in (*heads, *(("worst output",) if has_outputs else ())):
        table.add_column(head, overflow="fold", justify="left" if head in LEFT else "right")
    for place, (rank, share) in enumerate(zip(shown, ranking.shares, strict=False), 1):
        table.add_row(
            str(place), *_cells(ranking, rank, share, metrics), *((_worst(ranking, rank),) if has_outputs else ())
        )
    if len(shown) < len(ranking.ranks):
        left, rest = len(ranking.ranks) - len(shown), sum(ranking.shares[len(shown) :])
        table.add_row("", "", f"{left} more; -v shows them", "", percent(rest))
    where = f"on {counted(ranking.samples, f'{ranking.data} sample')}"
    heading = Text(f"{_what(ranking)}, {where}", style="bold")
    return Group(heading, table, Text(_explained(ranking), style="dim"))


def ranking_csv(ranking: Ranking) -> str:
    """One row per group and all its figures, with a line of names."""
    rows = list(ranking.rows())
    file = io.StringIO()
    writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def title(metric: Metric | OwnMetric) -> str:
    """What a table calls a metric."""
    return TITLES.get(metric.name, metric.name)


def figure(metric: Metric | OwnMetric, value: float) -> str:
    """A figure with its unit."""
    if math.isnan(value):
        return "not finite"
    if metric.unit == "dB":
        return f"{value:.1f} dB" if math.isfinite(value) else ("exact" if value > 0 else "no signal")
    if metric.unit == "%":
        return f"{value:.2f} %"
    return f"{value:.5f}" if metric.name == "cosine" else f"{value:.4g}"


def percent(value: float) -> str:
    """A share of the damage."""
    return "-" if math.isnan(value) else f"{value:.1f} %"


def _cells(ranking: Ranking, rank: Rank, share: float, metrics: Sequence[Metric | OwnMetric]) -> Iterator[str]:
    group = rank.group
    yield group.op
    yield group.name
    yield f"{100 * group.macs / ranking.macs:.1f} %" if ranking.macs and group.macs else "-"
    yield percent(share)
    for mode in ranking.modes:
        found: Fidelity = getattr(rank, mode)
        yield from (figure(metric, found.worst(metric)[1]) for metric in metrics)


def _worst(ranking: Ranking, rank: Rank) -> str:
    found = rank.alone or rank.without
    return found.worst(ranking.metric)[0] if found else ""


def _what(ranking: Ranking) -> str:
    one = {
        "alone": "one group quantized, all else FP32",
        "without": "one group in float, all else quantized",
    }
    return f"{len(ranking.ranks)} groups: {'; or '.join(one[mode] for mode in ranking.modes)}"


def _explained(ranking: Ranking) -> str:
    metric = ranking.metric
    whole = f"All groups quantized: {title(metric)} {figure(metric, ranking.full.worst(metric)[1])}"
    of_fp32 = [row[metric.name] for row in ranking.full.baselines.values() if metric.name in row]
    if of_fp32:
        whole += f", FP32 {figure(metric, of_fp32[0])}"
    lost = metric.loss_unit.partition(" in ")[0] or title(metric)
    if "alone" in ranking.modes:
        return f"{whole}. damage: its part of the {lost} that all make, each alone"
    return f"{whole}. damage: its part of what is gained without each"
