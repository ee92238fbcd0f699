"""Unknown numbers of which some are sums of others: what is wished for is given, as far as it can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from onnxq.core.classes import Ids

TOLERANCE = 1e-6
"""Numbers that differ by less, measured by the largest around, are equal."""

ONE = -1
"""Stands for the number 1 in a sum."""

Terms = dict[int, float]
"""A sum: numbers, each with its factor."""


@dataclass
class Equations:
    """Numbers, the first of which is 0, and sums that must hold.

    Attributes:
        sums: (3, equations) the first of a column is the sum of the other two.
    """

    sums: Ids

    def __post_init__(self) -> None:
        self._known: dict[int, Terms] = {0: {}}  # by numbers of which nothing is known
        self._users: dict[int, set[int]] = {}
        for made, left, right in self.sums.T.tolist():
            terms: Terms = {}
            for member, factor in ((made, 1.0), (left, -1.0), (right, -1.0)):
                terms[member] = terms.get(member, 0.0) + factor
            self._demand(terms)

    @property
    def values(self) -> Mapping[int, float]:
        """What is known so far."""
        return {member: terms.get(ONE, 0.0) for member, terms in self._known.items() if not terms.keys() - {ONE}}

    def wish(self, member: int, value: float) -> bool:
        """Gives a number a value, and those that follow from it theirs, unless something known contradicts.

        Returns:
            whether it has that value now.
        """
        return self._demand({member: 1.0, ONE: -value})

    def settle(self) -> None:
        """Gives each number that nobody wished for 0, where that may be."""
        for member in sorted({0, *self.sums.ravel().tolist()}):
            self.wish(member, 0.0)

    def _demand(self, terms: Terms) -> bool:
        """Makes a sum 0, by one of its numbers of which nothing is known; says whether that may be."""
        rest = self._resolved(terms)
        unknown = [member for member in rest if member != ONE]
        if not unknown:
            return abs(rest.get(ONE, 0.0)) <= TOLERANCE * max(abs(terms.get(ONE, 0.0)), 1e-30)
        chosen = max(unknown, key=lambda member: (abs(rest[member]), member))
        self._learn(chosen, {member: -factor / rest[chosen] for member, factor in rest.items() if member != chosen})
        for user in self._users.pop(chosen, set()):
            self._learn(user, self._resolved(self._known[user]))
        return True

    def _learn(self, member: int, terms: Terms) -> None:
        self._known[member] = terms
        for used in terms:
            self._users.setdefault(used, set()).add(member)

    def _resolved(self, terms: Terms) -> Terms:
        """The same sum of numbers of which nothing is known."""
        found: Terms = {}
        for member, factor in terms.items():
            for part, share in self._known.get(member, {member: 1.0}).items():
                found[part] = found.get(part, 0.0) + factor * share
        return {part: share for part, share in found.items() if abs(share) > 1e-12 or part == ONE}
