"""Which nodes count as layers where somebody says "the last": weighted operators with weights of their own."""

from __future__ import annotations

from onnxq.core.graph import GraphView
from onnxq.core.target import Target
from onnxq.stages.plan.decoding import is_expectation


def layers(view: GraphView, target: Target) -> frozenset[str]:
    """The names of nodes with constant weights that were trained: the expectation of a box decoder has none."""
    return frozenset(
        node.name
        for node in view.nodes
        if (rule := target.rule(node))
        and any(w.input < len(node.inputs) and view.is_constant(node.inputs[w.input]) for w in rule.weights)
        and not is_expectation(view, target, node)
    )
