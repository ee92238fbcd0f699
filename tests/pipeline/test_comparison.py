"""Comparing models: odd outputs are named, odd inputs are fed, and what cannot be compared is refused."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.numpy_helper import from_array

from onnxq.core.execution import Execution
from onnxq.core.samples import Samples
from onnxq.errors import DataError, ModelError
from onnxq.pipeline.comparison import Models, compare

SAMPLES = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)


def model(*nodes, batch="N", outputs=(("y", TensorProto.FLOAT),)):
    """x (batch, 4) through `nodes`; "k" is a constant, 1.01."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 4])],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs],
        [from_array(np.float32(1.01), "k")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def scaled(**more):
    return model(helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Mul", ["r", "k"], ["y"]), **more)


def plain(**more):
    return model(helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Identity", ["r"], ["y"]), **more)


def found(fp32, int8, data=None, **more):
    return compare(Models(fp32, int8), Samples({"x": SAMPLES} if data is None else data), **more)


@pytest.mark.parametrize("batch", ["N", 1, 4, 16])
def test_a_fixed_batch_size_changes_no_figure(batch):
    comparison = found(plain(batch=batch), scaled(batch=batch), layers=True)
    figures = comparison.models["INT8"].figures["y"]
    assert comparison.samples == 10
    assert figures["sqnr"] == pytest.approx(40.0, abs=1e-3)
    assert figures["max_error"] == pytest.approx(0.01 * SAMPLES.max(), rel=1e-4)
    assert figures["mean_error"] == pytest.approx(0.01 * np.maximum(SAMPLES, 0).mean(), rel=1e-4)
    assert figures["agreement"] == 100.0
    assert [layer.tensor for layer in comparison.layers] == ["r", "y"]


def test_feeds_are_compared_as_they_come():
    feeds = [{"x": SAMPLES[:3]}, {"x": SAMPLES[3:]}]
    assert found(plain(), scaled(), feeds).models["INT8"].figures["y"]["sqnr"] == pytest.approx(40.0, abs=1e-3)


def test_the_execution_is_obeyed():
    one, other = (
        found(plain(), scaled(), layers=True, execution=Execution(batch_size=size, max_memory=memory))
        for size, memory in ((3, 1), (None, None))
    )
    assert [layer.figures for layer in one.layers] == [pytest.approx(layer.figures, rel=1e-5) for layer in other.layers]


def test_outputs_that_hold_no_real_numbers_are_named():
    nodes = helper.make_node("Relu", ["x"], ["y"]), helper.make_node("ArgMax", ["x"], ["c"], axis=1)
    both = model(*nodes, outputs=(("y", TensorProto.FLOAT), ("c", TensorProto.INT64)))
    assert found(both, both).models["INT8"].uncompared == {"c": "it holds int64"}


def test_outputs_that_are_no_tensors_are_not_run():
    both = model(helper.make_node("Relu", ["x"], ["y"]), helper.make_node("SequenceConstruct", ["x"], ["s"]))
    both.graph.output.append(helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None))
    comparison = found(both, both, layers=True)
    assert comparison.models["INT8"].uncompared == {"s": "it is a sequence or a map"}
    assert [layer.tensor for layer in comparison.layers] == ["y"]


def test_an_output_that_is_an_input():
    both = model(helper.make_node("Relu", ["x"], ["y"]), outputs=(("y", TensorProto.FLOAT), ("x", TensorProto.FLOAT)))
    assert list(found(both, both).models["INT8"].figures) == ["y", "x"]


def test_a_shape_that_changes_is_named():
    narrow = model(helper.make_node("ReduceMax", ["x"], ["y"]))
    assert found(plain(), narrow).models["INT8"].uncompared["y"].startswith("its shape changes from (10, 4) to")


def test_another_type_of_input_is_refused():
    other = scaled()
    other.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    with pytest.raises(
        ModelError, match=r"input 'x' is float32 \(any, 4\) in the FP32 model, but float64 \(any, 4\) in"
    ):
        found(plain(), other)


def test_an_input_more_is_refused():
    other = scaled()
    other.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1]))
    with pytest.raises(
        ModelError, match=r"the input 'z' of the INT8 model is missing from the FP32 model, which has: x\."
    ):
        found(plain(), other)


def test_without_a_common_tensor_there_are_no_layers():
    both = model(helper.make_node("ArgMax", ["x"], ["y"], axis=1), outputs=(("y", TensorProto.INT64),))
    with pytest.raises(ModelError, match=r"^The models have no floating-point tensor of the same name: --layers has"):
        found(both, both, layers=True)


@pytest.mark.parametrize("layers", [True, False])
def test_no_samples_are_refused(layers):
    with pytest.raises(DataError):
        found(plain(), scaled(), [], layers=layers)


def test_the_models_are_left_alone():
    pair = plain(), scaled()
    before = [one.SerializeToString() for one in pair]
    found(*pair, layers=True)
    assert [one.SerializeToString() for one in pair] == before
    assert all(isinstance(one, onnx.ModelProto) for one in pair)
