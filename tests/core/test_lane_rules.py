"""How lanes run through operators: what is free, what belongs together, and why some nodes carry nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from onnx import helper
from tests.bench import EXACT, Bench, Floats, refusal, scales, shifts
from tests.moved import known, random_error
from tests.net import Net
from tests.sketch import sketch

from onnxq import onnx_io
from onnxq.core.lane_rules import is_own, lanes_of


class TestLinear:
    def test_each_output_channel_of_a_conv_is_free(self):
        net = Bench()
        lanes = net.lanes(net.conv("h", "y"))
        assert lanes.of["h"].shape == (1, 4, 1, 1)
        assert scales(lanes, "h") == shifts(lanes, "h") == [1, 2, 3, 4]
        assert not lanes.frozen
        assert not lanes.bordered

    def test_inputs_and_outputs_are_left_as_they_are(self):
        net = Bench()
        lanes = net.lanes(net.conv("h", "y"))
        assert scales(lanes, "x") == shifts(lanes, "x") == [0]
        assert scales(lanes, "y") == shifts(lanes, "y") == [0] * 5

    def test_an_inner_tensor_that_is_an_output_too_is_left_as_it_is(self):
        net = Bench()
        assert scales(net.lanes(net.conv("h", "y"), "h"), "h") == [0] * 4

    @pytest.mark.parametrize(
        "padding", [{"pads": [1, 1, 1, 1]}, {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"}]
    )
    def test_a_padded_conv_says_so(self, padding):
        net = Bench()
        kernel = net.numbers("k", 5, 4, 3, 3)
        lanes = net.lanes(net.node("Conv", "h", kernel, out="y", **padding))
        assert shifts(lanes, "h") == [1, 2, 3, 4]
        assert lanes.bordered == {"y"}

    def test_a_padded_conv_takes_no_shifts_where_its_borders_are_not_known(self):
        net = Bench(2, 3, 5, "width")
        lanes = net.lanes(net.node("Conv", "h", net.numbers("k", 5, 4, 3, 3), out="y", pads=[1, 1, 1, 1]))
        assert scales(lanes, "h") == [1, 2, 3, 4]
        assert shifts(lanes, "h") == [0] * 4
        assert not lanes.bordered

    def test_a_conv_without_padding_takes_shifts_at_any_size(self):
        net = Bench("N", 3, "height", "width")
        assert shifts(net.lanes(net.conv("h", "y")), "h") == [1, 2, 3, 4]

    def test_a_transposed_conv_takes_no_shifts_since_not_all_taps_meet_everywhere(self):
        net = Bench()
        made = net.node("ConvTranspose", "h", net.numbers("k", 4, 2, 3, 3), out="t", group=2, strides=[2, 2])
        lanes = net.lanes(net.conv(made, "y"))
        assert (scales(lanes, "h"), shifts(lanes, "h")) == ([1, 2, 3, 4], [0] * 4)
        assert scales(lanes, "t") == shifts(lanes, "t") == [1, 2, 3, 4]

    def test_gemm_and_matmul_have_lanes_along_their_last_axis(self):
        net = Floats()
        net.node("Gemm", net.input("x", 2, 3), net.constant("w", np.ones((4, 3))), out="g", transB=1)
        net.node("MatMul", "g", net.constant("v", np.ones((4, 2))), out="m")
        net.node("MatMul", "m", net.constant("u", np.ones((2, 2))), out="y")
        lanes = lanes_of(onnx_io.view(known(net.model("y"))))
        assert lanes.of["g"].shape == (1, 4)
        assert shifts(lanes, "g") == [1, 2, 3, 4]
        assert shifts(lanes, "m") == [1, 2]

    def test_of_a_weight_that_others_read(self):
        net = Bench()
        net.node("Conv", "h", net.numbers("k", 4, 4, 1, 1), out="a")
        net.node("Conv", "a", "k", out="b")
        lanes = net.lanes("b")
        assert lanes.frozen["a"] == lanes.frozen["b"] == "other nodes read 'k' too"
        assert scales(lanes, "h") == [0] * 4

    def test_a_bias_that_others_read_is_no_hindrance(self):
        net = Bench()
        net.node("Conv", "h", net.numbers("k", 4, 4, 1, 1), net.numbers("b", 4), out="a")
        net.node("Conv", "a", net.numbers("l", 4, 4, 1, 1), "b", out="y")
        assert not net.lanes("y").frozen

    def test_of_a_weight_or_bias_that_is_computed(self):
        net = Bench()
        net.input("v", 4)
        net.node("Conv", "h", net.numbers("k", 4, 4, 1, 1), "v", out="y")
        assert refusal(net, "y") == "'v' is computed at run time"
        net = Bench()
        net.node("Conv", "h", net.input("v", 4, 4, 1, 1), out="y")
        assert refusal(net, "y") == "'v' is computed at run time"

    def test_of_a_weight_with_infinite_numbers(self):
        net = Bench()
        net.node("Conv", "h", net.constant("k", np.full((4, 4, 1, 1), np.inf)), out="y")
        assert net.lanes("y").frozen["y"] == "'k' holds other numbers than finite ones of FP32"

    def test_of_a_matmul_by_a_stack_of_matrices(self):
        net = Floats()
        net.node("MatMul", net.input("x", 2, 3, 4), net.constant("w", np.ones((2, 4, 5))), out="y")
        assert refusal(net, "y") == "its weight is no matrix"

    @pytest.mark.parametrize(
        ("attributes", "shape"), [({"alpha": 2.0}, (2, 4)), ({"beta": 0.5}, (2, 4)), ({"transA": 1}, (4, 2))]
    )
    def test_of_a_gemm_that_does_more(self, attributes, shape):
        net = Floats()
        net.node(
            "Gemm",
            net.input("x", *shape),
            net.constant("w", np.ones((4, 3))),
            net.constant("b", np.ones(3)),
            out="y",
            **attributes,
        )
        assert refusal(net, "y") == "it turns or scales its operands"

    def test_of_lanes_that_run_another_way(self):
        net = Bench()
        made = net.node("Transpose", "h", perm=[0, 2, 1, 3])
        net.node("Conv", made, net.numbers("k", 5, 5, 1, 1), out="y")
        assert refusal(net, "y") == "its input has lanes of other kinds"


class TestProduct:
    def test_columns_of_the_right_activation_run_through_without_shifts(self):
        net = Floats()
        net.node("MatMul", net.input("x", 2, 3, 4), net.constant("w", np.ones((4, 5))), out="v")
        net.node("MatMul", net.input("a", 2, 6, 3), "v", out="m")
        net.node("MatMul", "m", net.constant("u", np.ones((5, 2))), out="y")
        lanes = lanes_of(onnx_io.view(known(net.model("y"))))
        assert scales(lanes, "m") == [1, 2, 3, 4, 5]
        np.testing.assert_array_equal(lanes.scales[lanes.of["m"]], lanes.scales[lanes.of["v"]])
        assert shifts(lanes, "m") == shifts(lanes, "v") == [0] * 5

    def test_of_rows_that_are_lanes(self):
        net = Bench(2, 3, 6)
        net.node("MatMul", net.input("a", 2, 7, 4), "h", out="y")
        assert refusal(net, "y") == "it multiplies lanes by each other"

    def test_of_a_vector(self):
        net = Floats()
        net.node("MatMul", net.input("a", 3, 4), net.input("b", 4), out="y")
        assert refusal(net, "y") == "it multiplies lanes by each other"

    def test_of_a_constant_on_the_left(self):
        net = Bench(2, 3, 6)
        net.node("MatMul", net.numbers("a", 7, 4), "h", out="y")
        assert refusal(net, "y") == "it multiplies lanes by each other"


class TestNormalized:
    def layer(self, *more: str, scale: str = "s", **attributes: Any) -> Net:
        net = Floats()
        net.node("MatMul", net.input("x", 2, 3, 4), net.constant("w", np.ones((4, 5)) + np.arange(5)), out="h")
        net.constant("s", np.linspace(1, 2, 5))
        net.constant("b", np.linspace(-1, 2, 5))
        net.node("LayerNormalization", "h", scale, *more, out="n", **attributes)
        net.node("MatMul", "n", net.constant("u", np.ones((5, 2))), out="y")
        return net

    @pytest.mark.parametrize("bias", [(), ("b",)])
    def test_scale_and_bias_make_lanes_and_what_is_normalized_is_fixed(self, bias):
        model = self.layer(*bias, axis=2).model("y")
        lanes = lanes_of(onnx_io.view(known(model)))
        assert scales(lanes, "n") == shifts(lanes, "n") == [1, 2, 3, 4, 5]
        assert scales(lanes, "h") == shifts(lanes, "h") == [0] * 5
        assert random_error(model) <= EXACT

    def test_of_several_axes(self):
        net = self.layer()
        net.weights["s"] = np.ones((3, 5), np.float32)
        net.nodes[1].attribute.append(helper.make_attribute("axis", 1))
        assert refusal(net, "n", "y") == "it normalizes several axes, or its mean is read"

    def test_of_a_mean_that_is_read(self):
        net = self.layer("b")
        net.nodes[1].output.append("mean")
        lanes = lanes_of(onnx_io.view(known(net.model("y", "mean"))))
        assert lanes.frozen["n"] == "it normalizes several axes, or its mean is read"

    def test_of_a_scale_that_is_computed(self):
        net = self.layer(scale="t")
        net.input("t", 5)
        assert refusal(net, "n", "y") == "'t' is computed at run time"


class TestCut:
    def test_a_relu_has_a_unit_for_each_lane_and_one_shift_for_all(self):
        net = Bench()
        lanes = net.lanes(net.conv(net.node("Relu", "h", out="r"), "y"))
        assert scales(lanes, "r") == scales(lanes, "h") == [1, 2, 3, 4]
        assert shifts(lanes, "r") == shifts(lanes, "h") == [1] * 4
        assert lanes.scales[lanes.of["r"]].tolist() == lanes.scales[lanes.of["h"]].tolist()

    def test_a_clip_at_0_is_a_relu(self):
        net = Bench()
        lanes = net.lanes(net.conv(net.node("Clip", "h", net.constant("zero", 0.0), out="r"), "y"))
        assert scales(lanes, "r") == [1, 2, 3, 4]

    @pytest.mark.parametrize("bounds", [("zero", "six"), ("", "six"), ("six",)])
    def test_a_clip_at_another_number_has_one_unit(self, bounds):
        net = Bench()
        net.constant("zero", 0.0)
        net.constant("six", 6.0)
        lanes = net.lanes(net.conv(net.node("Clip", "h", *bounds, out="r"), "y"))
        assert scales(lanes, "r") == shifts(lanes, "r") == [1] * 4

    def test_of_bounds_that_are_computed(self):
        net = Bench()
        net.inputs["low"] = ()
        net.node("Clip", "h", "low", out="y")
        assert refusal(net, "y") == "its bounds are known at run time only"

    def test_of_bounds_as_old_models_say_them(self):
        view = sketch("h = Conv(x, w[4,4,1,1])\n c = Clip(h) min=0,6", dict.fromkeys("xhc", (1, 4, 2, 2)))
        assert lanes_of(view).frozen["c"] == "its bounds are attributes"


class TestLeaky:
    @pytest.mark.parametrize(
        ("op", "operands", "attributes"),
        [
            ("LeakyRelu", ("h",), {"alpha": 0.2}),
            ("PRelu", ("h", "c"), {}),
            ("Mul", ("h", "d"), {}),
            ("Mul", ("d", "h"), {}),
            ("Div", ("h", "d"), {}),
        ],
    )
    def test_any_unit_passes_but_no_shift(self, op, operands, attributes):
        net = Bench()
        net.numbers("c", 4, 1, 1)
        net.numbers("d", 1)
        net.conv(net.node(op, *operands, out="r", **attributes), "y")
        lanes = net.lanes("y")
        assert scales(lanes, "r") == [1, 2, 3, 4]
        assert lanes.scales[lanes.of["r"]].tolist() == lanes.scales[lanes.of["h"]].tolist()
        assert shifts(lanes, "r") == shifts(lanes, "h") == [0] * 4
        assert random_error(net.model("y")) <= EXACT

    @pytest.mark.parametrize(
        ("op", "operands"), [("Mul", ("h", "h")), ("Div", ("c", "h")), ("Div", ("h", "h")), ("PRelu", ("h", "h"))]
    )
    def test_of_products_of_lanes(self, op, operands):
        net = Bench()
        net.numbers("c", 4, 1, 1)
        net.node(op, *operands, out="y")
        assert refusal(net, "y") == "it multiplies lanes by each other"

    def test_of_a_constant_with_more_axes(self):
        net = Bench()
        net.node("Mul", "h", net.numbers("c", 3, 1, 4, 1, 1), out="y")
        assert refusal(net, "y") == "it has more axes behind"


class TestMultiplied:
    @pytest.mark.parametrize(("op", "operands"), [("Mul", ("h", "c")), ("Mul", ("c", "h")), ("Div", ("h", "c"))])
    def test_a_number_for_each_channel_makes_lanes_of_any_unit(self, op, operands):
        net = Bench()
        net.numbers("c", 4, 1, 1)
        net.conv(net.node(op, *operands, out="r"), "y")
        lanes = net.lanes("y")
        assert scales(lanes, "r") == scales(lanes, "h") == [1, 2, 3, 4]
        assert not set(lanes.scales[lanes.of["r"]].ravel()) & set(lanes.scales[lanes.of["h"]].ravel())
        assert shifts(lanes, "r") == shifts(lanes, "h") == [0] * 4
        assert random_error(net.model("y")) <= EXACT

    def test_of_numbers_whose_unit_is_fixed_too(self):
        """As the scale of a LayerNormalization in many nodes does."""
        net = Bench()
        net.node("Mul", net.node("Tanh", "h", out="t"), net.numbers("c", 4, 1, 1), out="r")
        lanes = net.lanes(net.conv("r", "y"))
        assert scales(lanes, "r") == [1, 2, 3, 4]
        assert random_error(net.model("y")) <= EXACT

    @pytest.mark.parametrize("shape", [(5, 6), (1, 4, 5, 6), ()], ids=["for each place", "for all", "one"])
    def test_units_pass_where_the_constant_is_not_for_channels(self, shape):
        net = Bench()
        net.conv(net.node("Mul", "h", net.numbers("c", *shape), out="r"), "y")
        lanes = net.lanes("y")
        assert lanes.scales[lanes.of["r"]].tolist() == lanes.scales[lanes.of["h"]].tolist()
        assert random_error(net.model("y")) <= EXACT

    def test_units_pass_where_others_read_the_constant(self):
        net = Bench()
        net.node("Mul", "h", net.numbers("c", 4, 1, 1), out="r")
        net.conv(net.node("Mul", "r", "c", out="s"), "y")
        lanes = net.lanes("y")
        assert lanes.scales[lanes.of["s"]].tolist() == lanes.scales[lanes.of["h"]].tolist()
        assert random_error(net.model("y")) <= EXACT


class TestAdded:
    def test_two_operands_have_one_unit_and_their_shifts_add_up(self):
        net = Bench()
        other = net.node("Conv", "x", net.numbers("v", 4, 3, 1, 1), out="b")
        lanes = net.lanes(net.conv(net.node("Add", "h", other, out="s"), "y"))
        assert (
            lanes.scales[lanes.of["s"]].tolist()
            == lanes.scales[lanes.of["h"]].tolist()
            == lanes.scales[lanes.of["b"]].tolist()
        )
        assert shifts(lanes, "s") == [1, 2, 3, 4]
        assert lanes.sums.T.tolist() == [[int(lanes.of[t].flat[at]) for t in "shb"] for at in range(4)]

    def test_an_operand_that_is_the_same_for_all_channels_makes_their_units_one(self):
        net = Bench()
        mean = net.node("Conv", "x", net.numbers("v", 1, 3, 1, 1), out="b")
        lanes = net.lanes(net.conv(net.node("Add", "h", mean, out="s"), "y"))
        assert scales(lanes, "s") == scales(lanes, "h") == [1] * 4
        assert shifts(lanes, "s") == [1, 2, 3, 4]

    @pytest.mark.parametrize("shape", [(4, 1, 1), (1, 4, 5, 6), (5, 6), (1,), ()])
    def test_a_constant_takes_any_shift_up(self, shape):
        net = Bench(2, 3, 5, 6)
        lanes = net.lanes(net.conv(net.node("Add", net.numbers("c", *shape), "h", out="s"), "y"))
        assert lanes.scales[lanes.of["s"]].tolist() == lanes.scales[lanes.of["h"]].tolist()
        assert not {*lanes.shifts[lanes.of["s"]].flat} & {*lanes.shifts[lanes.of["h"]].flat}
        assert lanes.sums.shape == (3, 0)
        assert random_error(net.model("y")) <= EXACT

    def test_of_operands_of_other_ranks(self):
        net = Bench()
        net.node("Add", "h", net.input("v", 5, 6), out="y")
        assert refusal(net, "y") == "its shape is not known, or an operand is repeated along new axes"


class TestAveraged:
    @pytest.mark.parametrize("op", ["AveragePool", "GlobalAveragePool", "ReduceMean"])
    def test_means_have_unit_and_shift_of_what_they_are_means_of(self, op):
        net = Bench()
        axes = (net.indices("axes", -1, 2),) if op == "ReduceMean" else ()
        window = {"kernel_shape": [2, 2], "pads": [1, 1, 0, 0]} if op == "AveragePool" else {}
        lanes = net.lanes(net.conv(net.node(op, "h", *axes, out="m", **window), "y"))
        for classes in (lanes.scales, lanes.shifts):
            assert classes[lanes.of["m"]].tolist() == classes[lanes.of["h"]].tolist()
        assert shifts(lanes, "m") == [1, 2, 3, 4]
        assert random_error(net.model("y")) <= EXACT

    def test_axes_that_are_not_kept_are_gone(self):
        net = Bench()
        net.node("ReduceMean", "h", net.indices("axes", 2, 3), out="m", keepdims=0)
        net.node("MatMul", "m", net.numbers("u", 4, 2), out="y")
        assert net.lanes("y").of["m"].shape == (1, 4)
        assert random_error(net.model("y")) <= EXACT

    @pytest.mark.parametrize("how", [{"pads": [1, 1, 1, 1]}, {"ceil_mode": 1, "strides": [2, 2]}])
    def test_padded_zeros_that_count_take_no_shift(self, how):
        net = Bench()
        lanes = net.lanes(
            net.conv(net.node("AveragePool", "h", out="m", kernel_shape=[2, 2], count_include_pad=1, **how), "y")
        )
        assert (scales(lanes, "m"), shifts(lanes, "m")) == ([1, 2, 3, 4], [0] * 4)

    @pytest.mark.parametrize("axes", [(), ("",), ("none",), ("v",)])
    def test_of_axes_that_are_not_said(self, axes):
        view = sketch("h = Conv(x, w[4,4,1,1])\n m = ReduceMean(h, a)", dict.fromkeys("xhmv", (1, 4, 2, 2)))
        node = replace(view.nodes[1], inputs=("h", *axes))
        view = replace(view, nodes=(view.nodes[0], node), constants={**view.constants, "none": np.zeros(0, np.int64)})
        assert lanes_of(view).frozen["m"] == "what it reduces is not said"

    def test_of_a_mean_over_channels(self):
        net = Bench()
        net.node("ReduceMean", "h", net.indices("axes", 1), out="y")
        assert refusal(net, "y") == "its places are lanes of their own"


class TestEveryNode:
    def test_of_tensors_that_nothing_makes_lanes_may_be_given(self):
        view = sketch("h = Conv(x, w[4,4,1,1])\n y = Conv(h, v[4,4,1,1])", dict.fromkeys("xhy", (1, 4, 2, 2)))
        lanes = lanes_of(replace(view, inputs=()), {"x": (1, 4, 1, 1)})
        assert scales(lanes, "x") == shifts(lanes, "x") == [1, 2, 3, 4]
        assert scales(lanes_of(view, {"x": (1, 4, 1, 1)}), "x") == [0] * 4

    def test_of_unknown_operators_and_domains(self):
        shapes = dict.fromkeys("xhsy", (1, 4, 2, 2))
        view = sketch("h = Conv(x, w[4,4,1,1])\n s = Sigmoid(h)\n y = other.Relu(h)", shapes)
        lanes = lanes_of(view)
        assert lanes.frozen == {"s": "nothing is known of Sigmoid", "y": "nothing is known of Relu"}
        assert scales(lanes, "h") == shifts(lanes, "h") == [0] * 4

    def test_of_tensors_of_unknown_rank(self):
        view = sketch("h = Conv(x, w[4,4,1,1])\n y = Relu(h)", {"x": (1, 4, 2, 2), "h": (1, 4, 2, 2)})
        assert lanes_of(view).frozen == {"y": "the rank of 'y' is not known"}

    @pytest.mark.parametrize("dtype", [np.float64, np.float16])
    def test_of_other_types_than_fp32(self, dtype):
        net = Floats(dtype)
        net.node("Relu", net.input("x", 2, 3), out="r")
        net.node("Add", "r", net.constant("c", np.ones(3)), out="y")
        assert refusal(net, "y") == "'y' is not FP32"

    def test_of_shapes_that_are_computed(self):
        """Numbers that say where others go are no activations."""
        net = Bench("N", 3, 5, 6)
        net.node("Shape", "h", out="s")
        net.node("Add", "s", net.indices("c", 0, 0, 0, 0), out="t")
        net.conv(net.node("Reshape", "h", "t", out="r"), "y")
        lanes = net.lanes("y")
        assert "s" not in lanes.frozen
        assert lanes.frozen["t"] == "'t' is not FP32"
        assert random_error(net.model("y")) <= EXACT

    def test_what_a_body_reads_is_left_as_it_is(self):
        net = Bench()
        view = onnx_io.view(known(net.model(net.conv(net.node("Relu", "h", out="r"), "y"))))
        lanes = lanes_of(replace(view, captured=frozenset({"r"})))
        assert scales(lanes, "h") == [0] * 4

    def test_a_constant_is_owned_where_nobody_else_sees_it(self):
        view = sketch("a = Add(x, one[1])\n b = Add(a, two[1])\n c = Add(b, two)", outputs=("three",))
        assert [is_own(view, name) for name in ("one", "two", "three")] == [True, False, False]
        assert not is_own(replace(view, captured=frozenset({"one"})), "one")
