"""What a node or value of the main graph is, and how another takes its place."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx_ir as ir


def is_constant(value: ir.Value) -> bool:
    """Whether the value is an initializer that no caller can override."""
    return value.is_initializer() and not value.is_graph_input() and value.const_value is not None


def array_from_value(value: ir.Value | None) -> np.ndarray | None:
    """The array of an initializer, or None for a value that is computed or given at run time."""
    if value is None or value.const_value is None or not is_constant(value):
        return None
    return np.asarray(value.const_value.numpy())


def is_used(value: ir.Value) -> bool:
    """Whether a node, a body or the caller of the model reads the value."""
    return bool(value.uses()) or value.is_graph_output()


def is_standard(node: ir.Node, model: ir.Model, op_type: str | None = None) -> bool:
    """Whether the node is an ai.onnx operator (the one named) and no local function of that name."""
    return node.domain == "" and op_type in (None, node.op_type) and node.op_identifier() not in model.functions


def initializer_from_tensor(name: str, tensor: ir.TensorProtocol) -> ir.Value:
    """A value to be registered as an initializer of a graph."""
    kind, shape = ir.TensorType(tensor.dtype), ir.Shape(tensor.shape.numpy())
    return ir.Value(name=name, type=kind, shape=shape, const_value=tensor)


def replace_with_tensor(output: ir.Value, tensor: ir.TensorProtocol) -> None:
    """Hands the readers of a node's output, which is no graph output, to an initializer of the same name."""
    graph = output.graph
    assert graph is not None
    assert output.name is not None
    initializer = initializer_from_tensor(output.name, tensor)
    initializer.metadata_props.update(output.metadata_props)
    output.replace_all_uses_with(initializer)
    graph.register_initializer(initializer)


def remove_node(node: ir.Node, heir: ir.Value) -> None:
    """Removes a node after handing the readers of its first output to `heir`, also in bodies and as graph output."""
    graph = node.graph
    assert graph is not None
    node.outputs[0].replace_all_uses_with(heir, replace_graph_outputs=True)
    graph.remove(node, safe=True)


def take_name(heir: ir.Value, output: ir.Value) -> None:
    """Gives `heir` the name and the declaration of an output that is gone, and what is known of it."""
    heir.name = output.name
    heir.type, heir.shape = output.type or heir.type, output.shape or heir.shape
    heir.meta.update(output.meta)
    heir.metadata_props.update(output.metadata_props)


def remove_unused(graph: ir.Graph, values: Iterable[ir.Value | None]) -> None:
    """Removes what `values` were made of, as far as nothing reads it any more.

    An initializer goes by itself; a node goes when none of its outputs is read, and then its inputs are looked at.
    """
    pending = [value for value in values if value is not None]
    while pending:
        value = pending.pop()
        node = value.producer()
        if is_used(value) or value.is_graph_input() or value.graph is not graph:
            continue
        if value.is_initializer():
            del graph.initializers[value.name or ""]
        elif node is not None and not any(is_used(output) for output in node.outputs):
            pending += [source for source in node.inputs if source is not None]
            graph.remove(node, safe=True)
