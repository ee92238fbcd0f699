"""Replaces Identity(x), and Dropout(x) at inference, with x.

1. Only in the main graph, and only the standard operators.
2. A Dropout goes if it is in inference mode (training_mode absent or a constant false) and nothing reads its mask.
3. If the output is no graph output, its readers, those in bodies too, read x.
4. If the output is a graph output and x comes from a node and is no graph output itself, x takes over the name.
5. Otherwise the node stays: graph inputs, initializers and graph outputs are never renamed or merged.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxq.stages.prepare.contract import Context
from onnxq.stages.prepare.values import array_from_value, is_standard, is_used, remove_node, take_name


def remove_identities(model: ir.Model, _: Context) -> int:
    """Returns how many nodes are gone."""
    removed = 0
    for node in model.graph:  # rule 1
        if not is_standard(node, model) or not _passes_through(node):
            continue
        source, output = node.inputs[0], node.outputs[0]
        renames = output.is_graph_output()
        if source is None or (renames and not _may_be_renamed(source)):  # rule 5
            continue
        remove_node(node, heir=source)  # rule 3
        if renames:
            take_name(source, output)  # rule 4
        removed += 1
    return removed


def _passes_through(node: ir.Node) -> bool:
    if node.op_type != "Dropout":
        return node.op_type == "Identity"
    if any(is_used(mask) for mask in node.outputs[1:]):  # rule 2
        return False
    training_mode = node.inputs[2] if len(node.inputs) > 2 else None
    value = array_from_value(training_mode)
    return training_mode is None or (value is not None and not value.any())


def _may_be_renamed(value: ir.Value) -> bool:
    return value.producer() is not None and not value.is_graph_output()
