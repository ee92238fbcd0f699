"""Decides what computes in a shorter floating-point type, from measured ranges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from onnxq.core.float_type import FloatType
from onnxq.core.graph import GraphView, Node, Site
from onnxq.core.rest import Kept, Rest
from onnxq.core.statistics import Statistics
from onnxq.stages.lower.exact import exact_nodes
from onnxq.stages.lower.hazards import HAZARDS, Facts
from onnxq.stages.lower.islands import flooded
from onnxq.stages.lower.spans import spans, to_measure
from onnxq.stages.lower.types import BODIES, Slots, slots_of

__all__ = ["HAZARDS", "lower", "to_measure"]


def lower(
    view: GraphView, statistics: Statistics, low: FloatType, quantized: Iterable[Site], low_io: bool, opset: int
) -> Rest:
    """What is computed in `low`, and what stays in FP32, with the reasons.

    Args:
        view: a prepared graph.
        statistics: of at least the tensors that `to_measure` names.
        low: the shorter type.
        quantized: the edges that are read as integers.
        low_io: whether graph inputs and outputs may be of the short type.
        opset: of ai.onnx, that the graph is written in.
    """
    edges = frozenset(quantized)
    facts = Facts(view, spans(view, statistics), low, edges)
    slots = {node.name: found for node in view.nodes if (found := slots_of(node, view, low, opset))}
    kept = {found.node: found for found in (*_without_slots(view, slots, low), *exact_nodes(view, facts.spans, low))}
    for node in view.nodes:
        if node.name in slots and node.name not in kept and (reason := _hazard(facts, node)):
            kept[node.name] = reason
    kept |= {dry.node: dry for dry in flooded(view, frozenset(kept), edges, low_io)}
    lowered = [(node, slots[node.name]) for node in view.nodes if node.name in slots and node.name not in kept]
    return Rest(
        type=low,
        reads=frozenset(Site(node.inputs[i], node.name, i) for node, found in lowered for i in found.inputs),
        writes=frozenset(node.outputs[i] for node, found in lowered for i in found.outputs)
        | frozenset(tensor for tensor in view.inputs if low_io and view.dtype(tensor) == "float32"),
        kept=tuple(kept[node.name] for node in view.nodes if node.name in kept),
        low_outputs=low_io,
    )


def _hazard(facts: Facts, node: Node) -> Kept | None:
    for hazard in HAZARDS:
        if (hazard.ops is None or node.op in hazard.ops) and (reason := hazard.found(facts, node)):
            return Kept(node.name, node.op, reason, hazard.source)
    return None


def _without_slots(view: GraphView, slots: dict[str, Slots], low: FloatType) -> Iterator[Kept]:
    for node in view.nodes:
        floats = any(view.dtype(t) == "float32" and not view.is_constant(t) for t in (*node.inputs, *node.outputs) if t)
        if floats and node.name not in slots:
            reason = "its bodies stay as they are" if node.op in BODIES else f"no {low.name.upper()} form is known"
            yield Kept(node.name, node.op, reason, "ONNX operator schemas")
