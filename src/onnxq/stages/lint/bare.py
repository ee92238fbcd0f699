"""The graph that a Q/DQ model was made of: the same nodes without Q/DQ, in FP32, with weights as constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from onnxq.core.graph import GraphView, Node

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
DOMAINS = ("", "com.microsoft")
"""Where Q/DQ are at home; TensorRT's parser takes both for the same operator (seen with TensorRT for RTX 1.7)."""

FLOATS = frozenset(("float16", "bfloat16", "float32", "float64"))


def is_linear(node: Node) -> bool:
    """Whether `node` is QuantizeLinear or DequantizeLinear."""
    return node.op in (QUANTIZE, DEQUANTIZE) and node.domain in DOMAINS


def origins(view: GraphView) -> dict[str, str]:
    """For each result of Q/DQ, the tensor that it is a rounded copy of: an activation, or a constant."""
    found: dict[str, str] = {}
    for node in view.nodes:
        if is_linear(node):
            found[node.outputs[0]] = found.get(node.inputs[0], node.inputs[0])
    return found


def built(view: GraphView) -> frozenset[str]:
    """The tensors that are known when the engine is built: constants, and what nodes make of them alone."""
    known = set(view.constants)
    for node in view.nodes:
        inputs = [tensor for tensor in node.inputs if tensor]
        if inputs and known.issuperset(inputs):
            known.update(node.outputs)
    return frozenset(known)


def bare(view: GraphView, origin: Mapping[str, str], known: frozenset[str]) -> GraphView:
    """`view` without Q/DQ. All floats are float32, and what is known at build time is a constant; values are lost."""
    constants = {name: _stand_in(value.shape, value) for name, value in view.constants.items()}
    for tensor in known:
        shape = view.shapes.get(tensor)
        if tensor not in constants and shape is not None and None not in shape and view.dtype(tensor) in FLOATS:
            constants[tensor] = _stand_in(tuple(size or 0 for size in shape), np.float32(0))
    nodes = tuple(
        replace(node, inputs=tuple(origin.get(tensor, tensor) for tensor in node.inputs))
        for node in view.nodes
        if not is_linear(node) and constants.keys().isdisjoint(node.outputs)
    )
    return replace(
        view,
        nodes=nodes,
        outputs=tuple(origin.get(tensor, tensor) for tensor in view.outputs),
        constants=constants,
        dtypes={tensor: "float32" if dtype in FLOATS else dtype for tensor, dtype in view.dtypes.items()},
    )


def _stand_in(shape: tuple[int, ...], value: np.ndarray | np.generic) -> np.ndarray:
    """A constant of `shape`: zeros for floats and for integers that may be weights, else `value` itself."""
    if value.dtype.name in ("int32", "int64", "bool") and isinstance(value, np.ndarray):
        return value
    return np.broadcast_to(np.float32(0), shape)
