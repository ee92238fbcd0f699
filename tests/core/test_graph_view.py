"""GraphView: the same facts, asked from either end of an edge."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from tests.sketch import sketch

from onnxq.core.graph import GraphView, Node, Site

VIEW = GraphView(
    nodes=(
        Node("a", "Conv", ("x", "w"), ("t",), {"group": 2, "pads": [1, 2], "auto_pad": b"SAME"}),
        Node("b", "Add", ("t", "t"), ("u",)),
        Node("c", "Clip", ("t", "", "w"), ("v", "")),
        Node("d", "Relu", ("u",), ("y",)),
    ),
    inputs=("x",),
    outputs=("y", "v"),
    constants={"w": np.ones(2, np.float32)},
    shapes={},
    dtypes={},
    captured=frozenset(("x",)),
)


def test_nodes_by_name_and_by_what_they_compute():
    assert VIEW.by_name["c"] is VIEW.nodes[2]
    assert {tensor: node.name for tensor, node in VIEW.producers.items()} == {"t": "a", "u": "b", "v": "c", "y": "d"}


def test_sites_are_the_edges_in_node_order_without_omitted_inputs():
    assert VIEW.sites["t"] == (Site("t", "b", 0), Site("t", "b", 1), Site("t", "c", 0))
    assert VIEW.sites["w"] == (Site("w", "a", 1), Site("w", "c", 2))
    assert set(VIEW.sites) == {"x", "w", "t", "u"}


def test_consumers_come_once_per_edge():
    assert [node.name for node in VIEW.consumers("t")] == ["b", "b", "c"]
    assert list(VIEW.consumers("y")) == []


def test_constants_and_omitted_inputs_are_not_variable():
    assert VIEW.is_constant("w")
    assert [VIEW.variable_inputs(node) for node in VIEW.nodes] == [("x",), ("t", "t"), ("t",), ("u",)]


def test_attributes_of_another_type_or_absent_give_the_default():
    conv = VIEW.nodes[0]
    assert (conv.integer("group", 1), conv.integer("none", 7), conv.integer("auto_pad", 7)) == (2, 7, 7)
    assert (conv.integers("pads"), conv.integers("none"), conv.integers("group")) == ((1, 2), (), ())


def test_how_nodes_and_sites_read_in_a_sentence():
    assert str(VIEW.nodes[0]) == "Conv 'a'"
    assert str(Site("t", "b", 1)) == "input 1 of 'b' (tensor 't')"


def test_the_fingerprint_is_of_the_structure_and_not_of_the_weights():
    assert replace(VIEW, constants={"w": np.zeros(2, np.float32)}).fingerprint == VIEW.fingerprint
    for node in (
        replace(VIEW.nodes[3], op="Exp"),
        replace(VIEW.nodes[3], name="e"),
        replace(VIEW.nodes[3], inputs=("t",)),
        replace(VIEW.nodes[3], outputs=("z",)),
        replace(VIEW.nodes[3], domain="mine"),
    ):
        assert replace(VIEW, nodes=(*VIEW.nodes[:3], node)).fingerprint != VIEW.fingerprint


def test_a_view_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        VIEW.nodes = ()


class TestPieces:
    """Of a graph."""

    VIEW = sketch(
        """
        a = Relu(x)
        b = Conv(a, w[4,4,1,1])
        c = Add(b, a)
        d = Mul(c, k[4])
        """
    )

    def test_a_piece_has_what_lies_between(self):
        piece = self.VIEW.between(("a",), ("c",))
        assert [node.name for node in piece.nodes] == ["b", "c"]
        assert (piece.inputs, piece.outputs, set(piece.constants)) == (("a",), ("c",), {"w"})

    def test_it_begins_at_the_inputs_where_nothing_is_given(self):
        piece = self.VIEW.between((), ("b",))
        assert (piece.inputs, [node.name for node in piece.nodes]) == (("x",), ["a", "b"])

    def test_what_is_given_and_not_needed_is_no_input(self):
        assert self.VIEW.between(("x", "b", "a"), ("c",)).inputs == ("b", "a")

    def test_what_bodies_read_is_part_of_it(self):
        view = replace(sketch("a = Relu(x)\nb = Relu(y)\nc = If(z)"), captured=frozenset("a"))
        assert [node.name for node in view.between((), ("c",)).nodes] == ["a", "c"]
        assert view.read_from(2) >= {"a", "z"}

    def test_what_is_read_from_a_place_on_ends_with_the_outputs(self):
        assert [sorted(self.VIEW.read_from(place)) for place in (2, 4)] == [["a", "b", "c", "d", "k"], ["d"]]


class TestEdits:
    """Nodes that come and go."""

    VIEW = sketch(
        """
        a = Relu(x)
        b = Mul(a, k[4])
        c = Mul(b, k[4])
        d = Relu(a)
        """
    )

    def test_nodes_are_put_right_behind_what_they_read(self):
        node = Node("new", "Relu", ("a",), ("e",))
        assert [node.name for node in self.VIEW.behind("a", (node,)).nodes] == ["a", "new", "b", "c", "d"]
        assert self.VIEW.behind("x", (node,)).nodes[0] == node

    def test_what_nobody_needs_goes_with_its_constants(self):
        view = replace(self.VIEW, outputs=("d",))
        after = view.without_idle(node for node in view.nodes if node.op == "Mul")
        assert ([node.name for node in after.nodes], set(after.constants)) == (["a", "d"], set())

    def test_what_somebody_needs_stays_and_so_does_what_was_not_asked_for(self):
        view = replace(self.VIEW, outputs=("d",))
        asked = [node for node in view.nodes if node.name in "ab"]
        assert view.without_idle(asked) == view
        assert replace(view, captured=frozenset("c")).without_idle(view.nodes).nodes == view.nodes
