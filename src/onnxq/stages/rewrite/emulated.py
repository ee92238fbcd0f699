"""A model whose short types are computed as short as they are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper

from onnxq.core.float_type import FloatType
from onnxq.core.names import Names
from onnxq.stages.rewrite.lowered import Lowered
from onnxq.stages.rewrite.protos import names_in, replace_all


def emulated(written: Lowered, low: FloatType) -> onnx.ModelProto:
    """An FP32 model in which every result of a low type is rounded to it: operators sum in FP32 and store short.

    Runtimes without kernels for the short type compute neighbouring nodes in FP32 and never store what lies between: an
    overflow goes unseen. Here none does. What DequantizeLinear gives is not rounded, as kernels read the integers.
    Inputs and outputs are FP32.
    """
    result = onnx.ModelProto()
    result.CopyFrom(written.model)
    graph, names, storage = result.graph, Names(names_in(result.graph)), TensorProto.DataType.Value(low.storage)
    replace_all(
        graph.initializer,
        (_in_fp32(tensor) if tensor.name in written.low else tensor for tensor in graph.initializer),
    )
    replace_all(graph.node, _rounding(graph, written.low, storage, names))
    for value in (*graph.input, *graph.output):
        if value.name in written.low:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    del graph.value_info[:]
    return result


def _in_fp32(tensor: TensorProto) -> TensorProto:
    return onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor).astype(np.float32), tensor.name)


def _rounding(graph: onnx.GraphProto, low: frozenset[str], storage: int, names: Names) -> Iterator[onnx.NodeProto]:
    """The nodes, each low result of which passes through a Cast to the short type and one back."""

    def through(wide: str, tensor: str) -> Iterator[onnx.NodeProto]:
        short = names.fresh(f"{tensor}_short")
        yield helper.make_node("Cast", [wide], [short], names.fresh(f"{short}_Cast"), to=storage)
        yield helper.make_node("Cast", [short], [tensor], names.fresh(f"{tensor}_Cast"), to=TensorProto.FLOAT)

    given = {value.name: names.fresh(f"{value.name}_given") for value in graph.input if value.name in low}
    for value in graph.input:
        if value.name in given:
            yield from through(value.name, given[value.name])
    for node in graph.node:
        for index, tensor in enumerate(node.input):
            node.input[index] = given.get(tensor, tensor)
        results = [tensor for tensor in node.output if tensor in low and node.op_type != "DequantizeLinear"]
        wide = {tensor: names.fresh(f"{tensor}_wide") for tensor in results}
        for index, tensor in enumerate(node.output):
            node.output[index] = wide.get(tensor, tensor)
        if node.op_type == "Cast" and results:
            next(attribute for attribute in node.attribute if attribute.name == "to").i = TensorProto.FLOAT
        yield node
        for tensor in results:
            yield from through(wide[tensor], tensor)
