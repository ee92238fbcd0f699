"""How lanes run through what only moves numbers."""

from __future__ import annotations

import numpy as np
import pytest
from tests.bench import EXACT, Bench, refusal, scales, shifts
from tests.moved import random_error
from tests.sketch import sketch

from onnxq.core.lane_moves import compressed
from onnxq.core.lane_rules import lanes_of


def through(net, output, count):
    """Which channels of h a tensor's lanes are of, -1 for none of them."""
    lanes = net.lanes(net.conv(output, "y", count))
    assert not lanes.frozen
    assert random_error(net.model("y")) <= EXACT
    places = {lane: at for at, lane in enumerate(lanes.of["h"].ravel().tolist())}
    return [places.get(lane, -1) for lane in lanes.of[output].ravel().tolist()]


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("Identity", {}),
        ("MaxPool", {"kernel_shape": [2, 2], "pads": [1, 1, 1, 1]}),
        ("GlobalMaxPool", {}),
        ("Transpose", {"perm": [3, 1, 0, 2]}),
    ],
)
def test_what_comes_out_of_a_lane_is_of_that_lane(op, attributes):
    net = Bench()
    lanes = net.lanes(net.conv(net.node(op, "h", out="m", **attributes), "y"))
    assert lanes.of["m"].tolist() == lanes.of["h"].tolist()
    assert shifts(lanes, "m") == [1, 2, 3, 4]
    assert random_error(net.model("y")) <= EXACT


class TestResize:
    @pytest.mark.parametrize("mode", ["nearest", "linear"])
    def test_places_are_made_of_places_of_the_same_lane(self, mode):
        net = Bench()
        net.constant("s", np.array([1, 1, 2, 1.5]))
        lanes = net.lanes(net.conv(net.node("Resize", "h", "", "s", out="m", mode=mode), "y"))
        assert shifts(lanes, "m") == [1, 2, 3, 4]
        assert random_error(net.model("y")) <= EXACT

    def test_of_a_cubic_one(self):
        net = Bench()
        net.node("Resize", "h", "", net.constant("s", np.array([1.0, 1, 2, 2])), out="y", mode="cubic")
        assert refusal(net, "y") == "a cubic Resize may cut at 0"

    def test_of_one_that_crops(self):
        view = sketch("h = Conv(x, w[4,4,1,1])\n y = Resize(h, r[8], s[4])", dict.fromkeys("xhy", (1, 4, 2, 2)))
        how = {"coordinate_transformation_mode": b"tf_crop_and_resize"}
        object.__setattr__(view.nodes[1], "attributes", how)
        assert lanes_of(view).frozen["y"] == "a Resize that crops fills in numbers of its own"

    def test_of_one_that_makes_other_channels(self):
        net = Bench()
        net.node("Resize", "h", "", net.constant("s", np.array([1.0, 2, 1, 1])), out="y")
        assert refusal(net, "y") == "it resizes the channels"

    def test_of_one_where_other_axes_have_lanes(self):
        net = Bench()
        turned = net.node("Transpose", "h", perm=[0, 2, 1, 3])
        net.node("Resize", turned, "", net.constant("s", np.array([1.0, 1, 1, 2])), out="y")
        assert refusal(net, "y") == "its places are lanes of their own"

    def test_scales_that_are_computed_are_left_as_they_are(self):
        net = Bench()
        net.input("s", 4)
        net.node("Add", "s", net.constant("c", np.array([0.0, 0, 1, 1])), out="t")
        lanes = net.lanes(net.node("Resize", "h", "", "t", out="y"))
        assert shifts(lanes, "t") == [0]


class TestReshape:
    def test_lanes_go_where_their_channels_go(self):
        net = Bench()
        net.node("Reshape", "h", net.indices("a", 2, 2, 2, 5, 6), out="g")
        net.node("Transpose", "g", out="t", perm=[0, 2, 1, 3, 4])
        net.node("Reshape", "t", net.indices("b", 2, 4, 5, 6), out="m")
        assert through(net, "m", 4) == [0, 2, 1, 3]

    def test_flat_channels_repeat_their_lane_for_each_place(self):
        net = Bench("N", 3, 1, 2)
        net.node("Flatten", "h", out="f")
        net.node("Gemm", "f", net.numbers("v", 8, 3), out="y")
        assert shifts(net.lanes("y"), "f") == [1, 1, 2, 2, 3, 3, 4, 4]
        assert random_error(net.model("y")) <= EXACT

    def test_axes_of_size_1_come_and_go(self):
        net = Bench(2, 3, 5, 1)
        net.node("Squeeze", "h", net.indices("a", 3), out="s")
        net.node("Unsqueeze", "s", net.indices("b", 0), out="u")
        lanes = net.lanes(net.node("Relu", "u", out="y"), "y")
        assert lanes.of["s"].shape == (1, 4, 1)
        assert lanes.of["u"].shape == (1, 1, 4, 1)

    def test_what_has_one_lane_may_have_any_shape(self):
        view = sketch(
            "h = Conv(x, w[1,4,1,1])\n y = Reshape(h, s)",
            {"x": (1, 4, 2, 2), "h": (1, 1, 2, 2), "s": (2,), "y": (None, None)},
        )
        assert not lanes_of(view).frozen

    def test_of_a_shape_that_is_not_known(self):
        shapes = {"x": (1, 4, 2, 2), "h": (1, 4, 2, 2), "s": (2,), "y": (None, None)}
        view = sketch("h = Conv(x, w[4,4,1,1])\n y = Reshape(h, s)", shapes)
        assert lanes_of(view).frozen["y"] == "its shape is known at run time only"

    @pytest.mark.parametrize("how", ["Gather", "Slice"])
    @pytest.mark.parametrize("sizes", [(-1,), (4, -1), (2, 2, 5, 6)])
    def test_of_an_open_batch_that_is_asked_for_and_the_rest_that_is_worked_out(self, how, sizes):
        net = Bench("N", 3, 5, 6)
        net.node("Shape", "h", out="s")
        zero, one = net.indices("zero", 0), net.indices("one", 1)
        net.node(how, "s", zero, *([] if how == "Gather" else [one]), out="n")
        net.node("Concat", "n", net.indices("rest", *sizes), out="t", axis=0)
        net.node("Reshape", "h", "t", out="m")
        net.node("Relu", "m", out="r")
        net.node("ReduceSum", "r", out="y")
        lanes = net.lanes("y")
        assert "m" not in lanes.frozen
        assert len({*lanes.of["m"].ravel().tolist()}) == 4

    def test_of_another_size_than_that_of_the_batch(self):
        net = Bench("N", 3, 5, 6)
        net.node("Gather", net.node("Shape", "h", out="s"), net.indices("last", -1), out="n")
        net.node("Concat", "n", net.indices("rest", -1), out="t", axis=0)
        net.node("Reshape", "h", "t", out="y")
        assert refusal(net, "y") == "its shape is known at run time only"

    def test_of_channels_that_are_moved_into_an_open_batch(self):
        shapes = {"x": (None, 4, 2, 2), "h": (None, 4, 2, 2), "s": (4,), "y": (None, 1, 2, 2)}
        view = sketch("h = Conv(x, w[4,4,1,1])\n y = Reshape(h, s)", shapes)
        assert lanes_of(view).frozen["y"] == "its shape is known at run time only"


class TestConcat:
    def test_channels_lie_behind_each_other(self):
        net = Bench()
        other = net.node("Conv", "x", net.numbers("v", 2, 3, 1, 1), out="b")
        assert through(net, net.node("Concat", other, "h", out="m", axis=1), 6) == [-1, -1, 0, 1, 2, 3]

    def test_constants_and_inputs_are_fixed(self):
        net = Bench()
        net.node("Concat", "h", net.numbers("c", 2, 2, 5, 6), "x", out="m", axis=-3)
        lanes = net.lanes(net.conv("m", "y", 9))
        assert scales(lanes, "m") == shifts(lanes, "m") == [1, 2, 3, 4, 0, 0, 0, 0, 0]
        assert random_error(net.model("y")) <= EXACT

    def test_along_another_axis_places_have_lanes_of_their_own(self):
        net = Bench()
        other = net.node("Conv", "x", net.numbers("v", 4, 3, 1, 1), out="b")
        net.node("Concat", "h", other, out="m", axis=2)
        net.conv("m", "y")
        lanes = net.lanes("y")
        assert lanes.of["m"].shape == (1, 4, 10, 1)
        assert lanes.vector("m") is None
        assert lanes.frozen["y"] == "its input has lanes of other kinds"
        assert random_error(net.model("y")) <= EXACT

    def test_of_a_length_that_is_not_known(self):
        shapes = {"x": (1, 4, 2, 2), "h": (1, 4, 2, 2), "z": (1, None, 2, 2), "y": (1, None, 2, 2)}
        view = sketch("h = Conv(x, w[4,4,1,1])\n y = Concat(h, z) axis=1", shapes)
        assert lanes_of(view).frozen["y"] == "its shape is known at run time only"


class TestPart:
    def test_split_cuts_lanes(self):
        net = Bench()
        net.node("Split", "h", net.indices("sizes", 1, 3), out="a", axis=1)
        net.nodes[-1].output.append("b")
        assert through(net, "b", 3) == [1, 2, 3]

    def test_split_along_another_axis_hands_lanes_on(self):
        net = Bench()
        net.node("Split", "h", net.indices("sizes", 2, 3), out="a", axis=2)
        net.nodes[-1].output.append("b")
        assert through(net, "b", 4) == [0, 1, 2, 3]

    def test_of_a_split_of_unknown_sizes(self):
        shapes = {"x": (1, 4, 2, 2), "h": (1, 4, 2, 2), "s": (2,), "a": (1, None, 2, 2), "b": (1, None, 2, 2)}
        view = sketch("h = Conv(x, w[4,4,1,1])\n cut: a, b = Split(h, s) axis=1", shapes)
        assert lanes_of(view).frozen["cut"] == "its shape is known at run time only"

    @pytest.mark.parametrize(
        ("start", "end", "axis", "step", "left"),
        [
            (1, 3, 1, 1, [1, 2]),
            (-3, 2**63 - 1, -3, 2, [1, 3]),
            (-1, -(2**63), 1, -1, [3, 2, 1, 0]),
            (9, -(2**63), 1, -2, [3, 1]),
            (2, -4, 1, -1, [2, 1]),
            (-9, 2, 1, 1, [0, 1]),
            (-9, -9, 1, -1, [0]),
            (1, 4, 2, 1, [0, 1, 2, 3]),
        ],
    )
    def test_slice_cuts_as_onnx_says(self, start, end, axis, step, left):
        net = Bench()
        cut = [net.indices(name, value) for name, value in zip("beas", (start, end, axis, step), strict=True)]
        assert through(net, net.node("Slice", "h", *cut, out="m"), len(left)) == left

    def test_slice_without_axes_cuts_the_first_ones(self):
        net = Bench()
        assert through(net, net.node("Slice", "h", net.indices("b", 0, 2), net.indices("e", 9, 4), out="m"), 2) == [
            2,
            3,
        ]

    def test_of_a_slice_that_is_computed(self):
        shapes = {**dict.fromkeys("xhy", (1, 4, 2, 2)), "b": (1,), "e": (1,)}
        view = sketch("h = Conv(x, w[4,4,1,1])\n y = Slice(h, b, e)", shapes)
        assert lanes_of(view).frozen["y"] == "where it cuts is known at run time only"

    def test_of_a_slice_that_says_nothing(self):
        view = sketch("h = Conv(x, w[4,4,1,1])\n y = Slice(h)", dict.fromkeys("xhy", (1, 4, 2, 2)))
        assert lanes_of(view).frozen["y"] == "where it cuts is not said"

    def test_gather_picks_lanes_again_and_again(self):
        net = Bench()
        assert through(net, net.node("Gather", "h", net.indices("i", 2, -1, 2), out="m", axis=1), 3) == [2, 3, 2]

    def test_gather_of_one_place_drops_the_axis(self):
        net = Bench()
        net.weights["i"] = np.array(1)
        lanes = net.lanes(net.node("Relu", net.node("Gather", "h", "i", out="m", axis=2), out="y"))
        assert lanes.of["m"].shape == (1, 4, 1)

    def test_of_a_gather_that_is_computed(self):
        view = sketch("h = Conv(x, w[4,4,1,1])\n y = Gather(h, i)", {**dict.fromkeys("xhy", (1, 4, 2, 2)), "i": (1,)})
        assert lanes_of(view).frozen["y"] == "where it reads is known at run time only"


class TestPad:
    def test_zeros_among_the_channels_are_lanes_and_all_have_one_shift(self):
        net = Bench()
        net.node("Pad", "h", net.indices("p", 0, 1, 0, 0, 0, 2, 1, 0), out="m")
        lanes = net.lanes(net.conv("m", "y", 7))
        assert scales(lanes, "m") == [1, 2, 3, 4, 5, 6, 7]
        assert shifts(lanes, "m") == shifts(lanes, "h") + [1] * 3 == [1] * 7
        assert random_error(net.model("y")) <= EXACT

    def test_axes_may_be_said(self):
        net = Bench()
        net.node("Pad", "h", net.indices("p", 1, 0), net.constant("v", 0.0), net.indices("a", -3), out="m")
        lanes = net.lanes(net.conv("m", "y", 5))
        assert lanes.of["m"].shape == (1, 5, 1, 1)
        assert random_error(net.model("y")) <= EXACT

    @pytest.mark.parametrize(
        ("inputs", "how"), [(("p", "one"), {}), (("p",), {"mode": "reflect"}), (("p",), {"mode": "edge"})]
    )
    def test_of_other_numbers_than_zeros(self, inputs, how):
        net = Bench()
        net.indices("p", 0, 0, 1, 0, 0, 0, 1, 0)
        net.constant("one", 1.0)
        net.node("Pad", "h", *inputs, out="y", **how)
        assert refusal(net, "y") == "it does not pad with zeros, or what it pads is known at run time only"

    def test_of_a_pad_that_cuts(self):
        net = Bench()
        net.node("Pad", "h", net.indices("p", 0, -1, 0, 0, 0, 0, 1, 0), out="y")
        assert refusal(net, "y") == "it cuts"


def test_axes_along_which_lanes_are_the_same_have_size_1():
    assert compressed(np.array([[[1, 2], [1, 2]]])).tolist() == [[[1, 2]]]
    assert compressed(np.zeros((3, 0), np.int64)).shape == (1, 0)
