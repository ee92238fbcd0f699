"""Q/DQ models made in a few lines, right ones and wrong ones alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

CHANNELS, SIZE = 16, 8
INT8 = np.int8(0)


def ones(*shape: int, dtype: Any = np.int8) -> np.ndarray:
    """A weight of ones."""
    return np.ones(shape, dtype)


class Net:
    """A model in the making; methods add nodes and return the tensor they make.

    A node is called as it is asked to be, or as the tensor it makes. Inputs appear when `input` is called.
    """

    def __init__(self, dtype: Any = np.float32, opset: int = 19) -> None:
        self.dtype, self.opset = np.dtype(dtype), opset
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, np.ndarray] = {}
        self.inputs: dict[str, tuple[int | str, ...]] = {}

    def input(self, name: str = "x", *shape: int) -> str:
        """A graph input; 16 channels of 8 x 8 unless told."""
        self.inputs[name] = shape or (1, CHANNELS, SIZE, SIZE)
        return name

    def constant(self, name: str, value: Any) -> str:
        """An initializer; numbers that are no arrays take the model's float type."""
        self.weights[name] = np.asarray(value) if hasattr(value, "dtype") else np.asarray(value, self.dtype)
        return name

    def zeros(self, name: str, *shape: int) -> str:
        """Zero points of int8."""
        return self.constant(name, np.zeros(shape, np.int8))

    def node(self, op: str, *inputs: str, out: str = "", name: str | None = None, **attributes: Any) -> str:
        out = out or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [out], out if name is None else name, **attributes))
        return out

    def quantize(self, tensor: str, scale: Any = 0.05, zero: Any = INT8, **attributes: Any) -> str:
        return self._linear("QuantizeLinear", tensor, scale, zero, f"{tensor}_Q", attributes)

    def dequantize(self, tensor: str, scale: Any = 0.05, zero: Any = INT8, **attributes: Any) -> str:
        return self._linear("DequantizeLinear", tensor, scale, zero, f"{tensor.removesuffix('_Q')}_DQ", attributes)

    def pair(self, tensor: str, scale: Any = 0.05, zero: Any = INT8, **attributes: Any) -> str:
        """QuantizeLinear and DequantizeLinear; the tensor t becomes t_Q and t_Q becomes t_DQ."""
        return self.dequantize(self.quantize(tensor, scale, zero, **attributes), scale, zero, **attributes)

    def weight(self, name: str, *shape: int, axis: int | None = 0, scale: Any = None, dtype: Any = np.int8) -> str:
        """An integer initializer of `shape` with its DequantizeLinear; one scale per place along `axis`."""
        self.constant(name, np.ones(shape or (CHANNELS, CHANNELS, 3, 3), dtype))
        count = () if axis is None else self.weights[name].shape[axis]
        scale = np.full(count, 0.01, self.dtype) if scale is None else scale
        return self.dequantize(
            name, scale, np.zeros(np.shape(scale), dtype), **({} if axis is None else {"axis": axis})
        )

    def conv(self, tensor: str, out: str, weight: str | None = None, **attributes: Any) -> str:
        """A convolution over 16 channels with a quantized weight; its input is taken as it is."""
        kernel = self.weight(f"{out}_w") if weight is None else weight
        return self.node("Conv", tensor, kernel, out=out, **({"pads": [1] * 4} | attributes))

    def model(self, *outputs: str) -> onnx.ModelProto:
        floats = helper.np_dtype_to_tensor_dtype(self.dtype)
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info(name, floats, shape) for name, shape in self.inputs.items()],
            [helper.make_tensor_value_info(name, floats, None) for name in outputs],
            [numpy_helper.from_array(value, name) for name, value in self.weights.items()],
        )
        imports = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=imports, ir_version=9)

    def _linear(self, op: str, tensor: str, scale: Any, zero: Any, out: str, attributes: dict[str, Any]) -> str:
        while any(out in node.output for node in self.nodes):
            out += "_"
        scales = scale if isinstance(scale, str) else self.constant(f"{out}_scale", scale)
        if isinstance(zero, np.ndarray | np.generic):
            zero = np.zeros(np.shape(self.weights.get(scales, 0)), zero.dtype) + zero
            zeros = [self.constant(f"{out}_zero", zero.astype(zero.dtype))]
        else:
            zeros = [zero] if zero else []
        return self.node(op, tensor, scales, *zeros, out=out, **attributes)
