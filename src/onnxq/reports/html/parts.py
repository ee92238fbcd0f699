"""The parts that a picture of a graph is drawn from: nodes, or runs of nodes where there are too many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from onnxq.core.dossier import INSIDE, INT8, Dossier
from onnxq.core.graph import Node

MOST = 300
"""Nodes that are drawn one by one."""

LIMIT = 1500
"""Parts of a picture that can be looked at."""


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
    """The nodes of a graph; if there are more than `most`, runs of them of one kind; if these are too many, of any."""
    nodes, links = dossier.view.nodes, dict(_links(dossier))
    parts = _cut(dossier, links, set())
    for same in (True, False):
        if len(parts.boxes) <= most:
            break
        joined = {pair for pair in _chains(links) if not same or _alike(dossier, nodes[pair[0]], nodes[pair[1]])}
        parts = _cut(dossier, links, joined)
    return parts


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


def _cut(dossier: Dossier, links: dict[tuple[int, int], bool], joined: set[tuple[int, int]]) -> Parts:
    owner: dict[int, int] = {}
    before = {end: start for start, end in joined}
    members: list[list[Node]] = []
    for number, node in enumerate(dossier.view.nodes):
        if number not in before:
            members.append([])
        owner[number] = owner[before[number]] if number in before else len(members) - 1
        members[owner[number]].append(node)
    edges: dict[tuple[int, int], bool] = {}
    for (start, end), integers in links.items():
        if owner[start] != owner[end]:
            pair = owner[start], owner[end]
            edges[pair] = edges.get(pair, False) or integers
    boxes = tuple(Part(tuple(nodes), _kind(dossier, nodes)) for nodes in members)
    return Parts(boxes, edges, not joined)


def _kind(dossier: Dossier, nodes: list[Node]) -> str:
    kinds = {dossier.kind(node) for node in nodes}
    if len(kinds) > 1:
        kinds = {INT8 if kind == INSIDE else kind for kind in kinds}
    return kinds.pop() if len(kinds) == 1 else "mixed"
