"""Fixes applied: those that keep what the float model computes before the last measurement, the others behind it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from onnxq import onnx_io
from onnxq.catalog import pick
from onnxq.catalog.fixes import FIXES
from onnxq.core.batch import Run, Source
from onnxq.core.execution import Execution
from onnxq.core.fix import Case, Fix, Fixed
from onnxq.core.graph import GraphView
from onnxq.core.observer import Clock
from onnxq.core.recipe import Recipe
from onnxq.core.scales import Scales
from onnxq.errors import DataError
from onnxq.pipeline.measurement import limits
from onnxq.pipeline.order import Order
from onnxq.pipeline.scaling import Scaled, rescaled, statistics_of
from onnxq.pipeline.subject import FORMATS_BY_NAME, Subject
from onnxq.pipeline.subset import canonical
from onnxq.runtimes import machine, onnxruntime
from onnxq.runtimes.setup import Setup
from onnxq.stages.rewrite import edited, rewrite

MOST = 512
"""Samples that a fix looks at, at the most."""

SHARE = 8
"""They may take the 8th part of the machine's memory."""


@dataclass(frozen=True)
class Workshop:
    """Makes models that can be run of what fixes work with: a Lab.

    Attributes:
        found: the model as it was before any fix that works on it.
        execution: how models are run.
    """

    found: Scaled
    execution: Execution

    def __call__(self, view: GraphView, scales: Scales | None, tensors: Sequence[str]) -> Run:
        """See Lab."""
        subject = self.found.ready.subject
        model, setup = edited(subject.prepared.model, subject.view, view), Setup.of(self.execution)
        if scales is not None:
            edges = {site for sites in view.sites.values() for site in sites}
            sites = [decision.site for decision in self.found.ready.plan.quantized if decision.site in edges]
            model = rewrite(model, view, scales.of(sites), sites, FORMATS_BY_NAME)
            setup = replace(setup, as_written=True)
        return onnxruntime.Session(model, tensors, setup)


def preserved(found: Scaled, order: Order, clock: Clock) -> Scaled:
    """The model after those of its recipe's fixes that keep what it computes in float, measured and scaled anew."""
    for fix in (fix for fix in chosen(order.recipe.fixes) if fix.preserves):
        with clock.stage("fix"):
            done = fix(case_of(found, found, samples_of(found), order.execution))
        ready = replace(found.ready, subject=_edited(found.ready.subject, done))
        ready = replace(ready, plan=replace(ready.plan, fingerprint=ready.subject.view.fingerprint))
        with clock.stage("calibrate"):
            statistics = statistics_of(ready, order.calib, order.execution)
        with clock.stage("scale"):
            found = rescaled(ready, statistics, order.recipe, order.execution)
    return found


def corrected(found: Scaled, recipe: Recipe, execution: Execution, clock: Clock) -> Scaled:
    """The model after the other fixes of its recipe, which leave its scales nearly as they are."""
    reference = found
    for fix in (fix for fix in chosen(recipe.fixes) if not fix.preserves):
        with clock.stage("fix"):
            done = fix(case_of(found, reference, samples_of(found), execution))
        ready = replace(found.ready, subject=_edited(found.ready.subject, done))
        found = replace(found, ready=ready, scales=done.scales or found.scales)
    return found


def chosen(names: Iterable[str]) -> tuple[Fix, ...]:
    """The fixes of these names, in the order in which they are applied.

    Raises:
        RecipeError: there is none of some name.
    """
    asked = [pick(FIXES, name, "fix") for name in names]
    return tuple(fix for fix in FIXES if fix in asked)


def samples_of(found: Scaled) -> Source:
    """The calibration samples that fixes look at, always in the same order.

    Raises:
        DataError: there are none, or they can be read only once.
    """
    source = found.ready.sources.calibration
    if source is None or source.is_stream:
        raise DataError(
            "Fixes look at the calibration samples more than once. Give them with --calib, as files or arrays."
        )
    return canonical(source, onnx_io.inputs(found.ready.given), machine.memory() // SHARE, MOST)


def case_of(found: Scaled, reference: Scaled, samples: Source, execution: Execution) -> Case:
    """The model as a fix finds it."""
    return Case(
        view=found.ready.subject.view,
        reference=reference.ready.subject.view,
        plan=found.ready.plan,
        scales=found.scales,
        statistics=found.statistics,
        samples=samples,
        run=Workshop(found, execution),
        observer=execution.observer,
        cores=limits(execution).cores,
    )


def _edited(subject: Subject, done: Fixed) -> Subject:
    model = edited(subject.prepared.model, subject.view, done.view)
    return replace(subject, prepared=replace(subject.prepared, model=model), view=done.view)
