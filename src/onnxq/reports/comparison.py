"""A Comparison as tables for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from onnxq.core.comparison import CEILING, Comparison, Layer
from onnxq.core.report import Fidelity
from onnxq.reports.number import counted

LEFT = ("output", "model", "tensor", "operator", "", "where")
"""Columns that hold no numbers."""


def comparison_table(comparison: Comparison) -> RenderableType:
    """How close the outputs are, and below it, where asked for, the tensors in graph order."""
    heading = Text(f"Compared with FP32, on {counted(comparison.samples, 'sample')}", style="bold")
    if not comparison.layers:
        return Group(heading, _outputs(comparison.models))
    inner = Text("Tensors that both models have, in graph order", style="bold")
    explained = Text(_explained(comparison), style="dim")
    return Group(heading, _outputs(comparison.models), inner, _layers(comparison), explained)


def _outputs(models: Mapping[str, Fidelity]) -> Table:
    rows = [figures for found in models.values() for figures in found.figures.values()]
    classes = any("agreement" in row for row in rows)
    labelled = any("top1" in row for row in rows)
    scores = (*(("same class",) if classes else ()), *(("top-1 FP32", "top-1") if labelled else ()))
    table = _table("output", "model", "SQNR", "cosine", "max error", "mean error", *scores)
    for name, found in models.items():
        for output, figures in found.figures.items():
            table.add_row(output, name, *_figures(figures), *_scores(found, output, len(scores)))
        for output, reason in found.uncompared.items():
            table.add_row(output, name, "-", reason)
    return table


def _layers(comparison: Comparison) -> Table:
    marks = {layer.tensor: f"← {rank}" for rank, layer in enumerate(comparison.marked, 1)}
    table = _table("tensor", "operator", "SQNR", "drop", "", "cosine", "max error", "mean error")
    for layer in comparison.layers:
        if layer.uncompared:
            table.add_row(layer.tensor, layer.op, "-", "", layer.uncompared)
            continue
        mark = marks.get(layer.tensor, "")
        sqnr, *rest = _figures(layer.figures)
        table.add_row(layer.tensor, layer.op, sqnr, _drop(layer), mark, *rest, style="bold yellow" if mark else "")
    return table


def _explained(comparison: Comparison) -> str:
    drop = f"drop: how far the SQNR is below that of the worst input, where {CEILING:.0f} dB are as good as exact"
    if not comparison.marked:
        return f"{drop}; none is large"
    return f"{drop}; the largest: " + ", ".join(
        f"{layer.op} '{layer.node or layer.tensor}' {layer.drop:.1f} dB" for layer in comparison.marked
    )


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", justify="left" if column in LEFT else "right")
    return table


def _figures(figures: Mapping[str, float]) -> Iterator[str]:
    yield _decibels(figures["sqnr"])
    yield f"{figures['cosine']:.5f}"
    yield f"{figures['max_error']:.3g}"
    yield f"{figures['mean_error']:.3g}"


def _scores(found: Fidelity, output: str, columns: int) -> Iterator[str]:
    figures = found.figures[output]
    if columns:
        yield _percent(figures.get("agreement"))
    if columns > 1:
        yield _percent(found.baselines.get(output, {}).get("top1"))
        yield _percent(figures.get("top1"))


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} %"


def _drop(layer: Layer) -> str:
    return "" if math.isnan(layer.drop) or math.isinf(layer.drop) else f"{layer.drop:.1f}"


def _decibels(value: float) -> str:
    if math.isnan(value):
        return "not finite"
    return f"{value:.1f} dB" if math.isfinite(value) else ("exact" if value > 0 else "no signal")
