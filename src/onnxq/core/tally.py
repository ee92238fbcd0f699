"""Counts the values of a tensor, in place."""

from __future__ import annotations

import math
import time
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from onnxq.core import bins
from onnxq.core.bins import SMALLEST_EXPONENT
from onnxq.core.format import Floats
from onnxq.core.statistics import Extremes, TensorStatistics, widest


class Tally:
    """What has been counted of one tensor so far: a TensorStatistics in the making.

    Attributes:
        seconds: what counting took.
    """

    def __init__(
        self, axis: int | None = None, begun: TensorStatistics | None = None, *, histogram: bool = True
    ) -> None:
        """Starts from nothing, or from what was counted before.

        Args:
            axis: of the channels whose extremes are measured too; None for none.
            begun: what is counted already.
            histogram: whether numbers are counted in bins too. Without, infinite ones are no fault, but left out.
        """
        self.seconds = 0.0
        self._lock, self._binned = Lock(), histogram
        self._axis = axis
        self._samples, self._count = (begun.samples, begun.count) if begun else (0, 0)
        self._low, self._high = (begun.low, begun.high) if begun else (math.inf, -math.inf)
        self._exponent = begun.exponent if begun else SMALLEST_EXPONENT
        self._histogram = (begun.histogram if begun else bins.empty()[: None if histogram else 0]).astype(np.float64)
        self._channels = begun.channels if begun else np.zeros((2, 0))

    def add(self, values: Floats, samples: int) -> bool:
        """Counts `values`, of any shape, which came from `samples` samples. Several threads may do so at once.

        Returns:
            False if they are not all finite; nothing is counted then.
        """
        start = time.perf_counter()
        if values.size == 0:
            with self._lock:
                self._samples += samples
            return True
        extremes = _channel_extremes(values, self._axis)
        low, high = float(extremes[0].min()), float(extremes[1].max())
        if not (math.isfinite(low) and math.isfinite(high)):
            if self._binned:
                return False
            extremes = _finite_extremes(values)
            low, high = float(extremes[0, 0]), float(extremes[1, 0])
        if not self._binned:
            low, high = 0.0 - _rounded_up(-low), _rounded_up(high)
        exponent = max(self._exponent, bins.exponent_for(max(-low, high)))
        found = bins.count(values, exponent, signed=low < 0) if self._binned else None
        with self._lock:
            if found is not None:
                self._put(found, exponent)
            self._samples += samples
            self._count += values.size
            self._low, self._high = min(self._low, low), max(self._high, high)
            if self._axis is not None:
                self._channels = widest(self._channels, extremes)
            self.seconds += time.perf_counter() - start
        return True

    def _put(self, found: NDArray[np.float64], exponent: int) -> None:
        """Adds counts in bins of any width."""
        if exponent < self._exponent:  # another thread has seen something larger
            found = bins.widened(found, self._exponent - exponent)
        elif exponent > self._exponent:
            self._histogram, self._exponent = bins.widened(self._histogram, exponent - self._exponent), exponent
        self._histogram[-len(found) :] += found

    def measured(self) -> TensorStatistics:
        """What has been counted, as a value that later counting does not change."""
        return TensorStatistics(
            samples=self._samples,
            count=self._count,
            low=self._low,
            high=self._high,
            exponent=self._exponent,
            histogram=self._histogram.astype(np.int64),
            channels=self._channels,
        )


def measured(values: Floats) -> TensorStatistics:
    """The statistics of `values` (any shape, finite), as one sample."""
    tally = Tally()
    tally.add(values, 1)
    return tally.measured()


def extremes(values: Floats) -> TensorStatistics:
    """Statistics of `values` without a histogram, for calibrators that do not read one."""
    low, high = (float(values.min()), float(values.max())) if values.size else (math.inf, -math.inf)
    return TensorStatistics(1, values.size, low, high, SMALLEST_EXPONENT, np.zeros(0, np.int64), np.zeros((2, 0)))


def _channel_extremes(values: Floats, axis: int | None) -> Extremes:
    """The lows and highs of (some) values; of all as if of one channel without an axis."""
    if axis is None:
        low, high = values.min(keepdims=True), values.max(keepdims=True)
    else:
        before, after = math.prod(values.shape[: axis % values.ndim]), math.prod(values.shape[axis % values.ndim + 1 :])
        low = high = values.reshape(before, -1)
        if before > 1:  # samples first: numpy then runs along long rows, whatever is left of each channel behind them
            low, high = low.min(axis=0), high.max(axis=0)
        low, high = low.reshape(-1, after).min(axis=1), high.reshape(-1, after).max(axis=1)
    return np.array([low.ravel(), high.ravel()], np.float64) + 0.0  # which makes -0.0 equal 0.0 to the bit


def _finite_extremes(values: Floats) -> Extremes:
    finite = values[np.isfinite(values)]
    return np.array([[finite.min(initial=np.inf)], [finite.max(initial=-np.inf)]], np.float64) + 0.0


def _rounded_up(value: float) -> float:
    """The next number of six binary digits: extremes alone need no more, and runtimes differ in the last ones."""
    if not math.isfinite(value):
        return value
    mantissa, exponent = math.frexp(value)
    return math.ldexp(math.ceil(mantissa * 64), exponent - 6)
