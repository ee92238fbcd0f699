"""Replaces a weight that is also a graph input with a plain initializer.

IR 3 demanded that every initializer be listed among the graph inputs; since IR 4 the list means "a default
that the caller may override". Nothing can be quantized or folded that a caller may override.

1. Only inputs of the main graph: the inputs of a body are its formal parameters.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxq.stages.prepare.contract import Context


def remove_weight_inputs(model: ir.Model, _: Context) -> int:
    """Returns how many inputs are plain initializers now."""
    inputs = model.graph.inputs
    kept = [value for value in inputs if not value.is_initializer()]
    removed = len(inputs) - len(kept)
    inputs[:] = kept
    return removed
