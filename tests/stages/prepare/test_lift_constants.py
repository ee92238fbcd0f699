from __future__ import annotations

import numpy as np
import onnx
import pytest

from onnxq.stages.prepare.lift_constants import lift_constants


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("value = float[2] {1, 2}", np.array([1, 2], np.float32)),
        ("value_float = 3.0", np.array(3, np.float32)),
        ("value_floats = [3.0, 4.0]", np.array([3, 4], np.float32)),
        ("value_int = 5", np.array(5, np.int64)),
        ("value_ints = [5, 6]", np.array([5, 6], np.int64)),
    ],
)
def test_a_constant_becomes_an_initializer_of_the_same_name(apply, parse, attribute, expected):
    model = parse(f"g (float[2] x) => (float[2] y) {{ c = Constant<{attribute}>() t = Cast<to = 1>(c) y = Add(x, t) }}")
    count, lifted = apply(lift_constants, model)
    assert count == 1
    assert [node.op_type for node in lifted.graph.node] == ["Cast", "Add"]
    (tensor,) = lifted.graph.initializer
    array = onnx.numpy_helper.to_array(tensor)
    assert (tensor.name, array.dtype, array.shape) == ("c", expected.dtype, expected.shape)
    np.testing.assert_array_equal(array, expected)


def test_rule_1_constants_in_bodies_stay_but_bodies_read_lifted_ones(apply, parse, prepared):
    model = parse(
        """g (float[2] x, bool c) => (float[2] y) {
             k = Constant<value = float[2] {1, 2}>()
             y = If(c) <then_branch = a () => (float[2] t) { t = Add(x, k) },
                        else_branch = b () => (float[2] e) { e = Constant<value = float[2] {3, 4}>() }>
           }"""
    )
    count, lifted = apply(lift_constants, model)
    assert count == 1
    assert [node.op_type for node in lifted.graph.node] == ["If"]
    prepared(model)


def test_rule_2_a_constant_that_is_a_graph_output_stays_a_node(apply, parse):
    model = parse("g () => (float[2] y) { y = Constant<value = float[2] {1, 2}>() }")
    assert apply(lift_constants, model)[0] == 0


def test_rule_3_strings_stay_nodes(apply, parse):
    model = parse('g () => (string[2] y) { c = Constant<value_strings = ["a", "b"]>() y = Identity(c) }')
    assert apply(lift_constants, model)[0] == 0
