"""Groups the quantized tensors that must share one scale, because operators that cannot rescale lie between them."""

from __future__ import annotations

from dataclasses import replace

from onnxq.core.graph import GraphView
from onnxq.core.plan import Plan
from onnxq.core.target import Target


def tie(made: Plan, view: GraphView, target: Target) -> Plan:
    """The plan with its groups of tensors that share a scale.

    An operator of the target's ties binds its inputs to its output if the output is read as INT8, directly or through
    commuting operators. Tensors that only commuting operators connect stay free: they are not copied side by side.
    """
    groups = _Groups()
    bound: set[str] = set()
    ops = {row.op: row for row in target.ties}
    stored = set(made.activations)  # tensors that somebody reads as INT8
    for node in reversed(view.nodes):
        if node.domain or node.op not in target.commuting or stored.isdisjoint(node.outputs):
            continue
        sources = node.inputs if node.op in ops and ops[node.op].all_inputs else node.inputs[:1]
        for tensor in (*sources, *stored.intersection(node.outputs)):
            groups.join(tensor, sources[0])
        stored.update(sources)
        bound.update(sources if node.op in ops else ())
    tied = {groups.root(tensor) for tensor in bound}
    members: dict[str, list[str]] = {}
    for tensor in made.activations:
        if (root := groups.root(tensor)) in tied:
            members.setdefault(root, []).append(tensor)
    return replace(made, ties=tuple(tuple(group) for group in members.values() if len(group) > 1))


class _Groups:
    """Disjoint sets of tensors."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def root(self, tensor: str) -> str:
        while (parent := self._parents.setdefault(tensor, tensor)) != tensor:
            tensor = parent
        return tensor

    def join(self, left: str, right: str) -> None:
        self._parents[self.root(left)] = self.root(right)
