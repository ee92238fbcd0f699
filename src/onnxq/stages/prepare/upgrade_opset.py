"""Replaces nodes of an old ai.onnx opset with nodes of a newer one, operator by operator.

1. A model that is new enough keeps its opset.
2. A node whose operator changed is edited by the row of UPGRADES; all other nodes stay untouched.
3. Bodies of If, Loop and Scan import the model's opset and are upgraded with it.
4. A local function that imports an older opset is upgraded too: a runtime inlines it into the model.
5. Nodes of other domains stay as they are, and so does a node that a local function implements.
6. The IR version is at least the one that the opset came with.
"""

from __future__ import annotations

from collections.abc import Iterable

import onnx
import onnx_ir as ir

from onnxq.core.names import Names
from onnxq.errors import ModelError
from onnxq.stages.prepare.contract import Context
from onnxq.stages.prepare.names import names_from_model
from onnxq.stages.prepare.node_editor import NodeEditor
from onnxq.stages.prepare.upgrades import NEWEST, UPGRADES
from onnxq.stages.prepare.values import is_standard


def upgrade_opset(model: ir.Model, context: Context) -> int:
    """Returns how many nodes were edited."""
    source = model.opset_imports[""]
    target = max(source, context.opset)  # rule 1
    if source < target > NEWEST:
        raise ModelError(f"Cannot upgrade opset {source} to {target}: what changed is known up to opset {NEWEST}.")
    names = names_from_model(model)
    edited = _upgrade_nodes(_standard_nodes(model, model.graph), source, target, names)
    model.opset_imports[""] = target
    for function in model.functions.values():  # rule 4
        imported = function.opset_imports.get("", target)
        if imported < target:
            edited += _upgrade_nodes(_standard_nodes(model, function), imported, target, names)
            function.opset_imports[""] = target
    needed = onnx.helper.find_min_ir_version_for([onnx.helper.make_opsetid("", target)])
    model.ir_version = max(model.ir_version, needed)  # rule 6
    return edited


def _standard_nodes(model: ir.Model, owner: ir.Graph | ir.Function) -> list[ir.Node]:
    """The nodes of ai.onnx in a graph and its bodies (rules 3 and 5)."""
    return [node for node in owner.all_nodes() if is_standard(node, model)]


def _upgrade_nodes(nodes: Iterable[ir.Node], source: int, target: int, names: Names) -> int:
    edited = 0
    for node in nodes:
        editor, steps = NodeEditor(node, names), 0
        for version in range(source + 1, target + 1):
            upgrade = UPGRADES.get((node.op_type, version))  # an upgrade may rename the operator
            if upgrade is not None:  # rule 2
                upgrade(editor)
                steps += 1
        edited += steps > 0
    return edited
