"""All stages in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import onnx

from onnxq import onnx_io
from onnxq.catalog import pick
from onnxq.catalog.calibrators import calibrator_of
from onnxq.catalog.calibrators.auto import Auto
from onnxq.catalog.floats import FLOATS
from onnxq.catalog.metrics import METRICS
from onnxq.core.batch import Tensors
from onnxq.core.calibrator import Calibrator, spelled
from onnxq.core.execution import Execution
from onnxq.core.known_scales import NOTHING_KNOWN, KnownScales
from onnxq.core.observer import Clock
from onnxq.core.plan import Plan
from onnxq.core.recipe import Recipe
from onnxq.core.report import Fidelity, Report
from onnxq.core.samples import Data, Samples
from onnxq.core.scales import Scales
from onnxq.core.statistics import Statistics
from onnxq.errors import DataError, ModelError, RuntimeFailure
from onnxq.pipeline.choice import TRIED, closeness, preferred
from onnxq.pipeline.measurement import covering, fitting_batch_size, measure, wanted
from onnxq.pipeline.order import Order
from onnxq.pipeline.product import Product, produce, quantized
from onnxq.pipeline.recipe_file import load_recipe, resolved, save_recipe
from onnxq.pipeline.recipe_outline import commented_recipe
from onnxq.pipeline.sources import CHECKED, Sources, first
from onnxq.pipeline.statistics_file import Checkpoint, load_calibration_cache, load_statistics, save_statistics
from onnxq.pipeline.subject import FORMATS_BY_NAME, Model, Subject, load, matches_of, plan_of, read
from onnxq.pipeline.subset import Subset
from onnxq.runtimes import onnxruntime
from onnxq.runtimes.setup import Setup
from onnxq.stages.calibrate import Journal
from onnxq.stages.scale import activation_params, lacking, scale
from onnxq.stages.verify import Written, check_model, check_structure, equivalence, fidelity

__all__ = [
    "Checkpoint",
    "Model",
    "Result",
    "Subject",
    "calibrate",
    "commented_recipe",
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
]


@dataclass(frozen=True)
class Result:
    """What `quantize` made, and from what.

    Attributes:
        model: as it is to be written.
        plan: what is quantized, and why.
        scales: of what is quantized.
        statistics: what was measured.
        report: what happened.
        recipe: the one that was given, with what it left open: the target's types, the calibrator that "auto" chose.
    """

    model: onnx.ModelProto
    plan: Plan
    scales: Scales
    statistics: Statistics
    report: Report
    recipe: Recipe


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
    calibrators = _calibrator(recipe.calibrator, recipe), _calibrator(recipe.weight_calibrator, recipe)
    ready = _ready(model, Order(calib, recipe, execution, plan, evaluation), clock)
    if isinstance(calibrators[0], Auto):
        ready = replace(ready, sources=ready.sources.remembering(CHECKED, onnx_io.inputs(ready.given)))
    given, subject, made = ready.given, ready.subject, ready.plan
    with clock.stage("calibrate"):
        statistics = _statistics(ready, calib, execution)
    with clock.stage("scale"):
        scales = scale(made, subject.view, statistics, FORMATS_BY_NAME, calibrators, ready.known)
        scales, tried = _closest(ready, statistics, scales, recipe, execution)
        scales = scales.on_grid(pick(FLOATS, subject.target.rest, "type of the rest")).stored_in(subject.low)
    with clock.stage("rewrite"):
        product = produce(subject, made, scales, statistics, recipe)
    with clock.stage("verify"):
        check_structure(Written(onnx_io.view(product.model), made, subject.view))
        check_model(product.model, beside=given)
        close = _fidelity(ready, product, recipe, execution)
    found = preferred(tried or {TRIED[0]: 0.0}) if recipe.calibrator == Auto.name else recipe.calibrator
    done = replace(resolved(recipe, subject), calibrator=found)
    report = Report.of(
        subject.view,
        made,
        prepared=tuple((note.text, note.count) for note in subject.prepared.changed),
        intact=tuple((note.text, note.count) for note in subject.prepared.intact),
        floored=dict(scales.floored()),
        drift=ready.drift,
        calibration_samples=statistics.samples,
        known=(ready.known.source, len(ready.known.scales)),
        calibrator=done.calibrator,
        tried=tried,
        data="calibration" if ready.sources.evaluation is None else "evaluation",
        fidelity=close,
        sizes=(onnx_io.size(given), onnx_io.size(product.model)),
        rest=product.rest_report(subject.prepared.model),
        seconds=clock.seconds,
    )
    return Result(product.model, made, scales, statistics, report, done)


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
    ready = _ready(model, Order(calib, replace(recipe, labels=None), execution, plan), clock)
    with clock.stage("calibrate"):
        return _statistics(ready, calib, execution, checkpoint)


@dataclass(frozen=True)
class _Ready:
    """A model that is planned, with its samples in batches that fit into memory."""

    given: onnx.ModelProto
    subject: Subject
    plan: Plan
    known: KnownScales
    sources: Sources
    drift: float | None


def _ready(model: Model, order: Order, clock: Clock) -> _Ready:
    """Everything before the first measurement; checks all that was asked for."""
    setup = Setup.of(order.execution)
    with clock.stage("prepare"):
        given = load(model)
        sources = Sources.of(given, order)
        probe = sources.probe(order.recipe.seed)
        before = None if probe is None else _run_original(given, probe, setup)
        subject = read(given, order.recipe)
    with clock.stage("plan"):
        made = plan_of(subject, order.recipe, order.plan)
        known = order.recipe.cache.known(made.activations) if order.recipe.cache else NOTHING_KNOWN
        if probe is None or before is None:
            return _Ready(given, subject, made, known, sources, None)
        drift = equivalence(before, onnxruntime.run(subject.prepared.model, probe, setup))
        size = fitting_batch_size(subject, wanted(subject, made.activations), probe, order.execution)
    return _Ready(given, subject, made, known, sources.rebatched(size), drift)


def _statistics(
    ready: _Ready, calib: Data | Samples | Statistics | None, execution: Execution, checkpoint: Checkpoint | None = None
) -> Statistics:
    """The statistics of what the plan quantizes, from samples or from what was measured before."""
    subject, source = ready.subject, ready.sources.calibration
    tensors = wanted(subject, lacking(ready.plan, ready.known))
    if isinstance(calib, Statistics):
        return covering(calib, subject, tensors)
    if source is None and not ready.known.scales:
        raise DataError(
            "There are no calibration data. Give typical inputs with --calib, or what was measured before with --stats."
        )
    if source is None and tensors and not any(tensors.values()):
        low = subject.low.name
        raise DataError(
            f"All scales are known, but {low.upper()} is only safe where the ranges of other tensors are known too. "
            "Give samples with --calib, or keep the rest in FP32: --rest fp32."
        )
    if source is None or not tensors:
        return Statistics(subject.fingerprint, {})  # all scales are known, or the next stage says which are not
    journal = checkpoint.journal(subject.fingerprint, first(source.batches())) if checkpoint else Journal()
    return Statistics(subject.fingerprint, measure(subject, source, tensors, execution, journal))


def _closest(
    ready: _Ready, statistics: Statistics, scales: Scales, recipe: Recipe, execution: Execution
) -> tuple[Scales, Mapping[str, float]]:
    """The scales of the calibrator whose model comes closest to FP32, and how close each came; else as they are."""
    seen = ready.sources.calibration
    if not (isinstance(seen, Subset) and statistics.tensors):
        if recipe.calibrator == Auto.name:
            execution.observer.note(f"There are no samples to compare calibrators on: {TRIED[0]} is taken.")
        return scales, {}

    def by(name: str) -> Scales:
        calibrator = _calibrator(name, recipe)
        chosen = activation_params(ready.plan, statistics, FORMATS_BY_NAME, calibrator, ready.known)
        return replace(scales, activations=chosen)

    candidates = ((name, quantized(ready.subject, ready.plan, by(name))) for name in TRIED)
    found = closeness(ready.given, candidates, seen.remembered(), execution)
    return by(preferred(found)), found


def _run_original(given: onnx.ModelProto, feeds: Tensors, setup: Setup) -> Tensors:
    try:
        return onnxruntime.run(given, feeds, setup)
    except RuntimeFailure as cause:
        raise ModelError(f"The model cannot be run, so it cannot be calibrated. {cause}") from cause


def _fidelity(ready: _Ready, product: Product, recipe: Recipe, execution: Execution) -> Fidelity | None:
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


def _calibrator(name: str, recipe: Recipe) -> Calibrator:
    """The calibrator of that name, with the recipe's parameter where it says none itself."""
    return calibrator_of(spelled(name, recipe.percentile))
