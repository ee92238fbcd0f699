"""The promises every written model keeps, as a table of checks over its graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from onnxq.core.graph import GraphView, Node
from onnxq.core.plan import Plan
from onnxq.errors import VerifyError


@dataclass(frozen=True)
class Written:
    """A written model beside the plan it was written from.

    Attributes:
        view: of the written model.
        plan: which edges had to be quantized.
        source: the view of the model before.
    """

    view: GraphView
    plan: Plan
    source: GraphView

    def pairs(self) -> Iterator[Node]:
        """The QuantizeLinear and DequantizeLinear nodes."""
        return (node for node in self.view.nodes if node.op in ("QuantizeLinear", "DequantizeLinear"))


@dataclass(frozen=True)
class Invariant:
    """A promise.

    Attributes:
        text: the promise as a sentence.
        source: who asks for it.
        broken: yields a sentence for each place that breaks it.
    """

    text: str
    source: str
    broken: Callable[[Written], Iterator[str]]


def check_structure(written: Written) -> None:
    """Checks all invariants.

    Raises:
        VerifyError: one is broken; the message lists all that are.
    """
    found = [f"{row.text} ({row.source}): {place}" for row in INVARIANTS for place in row.broken(written)]
    if found:
        raise VerifyError("The written model breaks promises. This is a bug in onnxq.\n  " + "\n  ".join(found))


def _unpaired(written: Written) -> Iterator[str]:
    view = written.view
    for node in written.pairs():
        if node.op == "QuantizeLinear":
            readers = [reader.op for reader in view.consumers(node.outputs[0])]
            wanted = {view.dtype(reader.inputs[1]) for reader in view.consumers(node.outputs[0]) if reader.inputs[1:]}
            if set(readers) != {"DequantizeLinear"} or len(readers) > len(wanted):
                yield f"{node} is read by {readers or 'nothing'}"
        else:
            producer = view.producers.get(node.inputs[0])
            if not view.is_constant(node.inputs[0]) and (producer is None or producer.op != "QuantizeLinear"):
                yield f"{node} reads '{node.inputs[0]}', which is no quantized tensor"


def _repeated(written: Written) -> Iterator[str]:
    seen: dict[str, Node] = {}
    for node in written.pairs():
        if node.op == "QuantizeLinear" and (other := seen.setdefault(node.inputs[0], node)) is not node:
            yield f"'{node.inputs[0]}' goes into {other} and {node}"


def _bad_scales(written: Written) -> Iterator[str]:
    for node in written.pairs():
        scale = written.view.constants.get(node.inputs[1])
        if scale is None:
            yield f"the scale '{node.inputs[1]}' of {node} is computed at run time"
        elif not (np.isfinite(scale).all() and (scale > 0).all()):
            yield f"the scale '{node.inputs[1]}' of {node} is {scale.min()}"


def _bad_zero_points(written: Written) -> Iterator[str]:
    for node in written.pairs():
        zero = written.view.constants.get(node.inputs[2]) if len(node.inputs) > 2 else None
        scale = written.view.constants.get(node.inputs[1])
        misplaced = zero is not None and zero.dtype == np.int8 and zero.any()
        if zero is None or misplaced or (scale is not None and zero.shape != scale.shape):
            yield f"that of {node}"


def _channelled_activations(written: Written) -> Iterator[str]:
    for node in written.pairs():
        scale = written.view.constants.get(node.inputs[1])
        if node.op == "QuantizeLinear" and scale is not None and scale.ndim:
            yield f"{node} has {scale.size} scales"


def _missing(written: Written) -> Iterator[str]:
    for decision in written.plan.quantized:
        reader = written.view.by_name.get(decision.site.node)
        inputs = reader.inputs if reader else ()
        tensor = inputs[decision.site.index] if decision.site.index < len(inputs) else ""
        producer = written.view.producers.get(tensor)
        if producer is None or producer.op != "DequantizeLinear":
            yield f"{decision.site} is read as it was"


def _unplanned(written: Written) -> Iterator[str]:
    planned = {(d.site.node, d.site.index) for d in written.plan.quantized}
    for node in written.view.nodes:
        for index, tensor in enumerate(node.inputs):
            producer = written.view.producers.get(tensor)
            if producer and producer.op == "DequantizeLinear" and (node.name, index) not in planned:
                yield f"{node} reads DequantizeLinear as input {index}"


def _double_joins(written: Written) -> Iterator[str]:
    planned = {decision.site.node for decision in written.plan.quantized}
    for name in planned.intersection(written.plan.residuals, written.view.by_name):
        join = written.view.by_name[name]
        producers = [written.view.producers.get(tensor) for tensor in join.inputs]
        count = sum(p is not None and p.op == "DequantizeLinear" for p in producers)
        if count != 1:
            yield f"{join} has {count}"


def _changed_interface(written: Written) -> Iterator[str]:
    for kind in ("inputs", "outputs"):
        before, after = getattr(written.source, kind), getattr(written.view, kind)
        if before != after:
            yield f"the {kind} were {before} and are {after}"


INVARIANTS: tuple[Invariant, ...] = (
    Invariant("Each QuantizeLinear has one DequantizeLinear for each type it is read in", "TensorRT guide", _unpaired),
    Invariant("A tensor is quantized once", "TensorRT guide, limitations", _repeated),
    Invariant("Scales are constant, positive and finite", "NvInfer.h, IQuantizeLayer", _bad_scales),
    Invariant(
        "Zero points are as many as scales, and 0 for INT8", "onnx-tensorrt, QuantDequantLinearHelper", _bad_zero_points
    ),
    Invariant("Activations have one scale", "NvInfer.h, IQuantizeLayer", _channelled_activations),
    Invariant("What the plan quantizes is quantized", "plan", _missing),
    Invariant("Nothing else is, so no fused chain is cut", "plan; TensorRT guide", _unplanned),
    Invariant("A residual join has one quantized operand", "TensorRT guide, residual connections", _double_joins),
    Invariant("Inputs and outputs are those of the prepared model", "onnxq", _changed_interface),
)
