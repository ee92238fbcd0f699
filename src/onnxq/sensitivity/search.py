"""Finds what to leave in float so that a budget holds, with as much as possible in INT8.

The noise model says which choices are worth measuring (`knapsack.py`): one for each of some limits of noise. Between
the best that holds and the next that does not, bisection follows. Where the figure is free of chance, calibrators are
then changed, groups taken back into INT8 one by one, or exchanged for cheaper ones, as long as that helps: measured,
because errors of neighbours partly cancel, which no sum of powers can know.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from onnxq.core.budget import Choice, Point
from onnxq.sensitivity.knapsack import cheapest
from onnxq.sensitivity.noise import cost, decibels
from onnxq.sensitivity.origins import OWN, Noises
from onnxq.sensitivity.trials import Trials

RUNGS, RUNG = 16, 3.0
"""So many limits are tried at first, so many dB apart, from what full quantization reaches."""

HALVINGS = 6
"""The limit is then found to within a twentieth of a dB."""

NEAR, PARENTS = 2.0, 32
"""Choices that miss by so many dB at the most are looked around, the cheapest so many of them."""

ROUNDS = 2
"""So often calibrators are changed and groups exchanged, at the most."""

AT_ONCE = 16
"""So many choices around the best, and around those near it, are measured before it is thought over again."""

TOGETHER = 12
"""About so many numbers of changed calibrators are tried."""


@dataclass
class Search:
    """A search in progress.

    Attributes:
        trials: measures choices, and keeps what was found; full quantization is among it.
        noises: of all that is quantized.
        allowed: the lowest figure that holds the budget.
        exact: whether figures are free of chance, so that what is measured to do no harm does none elsewhere either.
    """

    trials: Trials
    noises: Noises
    allowed: float
    exact: bool

    def run(self) -> None:
        """Measures choices until nothing better is in sight.

        Raises:
            TimeUp: the time limit passed.
        """
        starts = self.starts()
        if self.exact and self.allowed - NEAR <= starts[0].figure < self.allowed:
            starts[0] = self._calibrate(starts[0])
        if starts[0].figure >= self.allowed:
            return
        for start in starts[: 1 if self.exact else None]:
            self.descend(start.choice)
        if self.exact:
            self._refine()

    def starts(self) -> list[Point]:
        """Full quantization with the recipe's calibrators and with those that make the least noise, the better first.

        The other is left out if it is far worse.
        """
        points = self.trials.measure([Choice(), Choice().calibrated(self.noises.quietest())])
        best, *others = sorted(dict.fromkeys(points), key=lambda point: -point.figure)
        return [best, *(point for point in others if point.figure >= best.figure - NEAR)]

    def descend(self, start: Choice) -> None:
        """Leaves as little in float as the noise model promises to suffice, and bisects to what really does."""
        model = self.noises.model(dict(start.calibrators))

        def at(limit: float) -> Choice:
            return Choice(cheapest(model, limit), start.calibrators)

        first = decibels(model.total(frozenset()))
        rungs = [first + RUNG * (number + 1) for number in range(RUNGS)]
        points = self.trials.measure([at(limit) for limit in rungs])
        holding = [limit for limit, point in zip(rungs, points, strict=True) if point.figure >= self.allowed]
        if not holding:
            return
        low, high = holding[0] - RUNG, holding[0]
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            (point,) = self.trials.measure([at(middle)])
            low, high = (low, middle) if point.figure >= self.allowed else (middle, high)

    def _refine(self) -> None:
        """Turns what calibrators and chance have left above the budget into fewer groups in float, again and again."""
        for _ in range(ROUNDS):
            before = self.trials.best(self.allowed)
            self._recalibrate()
            self._take_back()
            self._look_around()
            if self.trials.best(self.allowed) == before:
                return

    def _take_back(self) -> None:
        """Takes groups back into INT8, the most expensive that can be first, until none can."""
        best = self.trials.best(self.allowed)
        chosen = [group for group in self.trials.groups if best and group.name in best.choice.floats]
        names = [group.name for group in sorted(chosen, key=lambda group: (-cost(group), group.name))]
        while best and names:
            points = self.trials.measure([best.choice.without(name) for name in names])
            names = [name for name, point in zip(names, points, strict=True) if point.figure >= self.allowed]
            if names:
                best = self.trials.found[best.choice.without(names.pop(0))]

    def _look_around(self) -> None:
        """Measures what is cheaper and promises to hold, judged by what was measured most like it, until nothing does.

        A choice that misses by little tells as much as one that holds: one group more in float may be what it lacks.
        """
        while best := self.trials.best(self.allowed):
            around = [self._promising(best, parents) for parents in ([best], self._near(best)[:PARENTS])]
            points = self.trials.measure(choice for choices in around for choice in choices[:AT_ONCE])
            if not any(point.figure >= self.allowed for point in points):
                return

    def _promising(self, best: Point, parents: list[Point]) -> list[Choice]:
        """Choices around `parents` that are cheaper than the best and promise to hold, the cheapest first."""
        found: dict[Choice, int] = {}
        limit = self._cost(best.choice)
        for point in parents:
            model = self.noises.model(dict(point.choice.calibrators))
            offset = point.figure - decibels(model.total(point.choice.floats))
            for choice in self._neighbours(point.choice):
                promised = offset + decibels(model.total(choice.floats))
                if promised >= self.allowed and choice not in self.trials.found and self._cost(choice) < limit:
                    found[choice] = self._cost(choice)
        return sorted(found, key=lambda choice: (found[choice], sorted(choice.floats), sorted(choice.calibrators)))

    def _near(self, best: Point) -> list[Point]:
        """Choices cheaper than the best that miss by little, the cheapest first."""
        cheaper = [point for point in self.trials.found.values() if self._cost(point.choice) < self._cost(best.choice)]
        near = [point for point in cheaper if self.allowed - NEAR <= point.figure < self.allowed]
        return sorted(near, key=lambda point: (self._cost(point.choice), -point.figure))

    def _neighbours(self, choice: Choice) -> Iterator[Choice]:
        """One group back in INT8, one more in float, or both."""
        floats = choice.floats
        into = frozenset(group.name for group in self.trials.groups) - floats
        sets = {floats - {back} | {name} - {""} for back in ("", *floats) for name in ("", *into)} - {floats}
        return (replace(choice, floats=one) for one in sets)

    def _cost(self, choice: Choice) -> int:
        return sum(cost(group) for group in self.trials.groups if group.name in choice.floats)

    def _recalibrate(self) -> None:
        """Changes calibrators for the best choice, and takes them over to those that miss by little."""
        if best := self.trials.best(self.allowed):
            tuned = self._calibrate(best).choice
            self.trials.measure([replace(tuned, floats=point.choice.floats) for point in self._near(best)])

    def _calibrate(self, start: Point) -> Point:
        """Changes calibrators: those that help the most alone, as many at once as help together."""
        changes = dict(enumerate(self._changes(start.choice)))
        points = self.trials.measure([start.choice.calibrated(change) for change in changes.values()])
        gains = {number: point.figure - start.figure for number, point in enumerate(points)}
        together = [start.choice]
        changed: set[str] = set()
        for number in sorted(gains, key=lambda number: (-gains[number], number)):
            if gains[number] > 0.0 and changed.isdisjoint(changes[number]):
                together.append(together[-1].calibrated(changes[number]))
                changed.update(changes[number])
        tried = self.trials.measure(together[:: max(1, len(together) // TOGETHER)])
        return max((start, *points, *tried), key=lambda point: point.figure)

    def _changes(self, choice: Choice) -> Iterator[dict[str, str]]:
        """Other calibrators for each activation that is quantized, together with what shares its scale.

        Those that make twice the noise are not worth measuring.
        """
        now = dict(choice.calibrators)
        plan = self.trials.material.plan_of(choice)
        for group in dict.fromkeys(plan.sharing.values()):
            powers = self.noises.activations[group[0]]
            own = float(powers[now.get(group[0], OWN)].sum())
            seen = {own}
            for name, power in ((name, float(power.sum())) for name, power in powers.items()):
                if power not in seen and power < 2 * own:
                    seen.add(power)
                    yield dict.fromkeys(group, name)
