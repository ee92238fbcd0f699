"""Tensors with the same channels, what makes them and what reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.bench import Floats
from tests.moved import known

from onnxq import onnx_io
from onnxq.core.graph import GraphView
from onnxq.core.lane_rules import lanes_of
from onnxq.core.stream import Stream, is_norm, order, streams


def view_of(net: Floats, *outputs: str) -> GraphView:
    return onnx_io.view(known(net.model(*outputs)))


def found(net: Floats, *outputs: str) -> list[Stream]:
    view = view_of(net, *outputs)
    return list(streams(view, lanes_of(view)))


def names(nodes: Any) -> list[str]:
    return [node.name for node in nodes]


def normed() -> Floats:
    net = Floats()
    net.node("LayerNormalization", net.input("x", 2, 6, 4), net.constant("g", np.ones(4)), out="n")
    return net


def test_a_norm_and_the_weights_that_read_it():
    net = normed()
    for name in "yz":
        net.node("MatMul", "n", net.constant(f"w{name}", np.ones((4, 3))), out=name)
    (stream,) = found(net, "y", "z")
    assert (stream.tensors, names(stream.makers), names(stream.readers)) == (("n",), ["n"], ["y", "z"])
    assert stream.classes.size == 4
    assert stream.operators(view_of(net, "y", "z")) == {"LayerNormalization"}


def test_what_is_moved_behind_belongs_to_it_even_where_channels_lie_along_two_axes():
    net = normed()
    net.node("Reshape", "n", net.constant("pairs", np.array([2, 6, 2, 2])), out="p")
    net.node("Reshape", "p", net.constant("rows", np.array([2, 6, 4])), out="r")
    net.node("MatMul", "r", net.constant("w", np.ones((4, 3))), out="y")
    (stream,) = found(net, "y")
    assert (stream.tensors, names(stream.makers), names(stream.readers)) == (("n", "p", "r"), ["n"], ["y"])


def test_channels_may_lie_in_another_order():
    net = normed()
    net.node("Gather", "n", net.constant("places", np.array([2, 0, 3, 1])), out="g4", axis=2)
    net.node("MatMul", "g4", net.constant("w", np.ones((4, 3))), out="y")
    view = view_of(net, "y")
    assert order(lanes_of(view), "n").tolist() == [0, 1, 2, 3]
    assert order(lanes_of(view), "g4").tolist() == [1, 3, 0, 2]


def test_channels_of_which_some_go_another_way_are_none():
    net = normed()
    cut = [net.constant(f"c{at}", np.array([at])) for at in (0, 2)]
    net.node("Slice", "n", *cut, net.constant("axis", np.array([2])), out="s")
    net.node("MatMul", "s", net.constant("w", np.ones((2, 3))), out="y")
    net.node("MatMul", "n", net.constant("v", np.ones((4, 3))), out="z")
    assert not found(net, "y", "z")


def test_channels_that_are_left_as_they_are_are_none():
    net = normed()
    net.node("MatMul", "n", net.constant("w", np.ones((4, 3))), out="y")
    assert not found(net, "y", "n")


def test_what_is_a_norm():
    net = normed()
    net.node("Tanh", "n", out="t")
    net.node("Mul", "t", net.constant("scale", np.ones(4)), out="m")
    net.node("MatMul", "m", net.constant("w", np.ones((4, 4))), out="a")
    net.node("Mul", "a", net.constant("other", np.ones(4)), out="b")
    net.node("Mul", "b", net.constant("one", 2.0), out="c")
    net.node("MatMul", "c", net.constant("v", np.ones((4, 3))), out="y")
    view = view_of(net, "y")
    assert [node.name for node in view.nodes if is_norm(view, lanes_of(view), node)] == ["n", "m"]
