"""A piece of a model as a model of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import onnx

from onnxq.onnx_io.view import read_by_bodies


class Parts:
    """Cuts pieces out of a prepared model.

    Args:
        model: it is only read.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model

    def part(self, start: int, stop: int, before: Sequence[str], behind: Sequence[str]) -> onnx.ModelProto:
        """The nodes from number `start` up to `stop`, with the constants that they need.

        Args:
            start: the first node.
            stop: the node behind the last.
            before: the tensors that there are in front of it, each of a known type: what is read of them is an input.
            behind: the tensors that are needed behind it: what it makes of them is an output.
        """
        whole = self._model
        piece = onnx.ModelProto(ir_version=whole.ir_version, opset_import=whole.opset_import, functions=whole.functions)
        graph = piece.graph
        graph.name = f"{whole.graph.name} {start} to {stop}"
        graph.node.extend(whole.graph.node[start:stop])
        read = dict.fromkeys(name for node in graph.node for name in (*node.input, *read_by_bodies(node)))
        graph.initializer.extend(self._constants[name] for name in read if name in self._constants)
        made = {name for node in graph.node for name in node.output}
        graph.input.extend(_of_any_size(self._values[name]) for name in before if name in read)
        graph.output.extend(self._values.get(name, onnx.ValueInfoProto(name=name)) for name in behind if name in made)
        return piece

    @cached_property
    def _constants(self) -> Mapping[str, onnx.TensorProto]:
        return {tensor.name: tensor for tensor in self._model.graph.initializer}

    @cached_property
    def _values(self) -> Mapping[str, onnx.ValueInfoProto]:
        graph = self._model.graph
        return {value.name: value for value in (*graph.value_info, *graph.output, *graph.input)}


def _of_any_size(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    """The same with free dimensions: what a file says of inner tensors may be wrong, and is only checked of inputs."""
    free = onnx.ValueInfoProto()
    free.CopyFrom(value)
    for dim in free.type.tensor_type.shape.dim:
        dim.Clear()
    return free
