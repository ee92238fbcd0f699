"""A Report and a Plan as tables for a terminal."""

from __future__ import annotations

import math

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from onnxq.core.plan import Plan
from onnxq.core.report import Fidelity, Report

SHOWN = 8
"""Rows of a list in a short summary; the rest is counted."""


def summary(report: Report, verbose: bool) -> RenderableType:
    """What was quantized, what was not and why, how close it is to FP32, size and time.

    Args:
        report: of one quantization.
        verbose: name every node that stays in float.
    """
    parts: list[RenderableType] = [_quantized(report), _refused(report, verbose)]
    if verbose:
        parts.append(_prepared(report))
    if report.floored:
        parts.append(_floored(report))
    parts += [_fidelity(report.fidelity, report.data), Text(_size_and_time(report), style="dim")]
    return Group(*(part for row in parts for part in (row, Text())))


def plan_table(plan: Plan) -> RenderableType:
    """One row per decision."""
    table = _table("Plan", "node", "input", "tensor", "stored as", "why", "source")
    for decision in plan.decisions:
        stored = Text(str(decision.spec), style="green") if decision.spec else Text("float", style="yellow")
        where = f"{decision.op} {decision.site.node}"
        table.add_row(where, str(decision.site.index), decision.site.tensor, stored, decision.reason, decision.source)
    ties = [Text(f"One scale for {', '.join(group)}") for group in plan.ties]
    return Group(table, *ties)


def plan_counts(plan: Plan) -> str:
    """One line on a plan."""
    nodes = {decision.site.node for decision in plan.quantized}
    return (
        f"{len(nodes)} nodes quantized: {len(plan.activations)} activations, {len(plan.weights)} weights; "
        f"{len(plan.residuals)} residual shortcuts; {len(plan.ties)} groups share a scale."
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _quantized(report: Report) -> Table:
    table = _table(f"Quantized, from {report.calibration_samples} calibration samples", "operator", "INT8", "of")
    for op, (done, total) in report.quantized.items():
        table.add_row(op, Text(str(done), style="green"), str(total))
    if report.residuals:
        table.caption = f"{len(report.residuals)} residual shortcuts quantized"
        table.caption_justify = "left"
    return table


def _refused(report: Report, verbose: bool) -> Table:
    table = _table("Left in float", "nodes", "operator", "why", *(("which",) if verbose else ()))
    rows = list(report.refused.items())
    for (op, reason), nodes in rows if verbose else rows[:SHOWN]:
        table.add_row(Text(str(len(nodes)), style="yellow"), op, reason, *((", ".join(nodes),) if verbose else ()))
    if len(rows) > SHOWN and not verbose:
        rest = sum(len(nodes) for _, nodes in rows[SHOWN:])
        table.add_row(str(rest), "others", f"{len(rows) - SHOWN} more reasons; -v shows them")
    return table


def _prepared(report: Report) -> Table:
    table = _table(f"Prepared, outputs changed by at most {report.drift:.1e}", "places", "what")
    for text, count in report.prepared:
        table.add_row(str(count), text)
    return table


def _floored(report: Report) -> Text:
    names = list(report.floored)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return Text(f"Never active, so their scales are floors: {', '.join(names[:SHOWN])}{more}", style="yellow")


def _fidelity(fidelity: Fidelity, data: str) -> Table:
    where = f"{fidelity.samples} {data} samples" + ("" if data == "evaluation" else "; --eval takes others")
    labelled = any("top1" in row for row in fidelity.figures.values())
    columns = ("top-1 FP32", "top-1 INT8", "same class") if labelled else ()
    table = _table(f"Fidelity to FP32, on {where}", "output", "SQNR", "cosine", *columns)
    for output, figures in fidelity.figures.items():
        row = [output, _decibels(figures["sqnr"]), f"{figures['cosine']:.5f}"]
        if "top1" in figures:
            before = fidelity.baselines[output]["top1"]
            row += [f"{before:.2f} %", f"{figures['top1']:.2f} %", f"{figures['agreement']:.2f} %"]
        table.add_row(*row)
    for output, reason in fidelity.uncompared.items():
        table.add_row(output, "-", reason)
    return table


def _decibels(value: float) -> str:
    return f"{value:.1f} dB" if math.isfinite(value) else ("exact" if value > 0 else "no signal")


def _size_and_time(report: Report) -> str:
    before, after = report.sizes
    times = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report.seconds.items())
    return f"{_bytes(before)} to {_bytes(after)} ({after / before:.0%}); {times}"


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
