"""Unknown numbers of which some are sums of others: what is wished for is given, as far as it can be."""

from __future__ import annotations

from dataclasses import dataclass, field

from onnxq.core.classes import Ids

TOLERANCE = 1e-6
"""Numbers that differ by less, measured by the largest around, are equal."""


@dataclass
class Equations:
    """Numbers, the first of which is 0, and sums that must hold.

    Attributes:
        sums: (3, equations) the first of a column is the sum of the other two.
        values: what is known so far.
    """

    sums: Ids
    values: dict[int, float] = field(default_factory=lambda: {0: 0.0})

    def __post_init__(self) -> None:
        self._rows: list[dict[int, int]] = []
        self._of: dict[int, list[int]] = {}
        for made, left, right in self.sums.T.tolist():
            row: dict[int, int] = {}
            for member, factor in ((made, 1), (left, -1), (right, -1)):
                row[member] = row.get(member, 0) + factor
            row = {member: factor for member, factor in row.items() if factor}
            for member in row:
                self._of.setdefault(member, []).append(len(self._rows))
            self._rows.append(row)
        self._follow([0])

    def wish(self, member: int, value: float) -> bool:
        """Gives a number a value, and those that follow from it theirs, unless something known contradicts."""
        if member in self.values:
            return abs(self.values[member] - value) <= TOLERANCE * max(abs(value), 1e-30)
        self.values[member] = value
        return self._follow([member])

    def settle(self) -> bool:
        """Gives each number that nobody wished for 0, where that may be.

        Returns:
            whether all sums hold.
        """
        holds = True
        for member in self._of:
            if member not in self.values:
                holds = self.wish(member, 0.0) and holds
        return holds

    def _follow(self, start: list[int]) -> bool:
        """Works out what follows from new values; takes all of it back if it contradicts what is known."""
        made, waiting = list(start), list(start)
        while waiting:
            for number in self._of.get(waiting.pop(), ()):
                row = self._rows[number]
                unknown = [member for member in row if member not in self.values]
                terms = [factor * self.values[member] for member, factor in row.items() if member in self.values]
                if len(unknown) == 1:
                    self.values[unknown[0]] = -sum(terms) / row[unknown[0]]
                    made.append(unknown[0])
                    waiting.append(unknown[0])
                elif not unknown and abs(sum(terms)) > TOLERANCE * max(map(abs, terms)):
                    for member in made:
                        self.values.pop(member)
                    self.values[0] = 0.0
                    return False
        return True
