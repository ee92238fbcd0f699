"""How much a node has to do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from onnxq.core.graph import GraphView, Node

Sizes = Mapping[str, tuple[int, ...]]
"""The shape of each tensor for one sample, as far as it is known."""

FLOAT = 4
"""Bytes of a number in FP32."""


def macs_of(view: GraphView, node: Node, sizes: Sizes) -> int:
    """The multiply-accumulates of a convolution or a matrix product for one sample; 0 for all other operators.

    A Conv has as many for each number of its result as its kernel has weights, (in_channels / group) * kernel; a
    ConvTranspose for each number that it reads, (out_channels / group) * kernel; a product as many as it sums.
    0 if a shape is unknown.
    """
    if node.domain or node.op not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
        return 0
    left, right, made = (_shape(view, sizes, tensor) for tensor in (*node.inputs[:2], node.outputs[0]))
    if left is None or right is None or made is None or not left:
        return 0
    if node.op == "Conv":
        return math.prod(made) * math.prod(right[1:])
    if node.op == "ConvTranspose":
        return math.prod(left) * math.prod(right[1:])
    summed = left[0] if node.op == "Gemm" and node.integer("transA", 0) else left[-1]
    return math.prod(made) * summed


def traffic_of(view: GraphView, nodes: Iterable[Node], sizes: Sizes) -> int:
    """The bytes that a kernel which computes `nodes` reads and writes for one sample, all in FP32.

    What only passes between the nodes costs nothing, nor does a tensor of unknown shape.
    """
    inside = tuple(nodes)
    names = {node.name for node in inside}
    made = dict.fromkeys(tensor for node in inside for tensor in node.outputs if tensor)
    read = dict.fromkeys(tensor for node in inside for tensor in node.inputs if tensor and tensor not in made)
    outside = set(view.outputs) | view.captured
    kept = [t for t in made if t in outside or any(site.node not in names for site in view.sites.get(t, ()))]
    return sum(FLOAT * math.prod(shape) for t in (*read, *kept) if (shape := _shape(view, sizes, t)) is not None)


def _shape(view: GraphView, sizes: Sizes, tensor: str) -> tuple[int, ...] | None:
    return view.constants[tensor].shape if tensor in view.constants else sizes.get(tensor)
