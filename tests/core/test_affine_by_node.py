"""What becomes of single nodes when the lanes around them are scaled and shifted."""

from __future__ import annotations

import numpy as np
from tests.moved import error, feeds, known
from tests.net import Net

from onnxq import onnx_io
from onnxq.core.affine import Affine, reparametrized
from onnxq.core.graph import GraphView
from onnxq.core.lane_rules import lanes_of
from onnxq.stages.rewrite import edited


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def chain(pads: int = 1, kernel: int = 3) -> Net:
    """Conv -> Relu -> Conv, without biases."""
    net = Net()
    net.node("Conv", net.input("x", 1, 3, 8, 8), net.constant("w1", numbers(4, 3, 3, 3)), out="a", pads=[1] * 4)
    net.node("Relu", "a", out="b")
    net.node("Conv", "b", net.constant("w2", numbers(5, 4, kernel, kernel)), out="c", pads=[pads] * 4)
    return net


def changed(net: Net, output: str, tensor: str, scale: float = 1.0, shift: float = 0.0) -> GraphView:
    """The graph with all lanes of one tensor scaled and shifted; what it computes is checked."""
    model = known(net.model(output))
    view = onnx_io.view(model)
    lanes = lanes_of(view)
    scales, shifts = np.ones(lanes.scales.size), np.zeros(lanes.shifts.size)
    scales[lanes.scales[lanes.of[tensor]]] = scale
    shifts[lanes.shifts[lanes.of[tensor]]] = shift
    after = reparametrized(view, Affine.of(lanes, scales, shifts))
    assert error(model, edited(model, view, after), feeds(view, np.random.default_rng(2))) < 1e-5
    return after


def test_nothing_changes_without_scales_and_shifts():
    view = onnx_io.view(known(chain().model("c")))
    after = reparametrized(view, Affine.of(lanes_of(view)))
    assert after.nodes == view.nodes
    assert all(after.constants[name] is array for name, array in view.constants.items())


def test_weights_before_and_behind_take_a_scale_up():
    after = changed(chain(), "c", "b", scale=4.0)
    assert np.array_equal(after.constants["w1"], numbers(4, 3, 3, 3) / 4)
    assert np.array_equal(after.constants["w2"], numbers(5, 4, 3, 3) * 4)
    assert [node.op for node in after.nodes] == ["Conv", "Relu", "Conv"]


def test_a_relu_of_shifted_lanes_is_a_clip_of_the_same_name():
    clip = changed(chain(), "c", "b", shift=0.5).nodes[1]
    assert (clip.name, clip.op, clip.outputs) == ("b", "Clip", ("b",))


def test_the_bound_of_that_clip_is_where_zero_went():
    after = changed(chain(), "c", "b", shift=0.5)
    assert after.constants[after.by_name["b"].inputs[1]] == np.float32(-0.5)


def test_a_convolution_that_pads_needs_a_constant_near_its_borders_only():
    after = changed(chain(), "c", "b", shift=0.5)
    (add,) = (node for node in after.nodes if node.op == "Add")
    border = after.constants[add.inputs[1]]
    assert (add.outputs, border.shape) == (("c",), (1, 5, 8, 8))
    assert not border[:, :, 1:-1, 1:-1].any()
    assert border[:, :, 0].all()


def test_without_padding_the_bias_is_all_it_takes():
    after = changed(chain(pads=0), "c", "b", shift=0.5)
    assert [node.op for node in after.nodes] == ["Conv", "Clip", "Conv"]
    assert np.allclose(after.constants[after.by_name["c"].inputs[2]], 0.5 * numbers(5, 4, 3, 3).sum((1, 2, 3)))


def test_a_constant_that_is_added_behind_a_product_takes_the_shift_of_what_it_reads_up():
    net = Net()
    net.node("MatMul", net.input("x", 2, 3), net.constant("w1", numbers(3, 4)), out="a")
    net.node("Relu", net.node("Add", "a", net.constant("b1", numbers(4))), out="b")
    net.node("Add", net.node("MatMul", "b", net.constant("w2", numbers(4, 5))), net.constant("b2", numbers(5)), out="c")
    after = changed(net, "c", "b", shift=0.25)
    assert [node.op for node in after.nodes] == ["MatMul", "Add", "Clip", "MatMul", "Add"]
    assert np.allclose(after.constants["b2"], numbers(5) + 0.25 * numbers(4, 5).sum(0), atol=1e-6)


def test_a_product_without_a_bias_gets_an_add():
    net = Net()
    net.node("Relu", net.node("MatMul", net.input("x", 2, 3), net.constant("w1", numbers(3, 4))), out="b")
    net.node("MatMul", "b", net.constant("w2", numbers(4, 5)), out="c")
    assert [node.op for node in changed(net, "c", "b", shift=0.25).nodes][-2:] == ["MatMul", "Add"]


def test_a_bias_that_others_read_too_stays_and_a_copy_changes():
    net = Net()
    bias = net.constant("bias", numbers(4))
    net.node("Conv", net.input("x", 1, 3, 8, 8), net.constant("w1", numbers(4, 3, 1, 1)), bias, out="a")
    net.node("Relu", "a", out="b")
    net.node("Conv", "b", net.constant("w2", numbers(4, 4, 1, 1)), bias, out="c")
    after = changed(net, "c", "b", scale=2.0)
    assert np.array_equal(after.constants["bias"], numbers(4))
    assert after.by_name["a"].inputs[2] == "a_bias"
    assert after.by_name["c"].inputs[2] == "bias"


def test_layer_normalization_takes_up_scale_and_shift():
    net = Net()
    net.node("LayerNormalization", net.input("x", 2, 6), net.constant("g", numbers(6)), out="a", axis=-1)
    net.node("Gemm", "a", net.constant("w", numbers(6, 5)), out="c")
    after = changed(net, "c", "a", scale=2.0, shift=0.5)
    assert np.array_equal(after.constants["g"], numbers(6) / 2)
    assert np.array_equal(after.constants[after.by_name["a"].inputs[2]], np.full(6, -0.5, np.float32))


def test_what_a_shifted_tensor_is_padded_with_is_where_zero_went():
    net = Net()
    net.node("Relu", net.node("Conv", net.input("x", 1, 3, 8, 8), net.constant("w1", numbers(4, 3, 1, 1))), out="b")
    net.node("Pad", "b", net.constant("pads", np.array([0, 2, 1, 1, 0, 2, 1, 1])), out="p")
    net.node("Conv", "p", net.constant("w2", numbers(5, 8, 3, 3)), out="c")
    after = changed(net, "c", "b", shift=0.5)
    assert after.constants[after.by_name["p"].inputs[2]] == np.float32(-0.5)
