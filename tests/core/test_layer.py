"""Layers: their tails, and biases wherever they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.sketch import sketch

from onnxq.catalog.floats.fp16 import FP16
from onnxq.catalog.formats.int8 import INT8
from onnxq.core.graph import Site
from onnxq.core.layer import Layer, Stored, Tail, limits
from onnxq.core.linear import Linear
from onnxq.core.scales import QuantParams
from onnxq.core.spec import PerAxis, Spec

SHIFT = np.arange(4, dtype=np.float64)


def tail(text, **more):
    view = sketch(text, **more)
    return Tail.of(view, view.nodes[0])


def layer(view, name="a"):
    node = view.by_name[name]
    axis = 1 if node.op != "Conv" else 0
    spec = Spec("int8", PerAxis(axis), "weight")
    scale = np.full(view.constants[node.inputs[1]].shape[axis], 0.5, np.float32)
    kept = Stored(QuantParams(scale, spec, "test"), INT8)
    return Layer(node, Linear.of(view, node), Site(node.inputs[1], name, 1), kept, None, Tail.of(view, node))


class TestTail:
    def test_it_ends_with_a_relu(self):
        assert tail("a = Conv(x, w[4,4,1,1])\nb = Relu(a)\nc = Relu(b)") == Tail(None, (), 0.0, np.inf, "b")

    def test_it_adds_constants_and_one_shortcut(self):
        text = "a = Conv(x, w[4,4,1,1])\nb = Add(k[4,1,1], a)\nc = Add(b, s)\nd = Clip(c, l[])\ne = Add(d, t)"
        assert tail(text) == Tail(Site("s", "c", 1), ("k",), 1.0, np.inf, "d")

    def test_a_second_shortcut_is_no_part_of_it(self):
        assert tail("a = Conv(x, w[4,4,1,1])\nb = Add(a, s)\nc = Add(b, t)").output == "b"

    @pytest.mark.parametrize("behind", ["b = Relu(a)\nc = Sigmoid(a)", "b = Sigmoid(a)"])
    def test_it_is_empty_where_others_read_the_layer_or_something_else_comes(self, behind):
        assert tail(f"a = Conv(x, w[4,4,1,1])\n{behind}").output == "a"

    def test_it_does_not_go_behind_an_output(self):
        assert tail("a = Conv(x, w[4,4,1,1])\nb = Relu(a)", outputs=("a",)).output == "a"


def test_limits_that_are_attributes_are_found_as_well():
    view = sketch("a = Clip(x) min=1 max=6\nb = Clip(y, z)")
    assert [limits(view, node) for node in view.nodes] == [(1.0, 6.0), (-np.inf, np.inf)]


class TestBias:
    def test_it_is_rounded_as_it_will_be_written(self):
        view = sketch("a = Conv(x, w[4,4,1,1], b[4])")
        half, shift = replace(layer(view), low=FP16), np.full(4, 1 / 3)
        (found,) = [value for name, value in half.shifted(view, shift).constants.items() if name == "b"]
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, (view.constants["b"] + shift).astype(np.float16).astype(np.float32))

    def test_the_one_that_there_is_gets_more(self):
        view = sketch("a = Conv(x, w[4,4,1,1], b[4])")
        one = layer(view)
        after = one.shifted(view, SHIFT)
        np.testing.assert_array_equal(one.offset(after), 1 + SHIFT)
        assert after.nodes == view.nodes

    def test_one_that_is_shared_is_left_to_the_others(self):
        view = sketch("a = Conv(x, w[4,4,1,1], b[4])\nc = Conv(a, v[4,4,1,1], b)")
        after = layer(view).shifted(view, SHIFT)
        assert after.by_name["a"].inputs == ("x", "w", "a_bias")
        np.testing.assert_array_equal(after.constants["a_bias"], 1 + SHIFT)
        np.testing.assert_array_equal(layer(after, "c").offset(after), 1.0)

    def test_where_there_is_none_one_is_made(self):
        view = sketch("a = Gemm(x, w[4,4])")
        after = layer(view).shifted(view, SHIFT)
        assert after.by_name["a"].inputs == ("x", "w", "a_bias")
        np.testing.assert_array_equal(layer(after).offset(after), SHIFT)

    def test_that_of_a_matmul_is_added_behind_it(self):
        view = sketch("a = MatMul(x, w[4,4])\nb = Add(k[4], a)")
        after = layer(view).shifted(view, SHIFT)
        np.testing.assert_array_equal(after.constants["k"], 1 + SHIFT)
        assert not layer(after).offset(after).any()

    @pytest.mark.parametrize("behind", ["b = Relu(a)", "b = Add(a, y)", "b = Add(k[4], a)\nc = Relu(a)"])
    def test_a_matmul_without_a_constant_behind_has_none(self, behind):
        view = sketch(f"a = MatMul(x, w[4,4])\n{behind}")
        assert layer(view).bias(view) is None
        assert layer(view).shifted(view, SHIFT) is view

    def test_one_that_is_computed_is_left(self):
        view = sketch("a = Gemm(x, w[4,4], c)")
        assert layer(view).bias(view) is None


class TestConstant:
    @pytest.mark.parametrize("text", ["a = Gemm(x, w[4,4], b[4])", "a = MatMul(x, w[4,4])\nc = Add(b[4], a)"])
    def test_it_is_the_bias_wherever_it_is_added(self, text):
        view = sketch(text)
        view = replace(view, constants=view.constants | {"b": SHIFT.astype(np.float32)})
        np.testing.assert_array_equal(layer(view).constant(view), SHIFT)

    @pytest.mark.parametrize("shape", [(4, 1, 1), (1, 4, 2, 2)])
    def test_what_a_convolution_gets_behind_it_counts_as_well(self, shape):
        view = sketch("a = Conv(x, w[4,4,1,1], b[4])\nc = Add(a, k[4])")
        spread = np.broadcast_to(SHIFT.reshape(4, 1, 1), shape[-3:]).reshape(shape)
        view = replace(view, constants=view.constants | {"k": spread.astype(np.float32)})
        np.testing.assert_array_equal(layer(view).constant(view), 1 + SHIFT)

    @pytest.mark.parametrize("text", ["a = Gemm(x, w[4,4])", "a = MatMul(x, w[4,4])\nb = Add(a, y)"])
    def test_without_a_bias_it_is_0(self, text):
        view = sketch(text)
        assert layer(view).constant(view).tolist() == [0.0] * 4

    def test_of_one_that_differs_from_row_to_row_it_is_the_mean(self):
        view = sketch("a = MatMul(x, w[4,4])\nc = Add(a, b[2,4])")
        view = replace(view, constants=view.constants | {"b": np.array([SHIFT, SHIFT + 2], np.float32)})
        np.testing.assert_array_equal(layer(view).constant(view), SHIFT + 1)


def test_a_weight_is_rounded_to_the_codes_that_there_are():
    view = sketch("a = Gemm(x, w[2,2])")
    weight = np.array([[0.3, -0.8], [100.0, -100.0]], np.float32)
    view = replace(view, constants=view.constants | {"w": weight})
    assert layer(view).rounded(view).tolist() == [[[0.5, 63.5], [-1.0, -63.5]]]


def test_steps_have_a_row_per_output():
    view = sketch("a = MatMul(x, w[3,4])")
    assert layer(view).steps.shape == (1, 4, 1)
