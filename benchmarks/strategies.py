"""Ways to find what stays in float so that a budget holds: the search of onnxq, parts of it, and greedy ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cases import Case
from onnxq.catalog.metrics.sqnr import SQNR
from onnxq.core.budget import Budget, Choice, Point
from onnxq.core.deadline import Deadline, TimeUp
from onnxq.core.execution import Execution
from onnxq.core.group import Group
from onnxq.core.observer import Clock, Silent
from onnxq.core.recipe import Recipe
from onnxq.core.samples import Samples
from onnxq.pipeline import Scaled, scaled
from onnxq.pipeline.order import Order
from onnxq.sensitivity import quantize_within
from onnxq.sensitivity.noise import cost
from onnxq.sensitivity.origins import measure_noise
from onnxq.sensitivity.search import Search
from onnxq.sensitivity.trials import Judge, Trials


@dataclass(frozen=True)
class Ground:
    """A model that is calibrated once, and a budget: what each strategy begins with."""

    case: Case
    calib: Samples
    evaluation: Samples
    found: Scaled
    judge: Judge

    @staticmethod
    def of(case: Case, budget: Budget, samples: int) -> Ground:
        calib, evaluation = (
            Samples(case.load(split, limit)[0]) for split, limit in (("calib", case.calib_samples), ("eval", samples))
        )
        order = Order(calib, PLAIN, Execution(), None, evaluation)
        return Ground(case, calib, evaluation, scaled(str(case.model), order, Clock(Silent())), Judge(budget, SQNR))

    @property
    def allowed(self) -> float:
        return self.judge.budget.allowed(None)

    def trials(self, limit: float | None) -> Trials:
        return Trials.of(self.found, PLAIN, self.judge, Execution(), Deadline.after(limit))


@dataclass(frozen=True)
class Reached:
    """What a strategy came to: None if nothing holds the budget; and whether its time was up."""

    best: Point | None
    measured: int
    seconds: float
    cut: bool = False


PLAIN = Recipe(rest="fp32")
"""Short types would hide what strategies differ in: what they cost is not a matter of search."""

Strategy = Callable[[Trials, float], None]
"""Measures choices until one holds the lowest figure that is allowed."""


def by_damage(trials: Trials, allowed: float) -> None:
    _bisected(trials, allowed, sorted(trials.groups, key=lambda group: _alone(trials)[group.name], reverse=True))


def by_damage_per_cost(trials: Trials, allowed: float) -> None:
    damage = _alone(trials)
    worth = {group.name: damage[group.name] / cost(group) for group in trials.groups}
    _bisected(trials, allowed, sorted(trials.groups, key=lambda group: worth[group.name], reverse=True))


def remeasured(trials: Trials, allowed: float) -> None:
    """After each step every group that is left is tried beside what is in float already."""
    (now,) = trials.measure([Choice()])
    while now.figure < allowed:
        left = [group for group in trials.groups if group.name not in now.choice.floats]
        points = trials.measure([_with(now.choice, group) for group in left])
        gains = [(_power(now) - _power(point)) / cost(group) for group, point in zip(left, points, strict=True)]
        now = points[max(range(len(gains)), key=gains.__getitem__)]


def model_alone(trials: Trials, allowed: float) -> None:
    noises = measure_noise(trials.bench, trials.material, trials.few)
    Search(trials, noises, allowed, exact=True).descend(Choice())


def model_and_calibrators(trials: Trials, allowed: float) -> None:
    noises = measure_noise(trials.bench, trials.material, trials.few)
    search = Search(trials, noises, allowed, exact=True)
    search.descend(search.starts()[0].choice)


STRATEGIES: dict[str, Strategy] = {
    "greedy by damage": by_damage,
    "greedy by damage per cost": by_damage_per_cost,
    "greedy, measured anew after each step": remeasured,
    "noise model": model_alone,
    "noise model and calibrators": model_and_calibrators,
}


def pursue(strategy: Strategy, ground: Ground, limit: float | None) -> Reached:
    """Follows a strategy, from nothing measured on."""
    start = time.perf_counter()
    trials, cut = ground.trials(limit), False
    try:
        strategy(trials, ground.allowed)
    except TimeUp:
        cut = True
    return Reached(trials.best(ground.allowed), len(trials.found), time.perf_counter() - start, cut)


def shipped(ground: Ground, recipe: Recipe) -> Reached:
    """What `onnxq quantize --min-sqnr` does, all of it: calibration and the written model are within its time."""
    budget = replace(ground.judge.budget, best_effort=True)
    start = time.perf_counter()
    _, outcome = quantize_within(budget, str(ground.case.model), ground.calib, recipe, evaluation=ground.evaluation)
    reached = outcome.reached if outcome.met else None
    return Reached(reached, outcome.trials, time.perf_counter() - start)


def _alone(trials: Trials) -> dict[str, float]:
    """The noise of each group if only that is quantized."""
    names = frozenset(group.name for group in trials.groups)
    points = trials.measure([Choice(names - {group.name}) for group in trials.groups])
    return {group.name: _power(point) for group, point in zip(trials.groups, points, strict=True)}


def _bisected(trials: Trials, allowed: float, order: Sequence[Group]) -> None:
    """As few groups from the start of `order` as suffice."""
    low, high = 0, len(order)
    while low < high:
        middle = (low + high) // 2
        (point,) = trials.measure([Choice(frozenset(group.name for group in order[:middle]))])
        low, high = (low, middle) if point.figure >= allowed else (middle + 1, high)


def _with(choice: Choice, group: Group) -> Choice:
    return replace(choice, floats=choice.floats | {group.name})


def _power(point: Point) -> float:
    return 10 ** (-point.figure / 10)
