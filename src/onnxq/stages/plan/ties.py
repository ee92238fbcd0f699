"""Groups the quantized tensors that must share one scale, because operators that cannot rescale lie between them."""

from __future__ import annotations

from dataclasses import replace

from onnxq.core.graph import GraphView, Node
from onnxq.core.plan import Plan
from onnxq.core.target import Target


def tie(made: Plan, view: GraphView, target: Target) -> Plan:
    """The plan with its groups of tensors that share a scale."""
    ops = {row.op for row in target.ties} | target.copies
    quantized = frozenset(made.activations)
    parents = {}

    def root(tensor: str) -> str:
        while parents.setdefault(tensor, tensor) != tensor:
            tensor = parents[tensor]
        return tensor

    read_as_int8 = set(quantized)
    for node in reversed(view.nodes):
        if node.op in ops and not node.domain and any(output in read_as_int8 for output in node.outputs):
            for source in _sources(node):
                read_as_int8.add(source)
                for output in node.outputs:
                    if output in read_as_int8:
                        parents[root(source)] = root(output)
    groups: dict[str, list[str]] = {}
    for tensor in made.activations:
        groups.setdefault(root(tensor), []).append(tensor)
    return replace(made, ties=tuple(tuple(group) for group in groups.values() if len(group) > 1))


def _sources(node: Node) -> tuple[str, ...]:
    """The inputs whose numbers `node` hands on."""
    return node.inputs if node.op == "Concat" else node.inputs[:1]
