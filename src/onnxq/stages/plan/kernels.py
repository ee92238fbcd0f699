"""Groups nodes into the kernels that the engine will run: a weighted operator and what it computes on its way out."""

from __future__ import annotations

from collections.abc import Mapping

from onnxq.core.graph import GraphView, Node
from onnxq.core.target import Residual, Target


def kernel_heads(view: GraphView, target: Target, joins: Mapping[str, tuple[int, Residual]]) -> dict[str, str]:
    """For each node that a kernel computes, the name of the weighted node the kernel is built around.

    A node is absorbed if everything it reads at run time comes from one kernel (ModelOpt, partitioning.py), or if it
    is a residual join whose float operand does. After a join a kernel still applies an activation function.

    Args:
        view: the graph.
        target: says which operators have weights and which can be absorbed.
        joins: for each residual join, the index of its shortcut operand and its row.
    """
    weighted = {rule.op for rule in target.rules if rule.weights}
    heads: dict[str, str] = {}
    closed: set[str] = set()
    for node in view.nodes:
        if node.domain:
            continue
        if node.op in weighted:
            heads[node.name] = node.name
            continue
        if node.name in joins:
            tensors: tuple[str, ...] = (node.inputs[1 - joins[node.name][0]],)
        elif _absorbable(node, target):
            tensors = view.variable_inputs(node)
        else:
            continue
        makers = {view.producers[t].name if t in view.producers else "" for t in tensors}
        heads_read = {heads.get(maker, "") for maker in makers}
        if len(heads_read) != 1 or "" in heads_read:
            continue
        (head,) = heads_read
        if head in closed and len(view.variable_inputs(node)) > 1:
            continue
        heads[node.name] = head
        if node.name in joins:
            closed.add(head)
    return heads


def _absorbable(node: Node, target: Target) -> bool:
    return node.op in target.pointwise or node.op in target.commuting or node.op in target.absorbed
