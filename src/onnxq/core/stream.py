"""Tensors with the same channels: what is done to the channels of one is done to those of all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from onnxq.core.classes import Ids
from onnxq.core.graph import GraphView, Node
from onnxq.core.lane_rules import factors
from onnxq.core.lanes import FIXED, Lanes


@dataclass(frozen=True)
class Stream:
    """Tensors whose channels have the same scale classes, wherever they lie, which nothing else has.

    Attributes:
        classes: (channels,) scale classes, sorted, all of them different and free.
        tensors: in the order of the nodes that make them.
        readers: the nodes that multiply channels by weights.
        makers: the nodes in which their units begin: weights, or the scale of a normalization.
    """

    classes: Ids
    tensors: tuple[str, ...]
    readers: tuple[Node, ...]
    makers: tuple[Node, ...]

    def operators(self, view: GraphView) -> frozenset[str]:
        """What makes its tensors."""
        return frozenset(view.producers[tensor].op for tensor in self.tensors)


def streams(view: GraphView, lanes: Lanes) -> Iterator[Stream]:
    """All of a graph.

    Args:
        view: the graph.
        lanes: of it.
    """
    found: dict[tuple[int, ...], list[str]] = defaultdict(list)
    holders: dict[int, int] = defaultdict(int)
    for tensor in (tensor for node in view.nodes for tensor in node.outputs if tensor in lanes.of):
        classes = tuple(np.unique(lanes.scales[lanes.of[tensor]]).tolist())
        for one in classes:
            holders[one] += 1
        if 1 < len(classes) == lanes.of[tensor].size and FIXED not in classes:
            found[classes].append(tensor)
    for classes, tensors in found.items():
        if all(holders[one] == len(tensors) for one in classes):
            yield _stream(view, np.array(classes), tensors)


def order(lanes: Lanes, tensor: str) -> Ids:
    """(channels,) where the classes of a stream lie among the channels of a tensor of it along one axis."""
    return np.argsort(lanes.scales[lanes.of[tensor].ravel()])


def _stream(view: GraphView, classes: Ids, tensors: list[str]) -> Stream:
    makers = [view.producers[tensor] for tensor in tensors]
    readers = {node.name: node for tensor in tensors for node in view.consumers(tensor) if _weighs(view, node, tensor)}
    own = frozenset(tensors)
    begins = tuple(node for node in makers if own.isdisjoint(node.inputs))
    return Stream(classes, tuple(tensors), tuple(readers.values()), begins)


def _weighs(view: GraphView, node: Node, tensor: str) -> bool:
    linear = node.op in ("MatMul", "Gemm") or node.op.startswith("Conv")
    return linear and node.inputs[0] == tensor and view.is_constant(node.inputs[1])


def is_norm(view: GraphView, lanes: Lanes, node: Node) -> bool:
    """Whether a node is a LayerNormalization, or the Mul or Div that ends one in many nodes."""
    if node.domain or node.op == "LayerNormalization":
        return not node.domain
    place = factors(view, node) if node.op in ("Mul", "Div") else None
    return place is not None and not lanes.scales[lanes.of[node.inputs[1 - place]]].any()
