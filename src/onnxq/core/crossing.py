"""What passes from one part of a graph to the next."""

from __future__ import annotations

from onnxq.core.graph import GraphView, Node

Crossing = tuple[tuple[str, ...], ...]
"""For each place in front of a node, and for the one behind the last, the tensors that cross it."""


def crossing(view: GraphView) -> Crossing:
    """The tensors that are fed or computed in front of each place and needed behind it: to be read, or as outputs.

    Returns:
        (nodes + 1) tuples; the last holds the outputs of the graph that are no constants.
    """
    born = dict.fromkeys(view.inputs, 0)
    needed: dict[str, int] = {}
    for place, node in enumerate(view.nodes):
        for tensor in read_by(view, node):
            needed[tensor] = place
        born.update(dict.fromkeys(filter(None, node.outputs), place + 1))
    needed |= dict.fromkeys(view.outputs, len(view.nodes))
    places: list[list[str]] = [[] for _ in range(len(view.nodes) + 1)]
    for tensor, first in born.items():
        for place in range(first, needed.get(tensor, -1) + 1):
            places[place].append(tensor)
    return tuple(tuple(tensors) for tensors in places)


def read_by(view: GraphView, node: Node) -> tuple[str, ...]:
    """What `node` reads; one with bodies is taken to read whatever any body of the graph reads."""
    has_bodies = None in node.attributes.values()  # what a view makes of a body
    return (*filter(None, node.inputs), *(sorted(view.captured) if has_bodies else ()))
