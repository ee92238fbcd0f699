"""Decides where Q/DQ pairs go: interprets a target's table over a graph, and names no target."""

from __future__ import annotations

from collections.abc import Iterable

from onnxq.core.graph import GraphView
from onnxq.core.plan import Plan
from onnxq.core.recipe import Selector
from onnxq.core.target import Target
from onnxq.stages.plan.check import check_not_empty, check_plan, refuse_quantized
from onnxq.stages.plan.place import place
from onnxq.stages.plan.ties import tie

__all__ = ["check_plan", "plan"]


def plan(view: GraphView, target: Target, skip: Iterable[Selector] = ()) -> Plan:
    """Every decision about `view`, each with its sentence.

    Args:
        view: a prepared graph.
        target: the table to interpret.
        skip: nodes that stay in float.

    Raises:
        RecipeError: a selector matches no node.
        ModelError: nothing can be quantized, or the model is quantized already.
    """
    refuse_quantized(view)
    skipped = frozenset().union(*(selector.select(view.nodes) for selector in skip))
    placed = place(view, target, skipped)
    check_not_empty(placed)
    return tie(placed, view, target)
