"""Conv, Gemm and MatMul as matrices: against ONNX Runtime, and gradients against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from tests.net import Net
from tests.sketch import sketch

from onnxq.core.linear import Linear
from onnxq.onnx_io import view
from onnxq.runtimes import onnxruntime

CONVS = {
    "padded": ((8, 4, 3, 3), (2, 4, 9, 7), {"pads": [1, 1, 1, 1]}),
    "strided with uneven pads": ((8, 4, 3, 2), (2, 4, 9, 7), {"pads": [1, 0, 2, 1], "strides": [2, 3]}),
    "grouped": ((8, 2, 3, 3), (2, 4, 9, 7), {"group": 2, "strides": [2, 2]}),
    "depthwise": ((6, 1, 5, 5), (2, 6, 9, 9), {"group": 6, "pads": [2, 2, 2, 2]}),
    "depthwise with two outputs each": ((8, 1, 3, 3), (2, 4, 9, 9), {"group": 4, "pads": [2] * 4, "dilations": [2, 2]}),
    "pointwise": ((8, 4, 1, 1), (2, 4, 5, 5), {}),
    "of one axis": ((6, 4, 3), (2, 4, 19), {"auto_pad": "SAME_UPPER", "strides": [2]}),
    "padded in front": ((6, 4, 4, 3), (2, 4, 19, 8), {"auto_pad": "SAME_LOWER", "strides": [2, 3]}),
    "unpadded": ((6, 4, 4, 3), (2, 4, 19, 8), {"auto_pad": "VALID"}),
}
PRODUCTS = {
    "Gemm": ("Gemm", (5, 7), (3, 5), {}),
    "Gemm with transB": ("Gemm", (7, 5), (3, 5), {"transB": 1}),
    "MatMul": ("MatMul", (5, 7), (3, 5), {}),
    "MatMul of several axes": ("MatMul", (5, 7), (2, 3, 5), {}),
}
CASES = {name: ("Conv", *rest) for name, rest in CONVS.items()} | PRODUCTS


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request):
    op, shape, size, attributes = request.param
    draw = np.random.default_rng(0)
    net = Net()
    weight = draw.standard_normal(shape).astype(np.float32)
    out = net.node(op, net.input("x", *size), net.constant("w", weight), out="y", **attributes)
    model = net.model(out)
    seen = view(model)
    x = draw.standard_normal(size).astype(np.float32)
    linear = Linear.of(seen, seen.nodes[0])
    assert linear is not None
    return linear, x, weight, onnxruntime.run(model, {"x": x})["y"]


def test_a_patch_of_one_value_in_each_channel(case):
    """As patches are that lie inside an image of these values, or of these values times what each tap has of them."""
    linear, x, _, _ = case
    axis = 1 if linear.node.op == "Conv" else x.ndim - 1
    assert linear.inputs == x.shape[axis]
    values = np.arange(1.0, 1.0 + linear.inputs)
    wide = np.broadcast_to(values.reshape(-1, *[1] * (x.ndim - 1 - axis)), (*x.shape[:axis], *x.shape[axis:]))
    columns = linear.columns(np.array(wide))
    taps = np.ones(linear.shape[2:])
    np.testing.assert_array_equal(linear.patch(values, taps), columns.max(2))
    assert (linear.patch(values, taps / 2) == columns.max(2) / 2).all()


def test_it_computes_what_onnxruntime_computes(case):
    linear, x, weight, y = case
    np.testing.assert_allclose(linear.forward(x, linear.matrices(weight)), y, atol=2e-5)


def test_patches_times_rows_are_the_outputs_at_their_places(case):
    linear, x, weight, y = case
    places = np.arange(linear.places(y))[1::3]
    made = linear.patches(x, places) @ np.swapaxes(linear.matrices(weight), 1, 2)
    np.testing.assert_allclose(made, linear.rows(y, places), atol=2e-5)


def test_the_weight_comes_back_from_its_matrices(case):
    linear, _, weight, _ = case
    np.testing.assert_array_equal(linear.weight(linear.matrices(weight)), weight)


def test_gradients_are_those_of_finite_differences(case):
    linear, x, weight, y = case
    draw = np.random.default_rng(1)
    x, matrices = x.astype(np.float64), linear.matrices(weight).astype(np.float64)
    slope, tiny = draw.standard_normal(y.shape), 1e-6
    along_x, along_w = draw.standard_normal(x.shape), draw.standard_normal(matrices.shape)

    def goal(by_x, by_w):
        return np.sum(slope * linear.forward(x + by_x * along_x, matrices + by_w * along_w))

    by_x, by_w = linear.gradients(x, matrices, slope)
    assert (goal(tiny, 0) - goal(-tiny, 0)) / (2 * tiny) == pytest.approx(np.sum(by_x * along_x), rel=1e-6)
    assert (goal(0, tiny) - goal(0, -tiny)) / (2 * tiny) == pytest.approx(np.sum(by_w * along_w), rel=1e-6)


def test_multiplications_are_counted(case):
    linear, _, weight, y = case
    assert linear.multiplications(y) == y.size * weight.size // linear.outputs


@pytest.mark.parametrize(
    "text",
    [
        "y = MatMul(x, w[2,4,4])",
        "y = MatMul(w[4,4], x)",
        "y = MatMul(x, z)",
        "y = Gemm(x, w[4,4]) transA=1",
        "y = Gemm(x, w[4,4]) alpha=2",
        "y = ConvTranspose(x, w[4,4,3,3])",
        "y = other.Conv(x, w[4,4,3,3])",
    ],
)
def test_what_is_no_matrix_over_patches_is_left(text):
    seen = sketch(text)
    assert Linear.of(seen, seen.nodes[0]) is None
