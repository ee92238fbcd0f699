"""Numbers that lie on even steps, such as pixels: a tensor that holds no others can be stored without any error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MOST = 256
"""Numbers that eight bits can tell apart."""

TOLERANCE = 0.01
"""Of a step, by which numbers may miss it, since they are rounded to float32."""

FEW = 16
"""Of fewer different numbers nobody can tell whether they lie on steps by chance."""


@dataclass(frozen=True)
class Steps:
    """Evenly spaced numbers.

    Attributes:
        low: the smallest.
        size: the distance between two of them.
        count: how many there are.
    """

    low: float
    size: float
    count: int

    @property
    def middle(self) -> float:
        """What is to become 0, so that the codes -128 to 127 hold them all."""
        return self.low + self.size * (self.count // 2)

    @property
    def are_even(self) -> bool:
        """Whether codes hold them without any shift; the largest of 256 may be cut by one step."""
        offset = self.low / self.size
        codes = round(offset), round(offset) + self.count - 1
        return abs(offset - codes[0]) <= TOLERANCE and codes[0] >= -128 and codes[1] <= 128


@dataclass
class Seen:
    """The different numbers of each channel, as long as they are few.

    Attributes:
        numbers: by channel, sorted; empty once there were too many.
    """

    numbers: list[NDArray[np.float32]] = field(default_factory=list)

    def look_at(self, rows: Iterable[NDArray[np.float32]]) -> bool:
        """Adds what a batch has; returns whether it still makes sense to look at more.

        Args:
            rows: the numbers of each channel.
        """
        found = [np.unique(row) for row in rows]
        before = self.numbers or [row[:0] for row in found]
        self.numbers = [np.union1d(old, new) for old, new in zip(before, found, strict=True)]
        return all(row.size <= MOST for row in self.numbers)

    def steps(self) -> Iterator[Steps | None]:
        """The steps of each channel; None where the numbers lie on none."""
        return (_steps(row.astype(np.float64)) for row in self.numbers)


def common_size(steps: Sequence[Steps]) -> float | None:
    """The scale that alone stores channels with these steps exactly; None if there is none."""
    sizes = {round(one.size / steps[0].size, 3) for one in steps}
    return steps[0].size if len(sizes) == 1 and all(one.are_even for one in steps) else None


def _steps(numbers: NDArray[np.float64]) -> Steps | None:
    if not FEW <= numbers.size <= MOST:
        return None
    span = numbers[-1] - numbers[0]
    count = round(span / np.diff(numbers).min())
    if not 0 < count < MOST:
        return None
    places = (numbers - numbers[0]) / (span / count)
    even = np.abs(places - np.round(places)).max() <= TOLERANCE
    return Steps(float(numbers[0]), float(span / count), count + 1) if even else None
