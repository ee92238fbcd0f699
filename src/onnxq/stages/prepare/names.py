"""All names of a model."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from onnxq.core.names import Names


def names_from_model(model: ir.Model) -> Names:
    """Gives out names that no node and no value of `model` has, bodies and local functions included."""
    return Names(name for name in _names(model) if name)


def _names(model: ir.Model) -> Iterator[str | None]:
    functions = [function.graph for function in model.functions.values()]
    for graph in (*model.graphs(), *functions):
        yield from (value.name for value in (*graph.inputs, *graph.initializers.values()))
        for node in graph.all_nodes():
            yield node.name
            yield from (output.name for output in node.outputs)
