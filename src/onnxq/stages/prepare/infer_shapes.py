"""Replaces an unknown type or dimension of a value with the one that ONNX shape inference finds.

1. What the model declares stays, also where inference would say otherwise.
2. A dimension that the model leaves open gets a number or a name of the model's, but no name that inference made up.
3. Large weights are not handed to inference, so that a model of any size passes; only their types and shapes are.
4. A model that inference refuses passes unchanged.
"""

from __future__ import annotations

import onnx
import onnx_ir as ir

from onnxq.stages.prepare.contract import Context

_LARGE = 1024  # bytes; axes, shapes and scales, whose values inference reads, are smaller


def infer_shapes(model: ir.Model, _: Context) -> int:
    """Returns how many values are known better than before."""
    try:
        inferred = ir.from_proto(onnx.shape_inference.infer_shapes(_skeleton(model), data_prop=True))
    except (onnx.shape_inference.InferenceError, ir.serde.SerdeError, ValueError):  # rule 4
        return 0
    changed = 0
    for graph, known in zip(model.graphs(), inferred.graphs(), strict=True):
        facts = ir.convenience.create_value_mapping(known)
        for name, value in ir.convenience.create_value_mapping(graph).items():
            changed += name in facts and _learn(value, facts[name])
    return changed


def _skeleton(model: ir.Model) -> onnx.ModelProto:
    copy = model.clone()
    for name, value in tuple(copy.graph.initializers.items()):
        if value.const_value is not None and value.const_value.nbytes > _LARGE:  # rule 3
            del copy.graph.initializers[name]
            copy.graph.inputs.append(value)
    return ir.to_proto(copy)


def _learn(value: ir.Value, fact: ir.Value) -> bool:
    before = (value.type, value.shape)
    if value.type is None:
        value.type = fact.type
    if fact.shape is not None:
        value.shape = _merge(value.shape, fact.shape)
    return (value.type, value.shape) != before


def _merge(declared: ir.Shape | None, inferred: ir.Shape) -> ir.Shape:
    if declared is None:
        return inferred
    if len(declared) != len(inferred):
        return declared  # rule 1
    return ir.Shape(
        theirs if _is_open(ours) and not _is_invented(theirs) else ours
        for ours, theirs in zip(declared, inferred, strict=True)
    )


def _is_open(dim: int | ir.SymbolicDim) -> bool:
    return isinstance(dim, ir.SymbolicDim) and dim.value is None


def _is_invented(dim: int | ir.SymbolicDim) -> bool:
    """Whether inference made the name up, to say that it knows nothing (rule 2)."""
    return isinstance(dim, ir.SymbolicDim) and (dim.value or "").startswith("unk__")
