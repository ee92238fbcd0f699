"""Graphs in other lanes: which constants take units and zeros up, and which nodes are added."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from tests.bench import EXACT, Bench, Floats
from tests.moved import drawn, error, feeds, known, moved, random_error

from onnxq import onnx_io
from onnxq.core.affine import Affine, reparametrized
from onnxq.core.lane_rules import lanes_of
from onnxq.core.normal import Normal


def changed(net, *outputs, tensor="h", scale=1.0, shift=0.0):
    """Views of a net and of the same with one tensor's lanes moved, which must compute the same."""
    model = known(net.model(*outputs))
    view = onnx_io.view(model)
    lanes = lanes_of(view)
    scales, shifts = np.ones(lanes.scales.size), np.zeros(lanes.shifts.size)
    scales[lanes.scales[lanes.of[tensor]]] = np.broadcast_to(scale, lanes.of[tensor].size).reshape(
        lanes.of[tensor].shape
    )
    shifts[lanes.shifts[lanes.of[tensor]]] = np.broadcast_to(shift, lanes.of[tensor].size).reshape(
        lanes.of[tensor].shape
    )
    assert scales[0] == 1.0
    assert shifts[0] == 0.0
    affine = Affine.of(lanes, scales, shifts)
    assert error(model, moved(model, affine), feeds(view, np.random.default_rng(0))) <= EXACT
    return view, reparametrized(view, affine)


def operators(view):
    return [node.op for node in view.nodes]


def test_if_nothing_moves_everything_stays_as_it_is():
    net = Bench()
    net.node("Clip", net.node("Add", "h", net.numbers("c", 4, 1, 1), out="s"), "", net.constant("six", 6.0), out="r")
    view = onnx_io.view(known(net.model(net.conv("r", "y", pads=[1, 1, 1, 1]))))
    after = reparametrized(view, Affine.of(lanes_of(view)))
    assert after.nodes == view.nodes
    assert after.constants.keys() == view.constants.keys()
    assert all(after.constants[name] is array for name, array in view.constants.items())


def test_what_batchnorm_knows_is_known_in_the_new_unit_and_from_the_new_zero():
    net = Bench()
    view = onnx_io.view(known(net.model(net.conv("h", "y"))))
    normal = Normal(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.5, 1.0, 1.5, 2.0]))
    lanes = lanes_of(view)
    affine = drawn(lanes, np.random.default_rng(0))
    after = reparametrized(replace(view, normals={"h": normal, "elsewhere": normal}), affine).normals
    ids = lanes.of["h"].ravel()
    np.testing.assert_allclose(after["h"].mean, normal.mean / affine.scale[ids] - affine.shift[ids])
    np.testing.assert_allclose(after["h"].deviation, normal.deviation / affine.scale[ids])
    assert after["elsewhere"] is normal


def test_the_graph_that_was_given_is_not_touched():
    net = Bench()
    view = onnx_io.view(known(net.model(net.conv("h", "y"))))
    before = {name: array.copy() for name, array in view.constants.items()}
    reparametrized(view, drawn(lanes_of(view), np.random.default_rng(0)))
    assert all(np.array_equal(view.constants[name], array) for name, array in before.items())


class TestLinear:
    def test_units_are_moved_from_weight_to_weight_and_no_bias_is_needed(self):
        net = Bench()
        before, after = changed(net, net.conv("h", "y"), scale=[1, 2, 4, 8])
        unit = np.array([1, 2, 4, 8], np.float32)
        np.testing.assert_array_equal(after.constants["w"], before.constants["w"] / unit[:, None, None, None])
        np.testing.assert_array_equal(after.constants["y_w"], before.constants["y_w"] * unit[None, :, None, None])
        assert after.nodes == before.nodes

    def test_a_shift_is_taken_up_by_biases_that_appear_where_there_are_none(self):
        net = Bench()
        before, after = changed(net, net.conv("h", "y"), shift=[1, 2, 3, 4])
        assert after.by_name["h"].inputs == ("x", "w", "h_bias")
        assert after.constants["h_bias"].tolist() == [-1, -2, -3, -4]
        expected = before.constants["y_w"][:, :, 0, 0] @ np.array([1, 2, 3, 4])
        np.testing.assert_allclose(after.constants["y_bias"], expected, rtol=1e-6)
        assert after.constants["y_bias"].dtype == np.float32

    def test_a_bias_that_others_read_stays_and_each_reader_gets_its_own(self):
        net = Bench()
        net.node("Conv", "x", net.numbers("v", 4, 3, 1, 1), net.numbers("b", 4), out="a")
        net.node("Conv", "a", net.numbers("u", 4, 4, 1, 1), "b", out="y")
        before, after = changed(net, "y", tensor="a", shift=1.0)
        assert after.constants["b"] is before.constants["b"]
        assert [after.by_name[name].inputs[2] for name in "ay"] == ["a_bias", "y_bias"]

    def test_names_that_are_taken_are_left_alone(self):
        net = Bench()
        net.numbers("h_bias", 4, 1, 1)
        net.node("Conv", net.node("Add", "h", "h_bias", out="y_bias"), net.numbers("u", 4, 4, 1, 1), out="y")
        _, after = changed(net, "y", shift=1.0)
        assert after.by_name["h"].inputs[2] == "h_bias_1"

    @pytest.mark.parametrize("shape", [(2, 3), (1, 3), (3,), (2, 1), (1,), ()])
    def test_the_bias_of_a_gemm_may_have_any_shape(self, shape):
        rng, net = np.random.default_rng(0), Floats()
        net.node(
            "Gemm",
            net.input("x", 2, 4),
            net.constant("w", rng.normal(size=(4, 3))),
            net.constant("b", rng.normal(size=shape)),
            out="h",
        )
        net.node("Gemm", "h", net.constant("v", rng.normal(size=(3, 2))), out="y")
        _, after = changed(net, "y", scale=[0.5, 2, 3], shift=[1, 2, 3])
        assert operators(after) == ["Gemm", "Gemm"]

    def test_a_padded_conv_of_shifted_lanes_has_a_map_added_behind_it_which_is_0_inside(self):
        net = Bench(2, 3, 5, 5)
        net.node("Conv", "h", net.numbers("k", 5, 4, 3, 3), out="y", pads=[1, 1, 1, 1])
        before, after = changed(net, "y", shift=[1, 2, 3, 4])
        assert [(node.op, node.inputs[:2], node.outputs) for node in after.nodes[1:]] == [
            ("Conv", ("h", "k"), ("y_border",)),
            ("Add", ("y_border", "y_border_1"), ("y",)),
        ]
        assert after.by_name["y"].op == "Conv"
        border = after.constants["y_border_1"]
        assert border.shape == (1, 5, 5, 5)
        assert not border[:, :, 1:-1, 1:-1].any()
        assert border[:, :, 0].all()
        assert (after.shapes["y_border"], after.dtypes["y_border"]) == (before.shapes["y"], "float32")

    def test_a_padded_conv_of_lanes_in_other_units_has_none(self):
        net = Bench()
        net.node("Conv", "h", net.numbers("k", 5, 4, 3, 3), out="y", pads=[1, 1, 1, 1])
        assert operators(changed(net, "y", scale=[1, 2, 3, 4])[1]) == ["Conv", "Conv"]

    @pytest.mark.parametrize("batch", [2, "N"])
    def test_a_bordered_conv_does_not_care_about_the_batch(self, batch):
        net = Bench(batch, 3, 5, 6)
        net.node("Conv", "h", net.numbers("k", 4, 1, 3, 3), out="d", auto_pad="SAME_LOWER", group=4, strides=[2, 2])
        assert operators(changed(net, net.conv("d", "y"), shift=[1, 2, 3, 4])[1]) == ["Conv", "Conv", "Add", "Conv"]

    def test_in_one_dimension_and_in_three(self):
        for sizes in ((7,), (4, 3, 5)):
            net = Bench(2, 3, *sizes)
            kernel = net.numbers("k", 2, 4, *[3] * len(sizes))
            net.node("Conv", "h", kernel, out="y", pads=[1] * 2 * len(sizes))
            assert random_error(net.model("y")) <= EXACT

    def test_the_shift_of_a_matmul_is_taken_up_by_the_add_behind_it(self):
        rng, net = np.random.default_rng(0), Floats()
        net.node("MatMul", net.input("x", 2, 3, 4), net.constant("w", rng.normal(size=(4, 5))), out="m")
        net.node("Add", "m", net.constant("b", rng.normal(size=5)), out="h")
        net.node("MatMul", "h", net.constant("v", rng.normal(size=(5, 2))), out="n")
        net.node("Add", net.constant("c", rng.normal(size=2)), "n", out="y")
        assert operators(changed(net, "y", shift=[1, 2, 3, 4, 5])[1]) == ["MatMul", "Add", "MatMul", "Add"]

    def test_without_an_add_behind_a_matmul_one_is_put_there(self):
        net = Floats()
        net.node("MatMul", net.input("x", 2, 4), net.constant("w", np.eye(4)), out="h")
        net.node("MatMul", "h", net.constant("v", np.eye(4)), out="y")
        assert operators(changed(net, "y", shift=[1, 2, 3, 4])[1]) == ["MatMul", "Add", "MatMul", "Add"]

    def test_an_add_behind_a_matmul_that_carries_nothing_takes_nothing_up(self):
        net = Floats()
        net.node("MatMul", net.input("x", 2, 4), net.constant("w", np.eye(4)), out="h")
        net.node("MatMul", "h", net.constant("v", np.eye(4)), out="m")
        net.node("Add", "m", net.constant("c", np.ones((3, 1, 4))), out="y")
        assert operators(changed(net, "y", shift=[1, 2, 3, 4])[1]) == ["MatMul", "Add", "MatMul", "Add", "Add"]


class TestCut:
    def test_a_relu_of_shifted_lanes_is_a_clip(self):
        net = Bench()
        net.node("Relu", "h", out="r")
        _, after = changed(net, net.conv("r", "y"), tensor="r", scale=[1, 2, 3, 4], shift=1.5)
        assert (after.by_name["r"].op, after.by_name["r"].inputs) == ("Clip", ("h", "r_low"))
        assert (after.constants["r_low"].shape, float(after.constants["r_low"])) == ((), -1.5)

    def test_a_relu_of_lanes_in_other_units_stays_one(self):
        net = Bench()
        _, after = changed(net, net.conv(net.node("Relu", "h", out="r"), "y"), scale=[1, 2, 3, 4])
        assert after.by_name["r"].op == "Relu"

    def test_bounds_move_with_the_lanes_and_stay_for_others_that_read_them(self):
        net = Bench()
        bounds = net.constant("zero", 0.0), net.constant("six", 6.0)
        net.node("Clip", "h", *bounds, out="r")
        net.node("Clip", net.conv("r", "z"), *bounds, out="y")
        _, after = changed(net, "y", tensor="r", scale=2.0, shift=1.0)
        assert after.by_name["r"].inputs == ("h", "r_low", "r_high")
        assert [float(after.constants[name]) for name in ("r_low", "r_high", "zero", "six")] == [-1, 2, 0, 6]
        assert after.by_name["y"].inputs == ("z", "zero", "six")

    def test_a_bound_that_nobody_else_reads_is_changed_in_place(self):
        net = Bench()
        net.node("Clip", "h", "", net.constant("six", 6.0), out="r")
        _, after = changed(net, net.conv("r", "y"), tensor="r", scale=2.0, shift=1.0)
        assert after.by_name["r"].inputs == ("h", "", "six")
        assert float(after.constants["six"]) == 2.0


class TestStreams:
    def test_what_a_relu_and_an_add_read_has_one_shift_for_both(self):
        net = Bench()
        inner = net.node("Conv", net.node("Relu", "h", out="r"), net.numbers("v", 4, 4, 3, 3), out="b", pads=[1] * 4)
        net.conv(net.node("Add", "h", inner, out="s"), "y")
        assert random_error(net.model("y")) <= EXACT

    def test_what_is_added_and_concatenated(self):
        net = Bench()
        inner = net.node("Conv", net.node("Relu", "h", out="r"), net.numbers("v", 4, 4, 1, 1), out="b")
        stream = net.node("Relu", net.node("Add", "r", inner, out="s"), out="t")
        net.conv(net.node("Concat", "r", stream, "b", out="m", axis=1), "y", 12)
        assert random_error(net.model("y")) <= EXACT

    def test_a_tensor_that_is_added_to_itself(self):
        net = Bench()
        net.conv(net.node("Add", "h", "h", out="s"), "y")
        assert random_error(net.model("y")) <= EXACT

    def test_a_constant_that_two_sums_share_stays(self):
        net = Bench()
        net.numbers("c", 4, 1, 1)
        net.conv(net.node("Add", net.node("Relu", net.node("Add", "h", "c", out="s"), out="r"), "c", out="t"), "y")
        before, after = changed(net, "y", tensor="s", shift=1.0)
        assert after.constants["c"] is before.constants["c"]
        assert (after.by_name["s"].inputs[1], after.by_name["t"].inputs[1]) == ("s_constant", "t_constant")

    def test_padded_zeros_become_what_stands_for_0(self):
        net = Bench()
        net.node("Pad", "h", net.indices("p", 0, 0, 1, 1, 0, 0, 1, 1), out="m")
        _, after = changed(net, net.conv("m", "y"), tensor="m", shift=2.0)
        assert float(after.constants[after.by_name["m"].inputs[2]]) == -2.0

    def test_layer_normalization_gets_a_bias_if_it_lacks_one(self):
        net = Floats()
        net.node("LayerNormalization", net.input("x", 2, 3, 4), net.constant("s", np.arange(1.0, 5)), out="h")
        net.node("MatMul", "h", net.constant("w", np.eye(4)), out="m")
        net.node("Add", "m", net.constant("b", np.ones(4)), out="y")
        _, after = changed(net, "y", scale=[1, 2, 4, 8], shift=[1, 2, 3, 4])
        assert after.by_name["h"].inputs == ("x", "s", "h_bias")
        assert after.constants["s"].tolist() == [1, 1, 0.75, 0.5]
        assert after.constants["h_bias"].tolist() == [-1, -2, -3, -4]


class TestLeft:
    def test_what_is_an_output_too_is_computed_as_before(self):
        net = Bench()
        net.node("Relu", "h", out="r")
        assert random_error(net.model(net.conv("r", "y", pads=[1, 1, 1, 1]), "r")) <= EXACT

    def test_a_weight_that_a_body_reads_is_left(self):
        net = Bench()
        net.node("Conv", "h", net.numbers("k", 4, 4, 1, 1), net.numbers("b", 4), out="a")
        view = replace(onnx_io.view(known(net.model(net.conv("a", "y")))), captured=frozenset({"b"}))
        after = reparametrized(view, drawn(lanes_of(view), np.random.default_rng(0)))
        assert after.constants["b"] is view.constants["b"]
        assert after.by_name["a"].inputs[2] == "a_bias"

    def test_a_tensor_of_no_rows_stays_empty(self):
        net = Bench(0, 3, 5, 6)
        assert random_error(net.model(net.conv(net.node("Relu", "h", out="r"), "y"))) == 0.0

    @pytest.mark.parametrize("opset", [13, 17, 19, 21])
    def test_any_opset_will_do(self, opset):
        net = Bench()
        net.opset = opset
        net.node("MaxPool", net.node("Relu", "h", out="r"), out="p", kernel_shape=[2, 2])
        model = net.model(net.conv("p", "y", pads=[1, 1, 1, 1]))
        model.ir_version = 7 if opset < 19 else 10
        assert random_error(model) <= EXACT

    def test_the_result_is_a_model_of_the_same_inputs_and_outputs(self):
        net = Bench("N", 3, 5, 6)
        model = known(net.model(net.conv("h", "y", pads=[1, 1, 1, 1])))
        after = moved(model, drawn(lanes_of(onnx_io.view(model)), np.random.default_rng(0)))
        assert [list(after.graph.input), list(after.graph.output)] == [
            list(model.graph.input),
            list(model.graph.output),
        ]
        assert isinstance(after, onnx.ModelProto)
