"""How many channels an operator with weights reads and writes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxq.core.graph import GraphView, Node


def channels(view: GraphView, node: Node) -> tuple[int, int] | None:
    """The input and output channels of `node`, all groups together; None if it has no constant weight to tell.

    Weights are (out_channels, in_channels / group, *kernel) of Conv, (in_channels, out_channels / group, *kernel) of
    ConvTranspose, (..., in, out) of MatMul and Gemm, or (out, in) if Gemm's transB is set.
    """
    if node.domain or node.op not in ("Conv", "ConvTranspose", "Gemm", "MatMul") or len(node.inputs) < 2:
        return None
    weight = view.constants.get(node.inputs[1])
    if weight is None or weight.ndim < (3 if node.op.startswith("Conv") else 2):
        return None
    group = node.integer("group", 1)
    match node.op:
        case "Conv":
            return weight.shape[1] * group, weight.shape[0]
        case "ConvTranspose":
            return weight.shape[0], weight.shape[1] * group
    return weight.shape[::-1] if node.integer("transB", 0) else weight.shape[-2:]


def is_grouped(_: GraphView, node: Node) -> bool:
    """Whether `node` is a convolution of several groups."""
    return not node.domain and node.op in ("Conv", "ConvTranspose") and node.integer("group", 1) > 1


def is_depthwise(view: GraphView, node: Node) -> bool:
    """Whether `node` is a convolution of several groups with one input channel each."""
    found = channels(view, node)
    return found is not None and is_grouped(view, node) and node.integer("group", 1) == found[0]


def weight_channels(node: Node, weight: np.ndarray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each number of a node's weight the input channel that it multiplies, and the output channel that it adds to.

    Returns:
        two arrays of the weight's rank that broadcast to its shape.
    """
    if not node.op.startswith("Conv"):
        rows, columns = np.arange(weight.shape[0])[:, None], np.arange(weight.shape[1])[None, :]
        return (columns, rows) if node.op == "Gemm" and node.integer("transB", 0) else (rows, columns)
    first, second = weight.shape[:2]
    own, place = np.arange(first)[:, None], np.arange(second)[None, :]
    other = own // (first // node.integer("group", 1)) * second + place
    spread = (..., *[None] * (weight.ndim - 2))
    return (other[spread], own[spread]) if node.op == "Conv" else (own[spread], other[spread])
