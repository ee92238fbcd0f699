"""Models that ONNX Runtime loads and that are easily got wrong; each was, until a test drew it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.e2e.random_graphs import run

import onnxq

RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(16, 16)).astype(np.float32)
X = RNG.normal(size=(8, 16)).astype(np.float32)


def model(*nodes: onnx.NodeProto, outputs: dict[str, int] | None = None, **weights: np.ndarray) -> onnx.ModelProto:
    """Nodes from the input x (N, 16) to outputs of the given types, the output y of float32 if none are given."""
    graph = helper.make_graph(
        nodes,
        "odd",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 16])],
        [helper.make_tensor_value_info(n, t, None) for n, t in (outputs or {"y": TensorProto.FLOAT}).items()],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def product(source: str = "x", target: str = "y") -> onnx.NodeProto:
    return helper.make_node("MatMul", [source, "w"], [target], f"product of {source}")


def test_an_output_may_be_a_weight_that_is_listed_among_the_inputs():
    odd = model(product(), outputs={"y": TensorProto.FLOAT, "w": TensorProto.FLOAT}, w=WEIGHT)
    odd.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, WEIGHT.shape))
    quantized = onnxq.quantize(odd, {"x": X}).model
    assert np.array_equal(run(quantized, {"x": X})["w"], WEIGHT)


def test_an_output_may_be_an_input():
    odd = model(product(), outputs={"y": TensorProto.FLOAT, "x": TensorProto.FLOAT}, w=WEIGHT)
    quantized = onnxq.quantize(odd, {"x": X}).model
    assert np.array_equal(run(quantized, {"x": X})["x"], X)


def test_an_operand_may_be_read_twice_by_one_node():
    odd = model(product(target="p"), helper.make_node("Add", ["p", "p"], ["y"]), w=WEIGHT)
    assert onnxq.quantize(odd, {"x": X}).report.fidelity.figures["y"]["sqnr"] > 30


def test_half_precision_outputs_may_be_rounded_otherwise_once_batch_norms_are_folded():
    """Folding moves numbers by a float32 rounding, and with them a few halves by one step: no reason to refuse."""
    channels = {name: np.abs(RNG.normal(size=16)).astype(np.float32) + 0.5 for name in ("scale", "mean", "variance")}
    nodes = (
        helper.make_node("ConvTranspose", ["x", "k"], ["c"]),  # which onnxruntime does not fold by itself
        helper.make_node("BatchNormalization", ["c", "scale", "mean", "mean", "variance"], ["b"]),
        helper.make_node("Cast", ["b"], ["y"], to=TensorProto.FLOAT16),
    )
    kernel = RNG.normal(size=(16, 16, 3, 3)).astype(np.float32)
    odd = model(*nodes, outputs={"y": TensorProto.FLOAT16}, k=kernel, **channels)
    odd.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 16, 8, 8]))
    report = onnxq.quantize(odd, [{"x": RNG.normal(size=(20, 16, 8, 8)).astype(np.float32)}]).report
    assert ("BatchNormalization nodes were folded into the weights before them", 1) in report.prepared
    assert 1e-4 < report.drift < 2e-3
    assert report.fidelity.figures["y"]["sqnr"] > 30


def test_nearly_dead_channels_keep_their_biases_in_the_figures():
    """ONNX Runtime's integer kernels store biases as multiples of both scales, and overflow; engines add floats."""
    image = RNG.normal(size=(4, 16, 5, 5)).astype(np.float32)
    kernel, other = (
        RNG.normal(size=(16, 16, 3, 3)).astype(np.float32),
        RNG.normal(size=(16, 16, 1, 1)).astype(np.float32),
    )
    kernel[::2] *= 1e-8
    convs = (helper.make_node("Conv", ["x", "k", "bias"], ["c"]), helper.make_node("Conv", ["c", "o"], ["y"]))
    odd = model(*convs, k=kernel, o=other, bias=np.linspace(-3, 3, 16, dtype=np.float32))
    odd.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 16, 5, 5]))
    made = onnxq.quantize(odd, {"x": image})
    before, after = run(odd, {"x": image})["y"], run(made.model, {"x": image}, plain=True)["y"]
    as_written = 10 * np.log10(np.sum(before**2) / np.sum((before - after) ** 2))
    assert made.report.fidelity.figures["y"]["sqnr"] == pytest.approx(as_written, abs=0.1)
    assert as_written > 30


def test_an_input_that_is_no_tensor_is_refused_with_what_it_is():
    odd = model(product(), helper.make_node("SequenceAt", ["s", "i"], ["z"]), w=WEIGHT, i=np.array(0))
    odd.graph.input.append(helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None))
    odd.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, None))
    with pytest.raises(onnxq.ModelError, match=r"input 's' .*sequence"):
        onnxq.quantize(odd, [{"x": X, "s": [X, X[:1]]}])


def test_ragged_lists_are_no_array():
    with pytest.raises(onnxq.DataError, match="'x' makes no array"):
        onnxq.quantize(model(product(), w=WEIGHT), [{"x": [[1.0], [1.0, 2.0]]}])


def test_a_model_whose_preparation_fails_is_refused_with_a_hint():
    with pytest.raises(onnxq.OnnxqError, match=r"nowhere|may be invalid"):
        onnxq.quantize(model(product("nowhere"), w=WEIGHT), {"x": X})
