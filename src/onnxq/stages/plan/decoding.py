"""Finds what decodes boxes and scores behind the last convolutions of a detector.

Such a tail turns a few numbers per place into coordinates and probabilities and puts them side by side. One scale for
both fits neither: boxes are as large as the image, scores end at 1. It costs nothing to leave it in float.

Source: onnxruntime#14233, #10787; Deci, "The Ultimate Guide to Deep Learning Model Quantization", sensitive layers.
"""

from __future__ import annotations

from collections.abc import Iterator

from onnxq.core.graph import GraphView, Node
from onnxq.core.target import Target

DECODES = "it decodes boxes and scores behind the last convolutions, which no common scale fits"

SCORES = frozenset("HardSigmoid Sigmoid Softmax".split())
COORDINATES = frozenset("Add Div Exp Mul Pow Sub Tanh".split())


def decoding_nodes(view: GraphView, target: Target) -> frozenset[str]:
    """The names of all nodes of decoding tails.

    A tail leads to outputs without another weighted operator. It decodes if it ends in NonMaxSuppression, or if a
    Concat in it joins scores with something else, or coordinates that were computed in it.
    """
    tail = _tail(view, target)
    seeds = [node for node in view.nodes if node.name in tail and _puts_together(view, target, node)]
    found = {node.name for node in seeds}
    for node in view.nodes:
        if any(maker.name in found for maker in _makers(view, node)):
            found.add(node.name)
    for node in reversed(view.nodes):
        if node.name in tail and any(reader.name in found for reader in _readers(view, node)):
            found.add(node.name)
    return frozenset(found)


def _tail(view: GraphView, target: Target) -> frozenset[str]:
    """The nodes behind which no weighted operator comes."""
    weighted = {rule.op for rule in target.rules if rule.weights}
    found: set[str] = set()
    for node in reversed(view.nodes):
        ends = node.domain or node.op not in weighted or is_expectation(view, target, node)
        if ends and all(reader.name in found for reader in _readers(view, node)):
            found.add(node.name)
    return frozenset(found)


def is_expectation(view: GraphView, target: Target, node: Node) -> bool:
    """Whether `node` only weighs probabilities, as box decoding with distributions does (Li et al. 2020, DFL)."""
    if node.op != "Conv" or not view.is_constant(node.inputs[1]) or len(view.constants[node.inputs[1]]) > 1:
        return False
    return _origin(view, target, node.inputs[0]) == "Softmax"


def _puts_together(view: GraphView, target: Target, node: Node) -> bool:
    if node.op == "NonMaxSuppression":
        return True
    if node.op != "Concat" or len(view.variable_inputs(node)) < 2:
        return False
    makers = {_origin(view, target, tensor) for tensor in view.variable_inputs(node)}
    return makers <= COORDINATES or (len(makers) > 1 and not makers.isdisjoint(SCORES))


def _origin(view: GraphView, target: Target, tensor: str) -> str:
    """The operator that computed what `tensor` is a copy of; empty for a graph input."""
    node = view.producers.get(tensor)
    while node is not None and node.op in target.commuting and node.op != "Concat" and view.variable_inputs(node):
        node = view.producers.get(view.variable_inputs(node)[0])
    return node.op if node else ""


def _makers(view: GraphView, node: Node) -> Iterator[Node]:
    return (view.producers[tensor] for tensor in node.inputs if tensor in view.producers)


def _readers(view: GraphView, node: Node) -> Iterator[Node]:
    return (reader for tensor in node.outputs if tensor for reader in view.consumers(tensor))
