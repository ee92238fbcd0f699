"""Decisions that were close are made the other way for a try, once it is known what comes behind them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest

from onnxq import Execution
from onnxq.core.attempt import Attempt
from onnxq.core.deadline import TimeUp
from onnxq.core.observer import Clock, Silent
from onnxq.core.score import Score
from onnxq.pipeline import course
from onnxq.pipeline.course import IDLE, LATE, SPARED, UNDONE, USELESS, Course, Step, Trail

EFFECTS = {"good": 3.0, "bad": -3.0, "weak": 0.2, "poor": -0.2}
"""Decibels that a fix gains by itself."""


@dataclass(frozen=True)
class Found:
    """A model, by the fixes that it has."""

    fixes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bench:
    """Applies fixes by name, and judges models by the names of their fixes."""

    effects: dict = field(default_factory=dict)
    late: frozenset = frozenset()
    applied: list = field(default_factory=list)
    clock: Clock = field(default_factory=lambda: Clock(Silent()))

    def until(self, _):
        return self

    def apply(self, fix, found):
        self.applied.append((found.fixes, fix.name))
        if fix.name in self.late and self.applied.count((found.fixes, fix.name)) == 1 and found.fixes:
            raise TimeUp
        after = found if fix.name == "idle" else Found((*found.fixes, fix.name))
        return SimpleNamespace(found=after, notes=(), drift=None)

    def score(self, found):
        gained = sum(EFFECTS.get(name, 0.0) for name in found.fixes)
        gained += sum(gain for names, gain in self.effects.items() if set(names) <= set(found.fixes))
        spread = 10 ** (np.linspace(-0.01, 0.01, 16) / 10)
        noise = 10 ** (-(20.0 + gained) / 10) * spread
        return Score(np.ones((16, 1)), noise[:, None])


def run(*fixes, picky=True, late=(), **effects):
    pairs = {tuple(names.split("_")): gain for names, gain in effects.items()}
    bench = Bench(pairs, frozenset(late))
    trail = Course(bench, bench, picky, 1e6).run(Found(), [SimpleNamespace(name=name) for name in fixes])
    return trail, bench


def refusals(trail):
    return {attempt.fix: attempt.refusal for attempt in trail.attempts}


def test_what_gained_little_and_spoils_what_comes_behind_it_is_left_out():
    trail, _ = run("weak", "good", weak_good=-2.0)
    assert trail.last.found.fixes == ("good",)
    assert refusals(trail) == {"weak": SPARED, "good": ""}
    assert trail.attempts[0].otherwise == pytest.approx(-1.8, abs=0.01)


def test_what_lost_little_and_helps_what_comes_behind_it_is_taken():
    trail, _ = run("poor", "good", poor_good=2.0)
    assert trail.last.found.fixes == ("poor", "good")
    assert trail.attempts[0].gain == pytest.approx(-0.2, abs=0.01)
    assert trail.attempts[0].otherwise == pytest.approx(-1.8, abs=0.01)


def test_where_the_first_decision_was_right_it_is_known_by_how_much():
    trail, _ = run("weak", "poor", "good")
    assert trail.last.found.fixes == ("weak", "good")
    assert [attempt.otherwise for attempt in trail.attempts] == pytest.approx([-0.2, -0.2, None], abs=0.01)


def test_what_gained_or_lost_much_is_not_tried_again_nor_what_is_last():
    trail, bench = run("good", "bad", "idle", "good", "weak")
    assert len(bench.applied) == 5
    assert [attempt.otherwise for attempt in trail.attempts] == [None] * 5


def test_what_was_refused_behind_is_not_tried_again():
    _, bench = run("weak", "bad", "good")
    assert [name for _, name in bench.applied] == ["weak", "bad", "good", "good"]


def test_a_way_that_takes_too_long_is_none():
    trail, bench = run("poor", "good", late=("good",), poor_good=2.0)
    assert (("poor",), "good") in bench.applied
    assert trail.last.found.fixes == ("good",)
    assert trail.attempts[0].otherwise is None


def test_named_fixes_are_applied_whatever_they_gain():
    trail, bench = run("weak", "bad", picky=False)
    assert trail.last.found.fixes == ("weak", "bad")
    assert len(bench.applied) == 2


def test_without_samples_to_judge_on_nothing_is_told():
    bench = Bench()
    trail = Course(bench, None, False, None).run(Found(), [SimpleNamespace(name="weak")])
    assert (trail.fixes.decibels, trail.attempts[0].decibels) == (None, None)
    assert trail.fixes.taken == ("weak",)


def test_a_trail_is_cut_where_an_attempt_began():
    steps = tuple(Step(Found((str(number),)), None) for number in range(3))
    trail = Trail(steps, (Attempt("a"), Attempt("b", USELESS), Attempt("c")))
    assert trail.until(2) == Trail(steps[:2], trail.attempts[:2])
    assert trail.until(0) == Trail(steps[:1])
    assert trail.taken == (0, 2)


@pytest.mark.parametrize("refusal", [IDLE, LATE, UNDONE, "it broke"])
def test_only_what_was_judged_is_in_doubt(refusal):
    steps = (Step(Found(), None),) * 2
    assert Trail(steps, (Attempt("a", refusal), Attempt("b"))).doubtful == ()
    assert Trail(steps, (Attempt("a", USELESS), Attempt("b"))).doubtful == (0,)


def test_auto_has_a_time_limit_of_its_own():
    order = SimpleNamespace(recipe=SimpleNamespace(fixes="auto"), execution=Execution())
    workshop = SimpleNamespace(order=order, aside=None)
    assert Course.of(workshop, None).limit == course.SECONDS
    order.execution = replace(Execution(), time_limit=7.0)
    assert Course.of(workshop, None).limit == 7.0
    order = SimpleNamespace(recipe=SimpleNamespace(fixes=("a",)), execution=Execution())
    assert Course.of(SimpleNamespace(order=order, aside=None), None).limit is None
