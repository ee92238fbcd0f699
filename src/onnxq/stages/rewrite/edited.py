"""A float model with what a fix changed in its graph."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper

from onnxq.core.graph import GraphView, Node
from onnxq.stages.rewrite.protos import replace_all


def edited(model: onnx.ModelProto, before: GraphView, after: GraphView) -> onnx.ModelProto:
    """A copy of `model` with the nodes and constants of `after`. What did not change stays as it is, in its order.

    Args:
        model: a prepared model.
        before: of that model.
        after: the same with some nodes and constants replaced, added or gone.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    protos = {node.name: node for node in graph.node}
    nodes = [
        protos[node.name] if before.by_name.get(node.name) == node else _proto(node, protos.get(node.name))
        for node in after.nodes
    ]
    replace_all(graph.node, nodes)
    replace_all(graph.initializer, _initializers(model.graph, before, after))
    if after.inputs != before.inputs:
        replace_all(graph.input, list(_inputs(model.graph, after)))
    replace_all(graph.value_info, list(_values(model.graph, after)))
    return result


def _proto(node: Node, old: onnx.NodeProto | None) -> onnx.NodeProto:
    made = helper.make_node(node.op, node.inputs, node.outputs, node.name, domain=node.domain)
    made.attribute.extend(helper.make_attribute(name, value) for name, value in node.attributes.items())
    if old is not None:
        made.doc_string = old.doc_string
        made.metadata_props.extend(old.metadata_props)
    return made


def _values(graph: onnx.GraphProto, after: GraphView) -> Iterator[onnx.ValueInfoProto]:
    """What is known of computed tensors, those that a fix added included."""
    computed = {tensor: None for node in after.nodes for tensor in node.outputs}
    yield from (value for value in graph.value_info if value.name in computed)
    known = {value.name for value in (*graph.value_info, *graph.output)}
    fresh = (tensor for tensor in computed if tensor not in known)
    for tensor in (tensor for tensor in fresh if tensor in after.shapes and tensor in after.dtypes):
        element = helper.np_dtype_to_tensor_dtype(np.dtype(after.dtypes[tensor]))
        yield helper.make_tensor_value_info(tensor, element, after.shapes[tensor])


def _inputs(graph: onnx.GraphProto, after: GraphView) -> Iterator[onnx.ValueInfoProto]:
    """What is fed now. What a file says of the sizes of inner tensors may be wrong, so it is left out."""
    known = {value.name: value for value in (*graph.value_info, *graph.output, *graph.input)}
    for name in after.inputs:
        value = onnx.ValueInfoProto(name=name)
        if name in known:
            value.CopyFrom(known[name])
        for dim in value.type.tensor_type.shape.dim:
            dim.Clear()
        yield value


def _initializers(graph: onnx.GraphProto, before: GraphView, after: GraphView) -> Iterator[onnx.TensorProto]:
    for tensor in graph.initializer:
        if tensor.name in after.constants:
            array = after.constants[tensor.name]
            same = array is before.constants.get(tensor.name)
            yield tensor if same else numpy_helper.from_array(array, tensor.name)
    for name, array in after.constants.items():
        if name not in before.constants:
            yield numpy_helper.from_array(array, name)
