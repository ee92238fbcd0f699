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


def span(measured: TensorStatistics, codes: int) -> Range:
    """The range of least mean squared error, clipping against rounding; it holds 0.

    Args:
        measured: with a histogram.
        codes: how many numbers the range is cut into, less one.
    """
    occupied = np.flatnonzero(measured.histogram)
    values = (occupied - MIDDLE + 0.5 * np.sign(occupied - MIDDLE)) * measured.width
    weights = measured.histogram[occupied].astype(np.float64)
    low, high = min(measured.low, 0.0), max(measured.high, 0.0)
    tails = _Tail(values, weights), _Tail(-values[::-1], weights[::-1])
    for _ in range(ROUNDS if low < 0.0 < high else 1):
        high = _end(tails[0], high, low, codes) if high else high
        low = -_end(tails[1], -low, -high, codes) if low else low
    return Range(low, high)


class _Tail:
    """The numbers above any end."""

    def __init__(self, values: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        self.values, self.moved = values, float(weights[np.abs(values) > 0.0].sum())
        self.sums = [np.append(np.cumsum((weights * values**power)[::-1])[::-1], 0.0) for power in (0, 1, 2)]

    def lost(self, ends: NDArray[np.float64]) -> NDArray[np.float64]:
        """The squared error of clipping at each of `ends`."""
        count, first, second = (sums[np.searchsorted(self.values, ends, "right")] for sums in self.sums)
        errors: NDArray[np.float64] = second - 2.0 * ends * first + ends**2 * count
        return errors


def _end(tail: _Tail, end: float, other: float, codes: int) -> float:
    """The best upper end, the lower one being `other`."""
    ends = end * np.arange(1, TRIED + 1) / TRIED
    errors = tail.lost(ends) + ((ends - other) / codes) ** 2 / 12.0 * tail.moved
    return float(ends[int(np.argmin(errors))])
