"""Counts the values of a tensor, in place."""

from __future__ import annotations

import math
import time

import numpy as np
from numpy.typing import NDArray

from onnxq.core import bins
from onnxq.core.bins import SMALLEST_EXPONENT, Scratch
from onnxq.core.format import Floats
from onnxq.core.statistics import TensorStatistics, widest


class Tally:
    """What has been counted of one tensor so far: a TensorStatistics in the making.

    Attributes:
        seconds: what counting took.
    """

    def __init__(self, axis: int | None = None, begun: TensorStatistics | None = None) -> None:
        """Starts from nothing, or from what was counted before.

        Args:
            axis: of the channels whose extremes are measured too; None for none.
            begun: what is counted already.
        """
        self.seconds = 0.0
        self._axis = axis
        self._samples, self._count = (begun.samples, begun.count) if begun else (0, 0)
        self._low, self._high = (begun.low, begun.high) if begun else (math.inf, -math.inf)
        self._exponent = begun.exponent if begun else SMALLEST_EXPONENT
        self._histogram = begun.histogram.copy() if begun else bins.empty()
        self._channels = begun.channels if begun else np.zeros((2, 0))

    def add(self, values: Floats, samples: int, scratch: Scratch) -> bool:
        """Counts `values`, of any shape, which came from `samples` samples.

        Returns:
            False if they are not all finite; nothing is counted then.
        """
        start = time.perf_counter()
        extremes = _channel_extremes(values, self._axis)
        low, high = float(extremes[0].min(initial=math.inf)), float(extremes[1].max(initial=-math.inf))
        if values.size and not (math.isfinite(low) and math.isfinite(high)):
            return False
        self._samples += samples
        if values.size == 0:
            return True
        exponent = max(self._exponent, bins.exponent_for(max(-low, high)))
        bins.widen(self._histogram, exponent - self._exponent)
        scratch.count(np.ravel(values), exponent, self._histogram, signed=low < 0)
        self._count += values.size
        self._low, self._high, self._exponent = min(self._low, low), max(self._high, high), exponent
        if self._axis is not None:
            self._channels = widest(self._channels, extremes)
        self.seconds += time.perf_counter() - start
        return True

    def measured(self) -> TensorStatistics:
        """What has been counted, as a value that later counting does not change."""
        return TensorStatistics(
            samples=self._samples,
            count=self._count,
            low=self._low,
            high=self._high,
            exponent=self._exponent,
            histogram=self._histogram.copy(),
            channels=self._channels,
        )


def measured(values: Floats) -> TensorStatistics:
    """The statistics of `values` (any shape, finite), as one sample."""
    tally = Tally()
    tally.add(values, 1, Scratch())
    return tally.measured()


def extremes(values: Floats) -> TensorStatistics:
    """Statistics of `values` without a histogram, for calibrators that do not read one."""
    low, high = (float(values.min()), float(values.max())) if values.size else (math.inf, -math.inf)
    return TensorStatistics(1, values.size, low, high, SMALLEST_EXPONENT, np.zeros(0, np.int64), np.zeros((2, 0)))


def _channel_extremes(values: Floats, axis: int | None) -> NDArray[np.float64]:
    """(2, channels) lows and highs; one channel without an axis, none without values."""
    if not values.size:
        return np.zeros((2, 0))
    if axis is None:
        return np.array([[values.min()], [values.max()]], np.float64)
    axis %= values.ndim
    before, after = math.prod(values.shape[:axis]), math.prod(values.shape[axis + 1 :])
    cut = values.reshape(before, values.shape[axis] * after)
    # samples first: numpy then runs along long rows, whatever is left of each channel behind them
    low, high = (cut.min(axis=0), cut.max(axis=0)) if before > 1 else (cut[0], cut[0])
    return np.stack([low.reshape(-1, after).min(axis=1), high.reshape(-1, after).max(axis=1)]).astype(np.float64)
