"""The parts that a picture of a graph is drawn from: nodes, or runs of nodes where there are too many."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from onnxq.core.crossing import crossing
from onnxq.core.dossier import INSIDE, INT8, Dossier
from onnxq.core.graph import Node

MOST = 300
"""Nodes that are drawn one by one."""


@dataclass(frozen=True)
class Part:
    """What is drawn as one box.

    Attributes:
        nodes: in graph order, one after the other.
        kind: what they compute in, "mixed" if that differs.
    """

    nodes: tuple[Node, ...]
    kind: str


@dataclass(frozen=True)
class Parts:
    """A graph to draw.

    Attributes:
        boxes: in topological order.
        edges: pairs of boxes -> whether INT8 goes from one to the other.
        whole: whether each node is a box of its own.
    """

    boxes: tuple[Part, ...]
    edges: dict[tuple[int, int], bool]
    whole: bool


def parts_of(dossier: Dossier, most: int = MOST) -> Parts:
    """The nodes of a graph, or what they are drawn as if there are more than `most`.

    Tried are chains of nodes of one kind, then any chains, then all that lies between places that one tensor crosses.
    """
    nodes, links = dossier.view.nodes, dict(_links(dossier))
    chains = tuple(_chains(links))
    alike = tuple(pair for pair in chains if _alike(dossier, nodes[pair[0]], nodes[pair[1]]))
    for joined in ((), alike, chains):
        owners = _owners(len(nodes), joined)
        if len(set(owners)) <= most:
            return _cut(dossier, links, owners)
    return _cut(dossier, links, _blocks(dossier, most))


def _links(dossier: Dossier) -> Iterator[tuple[tuple[int, int], bool]]:
    """Pairs of nodes of which one reads the other, and whether it reads INT8."""
    numbers = {node.name: number for number, node in enumerate(dossier.view.nodes)}
    stored = {decision.site for decision in dossier.plan.quantized}
    found: dict[tuple[int, int], bool] = {}
    for tensor, producer in dossier.view.producers.items():
        for site in dossier.view.sites.get(tensor, ()):
            pair = numbers[producer.name], numbers[site.node]
            found[pair] = found.get(pair, False) or site in stored
    yield from found.items()


def _chains(links: dict[tuple[int, int], bool]) -> Iterator[tuple[int, int]]:
    """Pairs of which the first is read by the second alone, and the second reads nothing else."""
    starts, ends = Counter(start for start, _ in links), Counter(end for _, end in links)
    for start, end in links:
        if starts[start] == ends[end] == 1:
            yield start, end


def _alike(dossier: Dossier, one: Node, other: Node) -> bool:
    kinds = {INT8 if dossier.kind(node) == INSIDE else dossier.kind(node) for node in (one, other)}
    return len(kinds) == 1


def _owners(count: int, joined: Iterable[tuple[int, int]]) -> list[int]:
    """The box of each node, where the pairs `joined` are in one box."""
    before = {end: start for start, end in joined}
    owners: list[int] = []
    boxes = 0
    for number in range(count):
        owners.append(owners[before[number]] if number in before else boxes)
        boxes += number not in before
    return owners


def _blocks(dossier: Dossier, most: int) -> list[int]:
    """The box of each node, where about `most` boxes end at places that one tensor crosses."""
    count = len(dossier.view.nodes)
    narrow = [place for place, tensors in enumerate(crossing(dossier.view)) if len(tensors) == 1 and 0 < place < count]
    borders = narrow[:: len(narrow) // most + 1]
    return [bisect_right(borders, place) for place in range(count)]


def _cut(dossier: Dossier, links: dict[tuple[int, int], bool], owners: list[int]) -> Parts:
    members: dict[int, list[Node]] = {}
    for node, owner in zip(dossier.view.nodes, owners, strict=True):
        members.setdefault(owner, []).append(node)
    edges: dict[tuple[int, int], bool] = {}
    for (start, end), integers in links.items():
        pair = owners[start], owners[end]
        if pair[0] != pair[1]:
            edges[pair] = edges.get(pair, False) or integers
    boxes = tuple(Part(tuple(nodes), _kind(dossier, nodes)) for _, nodes in sorted(members.items()))
    return Parts(boxes, edges, len(boxes) == len(owners))


def _kind(dossier: Dossier, nodes: list[Node]) -> str:
    kinds = {dossier.kind(node) for node in nodes}
    if len(kinds) > 1:
        kinds = {INT8 if kind == INSIDE else kind for kind in kinds}
    return kinds.pop() if len(kinds) == 1 else "mixed"
