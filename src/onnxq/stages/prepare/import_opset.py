"""Replaces a missing or oddly spelt import of the ai.onnx domain with the usual one.

1. The domain may be spelt "ai.onnx"; it becomes "", as the nodes spell it.
2. A model without a node of the domain may import none; it gets one, which Q/DQ nodes will need.
3. A model that has such nodes must import opset 7 or newer.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxq.errors import ModelError
from onnxq.stages.prepare.contract import Context
from onnxq.stages.prepare.upgrades import OLDEST
from onnxq.stages.prepare.values import is_standard


def import_opset(model: ir.Model, context: Context) -> int:
    """Returns how many imports changed, those of local functions included."""
    changed = 0
    for imports in (model.opset_imports, *(function.opset_imports for function in model.functions.values())):
        if "ai.onnx" in imports:  # rule 1
            imports[""] = imports.pop("ai.onnx")
            changed += 1
    imports = model.opset_imports
    if "" not in imports and not any(is_standard(node, model) for node in model.graph.all_nodes()):  # rule 2
        imports[""] = context.opset
        changed += 1
    opset = imports.get("")
    if opset is None or opset < OLDEST:  # rule 3
        raise ModelError(
            f"The model imports {'no ai.onnx opset' if opset is None else f'ai.onnx opset {opset}'}; "
            f"{OLDEST} is the oldest that can be upgraded. Export with opset 13 or newer."
        )
    return changed
