"""A Report, a Plan and Statistics as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from onnxq.core.plan import Plan
from onnxq.core.report import Fidelity, Grouped, Report, RestReport
from onnxq.core.rule import Match
from onnxq.core.statistics import Statistics
from onnxq.reports.fixes import fixes_table
from onnxq.reports.number import counted, decibels

SHOWN = 8
"""Rows of a list in a short summary; the rest is counted."""

NUMERIC = frozenset(("INT8", "of", "nodes", "places", "input", "low", "high", "numbers", "channels", "holds for"))
"""Columns of numbers."""


def summary(report: Report, verbose: bool) -> RenderableType:
    """What was quantized, what was not and why, how close it is to FP32, size and time.

    Args:
        report: of one quantization.
        verbose: name every node that stays in float, and say how the model was prepared.
    """
    parts = [_quantized(report), _refused(report, verbose)] if report.quantized else []
    if report.rest is not None:
        parts.append(_rest(report.rest, verbose))
    if verbose:
        parts.append(_prepared(report))
    if report.fixes.attempts:
        parts.append(fixes_table(report, verbose))
    if report.floored:
        parts.append(_floored(report))
    low = report.rest.type.upper() if report.rest and not report.quantized else "INT8"
    parts += [_fidelity(report.fidelity, report.data, low), Text(_size_and_time(report), style="dim")]
    return Group(*parts)


def plan_table(plan: Plan, matches: Sequence[Match] = ()) -> RenderableType:
    """One row per decision, a line per group of tensors that share a scale, and one per rule of the recipe.

    Args:
        plan: what is decided.
        matches: the rules that were obeyed, with the nodes that they mean.
    """
    ruled = any(decision.rule for decision in plan.decisions)
    table = _table("node", "input", "tensor", "stored as", "why", "source", *(("by rule",) if ruled else ()))
    for decision in plan.decisions:
        stored = Text(str(decision.spec), style="green") if decision.spec else Text("float", style="yellow")
        if decision.calibrator:
            stored.append(f", {decision.calibrator}")
        where = f"{decision.op} {decision.site.node}"
        row = (where, str(decision.site.index), decision.site.tensor, stored, decision.reason, decision.source)
        table.add_row(*row, *((decision.rule,) if ruled else ()))
    lines = [Text(f"One scale for {', '.join(group)}") for group in plan.ties]
    lines += [Text(f"FP32 on request: {name}") for name in plan.fp32]
    rules = [_matches(matches)] if matches else []
    return Group(table, *lines, *rules, Text(plan.counts, style="bold"))


def _matches(matches: Sequence[Match]) -> RenderableType:
    table = _table("rule for", "says", "nodes", "holds for", "which")
    for match in matches:
        counts = str(len(match.nodes)), str(len(match.decided))
        shown = ", ".join(match.nodes[:SHOWN])
        more = f" and {len(match.nodes) - SHOWN} more" if len(match.nodes) > SHOWN else ""
        table.add_row(str(match.rule.selector), str(match.rule), *counts, shown + more)
    return _headed("Rules of the recipe", table)


def statistics_table(statistics: Statistics, verbose: bool) -> RenderableType:
    """How much was measured; with `verbose`, one row per tensor."""
    count = sum(found.count for found in statistics.tensors.values())
    measured, samples = counted(len(statistics.tensors), "tensor"), counted(statistics.samples, "sample")
    line = f"Measured {measured} on {samples}: {count:,} numbers."
    if not verbose:
        return Text(line)
    table = _table("tensor", "low", "high", "numbers", "channels", "holds for")
    for name, found in statistics.tensors.items():
        channels = str(found.channels.shape[1] or "")
        table.add_row(name, f"{found.low:.5g}", f"{found.high:.5g}", f"{found.count:,}", channels)
    return Group(table, Text(line))


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        numeric = column in (
            "INT8",
            "of",
            "nodes",
            "places",
            "input",
            "low",
            "high",
            "numbers",
            "channels",
            "holds for",
        )
        table.add_column(column, overflow="fold", justify="right" if numeric else "left")
    return table


def _headed(heading: str, table: RenderableType) -> RenderableType:
    return Group(Text(heading, style="bold"), table)


def _quantized(report: Report) -> RenderableType:
    table = _table("operator", "INT8", "of", "")
    for op, (done, total) in report.quantized.items():
        joins = len(report.residuals) if op == "Add" else 0
        table.add_row(op, Text(str(done), style="green"), str(total), f"{joins} residual shortcuts" if joins else "")
    known, count = report.known
    sources = [f"{counted(count, 'scale')} of the {known}"] if count else []
    if report.calibration_samples or not sources:
        sources.append(counted(report.calibration_samples, "calibration sample"))
    figures = ", ".join(f"{name} {decibels(close)}" for name, close in report.tried.items())
    tried = f", the closest to FP32 on some of them: {figures}" if figures else ""
    ruled = "".join(f"; {name} for {count}" for name, count in report.calibrators.items())
    single = f"{ruled} tensor{'' if sum(report.calibrators.values()) == 1 else 's'}, by rule" if ruled else ""
    chosen = Text(f"Calibrator {report.calibrator}{tried}{single}\n", style="dim")
    return Group(_headed(f"Quantized, from {' and '.join(sources)}", table), chosen)


def _refused(report: Report, verbose: bool) -> RenderableType:
    table = _reasons(report.refused, verbose)
    for text, count in report.intact:
        table.add_row(str(count), "", text)
    return _headed("Not quantized", table)


def _rest(rest: RestReport, verbose: bool) -> RenderableType:
    heading = f"The rest is {rest.type.upper()}, with {rest.casts} cast{'' if rest.casts == 1 else 's'}"
    if not rest.kept:
        return Text(f"{heading}; nothing has to stay in FP32\n", style="bold")
    return _headed(f"{heading}; in FP32 stay", _reasons(rest.kept, verbose))


def _reasons(grouped: Grouped, verbose: bool) -> Table:
    table = _table("nodes", "operator", "why", *(("which",) if verbose else ()))
    rows = list(grouped.items())
    for (op, reason), nodes in rows if verbose else rows[:SHOWN]:
        table.add_row(Text(str(len(nodes)), style="yellow"), op, reason, *((", ".join(nodes),) if verbose else ()))
    if len(rows) > SHOWN and not verbose:
        others = sum(len(nodes) for _, nodes in rows[SHOWN:])
        table.add_row(str(others), "others", f"{len(rows) - SHOWN} more reasons; -v shows them")
    return table


def _prepared(report: Report) -> RenderableType:
    table = _table("places", "what")
    for text, count in report.prepared:
        table.add_row(str(count), text)
    drift = "" if report.drift is None else f"; outputs changed by at most {report.drift:.1e} of their largest value"
    return _headed(f"Prepared{drift}", table)


def _floored(report: Report) -> RenderableType:
    names = list(report.floored)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return Text(f"Never active, so their scales are floors: {', '.join(names[:SHOWN])}{more}\n", style="yellow")


def _fidelity(fidelity: Fidelity | None, data: str, low: str) -> RenderableType:
    if fidelity is None:
        return Text("Fidelity to FP32 was not measured: give samples with --eval\n", style="yellow")
    where = counted(fidelity.samples, f"{data} sample") + ("" if data == "evaluation" else "; give others with --eval")
    labelled = any("top1" in row for row in fidelity.figures.values())
    columns = ("top-1 FP32", f"top-1 {low}", "same class") if labelled else ()
    table = _table("output", "SQNR", "cosine", *columns)
    for output, figures in fidelity.figures.items():
        row = [output, decibels(figures["sqnr"]), f"{figures['cosine']:.5f}"]
        if "top1" in figures:
            before = fidelity.baselines[output]["top1"]
            row += [f"{before:.2f} %", f"{figures['top1']:.2f} %", f"{figures['agreement']:.2f} %"]
        table.add_row(*row)
    for output, reason in fidelity.uncompared.items():
        table.add_row(output, "-", reason)
    return _headed(f"Fidelity to FP32, on {where}", table)


def _size_and_time(report: Report) -> str:
    before, after = report.sizes
    times = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report.seconds.items())
    return f"{size(before)} to {size(after)} ({after / before:.0%}); {times}"


def size(count: float) -> str:
    """Bytes in a unit that fits."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
