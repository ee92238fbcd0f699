"""Linting: a model as it is in the file, its shapes inferred on a copy, against a target's table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import onnx
import onnx_ir as ir

from onnxq import onnx_io
from onnxq.catalog import pick
from onnxq.catalog.targets import TARGETS
from onnxq.core.finding import Finding
from onnxq.core.graph import GraphView
from onnxq.core.target import Target
from onnxq.errors import ModelError
from onnxq.pipeline.subject import Model, load
from onnxq.runtimes import onnxruntime
from onnxq.stages.lint import Placement
from onnxq.stages.lint import lint as find
from onnxq.stages.plan.kernels import kernel_heads
from onnxq.stages.plan.place import place
from onnxq.stages.plan.residuals import residual_joins
from onnxq.stages.prepare import Context
from onnxq.stages.prepare.infer_shapes import infer_shapes
from onnxq.stages.prepare.lift_constants import lift_constants
from onnxq.stages.prepare.remove_weight_inputs import remove_weight_inputs
from onnxq.stages.rewrite.protos import bodies

STEPS = (remove_weight_inputs, lift_constants, infer_shapes)
"""What of `prepare` makes a graph easier to read without touching a node that computes."""


def lint(model: Model, target: str = "tensorrt") -> tuple[Finding, ...]:
    """What in the main graph of a Q/DQ model, whoever made it, breaks the rules of a target.

    Args:
        model: a ModelProto or a path. Not modified.
        target: a name on the shelf of targets.

    Raises:
        ModelError: the model cannot be read.
        RecipeError: there is no such target.
    """
    given, table = load(model), pick(TARGETS, target, "target")
    _check_inputs(given)
    return find(onnx_io.view(_legible(given)), table, _opset(given), _placement)


def _check_inputs(given: onnx.ModelProto) -> None:
    """Refuses a node without the inputs that ONNX asks for, or with one that nothing makes before it."""
    graph, opset = given.graph, _opset(given)
    made = {"", *(value.name for value in graph.input), *(weight.name for weight in graph.initializer)}
    made |= {weight.values.name for weight in graph.sparse_initializer}
    computed = {tensor for node in graph.node for tensor in node.output}
    for node in graph.node:
        needed = 0
        if node.domain in ("", "ai.onnx") and onnx.defs.has(node.op_type, opset, ""):
            needed = onnx.defs.get_schema(node.op_type, opset, "").min_input
        wrong = f"has {len(node.input)} of {needed} inputs" if len(node.input) < needed else ""
        early = (*(t for t in node.input if t not in made), *(t for t in _captured(node) if t in computed - made))
        wrong = wrong or next((f"reads '{tensor}', which nothing makes before it" for tensor in early), "")
        if wrong:
            name = node.name or f"node_of_{next(iter(node.output), '')}"
            raise ModelError(f"The model is invalid: {node.op_type} '{name}' {wrong}. Check it with onnx.checker.")
        made.update(node.output)
    if missing := [value.name for value in graph.output if value.name not in made]:
        raise ModelError(f"The model is invalid: nothing makes its output '{missing[0]}'. Check it with onnx.checker.")


def _captured(node: onnx.NodeProto) -> Iterator[str]:
    """What the bodies of `node` read; their own tensors are among it."""
    for body in bodies(node):
        yield from (value.name for value in body.output)
        for inner in body.node:
            yield from (*inner.input, *_captured(inner))


def _placement(view: GraphView, target: Target) -> Placement:
    joins = residual_joins(view, target)
    return Placement(
        plan=place(view, target, frozenset()),
        heads=kernel_heads(view, target, joins),
        joins={name: shortcut for name, (shortcut, _) in joins.items()},
    )


def _legible(given: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with a name for each node, known shapes, and constants as initializers."""
    copy = onnx.ModelProto()
    copy.CopyFrom(given)
    for node, name in zip(copy.graph.node, _names(copy.graph), strict=True):
        node.name = name
    try:
        model = ir.from_proto(copy)
        for step in STEPS:
            step(model, Context(onnxruntime.evaluate, _opset(given)))
        return ir.to_proto(model)
    except (LookupError, RuntimeError, TypeError, ValueError) as cause:
        raise ModelError(f"The model cannot be read: {_root(cause)!r}. Check it with onnx.checker.") from cause


def _root(error: BaseException) -> BaseException:
    """What an error was raised from in the first place."""
    return error if error.__cause__ is None else _root(error.__cause__)


def _names(graph: onnx.GraphProto) -> Iterator[str]:
    """Each node's name; TensorRT's where there is none, or where several nodes share it."""
    counts = Counter(node.name for node in graph.node)
    for node in graph.node:
        yield node.name if node.name and counts[node.name] == 1 else f"node_of_{next(iter(node.output), '')}"


def _opset(model: onnx.ModelProto) -> int:
    return next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 1)
