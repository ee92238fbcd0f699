"""Where the error enters: each tensor's SQNR beside that of the worst tensor it is computed from."""

from __future__ import annotations

import math

import pytest

from onnxq.core.comparison import CEILING, MARKED, Comparison, Layer, common_tensors, layers_of
from onnxq.core.graph import GraphView, Node
from onnxq.core.report import Fidelity


def graph(*nodes, inputs=("x",), captured=()):
    """A graph of nodes "op: input input -> output"."""
    made = []
    for number, text in enumerate(nodes):
        op, _, edges = text.partition(": ")
        read, _, written = edges.partition(" -> ")
        made.append(Node(f"n{number}", op, tuple(read.split()), tuple(written.split())))
    return GraphView(tuple(made), inputs, (), {}, {}, {}, frozenset(captured))


def fidelity(uncompared=None, **decibels):
    return Fidelity(7, {name: {"sqnr": value} for name, value in decibels.items()}, {}, uncompared or {})


def layers(view, **decibels):
    return {layer.tensor: layer for layer in layers_of(view, fidelity(**decibels))}


class TestCommonTensors:
    def test_those_of_both_graphs_in_the_order_of_the_first(self):
        original = graph("Conv: x w -> a", "Relu: a -> b", "Conv: b w -> c")
        quantized = graph("Conv: xd wd -> a", "QuantizeLinear: a s -> q", "DequantizeLinear: q s -> d", "Conv: d -> c")
        assert common_tensors(original, quantized) == ("a", "c")

    def test_constants_and_what_is_computed_from_them_are_left_out(self):
        view = graph("Constant: -> k", "Neg: k -> m", "Add: x m -> y")
        assert common_tensors(view, view) == ("y",)

    def test_a_body_may_read_what_the_node_does_not(self):
        view = graph("Constant: -> k", "Relu: x -> a", "If: k -> y", captured=["a"])
        assert common_tensors(view, view) == ("a", "y")


class TestDrop:
    def test_it_is_measured_from_the_worst_input(self):
        found = layers(graph("Conv: x -> a", "Relu: x -> b", "Add: a b -> y"), a=40.0, b=30.0, y=24.0)
        assert found["y"].before == 30.0
        assert found["y"].drop == 6.0

    def test_from_inputs_of_the_model_it_is_measured_from_what_8_bits_can_do(self):
        found = layers(graph("Conv: x -> a"), a=40.0)
        assert found["a"].before == math.inf
        assert found["a"].drop == pytest.approx(48.16 - 40.0, abs=0.01)

    def test_a_tensor_closer_than_that_is_as_good_as_exact(self):
        found = layers(graph("Conv: x -> a", "Relu: a -> b", "Neg: b -> c"), a=90.0, b=60.0, c=math.inf)
        assert [found[name].drop for name in "abc"] == [0.0, 0.0, 0.0]

    def test_an_input_that_was_not_compared_stands_for_those_of_its_node(self):
        found = layers(graph("Conv: x -> a", "Relu: a -> gone", "Conv: gone -> y"), a=33.0, y=30.0)
        assert found["y"].before == 33.0

    def test_a_node_with_bodies_is_computed_from_what_they_read(self):
        found = layers(graph("Conv: x -> a", "If: x -> y", captured=["a"]), a=20.0, y=20.0)
        assert found["y"].drop == 0.0

    @pytest.mark.parametrize("sqnr", [math.nan, -math.inf])
    def test_without_a_figure_there_is_none(self, sqnr):
        assert math.isnan(layers(graph("Conv: x -> a"), a=sqnr)["a"].drop)


def test_what_was_not_compared_has_its_reason():
    view = graph("Conv: x -> a", "Relu: a -> b")
    found = layers_of(view, fidelity({"a": "its FP32 values are not all finite"}, b=30.0))
    assert [(layer.tensor, layer.uncompared) for layer in found] == [
        ("a", "its FP32 values are not all finite"),
        ("b", ""),
    ]


def layer(tensor, before, sqnr):
    return Layer(tensor, "", "Conv", {"sqnr": sqnr}, before)


class TestMarked:
    def test_the_largest_drops_come_first(self):
        found = Comparison(1, {}, (layer("a", 40.0, 36.0), layer("b", 36.0, 26.0), layer("c", 26.0, 25.0)))
        assert [marked.tensor for marked in found.marked] == ["b", "a"]

    def test_there_are_not_too_many(self):
        found = Comparison(1, {}, tuple(layer(str(drop), CEILING, 40.0 - drop) for drop in range(20)))
        assert [marked.tensor for marked in found.marked] == [str(drop) for drop in range(19, 19 - MARKED, -1)]


def test_as_plain_data():
    found = Comparison(7, {"INT8": fidelity(y=30.0)}, (layer("y", 40.0, 30.0),)).to_json()
    assert found["samples"] == 7
    assert found["models"]["INT8"]["figures"] == {"y": {"sqnr": 30.0}}
    assert found["layers"] == [
        {
            "tensor": "y",
            "node": "",
            "op": "Conv",
            "figures": {"sqnr": 30.0},
            "before": 40.0,
            "uncompared": "",
            "drop": 10.0,
        }
    ]
