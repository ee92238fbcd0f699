"""Which inputs and outputs of a node can be of a shorter type: read off ONNX's operator schemas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import onnx

from onnxq.core.float_type import FloatType
from onnxq.core.graph import GraphView, Node

BODIES = frozenset(("If", "Loop", "Scan", "SequenceMap"))
"""Operators that run graphs of their own, which stay as they are."""


@dataclass(frozen=True)
class Slots:
    """Indices of the inputs and outputs of a node that change their type together."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def slots_of(node: Node, view: GraphView, low: FloatType, opset: int) -> Slots | None:
    """What of `node` can be of type `low`; None if nothing can, or if some type is unknown."""
    if node.domain or node.op in BODIES or any(view.dtype(t) is None for t in (*node.inputs, *node.outputs) if t):
        return None
    try:
        schema = onnx.defs.get_schema(node.op, opset, "")
    except onnx.defs.SchemaError:
        return None
    floats = [i for i, tensor in enumerate(node.inputs) if tensor and view.dtype(tensor) == "float32"]
    results = [i for i, tensor in enumerate(node.outputs) if tensor and view.dtype(tensor) == "float32"]
    if node.op == "Cast":  # its attribute says what comes out
        return Slots(tuple(floats), tuple(results)) if floats or results else None
    allowed = _variables(schema, f"tensor({low.numpy})")
    bound = {_type(schema.inputs, i) for i in floats if _type(schema.inputs, i) in allowed}
    inputs = tuple(i for i in floats if _type(schema.inputs, i) in bound)
    outputs = tuple(i for i in results if _type(schema.outputs, i) in bound)
    return Slots(inputs, outputs) if bound else None


def _variables(schema: Any, wanted: str) -> frozenset[str]:
    """The type variables that may stand for `wanted`."""
    return frozenset(row.type_param_str for row in schema.type_constraints if wanted in row.allowed_type_strs)


def _type(formals: Sequence[Any], index: int) -> str:
    """The type variable of an input or output; the last one may be repeated."""
    return str(formals[min(index, len(formals) - 1)].type_str)
