"""Fixes tried one after the other, and judged on samples that none of them has seen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx

from onnxq.catalog.fixes import fixes_of
from onnxq.core.attempt import Attempt, Fixes
from onnxq.core.deadline import Deadline, TimeUp
from onnxq.core.fix import Fix
from onnxq.core.observer import Clock
from onnxq.core.recipe import AUTO
from onnxq.core.score import Score
from onnxq.errors import RecipeError, StageError
from onnxq.pipeline.closeness import closeness_of, product_of
from onnxq.pipeline.order import Order
from onnxq.pipeline.referee import Referee
from onnxq.pipeline.scaling import Scaled
from onnxq.pipeline.workshop import Workshop
from onnxq.runtimes.onnxruntime import Session
from onnxq.runtimes.setup import Setup

SECONDS = 240.0
"""How long `auto` tries fixes where nobody says so."""

SAVED = 0.1
"""The share of the time that is saved for each fix behind, so that one that takes too long does not cost the others."""

IDLE, LATE = "there is nothing that it could change", "the time limit passed"


def fixed(found: Scaled, order: Order, clock: Clock) -> Scaled:
    """The model after the fixes that its recipe names, or after those that are found to help if it says `auto`.

    Fixes look at three quarters of the calibration samples, and are judged on the rest. So the same fixes give the same
    model, whether a recipe names them or `auto` chose them.

    Raises:
        RecipeError: there is no fix of some name, or one that does not go with the rest of the recipe.
        DataError: there are no samples, or they can be read only once.
        StageError: a fix broke a promise, or a runtime failed.
    """
    done = _after(found, fixes_of(order.recipe.fixes), order, clock)
    if not (done.fixes.taken and done.ready.sources.can_repeat_checks):
        return done
    with clock.stage("verify"):
        plain = closeness_of(found, product_of(found, order.recipe), order.recipe, order.execution)
    return replace(done, plain=plain)


def preserved(found: Scaled, order: Order, clock: Clock) -> Scaled:
    """The model after those of the fixes that keep what it computes in float.

    Raises:
        See `fixed`.
    """
    fixes = fixes_of(order.recipe.fixes)
    others = [fix.name for fix in fixes if not fix.preserves]
    if others and order.recipe.fixes != AUTO:
        order.execution.observer.note(f"Left out, since they change what is compared with: {', '.join(others)}.")
    return _after(found, tuple(fix for fix in fixes if fix.preserves), order, clock)


@dataclass(frozen=True)
class _Course:
    """A model that goes through fixes.

    Attributes:
        workshop: applies them.
        referee: judges them; None if there are too few samples.
        picky: whether only what helps is taken.
        limit: seconds for all of them, None for as long as it takes.
    """

    workshop: Workshop
    referee: Referee | None
    picky: bool
    limit: float | None

    @staticmethod
    def of(workshop: Workshop, given: onnx.ModelProto) -> _Course:
        recipe, execution = workshop.order.recipe, workshop.order.execution
        picky, referee = recipe.fixes == AUTO, None
        if workshop.aside is not None:
            original = Session(given, setup=Setup.of(execution))
            referee = Referee(original, workshop.aside, recipe, execution)
        limit = SECONDS if picky and execution.time_limit is None else execution.time_limit
        return _Course(workshop, referee, picky, limit)

    def run(self, found: Scaled, fixes: Sequence[Fix]) -> Scaled:
        """The model after all that was taken, with an account of what was tried."""
        plain = found
        best = first = self._score(found)
        end, limit = Deadline.after(self.limit), self.limit or 0.0
        account = Fixes() if best is None else Fixes((), best.samples, best.decibels, best.same)
        for number, fix in enumerate(fixes, 1):
            start = time.perf_counter()
            workshop = self.workshop.until(end.earlier(SAVED * limit * (len(fixes) - number)))
            after, attempt, score = self._tried(workshop, fix, found, best)
            attempt = replace(attempt, seconds=time.perf_counter() - start)
            account = replace(account, attempts=(*account.attempts, attempt))
            for note in attempt.notes:
                self.workshop.clock.observer.detail(f"{fix.name}: {note}")
            if attempt.is_taken:
                found, best = after, score
        if self.picky and first is not None and best is not None and not _is_better(best, first):
            return replace(plain, fixes=account.refused("all that were taken gained nothing together"))
        return replace(found, fixes=account)

    def _tried(
        self, workshop: Workshop, fix: Fix, found: Scaled, best: Score | None
    ) -> tuple[Scaled, Attempt, Score | None]:
        """The model with one fix more, and how it does."""
        try:
            work = workshop.apply(fix, found)
            if work.found is found:
                return found, Attempt(fix.name, IDLE, notes=work.notes), best
            score = self._score(work.found)
        except TimeUp:
            return found, Attempt(fix.name, LATE), best
        except (StageError, RecipeError) as cause:
            if not self.picky:
                raise
            return found, Attempt(fix.name, str(cause)), best
        attempt = Attempt(fix.name, drift=work.drift, notes=work.notes)
        if score is None or best is None:
            return work.found, attempt, score
        gain, error = score.lead(best)
        typical, doubt = score.typical_lead(best)
        attempt = replace(attempt, decibels=score.decibels, gain=gain, error=error, same=score.same)
        attempt = replace(attempt, typical=typical, doubt=doubt)
        if self.picky and not attempt.helps:
            attempt = replace(attempt, refusal="it gained nothing")
        return work.found, attempt, score

    def _score(self, found: Scaled) -> Score | None:
        if self.referee is None:
            return None
        with self.workshop.clock.stage("judge"):
            return self.referee.score(found)


def _is_better(last: Score, first: Score) -> bool:
    """Whether a model with fixes is no worse than without, by either measure."""
    return last is first or (last.decibels >= first.decibels or last.typical_lead(first)[0] >= 0.0)


def _after(found: Scaled, fixes: Sequence[Fix], order: Order, clock: Clock) -> Scaled:
    """The model after `fixes`, or after those that help."""
    if not fixes:
        return found
    workshop = Workshop.of(found, order, clock)
    if workshop.aside is None and order.recipe.fixes == AUTO:
        clock.observer.note("There are too few samples to judge fixes on, so none is applied. Give at least four.")
        return found
    return _Course.of(workshop, found.ready.given).run(found, fixes)
