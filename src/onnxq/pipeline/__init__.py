"""All stages in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx

from onnxq import onnx_io
from onnxq.core.execution import Execution
from onnxq.core.metric import OwnMetric
from onnxq.core.observer import Clock
from onnxq.core.plan import Plan
from onnxq.core.recipe import Recipe
from onnxq.core.report import Fidelity, Report
from onnxq.core.samples import Data, Samples
from onnxq.core.scales import Scales
from onnxq.core.statistics import Statistics
from onnxq.pipeline.checkpoint import Checkpoint
from onnxq.pipeline.closeness import closeness_of, product_of
from onnxq.pipeline.fixing import fixed
from onnxq.pipeline.order import Order
from onnxq.pipeline.product import Product
from onnxq.pipeline.recipe_file import load_recipe, resolved, save_recipe
from onnxq.pipeline.recipe_outline import commented_recipe
from onnxq.pipeline.scaling import Ready, Scaled, ready, scaled, statistics_of
from onnxq.pipeline.statistics_file import load_calibration_cache, load_statistics, save_statistics
from onnxq.pipeline.subject import Model, Subject, load, matches_of, plan_of, read
from onnxq.stages.verify import Written, check_model, check_structure

__all__ = [
    "Checkpoint",
    "Model",
    "Ready",
    "Result",
    "Scaled",
    "Subject",
    "calibrate",
    "commented_recipe",
    "finished",
    "load",
    "load_calibration_cache",
    "load_recipe",
    "load_statistics",
    "matches_of",
    "plan_of",
    "quantize",
    "read",
    "save_recipe",
    "save_statistics",
    "scaled",
]


@dataclass(frozen=True, repr=False)
class Result:
    """What `quantize` made, and from what.

    Attributes:
        model: as it is to be written.
        plan: what is quantized, and why: for the model as it came, so that it can be obeyed again.
        scales: of what is quantized.
        statistics: what was measured.
        report: what happened.
        recipe: the one that was given, with what it left open: the target's types, the calibrator and the fixes that
            "auto" chose.
        reference: the float model that statistics are of, and whose tensors mean the same as those of the quantized
            one: the model as it came, prepared, with fixes that keep what it computes.
        written: the plan as it was obeyed: another one only where fixes put a tensor of their own in the place of one.
    """

    model: onnx.ModelProto
    plan: Plan
    scales: Scales
    statistics: Statistics
    report: Report
    recipe: Recipe
    reference: onnx.ModelProto
    written: Plan

    def __repr__(self) -> str:
        return f"Result({len(self.model.graph.node)} nodes, {self.plan}, {self.report})"

    def _repr_html_(self) -> str:
        return self.report._repr_html_()


def quantize(
    model: Model,
    calib: Data | Samples | Statistics | None = None,
    recipe: Recipe = Recipe(),
    *,
    plan: Plan | str | None = None,
    evaluation: Data | Samples | None = None,
    execution: Execution = Execution(),
) -> Result:
    """Quantizes a model. No file is written.

    Args:
        model: FP32, as a ModelProto or a path. Not modified.
        calib: typical inputs: a path, arrays by input name with samples on the first axis, feed dicts, or a function
            that returns feed dicts; `Samples` says how to read them. Or the Statistics that `calibrate` made of them.
        recipe: how to quantize.
        plan: where Q/DQ go, as a Plan or its JSON text; made from the recipe's target if not given.
        evaluation: inputs that are not among `calib`, to measure fidelity on. Labels may be among the arrays.
        execution: how the models are run.

    Raises:
        InputError: the model, the data, the recipe or the plan are not usable; the message says what to change.
        StageError: onnxq or a runtime failed.
    """
    clock = Clock(execution.observer)
    order = Order(calib, recipe, execution, plan, evaluation)
    return finished(fixed(scaled(model, order, clock), order, clock), recipe, execution, clock)


def finished(
    found: Scaled, recipe: Recipe, execution: Execution, clock: Clock, own: Sequence[OwnMetric] = ()
) -> Result:
    """The quantized model, written and verified.

    Args:
        found: its plan, its scales and what fixes made of it.
        recipe: how to quantize.
        execution: how models are run.
        clock: has timed the stages before.
        own: metrics of the user's.

    Raises:
        StageError: onnxq or a runtime failed.
    """
    begun, subject = found.ready, found.subject
    with clock.stage("rewrite"):
        product = product_of(found, recipe)
    with clock.stage("verify"):
        check_structure(Written(onnx_io.view(product.model), found.plan, subject.view))
        check_model(product.model, beside=begun.given)
        close = closeness_of(found, product, recipe, execution, own)
    done = replace(resolved(recipe, subject), calibrator=found.calibrator(recipe), fixes=found.fixes.taken)
    report = _report(found, product, close, done, clock)
    reference = found.reference.prepared.model
    return Result(product.model, begun.plan, found.scales, found.statistics, report, done, reference, found.plan)


def calibrate(
    model: Model,
    calib: Data | Samples,
    recipe: Recipe = Recipe(),
    *,
    plan: Plan | str | None = None,
    execution: Execution = Execution(),
    checkpoint: Checkpoint | None = None,
) -> Statistics:
    """Measures what `quantize` needs to know of a model's activations, for any calibrator.

    Args:
        model: as for `quantize`.
        calib: as for `quantize`.
        recipe: what is skipped is not measured.
        plan: as for `quantize`.
        execution: how the model is run.
        checkpoint: where to keep what was counted, in case of an interruption.

    Raises:
        InputError: the model, the data, the recipe or the plan are not usable; the message says what to change.
        StageError: onnxq or a runtime failed.
    """
    clock = Clock(execution.observer)
    if recipe.fixes:
        execution.observer.note(
            "These are statistics of the model without the recipe's fixes. `onnxq quantize --stats` takes --fixes none."
        )
    begun = ready(model, Order(calib, replace(recipe, labels=None), execution, plan), clock)
    with clock.stage("calibrate"):
        return statistics_of(begun, calib, execution, checkpoint)


def _report(found: Scaled, product: Product, close: Fidelity | None, done: Recipe, clock: Clock) -> Report:
    """What happened."""
    begun, prepared = found.ready, found.subject.prepared
    return Report.of(
        found.subject.view,
        found.plan,
        prepared=tuple((note.text, note.count) for note in prepared.changed),
        intact=tuple((note.text, note.count) for note in prepared.intact),
        floored=dict(found.scales.floored()),
        drift=begun.drift,
        calibration_samples=found.statistics.samples,
        known=(begun.known.source, len(begun.known.scales)),
        calibrator=done.calibrator,
        tried=found.tried,
        data="calibration" if begun.sources.evaluation is None else "evaluation",
        fidelity=close,
        plain=found.plain,
        fixes=found.fixes,
        sizes=(onnx_io.size(begun.given), onnx_io.size(product.model)),
        rest=product.rest_report(found.reference.prepared.model),
        seconds=clock.seconds,
    )
