"""Layered graphs: edges run downwards, nothing overlaps, and the same graph is always drawn the same."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from onnxq.reports.html.layout import layered


def graph(count: int, seed: int) -> list[tuple[int, int]]:
    draw = random.Random(seed)
    return [(start, end) for end in range(1, count) for start in draw.sample(range(end), min(end, draw.randint(1, 3)))]


@pytest.mark.parametrize("seed", range(8))
def test_edges_run_downwards_and_pass_through_every_layer_between(seed):
    edges = graph(40, seed)
    found = layered(40, edges)
    for start, end in edges:
        route = found.routes[start, end]
        assert route[0] == found.points[start]
        assert route[-1] == found.points[end]
        assert [y for _, y in route] == [found.points[start][1] + step for step in range(len(route))]


@pytest.mark.parametrize("seed", range(8))
def test_nodes_do_not_overlap(seed):
    found = layered(40, graph(40, seed))
    rows: dict[float, list[float]] = {}
    for x, y in found.points:
        rows.setdefault(y, []).append(x)
    for places in rows.values():
        ordered = sorted(places)
        assert all(right - left >= 1.0 - 1e-9 for left, right in pairwise(ordered))
        assert ordered[0] >= 0.0
        assert ordered[-1] + 1.0 <= found.width + 1e-9


def test_a_chain_is_a_straight_line():
    found = layered(4, [(0, 1), (1, 2), (2, 3)])
    assert found.points == ((0.0, 0.0), (0.0, 1.0), (0.0, 2.0), (0.0, 3.0))
    assert (found.width, found.height) == (1.0, 4)


def test_what_nothing_leads_to_stands_right_above_its_reader():
    found = layered(4, [(0, 1), (1, 3), (2, 3)])
    assert found.points[2][1] == 1.0


def test_the_same_graph_is_drawn_the_same_whatever_the_order_of_its_edges():
    edges = graph(40, 1)
    assert layered(40, edges) == layered(40, edges[::-1])


def test_an_empty_graph_has_no_layers():
    assert layered(0, []).height == 0
