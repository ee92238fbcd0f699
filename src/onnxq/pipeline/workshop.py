"""Where a fix is applied to a model: with what it needs to run it, and with what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from onnxq import onnx_io
from onnxq.catalog import pick
from onnxq.catalog.floats import FLOATS
from onnxq.catalog.formats import FORMATS_BY_NAME
from onnxq.core.batch import Run, Source
from onnxq.core.deadline import Deadline, Hurried
from onnxq.core.execution import Execution
from onnxq.core.fix import Case, Fix, Fixed
from onnxq.core.float_type import FloatType
from onnxq.core.graph import GraphView
from onnxq.core.observer import Clock
from onnxq.core.scales import Scales
from onnxq.errors import RecipeError
from onnxq.pipeline.measurement import limits
from onnxq.pipeline.order import Order
from onnxq.pipeline.scaling import Scaled, rescaled, statistics_of
from onnxq.pipeline.sources import first
from onnxq.pipeline.subject import Subject
from onnxq.pipeline.subset import parted
from onnxq.runtimes import machine, onnxruntime
from onnxq.runtimes.setup import Setup
from onnxq.stages.rewrite import edited, rewrite
from onnxq.stages.verify import equivalence

MOST, ASIDE = 512, 128
"""Samples that fixes look at, and samples kept aside to judge them on, at the most."""

SHARE = 8
"""They may take the 8th part of the machine's memory."""


@dataclass(frozen=True)
class Runner:
    """Makes models that can be run of what fixes work with: a Lab.

    Attributes:
        found: the model as a fix finds it.
        execution: how models are run.
    """

    found: Scaled
    execution: Execution

    def __call__(self, view: GraphView, scales: Scales | None, tensors: Sequence[str]) -> Run:
        """See Lab."""
        subject, setup = self.found.subject, Setup.of(self.execution)
        model = edited(subject.prepared.model, subject.view, view)
        if scales is not None:
            edges = {site for sites in view.sites.values() for site in sites}
            planned = [decision.site for decision in self.found.plan.quantized if decision.site in edges]
            sites = [site for site in planned if site in scales.weights or site.tensor in scales.activations]
            model = rewrite(model, view, scales.of(sites), sites, FORMATS_BY_NAME)
            setup = replace(setup, as_written=True)
        return onnxruntime.Session(model, tensors, setup)


@dataclass(frozen=True)
class Work:
    """What came of a fix.

    Attributes:
        found: the model with it; the same as before if the fix found nothing to do.
        notes: what it says of itself.
        drift: the largest relative difference that it made to an output of the float model; None if it is to change it.
    """

    found: Scaled
    notes: tuple[str, ...]
    drift: float | None = None


@dataclass(frozen=True)
class Workshop:
    """Applies fixes.

    Attributes:
        order: what was asked for.
        clock: times the stages.
        samples: what fixes look at, always in the same order and the same batches.
        aside: samples that no fix sees; None if there are too few.
    """

    order: Order
    clock: Clock
    samples: Source
    aside: Source | None

    @staticmethod
    def of(found: Scaled, order: Order, clock: Clock) -> Workshop:
        """One for the fixes of a model; its calibrator is the one that was chosen for it.

        Raises:
            DataError: there are no samples, or they can be read only once, or what is to be resumed is of others.
        """
        source, inputs = found.ready.sources.calibration_again(), onnx_io.inputs(found.ready.given)
        samples, aside = parted(source, inputs, machine.memory() // SHARE, MOST, ASIDE)
        order.execution.memory.open(found.ready.subject.fingerprint, first(samples.batches()))
        settled = replace(order.recipe, calibrator=found.calibrator(order.recipe))
        return Workshop(replace(order, recipe=settled), clock, samples, aside)

    def until(self, deadline: Deadline) -> Workshop:
        """The same, where whatever tells of progress behind the deadline is stopped."""
        observer = Hurried(self.clock.observer, deadline)
        return replace(self, order=replace(self.order, execution=replace(self.order.execution, observer=observer)))

    def apply(self, fix: Fix, found: Scaled) -> Work:
        """The model after a fix.

        Raises:
            RecipeError: scales are known for tensors that the fix would change.
            PrepareError: it changed what the model computes, and promised not to.
        """
        execution = self.order.execution
        if fix.preserves:
            _check_known(fix, found)  # before the work, since it is sure to fail
        with self.clock.stage(fix.name):
            done = fix(case_of(found, self.samples, execution))
        if _is_idle(done, found):
            return Work(found, done.notes)
        subject, scales, drift = _edited(found.subject, done.view), done.scales or found.scales, None
        scales = scales.on_grid(_grid(subject)).stored_in(subject.low)
        found = replace(found, subject=subject, plan=done.plan or found.plan, scales=scales)
        reference = done.view if fix.preserves else done.reference
        if reference is not None:
            found, drift = self._measured(fix, found, _edited(found.reference, reference))
        if reference is not None and done.scales is None:
            found = self._scaled(found)
        return Work(found, done.notes, drift)

    def _measured(self, fix: Fix, found: Scaled, reference: Subject) -> tuple[Scaled, float]:
        """The model with another reference, which should compute what the last one did; measured anew."""
        _check_known(fix, found)
        found = replace(found, reference=reference)
        with self.clock.stage("calibrate"):
            drift = self._drift(fix, found)
            ready = replace(found.ready, subject=reference, plan=found.plan)
            return replace(found, statistics=statistics_of(ready, self.order.calib, self.order.execution)), drift

    def _scaled(self, found: Scaled) -> Scaled:
        """The model with the scales that follow from what was measured."""
        ready = replace(found.ready, subject=found.reference, plan=found.plan)
        with self.clock.stage("scale"):
            return replace(
                found, scales=rescaled(ready, found.statistics, self.order.recipe, self.order.execution).scales
            )

    def _drift(self, fix: Fix, found: Scaled) -> float:
        feeds, setup = first(self.samples.batches()).feeds, Setup.of(self.order.execution)
        before, after = (
            onnxruntime.run(model, feeds, setup) for model in (found.ready.given, found.reference.prepared.model)
        )
        return equivalence(before, after, f"The fix '{fix.name}'")


def case_of(found: Scaled, samples: Source, execution: Execution) -> Case:
    """The model as a fix finds it."""
    return Case(
        view=found.subject.view,
        reference=found.reference.view,
        plan=found.plan,
        scales=found.scales,
        statistics=found.statistics,
        samples=samples,
        run=Runner(found, execution),
        observer=execution.observer,
        cores=limits(execution).cores,
        low=found.subject.low,
        memory=execution.memory,
    )


def _check_known(fix: Fix, found: Scaled) -> None:
    """Refuses to change what tensors mean whose scales are known.

    Raises:
        RecipeError: there are some.
    """
    if (known := found.ready.known).scales:
        raise RecipeError(
            f"The fix '{fix.name}' changes what tensors hold, so the scales of {known.source} no longer fit. "
            "Leave out the fix, or these scales."
        )


def _grid(subject: Subject) -> FloatType:
    """The type that holds all scales, whatever type the rest has."""
    return pick(FLOATS, subject.target.rest, "type of the rest")


def _edited(subject: Subject, view: GraphView) -> Subject:
    model = edited(subject.prepared.model, subject.view, view)
    return replace(subject.edited(model, view.normals), view=view)


def _is_idle(done: Fixed, found: Scaled) -> bool:
    """Whether a fix left everything as it was."""
    before, after, scales = found.subject.view, done.view, done.scales or found.scales
    return (
        before.nodes == after.nodes
        and done.plan in (None, found.plan)
        and _are_same(before.constants, after.constants)
        and _are_same(found.scales.activations, scales.activations)
        and _are_same(found.scales.weights, scales.weights)
    )


def _are_same(one: Mapping[Any, object], other: Mapping[Any, object]) -> bool:
    """Whether both have the same keys, and the very same values."""
    return one.keys() == other.keys() and all(value is other[key] for key, value in one.items())
