"""Which numbers a tensor's codes should cover, if they may lie anywhere: not only evenly around 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxq.core.bins import MIDDLE
from onnxq.core.format import Range
from onnxq.core.statistics import TensorStatistics

TRIED = 256
"""Ends of a range that are compared."""

ROUNDS = 3
"""How often the other end is looked at again."""

Real = NDArray[np.float64]


def span(measured: TensorStatistics, codes: int) -> Range:
    """The range of least mean squared error, clipping against rounding; it holds 0, which has a code of its own.

    Args:
        measured: with a histogram.
        codes: how many steps the range is cut into.
    """
    low, high = min(measured.low, 0.0), max(measured.high, 0.0)
    occupied = np.flatnonzero(measured.histogram) - MIDDLE
    values = (occupied + 0.5 * np.sign(occupied)) * measured.width
    weights = measured.histogram[occupied + MIDDLE].astype(np.float64)
    above, below = _Moments(values, weights), _Moments(-values, weights)
    sizes = _Moments(np.abs(values), weights)
    for _ in range(ROUNDS if low < 0.0 < high else 1):
        high = _end(above, sizes, (high, -low), codes) if high else high
        low = -_end(below, sizes, (-low, high), codes) if low else low
    return Range(low, high)


class _Moments:
    """Sums over the numbers above any limit."""

    def __init__(self, values: Real, weights: Real) -> None:
        order = np.argsort(values, kind="stable")
        self._values = values[order]
        terms = (weights[order] * self._values**power for power in (0, 1, 2))
        self._sums = [np.append(np.cumsum(term[::-1])[::-1], 0.0) for term in terms]

    def above(self, limits: Real) -> tuple[Real, Real, Real]:
        """The number of those above each of `limits`, their sum and the sum of their squares."""
        count, first, second = (sums[np.searchsorted(self._values, limits, "right")] for sums in self._sums)
        return count, first, second

    @property
    def energy(self) -> float:
        """The sum of all squares."""
        return float(self._sums[2][0])


def _end(tail: _Moments, sizes: _Moments, ends: tuple[float, float], codes: int) -> float:
    """The best end on one side of 0, measured from there.

    Args:
        tail: the numbers, that side being positive.
        sizes: their magnitudes.
        ends: the largest that is tried, and the end on the other side.
        codes: how many steps lie between.
    """
    tried = ends[0] * np.arange(1, TRIED + 1) / TRIED
    steps = (tried + ends[1]) / codes
    count, first, second = tail.above(tried)
    clipped = second - 2.0 * tried * first + tried**2 * count
    rounded, _, kept = sizes.above(steps / 2)  # what lies nearer to 0 becomes 0
    errors = clipped + steps**2 / 12.0 * rounded + (sizes.energy - kept)
    return float(tried[int(np.argmin(errors))])
