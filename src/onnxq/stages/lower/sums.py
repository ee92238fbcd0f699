"""Sums: how many numbers an operator adds up for each that it returns, and how large a weighted sum can become."""

from __future__ import annotations

import math

import numpy as np

from onnxq.core.graph import GraphView, Node
from onnxq.stages.lower.span import UNKNOWN, Span

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


def weighted_sum(view: GraphView, node: Node, read: Span) -> Span:
    """The span of what a Conv, Gemm or MatMul with a constant weight computes of numbers in `read`, or of zeros."""
    if node.op not in ("Conv", "ConvTranspose", "Gemm", "MatMul") or len(node.inputs) < 2 or math.isinf(read.amplitude):
        return UNKNOWN
    weight = view.constants.get(node.inputs[1])
    if weight is None or not {node.attributes.get(name, 1.0) for name in ("alpha", "beta")} <= {1.0}:
        return UNKNOWN
    rows = _rows(weight.astype(np.float64), node)
    up, down = np.maximum(rows, 0.0).sum(axis=1), np.minimum(rows, 0.0).sum(axis=1)
    low, high = min(read.low, 0.0), max(read.high, 0.0)  # padding is zero
    bias = view.constants.get(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else np.zeros(1)
    if bias is None:
        return UNKNOWN
    return Span(
        float((up * low + down * high).min()) + float(bias.min(initial=0.0)),
        float((up * high + down * low).max()) + float(bias.max(initial=0.0)),
    )


def _rows(weight: np.ndarray, node: Node) -> np.ndarray:
    """(outputs, n) the weights of each output number."""
    if node.op == "Conv":
        return weight.reshape(len(weight), -1)
    if node.op == "ConvTranspose":  # (in_channels, out_channels / group, *kernel)
        return np.moveaxis(weight, 1, 0).reshape(weight.shape[1], -1)
    if node.op == "Gemm":
        return weight if node.integer("transB", 0) else weight.T
    return np.moveaxis(weight, -1, 0).reshape(weight.shape[-1], -1) if weight.ndim > 1 else weight[None]
