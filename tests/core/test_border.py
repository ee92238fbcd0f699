"""What padding with zeros lacks where another number stands for zero."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from tests.net import Net

from onnxq import onnx_io
from onnxq.core.border import border, inside, shares
from onnxq.core.graph import Node
from onnxq.runtimes import onnxruntime


@pytest.mark.parametrize(
    ("attributes", "sizes", "taps"),
    [
        ({"pads": [1, 1]}, (3, 3, 3), [[0, 1, 1], [1, 1, 1], [1, 1, 0]]),
        ({"pads": [2, 0]}, (3, 3, 3), [[0, 0, 1], [0, 1, 1], [1, 1, 1]]),
        ({"pads": [0, 1], "strides": [2]}, (4, 2, 3), [[1, 1, 1], [1, 1, 0]]),
        ({"pads": [2, 2], "dilations": [2]}, (3, 3, 3), [[0, 1, 1], [0, 1, 0], [1, 1, 0]]),
        ({"auto_pad": b"SAME_UPPER"}, (3, 3, 2), [[1, 1], [1, 1], [1, 0]]),
        ({"auto_pad": b"SAME_LOWER"}, (3, 3, 2), [[0, 1], [1, 1], [1, 1]]),
        ({"auto_pad": "SAME_UPPER", "strides": [2]}, (4, 2, 3), [[1, 1, 1], [1, 1, 0]]),
        ({"auto_pad": b"SAME_UPPER", "strides": [3]}, (3, 1, 1), [[1]]),
        ({}, (3, 2, 2), [[1, 1], [1, 1]]),
    ],
)
def test_taps_that_read_what_is_padded_count_as_0(attributes, sizes, taps):
    assert inside(Node("conv", "Conv", ("x", "w"), ("y",), attributes), 0, sizes).tolist() == taps


@pytest.mark.parametrize(
    "attributes",
    [
        {"pads": [1, 0, 2, 1]},
        {"pads": [2, 2, 2, 2], "dilations": [2, 1], "strides": [1, 2]},
        {"auto_pad": "SAME_UPPER", "strides": [2, 3]},
        {"auto_pad": "SAME_LOWER", "strides": [1, 2]},
        {"pads": [1, 1, 1, 1], "group": 2},
    ],
)
def test_it_is_what_a_convolution_of_a_constant_image_differs_by_from_its_middle(attributes):
    """Also against what ONNX Runtime makes of it: the sum of all taps is what a bias takes up."""
    rng, net = np.random.default_rng(0), Net()
    weight = rng.normal(size=(4, 2 // attributes.get("group", 1), 3, 2)).astype(np.float32)
    shift = np.array([0.5, -2.0])
    net.node("Conv", net.input("x", 1, 2, 6, 7), net.constant("w", weight), out="y", **attributes)
    model = onnx.shape_inference.infer_shapes(net.model("y"))
    view = onnx_io.view(model)
    read = shift[None, :] if weight.shape[1] == 2 else np.repeat(shift, 2)[:, None]
    moved = weight.astype(np.float64) * read[..., None, None]
    image = np.broadcast_to(shift[None, :, None, None], (1, 2, 6, 7)).astype(np.float32)
    expected = onnxruntime.run(model, {"x": image})["y"] - moved.sum((1, 2, 3))[:, None, None]
    found = border(view, view.nodes[0], moved)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_without_a_kernel_wider_than_one_number_nothing_lacks_but_where_all_is_padded():
    net = Net()
    net.node("Conv", net.input("x", 1, 1, 2, 2), net.constant("w", np.ones((1, 1, 1, 1))), out="y", pads=[1, 0, 0, 0])
    view = onnx_io.view(onnx.shape_inference.infer_shapes(net.model("y")))
    assert border(view, view.nodes[0], np.full((1, 1, 1, 1), 3.0)).tolist() == [[[[-3, -3], [0, 0], [0, 0]]]]


def image(attributes, *sizes):
    """A convolution of an image with a kernel of 3 x 3, and its view."""
    net = Net()
    net.node("Conv", net.input("x", 1, 1, *sizes), net.constant("w", np.ones((1, 1, 3, 3))), out="y", **attributes)
    view = onnx_io.view(onnx.shape_inference.infer_shapes(net.model("y")))
    return shares(view, view.nodes[0], (3, 3))


def test_each_tap_reads_the_image_at_its_share_of_the_places():
    """Of 4 x 4 places the upper left tap of a kernel reads 3 x 3."""
    edge = np.array([3, 4, 3])
    np.testing.assert_allclose(image({"pads": [1, 1, 1, 1]}, 4, 4), np.outer(edge, edge) / 16)


def test_without_padding_it_always_does():
    assert image({}, 4, 4).tolist() == np.ones((3, 3)).tolist()


def test_where_sizes_are_not_known_all_places_count_as_inside():
    assert image({"pads": [1, 1, 1, 1]}, "h", 4).tolist() == np.ones((3, 3)).tolist()
