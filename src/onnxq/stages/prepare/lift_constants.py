"""Replaces a Constant node with an initializer of the same name.

1. Only in the main graph: the bodies of If, Loop and Scan stay as they are.
2. A Constant that is a graph output stays a node.
3. Strings stay nodes.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxq.stages.prepare.contract import Context
from onnxq.stages.prepare.values import is_standard, replace_with_tensor

_DENSE = frozenset({"value", "value_float", "value_floats", "value_int", "value_ints"})


def lift_constants(model: ir.Model, _: Context) -> int:
    """Returns how many Constant nodes are initializers now."""
    graph = model.graph
    lifted = 0
    for node in graph:  # rule 1
        tensor = _dense_tensor(node) if is_standard(node, model, "Constant") else None
        if tensor is None or node.outputs[0].is_graph_output():  # rules 2 and 3
            continue
        replace_with_tensor(node.outputs[0], tensor)
        graph.remove(node, safe=True)
        lifted += 1
    return lifted


def _dense_tensor(node: ir.Node) -> ir.TensorProtocol | None:
    if len(node.attributes) != 1 or not _DENSE & set(node.attributes):
        return None
    tensor = ir.convenience.get_const_tensor(node.outputs[0])
    return None if tensor is None or tensor.dtype == ir.DataType.STRING else tensor
