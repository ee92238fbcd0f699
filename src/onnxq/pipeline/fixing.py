"""The model with fixes: those that a recipe names, or those that are found to help; and what each did to accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from onnxq.catalog.fixes import fixes_of
from onnxq.catalog.metrics.top1 import TOP1
from onnxq.core.attempt import Fixes
from onnxq.core.fix import Fix
from onnxq.core.observer import Clock
from onnxq.core.recipe import AUTO
from onnxq.core.report import Fidelity
from onnxq.pipeline.closeness import closeness_of, product_of
from onnxq.pipeline.course import Course, Step, Trail
from onnxq.pipeline.order import Order
from onnxq.pipeline.scaling import Scaled
from onnxq.pipeline.workshop import Workshop

LABELLED = 1000
"""Samples with labels that the model is tried on after each fix, at the most."""


def fixed(found: Scaled, order: Order, clock: Clock) -> Scaled:
    """The model after the fixes that its recipe names, or after those that are found to help if it says `auto`.

    Fixes look at three quarters of the calibration samples, and are judged on the rest. So the same fixes give the same
    model, whether a recipe names them or `auto` chose them.

    Raises:
        RecipeError: there is no fix of some name, or one that does not go with the rest of the recipe.
        DataError: there are no samples, or they can be read only once.
        StageError: a fix broke a promise, or a runtime failed.
    """
    trail = _trail(found, fixes_of(order.recipe.fixes), order, clock)
    done = replace(trail.last.found, fixes=trail.fixes)
    if not (done.fixes.taken and done.ready.sources.can_repeat_checks):
        return done
    with clock.stage("verify"):
        plain = _closeness(found, order)
        fixes = _with_accuracy(trail, order) if plain and plain.baselines else trail.fixes
    return replace(done, plain=plain, fixes=fixes)


def preserved(found: Scaled, order: Order, clock: Clock) -> Scaled:
    """The model after those of the fixes that keep what it computes in float.

    Raises:
        See `fixed`.
    """
    fixes = fixes_of(order.recipe.fixes)
    others = [fix.name for fix in fixes if not fix.preserves]
    if others and order.recipe.fixes != AUTO:
        order.execution.observer.note(f"Left out, since they change what is compared with: {', '.join(others)}.")
    trail = _trail(found, tuple(fix for fix in fixes if fix.preserves), order, clock)
    return replace(trail.last.found, fixes=trail.fixes)


def _trail(found: Scaled, fixes: Sequence[Fix], order: Order, clock: Clock) -> Trail:
    """The way of the model through `fixes`, or through those that help."""
    if not fixes:
        return Trail((Step(found, None),))
    workshop = Workshop.of(found, order, clock)
    if workshop.aside is None and order.recipe.fixes == AUTO:
        clock.observer.note("There are too few samples to judge fixes on, so none is applied. Give at least four.")
        return Trail((Step(found, None),))
    return Course.of(workshop, found.ready.given).run(found, fixes)


def _closeness(found: Scaled, order: Order, most: int | None = None) -> Fidelity | None:
    return closeness_of(found, product_of(found, order.recipe), order.recipe, order.execution, most=most)


def _with_accuracy(trail: Trail, order: Order) -> Fixes:
    """The account of a trail, with the top-1 accuracy after each fix that was taken."""
    found = [_closeness(step.found, order, LABELLED) for step in trail.steps]
    first, *others = [(close.samples, close.worst(TOP1)[1]) for close in found if close]
    known = dict(zip(trail.taken, others, strict=True))
    attempts = tuple(
        replace(attempt, top1=known[place][1]) if place in known else attempt
        for place, attempt in enumerate(trail.attempts)
    )
    return replace(trail.fixes, attempts=attempts, labelled=first[0], top1=first[1])
