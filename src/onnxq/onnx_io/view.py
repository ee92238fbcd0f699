"""What there is to know of a model without its protobuf."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx

from onnxq.core.batch import InputSpec
from onnxq.core.graph import GraphView, Node, Shape
from onnxq.errors import ModelError


def inputs(model: onnx.ModelProto) -> tuple[InputSpec, ...]:
    """What a model must be fed: its graph inputs without the weights that are listed among them.

    Raises:
        ModelError: an input is no tensor.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    asked = [value for value in model.graph.input if value.name not in weights]
    for value in asked:
        if (kind := value.type.WhichOneof("value") or "nothing") != "tensor_type":
            what = kind.removesuffix("_type").replace("_", " ")
            raise ModelError(f"The input '{value.name}' is no tensor but a {what}, which cannot be calibrated with.")
    tensors = {value.name: value.type.tensor_type for value in asked}
    return tuple(
        InputSpec(name, _dtype(tensor.elem_type) or "", _shape(tensor) if tensor.HasField("shape") else None)
        for name, tensor in tensors.items()
    )


def dimension_names(model: onnx.ModelProto) -> Mapping[str, tuple[str, ...]]:
    """Input -> what each of its dimensions is called; "" where it has a size or no name."""
    return {value.name: tuple(dim.dim_param for dim in value.type.tensor_type.shape.dim) for value in model.graph.input}


def view(model: onnx.ModelProto) -> GraphView:
    """The main graph of a prepared model; weights are shared with it where numpy can."""
    graph = model.graph
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    values = {
        v.name: v.type.tensor_type
        for v in (*graph.input, *graph.value_info, *graph.output)
        if v.type.HasField("tensor_type")
    }
    return GraphView(
        nodes=tuple(_node(n) for n in graph.node),
        inputs=tuple(v.name for v in graph.input if v.name not in constants),
        outputs=tuple(v.name for v in graph.output),
        constants=constants,
        shapes={name: _shape(v) for name, v in values.items() if v.HasField("shape")},
        dtypes={name: dtype for name, v in values.items() if (dtype := _dtype(v.elem_type))},
        captured=frozenset(_captured(graph)),
    )


def _node(proto: onnx.NodeProto) -> Node:
    return Node(
        name=proto.name,
        op=proto.op_type,
        inputs=tuple(proto.input),
        outputs=tuple(proto.output),
        attributes={a.name: _attribute(a) for a in proto.attribute},
        domain="" if proto.domain == "ai.onnx" else proto.domain,
    )


def _attribute(proto: onnx.AttributeProto) -> Any:
    value = onnx.helper.get_attribute_value(proto) if proto.type not in _BODIES else None
    return list(value) if isinstance(value, list | tuple) else value


_BODIES = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)


def _shape(tensor: onnx.TypeProto.Tensor) -> Shape:
    return tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)


def _dtype(element: int) -> str | None:
    try:
        return str(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(element)).name) if element else None
    except (KeyError, TypeError):
        return None


def _captured(graph: onnx.GraphProto) -> Iterator[str]:
    """Names that the bodies of If, Loop and Scan read; their own names may be among them, which does no harm."""
    for node in graph.node:
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from (name for inner in body.node for name in inner.input)
                yield from (v.name for v in body.output)
                yield from _captured(body)
