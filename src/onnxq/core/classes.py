"""Numbers that are found to be equal, one after the other: which belong together in the end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
"""Numbers that stand for something, in an array that broadcasts against what they stand for."""


class Classes:
    """A union-find over 0, 1, 2 ...; the smallest member speaks for its class."""

    def __init__(self) -> None:
        self._parents: list[int] = [0]

    def grow(self, size: int) -> None:
        """Sees to it that there are `size` members at least; new ones are alone."""
        self._parents.extend(range(len(self._parents), size))

    def join(self, some: Ids, others: Ids | int) -> None:
        """Makes each of `some` one class with what broadcasts against it."""
        pairs = np.stack([np.ravel(side) for side in np.broadcast_arrays(some, others)], axis=1)
        for one, other in np.unique(pairs, axis=0).tolist():
            first, second = self._root(one), self._root(other)
            self._parents[max(first, second)] = min(first, second)

    def unite(self, members: Ids) -> None:
        """Makes all of `members` one class."""
        if members.size:
            self.join(members, int(members.flat[0]))

    def roots(self) -> Ids:
        """(members,) who speaks for each."""
        return np.array([self._root(member) for member in range(len(self._parents))], np.int64)

    def _root(self, member: int) -> int:
        while self._parents[member] != member:
            self._parents[member] = self._parents[self._parents[member]]
            member = self._parents[member]
        return member
