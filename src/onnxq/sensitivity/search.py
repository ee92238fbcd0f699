"""Finds what to leave in float so that a budget holds, with as much as possible in INT8.

The noise model says which choices are worth measuring (`knapsack.py`): one for each of some limits of noise. Between
the best that holds and the next that does not, bisection follows. Where the figure is free of chance, groups are then
taken back into INT8 one by one, or exchanged for cheaper ones, and calibrators are changed, as long as that helps:
measured, because errors of neighbours partly cancel, which no sum of powers can know.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from onnxq.core.budget import Choice, Point
from onnxq.core.group import Group
from onnxq.sensitivity.knapsack import cheapest
from onnxq.sensitivity.noise import NoiseModel, cost, decibels
from onnxq.sensitivity.origins import OWN, Noises
from onnxq.sensitivity.trials import Trials

RUNGS, RUNG = 16, 3.0
"""So many limits are tried at first, so many dB apart, from what full quantization reaches."""

HALVINGS = 6
"""The limit is then found to within a twentieth of a dB."""

EXCHANGES, ROUNDS = 24, 6
"""Pairs of groups that are measured in each round of exchanges, those that would save the most; and how many rounds."""


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
        start = self.calibrated()
        if start.figure >= self.allowed:
            return
        model = self.noises.model(dict(start.choice.calibrators))
        self.descend(start.choice, model)
        if self.exact and (found := self.trials.best(self.allowed)):
            self._calibrate(found)
            self._take_back()
            self._exchange(model)

    def calibrated(self) -> Point:
        """Full quantization with the best calibrators found for it."""
        own, quiet = self.trials.measure([Choice(), Choice().calibrated(self.noises.quietest())])
        best = quiet if quiet.figure > own.figure else own
        return self._calibrate(best) if self.exact and best.figure < self.allowed else best

    def descend(self, start: Choice, model: NoiseModel) -> None:
        """Leaves as little in float as the noise model promises to suffice, and bisects to what really does."""

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

    def _take_back(self) -> None:
        """Takes groups back into INT8, the most expensive that can be first, until none can."""
        best = self.trials.best(self.allowed)
        candidates = self._in_float(best)
        while best and candidates:
            points = self.trials.measure([best.choice.without(group.name) for group in candidates])
            candidates = [group for group, p in zip(candidates, points, strict=True) if p.figure >= self.allowed]
            if candidates:
                best = self.trials.found[best.choice.without(candidates.pop(0).name)]

    def _exchange(self, model: NoiseModel) -> None:
        """Takes an expensive group back into INT8 and leaves a cheaper one in float, as long as that helps."""
        best = self.trials.best(self.allowed)
        for _ in range(ROUNDS):
            if best is None:
                return
            choice = best.choice
            pairs = islice(self._exchanges(model, choice), EXCHANGES)
            points = self.trials.measure([choice.exchanging(*pair) for pair in pairs])
            best = next((point for point in points if point.figure >= self.allowed), None)

    def _exchanges(self, model: NoiseModel, choice: Choice) -> Iterator[tuple[str, str]]:
        """Pairs (back into INT8, into float) that make no more noise by the model, the largest saving first."""
        groups = self.trials.groups
        pairs = [
            (cost(back) - cost(into), back.name, into.name)
            for back in (group for group in groups if group.name in choice.floats)
            for into in (group for group in groups if group.name not in choice.floats)
            if cost(into) < cost(back)
        ]
        limit = decibels(model.total(choice.floats))
        for _, back, into in sorted(pairs, key=lambda pair: (-pair[0], pair[1:])):
            if decibels(model.total(choice.exchanging(back, into).floats)) >= limit:
                yield back, into

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

    def _in_float(self, point: Point | None) -> list[Group]:
        """The groups that a choice leaves in float, the most expensive first."""
        chosen = point.choice.floats if point else frozenset()
        return sorted((group for group in self.trials.groups if group.name in chosen), key=lambda g: (-cost(g), g.name))
