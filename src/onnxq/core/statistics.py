"""What was measured of every tensor, in a form that does not depend on how the samples were cut or ordered.

A histogram of `2 * HALF` bins covers [-HALF * width, HALF * width), and `width` is a power of two: the
smallest one for which everything seen fits. When something larger comes along, the width doubles and
neighbouring bins are added up. Division by a power of two is exact, so a value ends up in the same bin whether
it was counted before or after: the histogram is a function of the set of values alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxq.core.format import Floats, Range

HALF = 8192
"""Bins on each side of zero. The largest value seen lies in the outer half, so a bin is at most 1/4096 of it."""

SMALLEST_EXPONENT = -1000
_CHUNK = 1 << 17


@dataclass(frozen=True)
class TensorStatistics:
    """The measured distribution of one tensor.

    Attributes:
        count: how many numbers were seen.
        low: the smallest of them; +inf before the first.
        high: the largest of them; -inf before the first.
        exponent: the width of a bin is 2 ** exponent.
        histogram: (2 * HALF,) int64; bin `HALF + k` counts values in [k * width, (k + 1) * width), and its mirror
            image `HALF - 1 - k` those in (-(k + 1) * width, -k * width], zero excepted.
    """

    count: int
    low: float
    high: float
    exponent: int
    histogram: NDArray[np.int64]

    @staticmethod
    def empty() -> TensorStatistics:
        """Nothing seen yet."""
        return TensorStatistics(0, math.inf, -math.inf, SMALLEST_EXPONENT, np.zeros(2 * HALF, np.int64))

    @staticmethod
    def extremes(values: Floats) -> TensorStatistics:
        """Statistics of `values` without a histogram, for calibrators that do not read one."""
        low, high = (float(values.min()), float(values.max())) if values.size else (math.inf, -math.inf)
        return TensorStatistics(values.size, low, high, SMALLEST_EXPONENT, np.zeros(0, np.int64))

    @property
    def amplitude(self) -> float:
        """The largest magnitude seen, 0.0 if nothing was."""
        return max(-self.low, self.high, 0.0)

    @property
    def width(self) -> float:
        """The width of a bin."""
        return math.ldexp(1.0, self.exponent)

    def observe(self, values: Floats) -> TensorStatistics:
        """These statistics with `values` (any shape, finite) counted in."""
        if values.size == 0:
            return self
        flat = np.ravel(values)
        low, high = float(flat.min()), float(flat.max())
        exponent = max(self.exponent, _exponent(max(-low, high)))
        histogram = _widened(self.histogram, exponent - self.exponent)
        for start in range(0, flat.size, _CHUNK):  # small pieces stay in the processor's cache
            piece = flat[start : start + _CHUNK]
            if low < 0:
                histogram += np.bincount(_bins(piece, exponent) + (HALF - (piece < 0)), minlength=2 * HALF)
            else:
                histogram[HALF:] += np.bincount(_bins(piece, exponent), minlength=HALF)
        return TensorStatistics(self.count + flat.size, min(self.low, low), max(self.high, high), exponent, histogram)

    def merge(self, other: TensorStatistics) -> TensorStatistics:
        """The statistics of both sets of values together."""
        exponent = max(self.exponent, other.exponent)
        return replace(
            self,
            count=self.count + other.count,
            low=min(self.low, other.low),
            high=max(self.high, other.high),
            exponent=exponent,
            histogram=_widened(self.histogram, exponent - self.exponent)
            + _widened(other.histogram, exponent - other.exponent),
        )

    def magnitudes(self) -> NDArray[np.int64]:
        """(HALF,) counts of |x| in [k * width, (k + 1) * width), up to the last bin that is not empty (at least 1)."""
        folded = self.histogram[HALF:] + self.histogram[HALF - 1 :: -1]
        used = np.flatnonzero(folded)
        return folded[: used[-1] + 1 if used.size else 1]

    def resampled(self, bins: int) -> NDArray[np.float64]:
        """(bins,) counts of |x| in equal bins over [0, amplitude]; an old bin's count is spread evenly."""
        counts = self.magnitudes()
        running = np.concatenate([[0.0], np.cumsum(counts)])
        edges = np.linspace(0.0, self.amplitude / self.width, bins + 1)
        edges[-1] = len(counts)
        return np.diff(np.interp(edges, np.arange(len(counts) + 1), running))

    def clipped(self, amplitude: float) -> Range:
        """The measured range, cut to [-amplitude, amplitude] and widened to hold 0."""
        return Range(min(max(self.low, -amplitude), 0.0), max(min(self.high, amplitude), 0.0))


@dataclass(frozen=True)
class Statistics:
    """The measured distributions of a calibration run."""

    tensors: Mapping[str, TensorStatistics]
    samples: int


def _exponent(amplitude: float) -> int:
    """The smallest exponent whose bins hold +amplitude and -amplitude, each in [-HALF, HALF)."""
    if amplitude == 0.0:
        return SMALLEST_EXPONENT
    return math.frexp(amplitude)[1] - int(math.log2(HALF))


def _bins(values: Floats, exponent: int) -> NDArray[np.int32]:
    """The bin of each of `values` from zero on, rounded towards it so that an underflow cannot move a value."""
    factor = math.ldexp(1.0, -exponent)
    scaled = values * np.float32(factor) if abs(exponent) < 126 else values.astype(np.float64) * factor
    return scaled.astype(np.int32)


def _widened(histogram: NDArray[np.int64], doublings: int) -> NDArray[np.int64]:
    """A copy with the same counts in bins 2 ** doublings as wide."""
    histogram = histogram.copy()
    for _ in range(min(doublings, 2 * HALF.bit_length())):
        if not histogram.any():
            break
        pairs = histogram.reshape(-1, 2).sum(axis=1)
        histogram = np.zeros_like(histogram)
        histogram[HALF // 2 : HALF + HALF // 2] = pairs
    return histogram
