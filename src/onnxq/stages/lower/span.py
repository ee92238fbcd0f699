"""A range of numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """The numbers of a tensor lie in [low, high]."""

    low: float
    high: float

    @property
    def amplitude(self) -> float:
        """The largest magnitude."""
        return max(-self.low, self.high, 0.0)

    def __or__(self, other: Span) -> Span:
        return Span(min(self.low, other.low), max(self.high, other.high))


UNKNOWN = Span(-math.inf, math.inf)
