"""Writes the rest of a model in a shorter floating-point type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import onnx
from onnx import TensorProto, helper, numpy_helper

from onnxq.core.float_type import FloatType
from onnxq.core.names import Names
from onnxq.core.rest import Rest
from onnxq.stages.rewrite.protos import names_in, read_by_bodies, replace_all

Edge = tuple[str, int]
"""A node's name, and the index of an input."""


@dataclass(frozen=True)
class Lowered:
    """A model with two floating-point types, and the tensors that have the shorter one."""

    model: onnx.ModelProto
    low: frozenset[str]


def lowered(model: onnx.ModelProto, rest: Rest) -> Lowered:
    """A copy of `model`, FP32 with or without Q/DQ, in which all that `rest` names is of its low type.

    Constants are stored in the type that they are read in. A tensor that is computed in one type and read in the other
    gets one Cast. QuantizeLinear takes the type that its tensor has, DequantizeLinear gives the type that its readers
    want: where they disagree there are two, and no Cast. Outputs, and what bodies of control flow read, keep their
    names and are FP32, unless `rest` says otherwise.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph, names = result.graph, Names(names_in(result.graph))
    reads = {(site.node, site.index) for site in rest.reads}
    replace_all(graph.node, _with_own_dequantizers(graph.node, reads, names))
    types = _types(graph, rest, reads)
    versions = _versions(graph, rest, types, names)
    storage = _storage(rest.type)
    replace_all(graph.initializer, _constants(graph, types, versions, rest.type))
    replace_all(graph.node, _nodes(graph, types, versions, storage, names))
    _retype(graph, versions, storage)
    low = {versions[tensor, True] for tensor in types.demands if (tensor, True) in versions}
    return Lowered(result, frozenset(low))


@dataclass(frozen=True)
class _Types:
    """The type of everything; True stands for the low one.

    Attributes:
        home: the tensors that are computed in the low type.
        reads: the edges that are read in it.
        demands: the types that each tensor is wanted in; its own is among them.
        fixed: tensors whose FP32 version must keep their name.
    """

    home: frozenset[str]
    reads: frozenset[Edge]
    demands: Mapping[str, set[bool]]
    fixed: frozenset[str]


def _types(graph: onnx.GraphProto, rest: Rest, reads: set[Edge]) -> _Types:
    home, wanted = set(rest.writes), _low_read(graph, reads)
    edges = set(reads)
    for node in graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] in home:
            edges |= {(node.name, 0), (node.name, 1)}
        elif node.op_type == "DequantizeLinear" and node.output[0] in wanted:
            edges.add((node.name, 1))
            home.add(node.output[0])
    outputs = () if rest.low_outputs else (value.name for value in graph.output)
    fixed = frozenset(outputs) | read_by_bodies(graph)
    demands: dict[str, set[bool]] = {tensor: {False} for tensor in fixed}
    for tensor in (*(v.name for v in graph.input), *(t for node in graph.node for t in node.output if t)):
        demands.setdefault(tensor, set()).add(tensor in home)
    for node in graph.node:
        for index, tensor in enumerate(node.input):
            demands.setdefault(tensor, set()).add((node.name, index) in edges)
    return _Types(frozenset(home), frozenset(edges), demands, fixed)


def _low_read(graph: onnx.GraphProto, reads: set[Edge]) -> frozenset[str]:
    return frozenset(t for node in graph.node for i, t in enumerate(node.input) if (node.name, i) in reads)


def _with_own_dequantizers(nodes: Iterable[onnx.NodeProto], reads: set[Edge], names: Names) -> Iterator[onnx.NodeProto]:
    """`nodes`, with a second DequantizeLinear where readers want different types: the low ones read that one."""
    nodes = list(nodes)
    dequantized = {node.output[0] for node in nodes if node.op_type == "DequantizeLinear"}
    low: set[str] = set()
    high: set[str] = set()
    for node in nodes:
        for index, tensor in enumerate(node.input):
            (low if (node.name, index) in reads else high).add(tensor)
    second = {tensor: names.fresh(f"{tensor}_low") for tensor in _results(nodes) if tensor in dequantized & low & high}
    for node in nodes:
        for index, tensor in enumerate(node.input):
            if tensor in second and (node.name, index) in reads:
                node.input[index] = second[tensor]
        yield node
        if node.op_type == "DequantizeLinear" and node.output[0] in second:
            twin = onnx.NodeProto()
            twin.CopyFrom(node)
            twin.name, twin.output[0] = names.fresh(f"{node.name}_low"), second[node.output[0]]
            yield twin


def _results(nodes: Iterable[onnx.NodeProto]) -> Iterator[str]:
    """The tensors that `nodes` compute, in their order."""
    return (tensor for node in nodes for tensor in node.output)


def _versions(graph: onnx.GraphProto, rest: Rest, types: _Types, names: Names) -> Mapping[tuple[str, bool], str]:
    """The name of each tensor in each type that it is wanted in."""
    weights = {tensor.name for tensor in graph.initializer}
    found: dict[tuple[str, bool], str] = {}
    for tensor, wanted in types.demands.items():
        own = False if tensor in types.fixed else tensor in types.home
        if tensor in weights and len(wanted) == 1:
            own = next(iter(wanted))
        for low in sorted(wanted, key=lambda low: low != own):
            stem = f"{tensor}_{rest.type.name if low else 'fp32'}"
            found[tensor, low] = tensor if low == own else names.fresh(stem)
    return found


def _constants(
    graph: onnx.GraphProto, types: _Types, versions: Mapping[tuple[str, bool], str], low: FloatType
) -> Iterator[TensorProto]:
    for tensor in list(graph.initializer):
        wanted = types.demands.get(tensor.name, {False})
        if False in wanted:
            yield tensor
        if True in wanted:
            bits = low.encode(numpy_helper.to_array(tensor))
            name = versions[tensor.name, True]
            yield helper.make_tensor(name, _storage(low), tensor.dims, bits.tobytes(), raw=True)


def _nodes(
    graph: onnx.GraphProto, types: _Types, versions: Mapping[tuple[str, bool], str], storage: int, names: Names
) -> Iterator[onnx.NodeProto]:
    """The nodes, reading and writing the right versions, with a Cast behind what is wanted in both types."""

    def cast(tensor: str) -> Iterator[onnx.NodeProto]:
        own = tensor in types.home
        if (not own) in types.demands.get(tensor, ()):
            to = TensorProto.FLOAT if own else storage
            target = versions[tensor, not own]
            yield helper.make_node("Cast", [versions[tensor, own]], [target], names.fresh(f"{target}_Cast"), to=to)

    weights = {tensor.name for tensor in graph.initializer}
    for value in graph.input:
        if value.name not in weights:
            yield from cast(value.name)
    for node in list(graph.node):
        outputs = [tensor for tensor in node.output if tensor]
        if node.op_type == "Cast" and node.output[0] in types.home:
            _set_type(node, storage)
        for index, tensor in enumerate(node.input):
            node.input[index] = versions[tensor, (node.name, index) in types.reads] if tensor else ""
        for index, tensor in enumerate(node.output):
            node.output[index] = versions[tensor, tensor in types.home] if tensor else ""
        yield node
        for tensor in outputs:
            yield from cast(tensor)


def _set_type(cast: onnx.NodeProto, storage: int) -> None:
    next(attribute for attribute in cast.attribute if attribute.name == "to").i = storage


def _retype(graph: onnx.GraphProto, versions: Mapping[tuple[str, bool], str], storage: int) -> None:
    """Corrects the types that the graph notes beside its nodes."""
    for value in (*graph.input, *graph.output, *graph.value_info):
        if versions.get((value.name, True)) == value.name:
            value.type.tensor_type.elem_type = storage


def _storage(low: FloatType) -> int:
    return int(TensorProto.DataType.Value(low.storage))
