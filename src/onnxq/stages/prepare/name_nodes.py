"""Replaces a missing or repeated node name with a unique one.

Plans, overrides and error messages find a node by its name.

1. A name that is there and unique stays; of several nodes with one name the first keeps it.
2. An unnamed node becomes ``{op}_{i}``, a repeated name gets a suffix.
3. Nodes in bodies of If, Loop and Scan count too; local functions have their own scope and stay as they are.
"""

from __future__ import annotations

from collections import Counter

import onnx_ir as ir

from onnxq.stages.prepare.contract import Context
from onnxq.stages.prepare.names import names_from_model


def name_nodes(model: ir.Model, _: Context) -> int:
    """Returns how many nodes have a new name."""
    names = names_from_model(model)
    seen: set[str] = set()
    nameless = []
    for node in model.graph.all_nodes():  # rule 3
        if not node.name or node.name in seen:
            nameless.append(node)
        else:
            seen.add(node.name)  # rule 1
    counts: Counter[str] = Counter()
    for node in nameless:  # rule 2
        node.name = names.fresh(node.name or f"{node.op_type}_{counts[node.op_type]}")
        counts[node.op_type] += 1
    return len(nameless)
