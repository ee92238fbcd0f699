"""Everything before the first Q/DQ is written: a model planned, measured and scaled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import onnx

from onnxq import onnx_io
from onnxq.catalog import pick
from onnxq.catalog.calibrators import calibrator_of
from onnxq.catalog.calibrators.auto import Auto
from onnxq.catalog.fixes import fixes_of
from onnxq.catalog.floats import FLOATS
from onnxq.catalog.formats import FORMATS_BY_NAME
from onnxq.core.attempt import NOTHING_TRIED, Fixes
from onnxq.core.batch import Tensors
from onnxq.core.calibrator import Calibrator, spelled
from onnxq.core.execution import Execution
from onnxq.core.journal import Journal
from onnxq.core.known_scales import NOTHING_KNOWN, KnownScales
from onnxq.core.observer import Clock
from onnxq.core.plan import Plan
from onnxq.core.recipe import Recipe
from onnxq.core.report import Fidelity
from onnxq.core.samples import Data, Samples
from onnxq.core.scales import Scales
from onnxq.core.statistics import Statistics
from onnxq.errors import DataError, ModelError, RecipeError, RuntimeFailure
from onnxq.pipeline.checkpoint import Checkpoint
from onnxq.pipeline.choice import TRIED, closeness, preferred
from onnxq.pipeline.measurement import covering, fitting_batch_size, measure, wanted
from onnxq.pipeline.order import Order
from onnxq.pipeline.product import quantized
from onnxq.pipeline.sources import CHECKED, Sources, first
from onnxq.pipeline.statistics_file import RECORD
from onnxq.pipeline.subject import Model, Subject, load, plan_of, read
from onnxq.pipeline.subset import Subset
from onnxq.runtimes import onnxruntime
from onnxq.runtimes.setup import Setup
from onnxq.stages.scale import activation_params, lacking, scale
from onnxq.stages.verify import equivalence


@dataclass(frozen=True)
class Ready:
    """A model that is planned, with its samples in batches that fit into memory.

    Attributes:
        given: the model as it came.
        subject: the same, prepared.
        plan: where Q/DQ go.
        known: scales that need no measurement.
        sources: the samples.
        drift: the largest relative difference that preparation made to any output; None without samples to tell.
    """

    given: onnx.ModelProto
    subject: Subject
    plan: Plan
    known: KnownScales
    sources: Sources
    drift: float | None


@dataclass(frozen=True)
class Scaled:
    """A model with all that Q/DQ need.

    Attributes:
        ready: the model as it was planned, its plan and its samples.
        reference: the float model that was measured, which the quantized one is to come close to: the planned one, with
            fixes that keep what it computes.
        subject: what Q/DQ are written into: the reference, with fixes that change it so that less is lost.
        plan: where Q/DQ go in it: as planned, unless a fix put a tensor of its own in the place of another.
        statistics: what was measured.
        scales: of everything the plan quantizes.
        tried: the mean SQNR over the outputs in dB, by calibrator, where several were compared.
        fixes: what was tried.
        plain: how close the model without fixes is to FP32; None if there are no fixes, or if that was not measured.
    """

    ready: Ready
    reference: Subject
    subject: Subject
    plan: Plan
    statistics: Statistics
    scales: Scales
    tried: Mapping[str, float]
    fixes: Fixes = NOTHING_TRIED
    plain: Fidelity | None = None

    def calibrator(self, recipe: Recipe) -> str:
        """The calibrator of activations that was taken."""
        return preferred(self.tried or {TRIED[0]: 0.0}) if recipe.calibrator == Auto.name else recipe.calibrator


def scaled(model: Model, order: Order, clock: Clock) -> Scaled:
    """Everything before the first Q/DQ is written.

    Raises:
        InputError: the model, the data, the recipe or the plan are not usable; the message says what to change.
        StageError: onnxq or a runtime failed.
    """
    recipe, execution = order.recipe, order.execution
    asked = _calibrator(recipe.calibrator, recipe)
    _calibrator(recipe.weight_calibrator, recipe)  # fails before any work is done
    fixes = fixes_of(recipe.fixes)
    if recipe.fixes and not recipe.int8:
        raise RecipeError("Without INT8 there is nothing that fixes could win back. Leave out --no-int8, or the fixes.")
    begun = ready(model, order, clock)
    if fixes:
        begun.sources.calibration_again()
    if isinstance(asked, Auto):
        begun = replace(begun, sources=begun.sources.remembering(CHECKED, onnx_io.inputs(begun.given)))
    with clock.stage("calibrate"):
        statistics = statistics_of(begun, order.calib, execution)
    with clock.stage("scale"):
        return rescaled(begun, statistics, recipe, execution)


def rescaled(begun: Ready, statistics: Statistics, recipe: Recipe, execution: Execution) -> Scaled:
    """What was measured before, with the scales that a recipe asks for.

    Raises:
        DataError: the statistics lack an activation.
    """
    subject = begun.subject
    calibrators = _calibrator(recipe.calibrator, recipe), _calibrator(recipe.weight_calibrator, recipe)
    scales = scale(begun.plan, subject.view, statistics, FORMATS_BY_NAME, calibrators, begun.known)
    scales, tried = _closest(begun, statistics, scales, recipe, execution)
    rest = pick(FLOATS, subject.target.rest, "type of the rest")
    return Scaled(begun, subject, subject, begun.plan, statistics, scales.on_grid(rest).stored_in(subject.low), tried)


def replanned(
    found: Scaled, plan: Plan, recipe: Recipe, calib: Data | Samples | Statistics | None, execution: Execution
) -> Scaled:
    """What `scaled` would have made of the same model with another plan.

    Which tensors are fetched decides what the runtime fuses, and so the last digits of what is measured: where these
    tensors differ, the samples are measured again, unless they are a stream that has passed.
    """
    begun, statistics = replace(found.ready, plan=plan), found.statistics
    before, now = (wanted(begun.subject, lacking(made, begun.known)).keys() for made in (found.ready.plan, plan))
    source = begun.sources.calibration
    if before != now and source is not None and not source.is_stream:
        statistics = statistics_of(begun, calib, execution)
    return rescaled(begun, statistics, recipe, execution)


def ready(model: Model, order: Order, clock: Clock) -> Ready:
    """Everything before the first measurement; checks all that was asked for.

    Raises:
        InputError: the model, the data, the recipe or the plan are not usable; the message says what to change.
    """
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
            return Ready(given, subject, made, known, sources, None)
        drift = equivalence(before, onnxruntime.run(subject.prepared.model, probe, setup))
        size = fitting_batch_size(subject, wanted(subject, made.activations), probe, order.execution)
    return Ready(given, subject, made, known, sources.rebatched(size), drift)


def statistics_of(
    begun: Ready, calib: Data | Samples | Statistics | None, execution: Execution, checkpoint: Checkpoint | None = None
) -> Statistics:
    """The statistics of what the plan quantizes, from samples or from what was measured before.

    Raises:
        DataError: there are no samples, or the statistics are of something else.
    """
    subject, source = begun.subject, begun.sources.calibration
    tensors = wanted(subject, lacking(begun.plan, begun.known))
    if isinstance(calib, Statistics):
        return covering(calib, subject, tensors)
    if source is None and not begun.known.scales:
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
    journal = checkpoint.journal(RECORD, subject.fingerprint, first(source.batches())) if checkpoint else Journal()
    return Statistics(subject.fingerprint, measure(subject, source, tensors, execution, journal))


def _closest(
    begun: Ready, statistics: Statistics, scales: Scales, recipe: Recipe, execution: Execution
) -> tuple[Scales, Mapping[str, float]]:
    """The scales of the calibrator whose model comes closest to FP32, and how close each came; else as they are."""
    seen = begun.sources.calibration
    if not (isinstance(seen, Subset) and statistics.tensors):
        if recipe.calibrator == Auto.name:
            execution.observer.note(f"There are no samples to compare calibrators on: {TRIED[0]} is taken.")
        return scales, {}

    def by(name: str) -> Scales:
        calibrator = _calibrator(name, recipe)
        chosen = activation_params(begun.plan, statistics, FORMATS_BY_NAME, calibrator, begun.known)
        return replace(scales, activations=chosen)

    candidates = ((name, quantized(begun.subject, begun.plan, by(name))) for name in TRIED)
    found = closeness(begun.given, candidates, seen.remembered(), execution)
    return by(preferred(found)), found


def _run_original(given: onnx.ModelProto, feeds: Tensors, setup: Setup) -> Tensors:
    try:
        return onnxruntime.run(given, feeds, setup)
    except RuntimeFailure as cause:
        raise ModelError(f"The model cannot be run, so it cannot be calibrated. {cause}") from cause


def _calibrator(name: str, recipe: Recipe) -> Calibrator:
    """The calibrator of that name, with the recipe's parameter where it says none itself."""
    return calibrator_of(spelled(name, recipe.percentile))
