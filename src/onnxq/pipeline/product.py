"""What is written in the end, and what tells how good it is."""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from onnx.shape_inference import InferenceError, infer_shapes

from onnxq import onnx_io
from onnxq.catalog.floats import FLOATS
from onnxq.catalog.floats.fp32 import FP32
from onnxq.catalog.formats import FORMATS_BY_NAME
from onnxq.core.plan import Plan
from onnxq.core.recipe import Recipe
from onnxq.core.report import RestReport
from onnxq.core.rest import Rest
from onnxq.core.scales import Scales
from onnxq.core.statistics import Statistics
from onnxq.pipeline.subject import Subject
from onnxq.stages.lower import lower
from onnxq.stages.rewrite import Lowered, emulated, lowered, rewrite


@dataclass(frozen=True)
class Product:
    """A finished model.

    Attributes:
        model: as it is written.
        judged: computes what `model` says, on runtimes without kernels for its types too.
        rest: what is of which floating-point type; None if all is FP32.
    """

    model: onnx.ModelProto
    judged: onnx.ModelProto
    rest: Rest | None = None

    def rest_report(self, before: onnx.ModelProto) -> RestReport | None:
        """What became of the rest of `before`."""
        if self.rest is None:
            return None
        casts = [sum(node.op_type == "Cast" for node in model.graph.node) for model in (before, self.model)]
        return RestReport.of(self.rest, casts[1] - casts[0])


def quantized(subject: Subject, plan: Plan, scales: Scales) -> onnx.ModelProto:
    """The model with Q/DQ, its rest in FP32."""
    sites = [decision.site for decision in plan.quantized]
    return rewrite(subject.prepared.model, subject.view, scales, sites, FORMATS_BY_NAME)


def produce(subject: Subject, plan: Plan, scales: Scales, statistics: Statistics, recipe: Recipe) -> Product:
    """The model with Q/DQ, its rest in the type that was asked for."""
    written = quantized(subject, plan, scales)
    if subject.low == FP32:
        return Product(written, written)
    rest = lower(subject.view, statistics, subject.low, plan, recipe.low_io, subject.opset)
    short = lowered(written, rest)
    return Product(short.model, emulated(short, subject.low), rest)


def judged(model: onnx.ModelProto) -> onnx.ModelProto:
    """What a written model computes, for runtimes without kernels for its types too: itself, if all is FP32."""
    try:
        types = onnx_io.view(infer_shapes(model)).dtype
    except (InferenceError, ValueError):  # too large, or wrong: it is run as it is
        return model
    tensors = {*(name for node in model.graph.node for name in node.output), *(t.name for t in model.graph.initializer)}
    tensors |= {value.name for value in model.graph.input}
    for low in (low for low in FLOATS if low != FP32):
        if found := frozenset(tensor for tensor in tensors if types(tensor) == low.numpy):
            model = emulated(Lowered(model, found), low)
    return model
