"""All stages in order."""

from __future__ import annotations

from dataclasses import dataclass, replace

import onnx

from onnxq import onnx_io
from onnxq.catalog.calibrators.auto import Auto
from onnxq.catalog.metrics import METRICS
from onnxq.core.execution import Execution
from onnxq.core.observer import Clock
from onnxq.core.plan import Plan
from onnxq.core.recipe import Recipe
from onnxq.core.report import Fidelity, Report
from onnxq.core.samples import Data, Samples
from onnxq.core.scales import Scales
from onnxq.core.statistics import Statistics
from onnxq.errors import DataError
from onnxq.pipeline.checkpoint import Checkpoint
from onnxq.pipeline.choice import TRIED, preferred
from onnxq.pipeline.groundwork import Ready, Scaled, ready_for, scaled, statistics_of
from onnxq.pipeline.order import Order
from onnxq.pipeline.product import Product, produce
from onnxq.pipeline.statistics_file import load_calibration_cache, load_statistics, save_statistics
from onnxq.pipeline.subject import Model, Subject, load, plan_of, read
from onnxq.runtimes import onnxruntime
from onnxq.runtimes.setup import Setup
from onnxq.stages.verify import Written, check_model, check_structure, fidelity

__all__ = [
    "Checkpoint",
    "Model",
    "Ready",
    "Result",
    "Scaled",
    "Subject",
    "calibrate",
    "load",
    "load_calibration_cache",
    "load_statistics",
    "plan_of",
    "quantize",
    "read",
    "save_statistics",
    "scaled",
]


@dataclass(frozen=True)
class Result:
    """What `quantize` made, and from what."""

    model: onnx.ModelProto
    plan: Plan
    scales: Scales
    statistics: Statistics
    report: Report


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
    found = scaled(model, Order(calib, recipe, execution, plan, evaluation), clock)
    ready, statistics, scales, tried = found.ready, found.statistics, found.scales, found.tried
    given, subject, made = ready.given, ready.subject, ready.plan
    with clock.stage("rewrite"):
        product = produce(subject, made, scales, statistics, recipe)
    with clock.stage("verify"):
        check_structure(Written(onnx_io.view(product.model), made, subject.view))
        check_model(product.model, beside=given)
        close = _fidelity(ready, product, recipe, execution)
    report = Report.of(
        subject.view,
        made,
        prepared=tuple((note.text, note.count) for note in subject.prepared.changed),
        intact=tuple((note.text, note.count) for note in subject.prepared.intact),
        floored=dict(scales.floored()),
        drift=ready.drift,
        calibration_samples=statistics.samples,
        known=(ready.known.source, len(ready.known.scales)),
        calibrator=preferred(tried or {TRIED[0]: 0.0}) if recipe.calibrator == Auto.name else recipe.calibrator,
        tried=tried,
        data="calibration" if ready.sources.evaluation is None else "evaluation",
        fidelity=close,
        sizes=(onnx_io.size(given), onnx_io.size(product.model)),
        rest=product.rest_report(subject.prepared.model),
        seconds=clock.seconds,
    )
    return Result(product.model, made, scales, statistics, report)


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
    ready = ready_for(model, Order(calib, recipe, execution, plan), clock)
    with clock.stage("calibrate"):
        return statistics_of(ready, calib, execution, checkpoint)


def _fidelity(ready: Ready, product: Product, recipe: Recipe, execution: Execution) -> Fidelity | None:
    batches = ready.sources.checks(recipe.seed, execution.observer)
    if batches is None:
        return None
    setup = Setup.of(execution)
    original = onnxruntime.Session(ready.given, setup=setup)
    judged = onnxruntime.Session(product.judged, setup=replace(setup, as_written=True))
    found = fidelity(original, judged, batches, METRICS)
    if recipe.labels and not found.baselines:
        raise DataError(f"The labels '{recipe.labels}' fit no output: none has a score per sample for each class.")
    return found
