"""Whether an engine works, tried with a convolution in INT8."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from onnxq.core.build_options import BuildOptions
from onnxq.errors import RuntimeFailure
from onnxq.runtimes import onnxruntime
from onnxq.runtimes.tensorrt import build
from onnxq.runtimes.tensorrt.package import PACKAGES

CHANNELS, SIZE = 16, 8


def tried(package: str) -> str:
    """What the engine of a package says to a small model, in a few words.

    Args:
        package: "onnxruntime", "tensorrt" or "tensorrt-rtx".

    Raises:
        RuntimeFailure: it refuses the model, or computes something else.
    """
    if package in PACKAGES:
        return f"compiles: {build(_model().SerializeToString(), BuildOptions(package)).title}"
    ones = np.ones((1, CHANNELS, SIZE, SIZE), np.float32)
    session = onnxruntime.Session(_model())
    if not np.array_equal(session({"x": ones})["y"], ones * CHANNELS):
        raise RuntimeFailure("ONNX Runtime computes a convolution in INT8 wrongly.")
    return f"computes; providers: {', '.join(onnxruntime.providers())}"


def _model() -> onnx.ModelProto:
    """A convolution that adds up its channels, between Q/DQ pairs that change nothing."""
    weights = {
        "w": np.ones((CHANNELS, CHANNELS, 1, 1), np.int8),
        "scale": np.float32(1.0),
        "scales": np.ones(CHANNELS, np.float32),
        "zero": np.int8(0),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["dq"]),
        helper.make_node("DequantizeLinear", ["w", "scales"], ["dw"], axis=0),
        helper.make_node("Conv", ["dq", "dw"], ["y"]),
    ]
    shape = [1, CHANNELS, SIZE, SIZE]
    graph = helper.make_graph(
        nodes,
        "trial",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
