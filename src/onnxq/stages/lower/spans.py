"""The smallest and the largest number of each tensor: measured, or what follows from that."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping

import numpy as np

from onnxq.core.graph import GraphView, Node
from onnxq.core.statistics import Statistics
from onnxq.stages.lower.onward import SATURATING, only_reader, onward
from onnxq.stages.lower.span import UNKNOWN, Span
from onnxq.stages.lower.sums import weighted_sum

BOUNDED: Mapping[str, Span] = {
    "Cos": Span(-1, 1),
    "Erf": Span(-1, 1),
    "HardSigmoid": Span(0, 1),
    "Sigmoid": Span(0, 1),
    "Sin": Span(-1, 1),
    "Softmax": Span(0, 1),
    "Softsign": Span(-1, 1),
    "Tanh": Span(-1, 1),
}
"""What comes out, whatever goes in."""

PASSING = SATURATING | frozenset(
    "AveragePool Concat DepthToSpace Expand Flatten Gather GatherElements GatherND GlobalMaxPool Identity Max MaxPool "
    "Min Pad ReduceMax ReduceMin Reshape ReverseSequence Slice SpaceToDepth Split Squeeze Tile Transpose Unsqueeze "
    "Where".split()
)
"""Operators that hand on numbers they read, or something between them and zero."""


def to_measure(view: GraphView, known: Container[str] = ()) -> tuple[str, ...]:
    """The tensors whose extremes must be measured to know those of all, in graph order.

    Args:
        view: a prepared graph.
        known: tensors that are measured anyway.
    """
    wanted = [tensor for tensor in view.inputs if view.dtype(tensor) == "float32"]
    for node in view.nodes:
        if node.op in BOUNDED or (node.op in PASSING and not _hides_overflow(view, node)) or _is_addend(view, node):
            continue
        floats = (t for t in node.outputs if t and view.dtype(t) == "float32")
        wanted += [t for t in floats if _saturated(view, t) is None and onward(view, t, known) is None]
    return tuple(wanted)


def spans(view: GraphView, statistics: Statistics) -> Mapping[str, Span]:
    """The span of each float32 tensor; unlimited where that is unknown."""
    found = {name: Span(float(c.min()), float(c.max())) for name, c in view.constants.items() if _counts(c)}
    found |= {name: Span(m.low, m.high) for name, m in statistics.tensors.items()}
    for node in view.nodes:
        for tensor in node.outputs:
            if tensor not in found and view.dtype(tensor) == "float32":
                found[tensor] = _derived(node, tensor, view, found)
    return found


def _derived(node: Node, tensor: str, view: GraphView, found: Mapping[str, Span]) -> Span:
    if node.op in BOUNDED:
        return BOUNDED[node.op]
    if (told := onward(view, tensor, found)) is not None:
        return found[told]
    if node.op in PASSING:
        return _hull((found.get(t, UNKNOWN) for t in node.inputs if view.dtype(t) == "float32"), node)
    return weighted_sum(view, node, found.get(node.inputs[0], UNKNOWN)) if node.inputs else UNKNOWN


def _hull(parts: Iterable[Span], node: Node) -> Span:
    hull = Span(math.inf, -math.inf)
    for part in parts:
        hull |= part
    if node.op in ("AveragePool", "MaxPool", "Pad"):  # zeros around
        hull |= Span(0.0, 0.0)
    return Span(max(hull.low, 0.0), max(hull.high, 0.0)) if node.op == "Relu" else hull


def _saturated(view: GraphView, tensor: str) -> Node | None:
    """The only reader of `tensor`, if it saturates."""
    reader = only_reader(view, tensor)
    return reader if reader and reader.op in SATURATING and reader.inputs[0] == tensor else None


def _is_addend(view: GraphView, node: Node) -> bool:
    """Whether `node` multiplies with a constant weight, and its result is only added to something.

    Runtimes do both in one kernel, and round in another way when the result between is fetched: statistics would then
    depend on what else is measured in the same run. A bound from the weights is enough.
    """
    if node.op not in ("Conv", "ConvTranspose", "Gemm", "MatMul") or not view.is_constant(node.inputs[1]):
        return False
    reader = only_reader(view, node.outputs[0])
    return reader is not None and reader.op == "Add"


def _hides_overflow(view: GraphView, node: Node) -> bool:
    """Whether `node` saturates a tensor that nothing else reads, so that what comes out is measured instead."""
    producer = view.producers.get(node.inputs[0])
    measurable = producer is not None and producer.op not in PASSING and producer.op not in BOUNDED
    return measurable and _saturated(view, node.inputs[0]) is node


def _counts(constant: np.ndarray) -> bool:
    return constant.dtype == np.float32 and constant.size > 0
