"""How many numbers an operator adds up for each number it returns."""

from __future__ import annotations

import math

from onnxq.core.graph import GraphView, Node

SPATIAL = frozenset(("GlobalAveragePool", "GlobalLpPool", "InstanceNormalization"))
REDUCTIONS = frozenset(("ReduceL1", "ReduceL2", "ReduceMean", "ReduceSum", "ReduceSumSquare"))


def summands(view: GraphView, node: Node) -> int | None:
    """How many numbers are added up for each that is returned; None if that is known at run time only."""
    if node.op in ("AveragePool", "LpPool"):
        return math.prod(node.integers("kernel_shape"))
    if node.op == "LRN":
        return node.integer("size", 1)
    shape = view.shapes.get(node.inputs[0])
    if shape is None:
        return None
    if node.op in SPATIAL:
        axes: tuple[int, ...] = tuple(range(2, len(shape)))
    elif node.op == "GroupNormalization":
        axes = tuple(range(1, len(shape)))
    elif node.op in ("LpNormalization", "MeanVarianceNormalization"):
        axes = node.integers("axes") or (node.integer("axis", -1),)
    else:
        found = _reduced(view, node, len(shape))
        if found is None:
            return None
        axes = found
    sizes = [shape[axis] for axis in axes]
    return math.prod(size for size in sizes if size is not None) if None not in sizes else None


def _reduced(view: GraphView, node: Node, rank: int) -> tuple[int, ...] | None:
    """The axes of a reduction: an attribute at first, an input since opset 18 (ReduceSum: 13)."""
    if len(node.inputs) > 1 and node.inputs[1]:
        axes = view.constants.get(node.inputs[1])
        return None if axes is None else tuple(int(axis) for axis in axes.ravel())
    if given := node.integers("axes"):
        return given
    return () if node.integer("noop_with_empty_axes", 0) else tuple(range(rank))
