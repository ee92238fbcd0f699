"""Fixes tried one after the other, and judged on samples that none of them has seen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx

from onnxq.core.attempt import Attempt, Fixes
from onnxq.core.deadline import Deadline, TimeUp
from onnxq.core.fix import Fix
from onnxq.core.recipe import AUTO
from onnxq.core.score import Score
from onnxq.errors import RecipeError, StageError
from onnxq.pipeline.referee import Referee
from onnxq.pipeline.scaling import Scaled
from onnxq.pipeline.workshop import Workshop
from onnxq.runtimes.onnxruntime import Session
from onnxq.runtimes.setup import Setup

SECONDS = 240.0
"""How long `auto` tries fixes where nobody says so."""

SAVED = 0.1
"""The share of the time that is saved for each fix behind, so that one that takes too long does not cost the others."""

DOUBTFUL = 0.5
"""Decibels: a fix that gained or lost less is decided the other way for a try, once it is known what comes behind."""

IDLE, LATE, USELESS = "there is nothing that it could change", "the time limit passed", "it gained nothing"
SPARED, UNDONE = "those behind it do better without it", "all that were taken gained nothing together"


@dataclass(frozen=True)
class Step:
    """A model on its way, and how it does; None if there are too few samples."""

    found: Scaled
    score: Score | None


@dataclass(frozen=True)
class Trail:
    """The way a model has come.

    Attributes:
        steps: the model without fixes, and with each that was taken.
        attempts: what was tried, in order.
    """

    steps: tuple[Step, ...]
    attempts: tuple[Attempt, ...] = ()

    @property
    def last(self) -> Step:
        """Where it is."""
        return self.steps[-1]

    @property
    def taken(self) -> tuple[int, ...]:
        """The places of attempts that led on."""
        return tuple(place for place, attempt in enumerate(self.attempts) if attempt.is_taken)

    @property
    def doubtful(self) -> tuple[int, ...]:
        """The places of attempts with others behind them that were decided by little."""
        close = (attempt.refusal in ("", USELESS) and abs(attempt.gain) < DOUBTFUL for attempt in self.attempts)
        last = max(self.taken, default=0)
        return tuple(place for place, is_close in enumerate(close) if is_close and place < last)

    @property
    def is_whole(self) -> bool:
        """Whether nothing was dropped for want of time."""
        return all(attempt.refusal != LATE for attempt in self.attempts)

    @property
    def fixes(self) -> Fixes:
        """The account of it."""
        score = self.steps[0].score
        return (
            Fixes(self.attempts) if score is None else Fixes(self.attempts, score.samples, score.decibels, score.same)
        )

    def on(self, attempt: Attempt, step: Step) -> Trail:
        """One attempt further."""
        return Trail((*self.steps, step) if attempt.is_taken else self.steps, (*self.attempts, attempt))

    def until(self, place: int) -> Trail:
        """As it was when the attempt at some place was made."""
        before = self.attempts[:place]
        return Trail(self.steps[: 1 + sum(attempt.is_taken for attempt in before)], before)

    def noted(self, place: int, otherwise: float) -> Trail:
        """The same, where it is known what the other decision at a place makes of it."""
        attempt = replace(self.attempts[place], otherwise=otherwise)
        return replace(self, attempts=(*self.attempts[:place], attempt, *self.attempts[place + 1 :]))

    def lead(self, other: Trail) -> tuple[float, float]:
        """By how many decibels it is closer than another: over all samples, and on one."""
        here, there = self.last.score, other.last.score
        if here is None or there is None or here is there:
            return 0.0, 0.0
        return here.lead(there)[0], here.typical_lead(there)[0]


@dataclass(frozen=True)
class Course:
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
    def of(workshop: Workshop, given: onnx.ModelProto) -> Course:
        """The one that a recipe asks for.

        Args:
            workshop: applies fixes.
            given: the FP32 model.
        """
        recipe, execution = workshop.order.recipe, workshop.order.execution
        picky, referee = recipe.fixes == AUTO, None
        if workshop.aside is not None:
            original = Session(given, setup=Setup.of(execution))
            referee = Referee(original, workshop.aside, recipe, execution)
        limit = SECONDS if picky and execution.time_limit is None else execution.time_limit
        return Course(workshop, referee, picky, limit)

    def run(self, found: Scaled, fixes: Sequence[Fix]) -> Trail:
        """The way of a model through all that was taken."""
        end, start = Deadline.after(self.limit), Trail((Step(found, self._score(found)),))
        trail = self._walked(start, fixes, end)
        if not self.picky:
            return trail
        trail = self._reconsidered(trail, fixes, end)
        if max(trail.lead(start)) < 0.0:
            return Trail(start.steps, trail.fixes.refused(UNDONE).attempts)
        return trail

    def _walked(self, trail: Trail, fixes: Sequence[Fix], end: Deadline) -> Trail:
        """The way on through some fixes more."""
        limit = self.limit or 0.0
        for number, fix in enumerate(fixes, 1):
            start = time.perf_counter()
            workshop = self.workshop.until(end.earlier(SAVED * limit * (len(fixes) - number)))
            attempt, step = self._tried(workshop, fix, trail.last)
            trail = trail.on(replace(attempt, seconds=time.perf_counter() - start), step)
            for note in attempt.notes:
                self.workshop.clock.observer.detail(f"{fix.name}: {note}")
        return trail

    def _reconsidered(self, trail: Trail, fixes: Sequence[Fix], end: Deadline) -> Trail:
        """The way with other decisions where it was close, if that turns out better in the end; the last ones first."""
        for place in reversed(trail.doubtful):
            other = self._otherwise(trail, place, fixes, end)
            if trail.is_whole and not other.is_whole:
                break
            gain, typical = other.lead(trail)
            is_better = gain > 0.0 and typical > 0.0
            trail = other.noted(place, -gain) if is_better else trail.noted(place, gain)
        return trail

    def _otherwise(self, trail: Trail, place: int, fixes: Sequence[Fix], end: Deadline) -> Trail:
        """The way with the other decision at some place. What was refused behind it is not tried again."""
        attempt, way = trail.attempts[place], trail.until(place)
        if attempt.is_taken:
            way = way.on(replace(attempt, refusal=SPARED), way.last)
        else:
            attempt, step = self._tried(self.workshop.until(end), fixes[place], way.last)
            way = way.on(replace(attempt, refusal="" if attempt.refusal == USELESS else attempt.refusal), step)
        for fix, known in zip(fixes[place + 1 :], trail.attempts[place + 1 :], strict=True):
            way = self._walked(way, (fix,), end) if known.is_taken else way.on(known, way.last)
        return way

    def _tried(self, workshop: Workshop, fix: Fix, before: Step) -> tuple[Attempt, Step]:
        """What comes of one fix more."""
        try:
            work = workshop.apply(fix, before.found)
            if work.found is before.found:
                return Attempt(fix.name, IDLE, notes=work.notes), before
            score = self._score(work.found)
        except TimeUp:
            return Attempt(fix.name, LATE), before
        except (StageError, RecipeError) as cause:
            if not self.picky:
                raise
            return Attempt(fix.name, str(cause)), before
        attempt = Attempt(fix.name, drift=work.drift, notes=work.notes)
        if score is not None and before.score is not None:
            gain, error = score.lead(before.score)
            typical, doubt = score.typical_lead(before.score)
            attempt = replace(attempt, decibels=score.decibels, gain=gain, error=error, same=score.same)
            attempt = replace(attempt, typical=typical, doubt=doubt)
            if self.picky and not attempt.helps:
                attempt = replace(attempt, refusal=USELESS)
        return attempt, Step(work.found, score)

    def _score(self, found: Scaled) -> Score | None:
        if self.referee is None:
            return None
        with self.workshop.clock.stage("judge"):
            return self.referee.score(found)
