"""A LayerPlan as tables for a terminal, and as JSON."""

from __future__ import annotations

import json

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from onnxq.core.layer_plan import Layer, LayerPlan, Tensor, compute_nodes, float_shortcuts, int8_nodes
from onnxq.reports.number import counted

SHOWN = 8
"""Kernels that a short summary lists for the floating-point numbers they move."""

NOUNS = {
    "Conv": "convolutions",
    "ConvTranspose": "transposed convolutions",
    "Einsum": "Einsums",
    "Gemm": "Gemms",
    "MatMul": "matrix products",
}


def layers_json(plan: LayerPlan) -> str:
    """The plan as JSON text."""
    return json.dumps({"summary": verdict(plan), **plan.to_json()}, indent=2) + "\n"


def layers_table(plan: LayerPlan, verbose: bool) -> RenderableType:
    """The layers, the bytes that move between them, and the verdict.

    Args:
        plan: of an engine.
        verbose: all kernels; else those that compute in float, and those that move the most of it.
    """
    if verbose:
        shown = plan.layers
    else:
        computes = [layer for layer in plan.computes if not layer.reads_int8]
        heavy = sorted(plan.layers, key=lambda layer: -layer.float_bytes)[:SHOWN]
        shown = tuple(layer for layer in plan.layers if layer in computes or layer in heavy)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("kernel", "reads", "writes", "kB", "float kB", "ONNX nodes"):
        table.add_column(column, overflow="fold", justify="right" if "kB" in column else "left")
    for layer in shown:
        moved = sum(tensor.size for tensor in (*layer.inputs, *layer.outputs))
        table.add_row(
            _kind(layer),
            _types(layer.inputs),
            _types(layer.outputs),
            f"{moved / 1000:.1f}",
            f"{layer.float_bytes / 1000:.1f}",
            ", ".join(_computing(layer, plan)),
        )
    hidden = len(plan.layers) - len(shown)
    more = [Text(f"{counted(hidden, 'more kernel')}; -v shows all", style="dim")] if hidden else []
    return Group(table, *more, Text(_traffic(plan)), Text(verdict(plan), style="bold"))


def verdict(plan: LayerPlan) -> str:
    """How much reads INT8, as one line."""
    copies = counted(sum(layer.is_copy for layer in plan.layers), "copy", "copies")
    tail = f"{copies} between layouts or types; {counted(len(plan.layers), 'kernel')}."
    if not plan.computes:
        return f"No kernel multiplies; {tail}"
    if not plan.operators:
        return f"{len(plan.int8_computes)} of {len(plan.computes)} kernels that multiply read INT8; {tail}"
    computes, integers = compute_nodes(plan), int8_nodes(plan)
    parts = []
    for op, noun in NOUNS.items():
        nodes = {name for name in computes if plan.operators.get(name) == op}
        if nodes:
            parts.append(f"{len(nodes & integers)} of {len(nodes)} {noun}")
    shortcuts = counted(len(float_shortcuts(plan)), "shortcut")
    return f"{', '.join(parts)} read INT8; {shortcuts} in float; {tail}"


def _traffic(plan: LayerPlan) -> str:
    moved = ", ".join(f"{size / 1e6:.2f} MB {dtype}" for dtype, size in plan.moved_bytes.items())
    return f"Between kernels move {moved or 'no activations'}."


def _kind(layer: Layer) -> Text:
    if layer.is_compute:
        return Text("attention" if layer.is_attention else layer.kind, style="green" if layer.reads_int8 else "yellow")
    return Text("copy" if layer.is_copy else layer.kind, style="dim")


def _types(tensors: tuple[Tensor, ...]) -> str:
    return ", ".join(dict.fromkeys(tensor.dtype for tensor in tensors))


def _computing(layer: Layer, plan: LayerPlan) -> tuple[str, ...]:
    """The nodes of a layer without Q/DQ, which only say how its numbers are stored."""
    stored = ("QuantizeLinear", "DequantizeLinear")
    nodes = tuple(dict.fromkeys(name for name in layer.onnx_nodes if plan.operators.get(name) not in stored))
    return nodes or tuple(dict.fromkeys(layer.onnx_nodes))
