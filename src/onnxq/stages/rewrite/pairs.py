"""The nodes and initializers of one Q/DQ pair."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import helper, numpy_helper

from onnxq.core.batch import Array
from onnxq.core.format import Format
from onnxq.core.names import Names
from onnxq.core.scales import QuantParams
from onnxq.core.spec import PerAxis


@dataclass(frozen=True)
class Pair:
    """What one tensor is read through: new nodes, the initializers they read, and the tensor they end in."""

    nodes: tuple[onnx.NodeProto, ...]
    tensors: tuple[onnx.TensorProto, ...]

    @property
    def output(self) -> str:
        """The dequantized tensor."""
        return str(self.nodes[-1].output[0])


def activation_pair(tensor: str, params: QuantParams, stored: Format, names: Names) -> Pair:
    """QuantizeLinear and DequantizeLinear behind `tensor`, with a scalar scale and zero point."""
    scale, zero = _parameters(tensor, params, stored, names)
    quantized = names.fresh(f"{tensor}_QuantizeLinear_Output")
    output = names.fresh(f"{tensor}_DequantizeLinear_Output")
    inputs = [scale.name, zero.name]
    nodes = (
        helper.make_node("QuantizeLinear", [tensor, *inputs], [quantized], names.fresh(f"{tensor}_QuantizeLinear")),
        helper.make_node("DequantizeLinear", [quantized, *inputs], [output], names.fresh(f"{tensor}_DequantizeLinear")),
    )
    return Pair(nodes, (scale, zero))


def weight_pair(
    tensor: str, weight: Array, params: QuantParams, stored: Format, names: Names, first: Pair | None
) -> Pair:
    """DequantizeLinear in front of a reader of the constant `tensor`, which is stored as integers.

    Args:
        tensor: the name of the float weight.
        weight: its values.
        params: its scales.
        stored: its format.
        names: gives out new names.
        first: the pair of another reader of the same integers, to share them.
    """
    output = names.fresh(f"{tensor}_DequantizeLinear_Output")
    name = names.fresh(f"{tensor}_DequantizeLinear")
    if first is not None:
        node = onnx.NodeProto()
        node.CopyFrom(first.nodes[0])
        node.name, node.output[0] = name, output
        return replace(first, nodes=(node,))
    scale, zero = _parameters(tensor, params, stored, names)
    codes = stored.encode(weight, params.broadcastable(weight.ndim))
    integers = numpy_helper.from_array(codes.astype(_storage(stored)), names.fresh(f"{tensor}_quantized"))
    cut = params.spec.granularity
    node = helper.make_node("DequantizeLinear", [integers.name, scale.name, zero.name], [output], name)
    if isinstance(cut, PerAxis):
        node.attribute.append(helper.make_attribute("axis", cut.axis))
    return Pair((node,), (integers, scale, zero))


def _parameters(
    tensor: str, params: QuantParams, stored: Format, names: Names
) -> tuple[onnx.TensorProto, onnx.TensorProto]:
    """Scale and zero point. TensorRT wants zero points of the stored type, as many as there are scales."""
    zeros = np.full(params.scale.shape, params.zero_point, _storage(stored))
    return (
        numpy_helper.from_array(params.scale, names.fresh(f"{tensor}_scale")),
        numpy_helper.from_array(zeros, names.fresh(f"{tensor}_zero_point")),
    )


def _storage(stored: Format) -> np.dtype[np.generic]:
    return helper.tensor_dtype_to_np_dtype(onnx.TensorProto.DataType.Value(stored.storage))
