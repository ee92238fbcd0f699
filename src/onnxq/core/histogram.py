"""The distribution of an activation as it is drawn: few bars, and the range that each calibrator would keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from onnxq.core.bins import MIDDLE
from onnxq.core.format import Range
from onnxq.core.statistics import TensorStatistics

BARS = 72
"""At most so many are drawn."""


@dataclass(frozen=True)
class Histogram:
    """An activation.

    Attributes:
        tensor: its name.
        low: the smallest number seen.
        high: the largest.
        count: how many were seen.
        left: where the first bar begins.
        width: of a bar.
        counts: how many numbers lie in each bar.
        ways: calibrator -> the range that it would keep of this tensor.
        taken: the range that its scale covers; None if it has no scale.
        source: where the scale is from.
        clipped: the share of numbers outside of `taken`, 0 to 1.
    """

    tensor: str
    low: float
    high: float
    count: int
    left: float
    width: float
    counts: tuple[int, ...]
    ways: Mapping[str, Range]
    taken: Range | None
    source: str
    clipped: float

    @staticmethod
    def of(
        tensor: str, measured: TensorStatistics, ways: Mapping[str, Range], taken: Range | None, source: str
    ) -> Histogram:
        """The histogram of a tensor whose bins were counted."""
        used = np.flatnonzero(measured.histogram)
        first, last = (int(used[0]), int(used[-1])) if used.size else (MIDDLE, MIDDLE)
        merged = -(-(last - first + 1) // BARS)
        counts = np.add.reduceat(measured.histogram[first : last + 1], np.arange(0, last - first + 1, merged))
        return Histogram(
            tensor,
            measured.low,
            measured.high,
            measured.count,
            left=(first - MIDDLE) * measured.width,
            width=merged * measured.width,
            counts=tuple(counts.tolist()),
            ways=ways,
            taken=taken,
            source=source,
            clipped=_outside(measured, taken) if taken else 0.0,
        )


def _outside(measured: TensorStatistics, kept: Range) -> float:
    """The share of numbers in bins that lie wholly outside of a range."""
    above = MIDDLE + int(np.ceil(min(kept.high / measured.width, MIDDLE + 1)))
    below = MIDDLE - int(np.ceil(min(-kept.low / measured.width, MIDDLE + 1)))
    counts = measured.histogram
    return float(counts[above:].sum() + counts[: max(0, below + 1)].sum() * (kept.low < 0)) / max(1, measured.count)
