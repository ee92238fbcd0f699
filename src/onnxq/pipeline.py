"""All stages in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path

import onnx

from onnxq import onnx_io
from onnxq.catalog import pick
from onnxq.catalog.calibrators import CALIBRATORS
from onnxq.catalog.formats import FORMATS
from onnxq.catalog.metrics import METRICS
from onnxq.catalog.targets import TARGETS
from onnxq.core.batch import Batch, Source, Tensors
from onnxq.core.calibrator import Calibrator
from onnxq.core.graph import GraphView
from onnxq.core.observer import Clock, Observer, Silent
from onnxq.core.plan import Plan
from onnxq.core.recipe import Recipe
from onnxq.core.report import Fidelity, Report
from onnxq.core.samples import Data, Samples
from onnxq.core.scales import Scales
from onnxq.core.statistics import Statistics
from onnxq.core.target import Target
from onnxq.data import source
from onnxq.data.kind import Request
from onnxq.errors import DataError, ModelError, RecipeError, RuntimeFailure
from onnxq.runtimes import onnxruntime
from onnxq.stages.calibrate import calibrate
from onnxq.stages.plan import check_plan
from onnxq.stages.plan import plan as make_plan
from onnxq.stages.prepare import Prepared, prepare
from onnxq.stages.rewrite import rewrite
from onnxq.stages.scale import scale
from onnxq.stages.verify import Written, check_model, check_structure, equivalence, fidelity

Model = onnx.ModelProto | str | Path
FORMATS_BY_NAME = {stored.name: stored for stored in FORMATS}

CHECKED = 64
"""Calibration samples that fidelity is measured on when there are no evaluation data."""


@dataclass(frozen=True)
class Result:
    """What `quantize` made, and from what."""

    model: onnx.ModelProto
    plan: Plan
    scales: Scales
    statistics: Statistics
    report: Report


@dataclass(frozen=True)
class Subject:
    """A model that is ready to be planned."""

    prepared: Prepared
    view: GraphView
    target: Target


def quantize(
    model: Model,
    calib: Data | Samples,
    recipe: Recipe = Recipe(),
    *,
    plan: Plan | str | None = None,
    evaluation: Data | Samples | None = None,
    observer: Observer | None = None,
) -> Result:
    """Quantizes a model. No file is written.

    Args:
        model: FP32, as a ModelProto or a path. Not modified.
        calib: typical inputs: an npz file, arrays by input name with samples on the first axis, or any iterable of
            feed dicts.
        recipe: how to quantize.
        plan: where Q/DQ go, as a Plan or its JSON text; made from the recipe's target if not given.
        evaluation: inputs that are not among `calib`, to measure fidelity on. Labels may be among the arrays.
        observer: told of the progress.

    Raises:
        InputError: the model, the data, the recipe or the plan are not usable; the message says what to change.
        StageError: onnxq or a runtime failed.
    """
    clock = Clock(observer or Silent())
    with clock.stage("prepare"):
        calibrators = _calibrator(recipe.calibrator, recipe), _calibrator(recipe.weight_calibrator, recipe)
        given = load(model)
        samples, held_out = _sources(given, calib, evaluation, recipe)
        probe = _first(samples.some(1, recipe.seed)).feeds
        before = _run_original(given, probe)
        subject = read(given, recipe)
    with clock.stage("plan"):
        made = plan_of(subject, recipe, plan)
    with clock.stage("calibrate"):
        drift = equivalence(before, onnxruntime.run(subject.prepared.model, probe))
        taps = onnxruntime.Session(subject.prepared.model, made.activations)
        statistics = calibrate(taps, _counted(samples.batches(), len(samples), clock.observer), made.activations)
    with clock.stage("scale"):
        scales = scale(made, subject.view, statistics, FORMATS_BY_NAME, calibrators)
    with clock.stage("rewrite"):
        sites = [decision.site for decision in made.quantized]
        written = rewrite(subject.prepared.model, subject.view, scales, sites, FORMATS_BY_NAME)
    with clock.stage("verify"):
        check_structure(Written(onnx_io.view(written), made, subject.view))
        check_model(written, beside=given)
        batches = samples.some(CHECKED, recipe.seed) if held_out is None else held_out.batches()
        total = min(CHECKED, len(samples)) if held_out is None else len(held_out)
        measured = _fidelity(given, written, _counted(batches, total, clock.observer), recipe)
    report = Report.of(
        subject.view,
        made,
        prepared=tuple((note.text, note.count) for note in subject.prepared.changed),
        intact=tuple((note.text, note.count) for note in subject.prepared.intact),
        floored=dict(scales.floored()),
        drift=drift,
        calibration_samples=statistics.samples,
        data="calibration" if held_out is None else "evaluation",
        fidelity=measured,
        sizes=(onnx_io.size(given), onnx_io.size(written)),
        seconds=clock.seconds,
    )
    return Result(written, made, scales, statistics, report)


def load(model: Model) -> onnx.ModelProto:
    """The model itself, read if it is a path.

    Raises:
        ModelError: it cannot be read.
    """
    if isinstance(model, onnx.ModelProto):
        return model
    if not isinstance(model, str | Path):
        raise ModelError(f"A model is a path or an onnx.ModelProto. Got {type(model).__name__}.")
    return onnx_io.load(Path(model))


def read(given: onnx.ModelProto, recipe: Recipe) -> Subject:
    """Prepares a model for planning.

    Raises:
        ModelError: it cannot be prepared.
        RecipeError: there is no such target.
    """
    target = pick(TARGETS, recipe.target, "target")
    prepared = prepare(given, onnxruntime.evaluate, target.opset)
    return Subject(prepared, onnx_io.view(prepared.model), target)


def plan_of(subject: Subject, recipe: Recipe, given: Plan | str | None = None) -> Plan:
    """The given plan less what the recipe skips, or a new one.

    Raises:
        PlanError: the given plan is none, or belongs to another model.
        RecipeError: a selector matches nothing.
        ModelError: nothing can be quantized.
    """
    if given is None:
        return make_plan(subject.view, subject.target, recipe.selectors)
    text = given.to_json() if isinstance(given, Plan) else given
    made = Plan.from_json(text, subject.view)  # checks it against the graph
    for selector in recipe.selectors:
        made = made.without(selector.select(subject.view.nodes))
    check_plan(made, subject.view, subject.target, FORMATS_BY_NAME)
    return made


def _sources(
    given: onnx.ModelProto, calib: Data | Samples, evaluation: Data | Samples | None, recipe: Recipe
) -> tuple[Source, Source | None]:
    """What to calibrate with, and what to measure fidelity on if not the same."""
    inputs = onnx_io.inputs(given)
    if recipe.labels and evaluation is None:
        raise RecipeError(f"There is no evaluation data to find the labels '{recipe.labels}' in. Give some.")
    wanted = Request(inputs, recipe.batch_size)
    held_out = None if evaluation is None else source(evaluation, replace(wanted, labels=recipe.labels))
    return source(calib, wanted), held_out


def _first(batches: Iterator[Batch]) -> Batch:
    for batch in batches:
        return batch
    raise DataError("There are no calibration samples. Give at least one; a few hundred are usual.")


def _counted(batches: Iterable[Batch], total: int, observer: Observer) -> Iterator[Batch]:
    """The same batches; `observer` is told when each is done."""
    done = 0
    for batch in batches:
        yield batch
        done += batch.samples
        observer.advance(done, total)


def _run_original(given: onnx.ModelProto, feeds: Tensors) -> Tensors:
    try:
        return onnxruntime.run(given, feeds)
    except RuntimeFailure as cause:
        raise ModelError(f"The model cannot be run, so it cannot be calibrated. {cause}") from cause


def _fidelity(given: onnx.ModelProto, written: onnx.ModelProto, batches: Iterable[Batch], recipe: Recipe) -> Fidelity:
    measured = fidelity(onnxruntime.Session(given), onnxruntime.Session(written, as_written=True), batches, METRICS)
    if recipe.labels and not measured.baselines:
        raise DataError(f"The labels '{recipe.labels}' fit no output: none has a score per sample for each class.")
    return measured


def _calibrator(name: str, recipe: Recipe) -> Calibrator:
    """The calibrator of that name; its parameters are the recipe's fields of the same names."""
    chosen = pick(CALIBRATORS, name, "calibrator")
    if not is_dataclass(chosen):
        return chosen
    return replace(chosen, **{field.name: getattr(recipe, field.name) for field in fields(chosen)})
