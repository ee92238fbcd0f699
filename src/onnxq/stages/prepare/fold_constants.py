"""Replaces a node whose inputs are all constant with its result.

1. Only standard operators of the main graph without bodies, and none that is random.
2. Q/DQ nodes stay: folding them would undo a quantization that is there.
3. Shape and Size fold as soon as the dimensions that they read are static, whatever their input.
4. The result is a tensor of a type that numpy has; sequences, strings and small floats stay computed.
5. A result above 1 MiB that is over four times as large as its inputs stays computed.
6. A graph output stays produced by a node.
7. What the runtime cannot evaluate stays. All is evaluated in one call; if that fails, node by node.
8. What folding leaves unread goes; what nothing read before stays.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import onnx
import onnx_ir as ir

from onnxq.errors import RuntimeFailure
from onnxq.stages.prepare.contract import Context
from onnxq.stages.prepare.values import is_constant, is_standard, remove_unused, replace_with_tensor

_RANDOM = frozenset(
    {"Bernoulli", "Dropout", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)
_QUANTIZING = frozenset({"DequantizeLinear", "DynamicQuantizeLinear", "QuantizeLinear"})
_NUMPY_TYPES = frozenset(ir.DataType.from_numpy(np.dtype(code)) for code in "?bhilBHILefd")
_LARGE, _GROWTH = 1 << 20, 4

Arrays = dict[ir.Value, np.ndarray]


def fold_constants(model: ir.Model, context: Context) -> int:
    """Returns how many nodes were replaced by their results."""
    shapes = {value: array for node in model.graph for value, array in _read_shape(node, model)}
    chosen = _choose_nodes(model, shapes)
    results = shapes | _evaluate(chosen, shapes, model, context)
    candidates = {*chosen, *(value.producer() for value in shapes)}
    folded = [node for node in model.graph if node in candidates and _may_fold(node, results)]
    sources = dict.fromkeys(value for node in folded for value in node.inputs)
    for node in reversed(folded):  # readers first, so that only what is read afterwards is stored
        for value in node.outputs:
            if value.uses():
                replace_with_tensor(value, ir.tensor(results[value]))
        model.graph.remove(node, safe=True)
    remove_unused(model.graph, sources)  # rule 8
    return len(folded)


def _read_shape(node: ir.Node, model: ir.Model) -> Iterator[tuple[ir.Value, np.ndarray]]:
    """The output and result of a Shape or Size node that reads static dimensions only (rule 3)."""
    source = node.inputs[0] if node.inputs else None
    if not is_standard(node, model) or source is None or source.shape is None:
        return
    dims = list(source.shape)
    if node.op_type == "Shape":
        dims = dims[node.attributes.get_int("start", 0) : node.attributes.get_int("end", len(dims))]
    elif node.op_type != "Size":
        return
    if all(isinstance(dim, int) for dim in dims):
        yield node.outputs[0], np.asarray(dims if node.op_type == "Shape" else math.prod(dims), np.int64)


def _choose_nodes(model: ir.Model, shapes: Arrays) -> list[ir.Node]:
    """The nodes to evaluate, in topological order."""
    chosen: list[ir.Node] = []
    known = set(shapes)
    for node in model.graph:
        inputs = [value for value in node.inputs if value is not None]
        constant = inputs and all(is_constant(value) or value in known for value in inputs)
        if constant and node.outputs[0] not in known and _is_evaluable(node, model):
            chosen.append(node)
            known.update(node.outputs)
    return chosen


def _is_evaluable(node: ir.Node, model: ir.Model) -> bool:
    if not is_standard(node, model) or node.op_type in _RANDOM | _QUANTIZING:  # rules 1 and 2
        return False
    if any(attr.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS) for attr in node.attributes.values()):
        return False
    outputs = [value for value in node.outputs if value.name]
    numpy_tensors = all(isinstance(v.type, ir.TensorType) and v.dtype in _NUMPY_TYPES for v in outputs)  # rule 4
    return numpy_tensors and not any(_is_swollen(value, _size(value)) for value in outputs)  # rule 5


def _size(value: ir.Value) -> int:
    """The bytes of a value as far as they are known beforehand."""
    if value.shape is None or value.dtype is None or not value.shape.is_static():
        return 0
    return math.ceil(math.prod(value.shape.numpy()) * value.dtype.itemsize)


def _is_swollen(output: ir.Value, size: int) -> bool:
    node = output.producer()
    inputs = sum(_size(value) for value in node.inputs if value is not None) if node is not None else 0
    return size > _LARGE and size > _GROWTH * inputs


def _evaluate(nodes: Sequence[ir.Node], known: Arrays, model: ir.Model, context: Context) -> Arrays:
    """The outputs of `nodes` that the runtime can compute (rule 7)."""
    if not nodes:
        return {}
    try:
        return _run(nodes, known, model, context)
    except RuntimeFailure:
        if len(nodes) == 1:
            return {}
    results = dict(known)
    for node in nodes:
        if all(value is None or is_constant(value) or value in results for value in node.inputs):
            results |= _evaluate([node], results, model, context)
    return results


def _run(nodes: Sequence[ir.Node], known: Arrays, model: ir.Model, context: Context) -> Arrays:
    outputs = [value for node in nodes for value in node.outputs if value.name]
    inputs = dict.fromkeys(value for node in nodes for value in node.inputs if value is not None)
    initializers = [_tensor(value, known) for value in inputs if value in known or is_constant(value)]
    graph = onnx.helper.make_graph(
        [ir.to_proto(node) for node in nodes], "constants", [], [ir.to_proto(v) for v in outputs], initializers
    )
    opset = onnx.helper.make_opsetid("", model.opset_imports[""])
    results = context.evaluate(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=model.ir_version))
    return {value: np.asarray(results[value.name]) for value in outputs if value.name}


def _tensor(value: ir.Value, known: Arrays) -> onnx.TensorProto:
    tensor = value.const_value if value not in known else ir.tensor(known[value])
    assert tensor is not None
    proto = ir.to_proto(tensor)
    proto.name = value.name or ""
    return proto


def _may_fold(node: ir.Node, results: Arrays) -> bool:
    if any(value.is_graph_output() for value in node.outputs):  # rule 6
        return False
    outputs = [value for value in node.outputs if value.name]
    return all(v in results and not _is_swollen(v, results[v].nbytes) for v in outputs)
