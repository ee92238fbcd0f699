"""Preprocessing in a graph, as one factor and one offset for each channel."""

from __future__ import annotations

import numpy as np
import pytest
from tests.moved import known
from tests.net import Net

from onnxq import onnx_io
from onnxq.core.chain import Chain

MEAN, DEVIATION = np.array([1.0, 2, 3], np.float32), np.array([2.0, 4, 8], np.float32)


def chain(net: Net, tensor: str, axis: int = 1) -> Chain:
    return Chain.of(onnx_io.view(known(net.model(tensor))), tensor, axis)


def test_means_and_deviations_in_the_layout_of_images():
    net = Net()
    x = net.node("Div", net.input("x", 1, 8, 8, 3), net.constant("c", 255.0))
    x = net.node("Sub", x, net.constant("mean", MEAN))
    x = net.node("Div", x, net.constant("deviation", DEVIATION))
    found = chain(net, net.node("Transpose", x, perm=[0, 3, 1, 2], out="y"))
    assert (found.start, found.end, found.axis) == ("x", "y", 1)
    assert found.factor == pytest.approx(1 / 255 / DEVIATION)
    assert found.offset == pytest.approx(-MEAN / DEVIATION)
    assert [node.op for node in found.moving] == ["Transpose"]


def test_it_begins_with_what_counts():
    """What moves numbers in front of it may stay where it is."""
    net = Net()
    x = net.node("Transpose", net.input("x", 1, 8, 8, 3), perm=[0, 3, 1, 2], out="turned")
    found = chain(net, net.node("Mul", net.constant("c", 2.0), x, out="y"))
    assert (found.start, found.moving) == ("turned", ())


def test_an_input_that_nothing_is_done_to_is_an_empty_one():
    net = Net()
    net.node("Relu", net.input("x", 1, 3, 8, 8), out="y")
    found = Chain.of(onnx_io.view(known(net.model("y"))), "x", -1)
    assert (found.start, found.end, found.axis, found.nodes) == ("x", "x", 3, ())


@pytest.mark.parametrize(
    ("op", "is_first", "factor", "offset"),
    [
        ("Add", False, 1, 4),
        ("Sub", False, 1, -4),
        ("Sub", True, -1, 4),
        ("Mul", True, 4, 0),
        ("Div", False, 0.25, 0),
    ],
)
def test_what_operators_do(op, is_first, factor, offset):
    net = Net()
    operands = net.input("x", 1, 3, 8, 8), net.constant("c", 4.0)
    found = chain(net, net.node(op, *(operands[::-1] if is_first else operands), out="y"))
    assert (found.start, found.factor, found.offset) == ("x", factor, offset)


def divided_by_it(net, x):
    return net.node("Div", net.constant("c", 4.0), x, out="y")


def an_image(net, x):
    return net.node("Sub", x, net.constant("c", np.ones((8, 8), np.float32)), out="y")


def an_axis_more(net, x):
    return net.node("Sub", x, net.constant("c", np.ones((1, 1, 1, 1, 1), np.float32)), out="y")


def colours_of_grey(net, x):
    grey = net.node("ReduceMean", x, net.constant("axes", np.array([1])))
    return net.node("Mul", grey, net.constant("c", MEAN.reshape(3, 1, 1)), out="y")


def two_tensors(net, x):
    return net.node("Add", x, x, out="y")


def nothing_finite(net, x):
    return net.node("Div", x, net.constant("c", 0.0), out="y")


@pytest.mark.parametrize(
    "does",
    [divided_by_it, an_image, an_axis_more, colours_of_grey, two_tensors, nothing_finite],
    ids=lambda f: f.__name__,
)
def test_it_ends_in_front_of_what_is_no_factor_and_offset(does):
    net = Net()
    does(net, net.input("x", 1, 3, 8, 8))
    assert chain(net, net.node("Mul", "y", net.constant("d", 2.0), out="z"), 1).start == "y"


def test_channels_that_a_reshape_tears_apart_end_it():
    net = Net()
    x = net.node("Mul", net.input("x", 1, 3, 8, 8), net.constant("c", 2.0))
    mixed = net.node("Reshape", x, net.constant("shape", np.array([1, 6, 32])), out="mixed")
    assert chain(net, net.node("Mul", mixed, net.constant("d", 2.0), out="y")).start == "mixed"
