"""Nodes whose numbers count or point: shapes, sizes, indices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from onnxq.core.float_type import FloatType
from onnxq.core.graph import GraphView, Node
from onnxq.core.rest import Kept
from onnxq.stages.lower.span import UNKNOWN, Span
from onnxq.stages.lower.spans import PASSING
from onnxq.stages.lower.types import BODIES

POINTWISE = PASSING | frozenset("Abs Add Cast Ceil Div Floor Mod Mul Neg Round Sub".split())
"""Operators through which an index is traced back."""

SOURCE = "ONNX operators, Cast; Resize"


def exact_nodes(view: GraphView, spans: Mapping[str, Span], low: FloatType) -> Iterator[Kept]:
    """The nodes that compute shapes, or whole numbers that `low` does not hold."""
    measured = _measured(view)
    for node in view.nodes:
        if node.op == "Shape" or not _has_floats(view, node):
            continue
        if not any(t in measured for t in node.outputs):
            yield Kept(node.name, node.op, "it computes shapes or constants", SOURCE)
    yield from _indices(view, spans, low)


def _measured(view: GraphView) -> frozenset[str]:
    """Tensors that depend on the contents of a graph input, and not on shapes alone."""
    found = set(view.inputs)
    for node in view.nodes:
        reads = (*node.inputs, *view.captured) if node.op in BODIES else node.inputs
        if node.op not in ("Shape", "Size") and found.intersection(reads):
            found.update(t for t in node.outputs if t)
    return frozenset(found)


def _indices(view: GraphView, spans: Mapping[str, Span], low: FloatType) -> Iterator[Kept]:
    """The nodes that lead to a Cast to integers, where these are too large to be exact."""
    for cast in view.nodes:
        if cast.op != "Cast" or view.dtype(cast.inputs[0]) != "float32" or _has_float_result(view, cast):
            continue
        amplitude = spans.get(cast.inputs[0], UNKNOWN).amplitude
        if amplitude * low.step <= 1.0:
            continue
        reason = f"whole numbers up to {amplitude:.4g} are made of it, which {low.name.upper()} does not hold"
        waiting = [cast]
        while waiting:
            node = waiting.pop()
            yield Kept(node.name, node.op, reason, SOURCE)
            producers = (view.producers.get(t) for t in node.inputs if view.dtype(t) == "float32")
            waiting += [p for p in producers if p is not None and p.op in POINTWISE and not p.domain]


def _has_floats(view: GraphView, node: Node) -> bool:
    return any(t and view.dtype(t) == "float32" and not view.is_constant(t) for t in (*node.inputs, *node.outputs))


def _has_float_result(view: GraphView, node: Node) -> bool:
    return any(view.dtype(t) == "float32" for t in node.outputs)
