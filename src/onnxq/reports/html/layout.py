"""Places the nodes of a graph in layers, so that its edges run downwards and cross little.

Layers by the longest way from an input; on an edge over several layers stands an invisible node in each; the order
within a layer by the mean place of the neighbours above and below (Sugiyama, Tagawa, Toda 1981).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

SWEEPS = 12
BEND = 0.2
"""The width of an edge that passes through a layer, where that of a node is 1."""

Edge = tuple[int, int]
Point = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """Where everything is.

    Attributes:
        points: of each node its place from left to right, a node being 1 wide, and its layer.
        routes: of each edge the points in the layers that it passes through, its ends included.
        width: of the whole.
        height: how many layers there are.
    """

    points: tuple[Point, ...]
    routes: dict[Edge, tuple[Point, ...]]
    width: float
    height: int


def layered(count: int, edges: Iterable[Edge]) -> Layout:
    """Places nodes 0 to `count` - 1, which are in topological order."""
    given = sorted(set(edges))
    layers = _layers(count, given)
    chains: dict[Edge, list[int]] = {}
    for start, end in given:
        bends = range(len(layers), len(layers) + layers[end] - layers[start] - 1)
        layers += range(layers[start] + 1, layers[end])
        chains[start, end] = [start, *bends, end]
    rows: list[list[int]] = [[] for _ in range(max(layers, default=-1) + 1)]
    for node, layer in enumerate(layers):
        rows[layer].append(node)
    above, below = _neighbours(len(layers), chains.values())
    places = _placed(rows, above, below, [1.0] * count + [BEND] * (len(layers) - count))
    left = min(places, default=0.0)
    points = [(place - left, float(layer)) for place, layer in zip(places, layers, strict=True)]
    routes = {edge: tuple(points[node] for node in chain) for edge, chain in chains.items()}
    return Layout(tuple(points[:count]), routes, max((x for x, _ in points), default=0.0) + 1.0, len(rows))


def _layers(count: int, edges: Sequence[Edge]) -> list[int]:
    """As far down as the longest way leads; what nothing leads to stands right above its first reader."""
    layers, fed = [0] * count, {end for _, end in edges}
    for start, end in edges:  # sorted, and starts are in topological order
        layers[end] = max(layers[end], layers[start] + 1)
    for node in range(count):
        readers = [layers[end] for start, end in edges if start == node] if node not in fed else []
        layers[node] = max(layers[node], min(readers, default=1) - 1)
    return layers


def _neighbours(count: int, chains: Iterable[Sequence[int]]) -> tuple[list[list[int]], list[list[int]]]:
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for chain in chains:
        for one, other in pairwise(chain):
            below[one].append(other)
            above[other].append(one)
    return above, below


def _placed(
    rows: list[list[int]], above: list[list[int]], below: list[list[int]], widths: Sequence[float]
) -> list[float]:
    """The place of each node: as near to those of its neighbours as the nodes beside it allow."""
    places = [0.0] * len(widths)
    for row in rows:
        _spread(row, places, widths, dict.fromkeys(row, 0.0))
    for sweep in range(SWEEPS):
        near, order = (above, rows) if sweep % 2 == 0 else (below, rows[::-1])
        for row in order:
            wanted = {n: sum(places[m] for m in near[n]) / len(near[n]) if near[n] else places[n] for n in row}
            if sweep < SWEEPS // 2:
                row.sort(key=lambda node: (wanted[node], node))
            _spread(row, places, widths, wanted)
    return places


def _spread(row: Sequence[int], places: list[float], widths: Sequence[float], wanted: dict[int, float]) -> None:
    """Places a row near to where its nodes want to be, without overlaps."""
    edge = float("-inf")
    for node in row:
        places[node] = max(wanted[node], edge + widths[node] / 2)
        edge = places[node] + widths[node] / 2
    pushed = sum(places[node] - wanted[node] for node in row) / max(1, len(row))
    for node in row:
        places[node] -= pushed
