"""INT8: the codes -128..127, symmetric around zero, rounded half to even."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import TensorProto, helper

from onnxq.catalog.formats.int8 import INT8
from onnxq.core.format import Range

values = arrays.arrays(np.float32, st.integers(1, 50), elements=st.floats(-(2**30), 2**30, width=32))
scales = st.floats(2**-20, 2**20, width=32).map(np.float32)


@pytest.fixture(scope="module")
def onnxruntime():
    """What onnxruntime's QuantizeLinear, and DequantizeLinear behind it, make of x with a scale."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["codes"]),
        helper.make_node("DequantizeLinear", ["codes", "scale", "zero"], ["y"]),
    ]
    given = [("x", TensorProto.FLOAT, ["n"]), ("scale", TensorProto.FLOAT, []), ("zero", TensorProto.INT8, [])]
    made = [("codes", TensorProto.INT8, ["n"]), ("y", TensorProto.FLOAT, ["n"])]
    graph = helper.make_graph(
        nodes, "g", *([helper.make_tensor_value_info(*v) for v in ends] for ends in (given, made))
    )
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 19)])
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda x, scale: session.run(None, {"x": x, "scale": np.asarray(scale), "zero": np.asarray(np.int8(0))})


@settings(max_examples=200, deadline=None, derandomize=True)
@given(x=values, scale=scales)
def test_codes_and_round_trip_are_those_of_onnxruntime(onnxruntime, x, scale):
    codes, back = onnxruntime(x, scale)
    np.testing.assert_array_equal(INT8.encode(x, scale), codes)
    np.testing.assert_array_equal(INT8.round_trip(x, scale), back)


@pytest.mark.parametrize("per_step", [0.5, 0.25, 3.0])
def test_halves_go_to_the_even_code_as_in_onnxruntime(onnxruntime, per_step):
    x = (np.arange(-300, 300) / 2).astype(np.float32) * np.float32(per_step)
    np.testing.assert_array_equal(INT8.encode(x, np.float32(per_step)), onnxruntime(x, np.float32(per_step))[0])


@pytest.mark.parametrize(
    ("value", "code"),
    [
        *[(0.5, 0), (1.5, 2), (2.5, 2), (-0.5, 0), (-1.5, -2)],
        *[(126.5, 126), (127.4, 127), (127.5, 127), (128, 127), (1e30, 127)],
        *[(-127.5, -128), (-128, -128), (-128.5, -128), (-129, -128), (-1e30, -128)],
    ],
)
def test_rounds_half_to_even_and_saturates(value, code):
    assert INT8.encode(np.float64([value]), np.float64(1.0)) == [code]


@given(st.floats(2**-20, 2**20))
def test_the_amplitude_of_a_range_is_code_127(amplitude):
    assert INT8.scale(Range(-amplitude, amplitude / 2)) == INT8.scale(Range(0.0, amplitude)) == amplitude / 127
    assert INT8.encode(np.float64([amplitude, -amplitude]), INT8.scale(Range(0.0, amplitude))).tolist() == [127, -127]


def test_a_zero_point_shifts_the_codes_and_not_the_values():
    x = np.float32([-1, 0, 1, 200])
    assert INT8.encode(x, np.float32(1), zero_point=-28).tolist() == [-29, -28, -27, 127]
    assert INT8.round_trip(x, np.float32(1), zero_point=-28).tolist() == [-1, 0, 1, 155]


def test_scales_per_channel_broadcast():
    x = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(INT8.encode(x, np.float32([[0.5], [0.25]])), [[2] * 3, [4] * 3])


def test_it_is_stored_in_a_type_that_onnx_knows():
    assert TensorProto.DataType.Value(INT8.storage) == TensorProto.INT8
    assert (INT8.low, INT8.high) == (np.iinfo(np.int8).min, np.iinfo(np.int8).max)
