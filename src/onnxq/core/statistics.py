"""What was measured of every tensor, in a form that does not depend on how the samples were cut or ordered."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxq.core import bins
from onnxq.core.bins import MIDDLE, Counts
from onnxq.core.format import Range
from onnxq.core.table import Table
from onnxq.errors import DataError

Extremes = NDArray[np.float64]
"""(2, channels) the smallest and the largest number of each channel."""


@dataclass(frozen=True)
class TensorStatistics:
    """The measured distribution of one tensor.

    Attributes:
        samples: how many samples were measured.
        count: how many numbers were seen in them.
        low: the smallest of them; +inf before the first.
        high: the largest of them; -inf before the first.
        exponent: the width of a bin is 2 ** exponent.
        histogram: counts in the bins of core/bins.py; empty where only extremes were asked for.
        channels: extremes of each input channel of the weighted operator that reads the tensor; (2, 0) without one.
    """

    samples: int
    count: int
    low: float
    high: float
    exponent: int
    histogram: Counts
    channels: Extremes

    @property
    def is_binned(self) -> bool:
        """Whether more than extremes was measured."""
        return self.histogram.size > 0

    @property
    def amplitude(self) -> float:
        """The largest magnitude seen, 0.0 if nothing was."""
        return max(-self.low, self.high, 0.0)

    @property
    def width(self) -> float:
        """The width of a bin."""
        return math.ldexp(1.0, self.exponent)

    def merge(self, other: TensorStatistics) -> TensorStatistics:
        """The statistics of both sets of values together."""
        exponent = max(self.exponent, other.exponent)
        return TensorStatistics(
            samples=self.samples + other.samples,
            count=self.count + other.count,
            low=min(self.low, other.low),
            high=max(self.high, other.high),
            exponent=exponent,
            histogram=bins.widened(self.histogram, exponent - self.exponent)
            + bins.widened(other.histogram, exponent - other.exponent)
            if self.is_binned and other.is_binned
            else bins.empty()[:0],
            channels=widest(self.channels, other.channels),
        )

    def magnitudes(self, merged: int = 1) -> NDArray[np.int64]:
        """Counts of |x| in [k * width, (k + 1) * width), up to the last bin that is not empty; at least one.

        Args:
            merged: so many neighbouring bins are taken together.
        """
        folded = self.histogram[MIDDLE:].copy()
        folded[1:] += self.histogram[:MIDDLE][::-1]
        used = np.flatnonzero(folded)
        counts = folded[: used[-1] + 1 if used.size else 1]
        return np.add.reduceat(counts, np.arange(0, len(counts), merged))

    def clipped(self, amplitude: float) -> Range:
        """The measured range, cut to [-amplitude, amplitude] and widened to hold 0."""
        return Range(min(max(self.low, -amplitude), 0.0), max(min(self.high, amplitude), 0.0))


def widest(some: Extremes, others: Extremes) -> Extremes:
    """The lowest lows and the highest highs of both, channel by channel; one of them may have none yet."""
    if not (some.size and others.size):
        return some if some.size else others
    return np.stack([np.minimum(some[0], others[0]), np.maximum(some[1], others[1])])


@dataclass(frozen=True, repr=False)
class Statistics:
    """The measured distributions of a calibration run.

    Attributes:
        model: what was measured: the hash of a prepared graph and its weights.
        tensors: what was measured of each tensor.
    """

    model: str
    tensors: Mapping[str, TensorStatistics]

    def __repr__(self) -> str:
        return f"Statistics({len(self.tensors)} tensors on {self.samples} samples)"

    def _repr_html_(self) -> str:
        rows = tuple(
            (name, f"{found.low:.5g}", f"{found.high:.5g}", f"{found.count:,}") for name, found in self.tensors.items()
        )
        head = ("tensor", "low", "high", "numbers")
        return Table(f"{len(self.tensors)} tensors, measured on {self.samples} samples", head, rows).html

    @property
    def samples(self) -> int:
        """How many samples all tensors were measured on."""
        return min((measured.samples for measured in self.tensors.values()), default=0)

    def merge(self, other: Statistics) -> Statistics:
        """What one run over the samples of both would have measured.

        Raises:
            DataError: they are of different models, or of different tensors.
        """
        if self.model != other.model:
            raise DataError(f"Statistics of different models cannot be merged: {self.model} and {other.model}.")
        if apart := sorted(self.tensors.keys() ^ other.tensors.keys()):
            raise DataError(
                f"Statistics of different tensors cannot be merged: only one has '{apart[0]}'"
                + (f" and {len(apart) - 1} more." if apart[1:] else ".")
            )
        if unlike := [name for name, m in self.tensors.items() if m.is_binned != other.tensors[name].is_binned]:
            raise DataError(
                f"Only one of the statistics has a histogram of '{unlike[0]}'. Make both with one --plan and --rest."
            )
        return Statistics(
            self.model, {name: measured.merge(other.tensors[name]) for name, measured in self.tensors.items()}
        )
