"""Keeps the range that loses the least: clipping against rounding."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from onnxq.core.bins import HALF
from onnxq.core.format import Format, Range
from onnxq.core.statistics import TensorStatistics

MERGED = 4
"""Bins of the statistics that the search takes together: still at least 8 to a step of 127 codes."""

CANDIDATES = 256
"""Ranges tried, evenly spaced over what the statistics can hold; the measured values fill at least half of it."""


@dataclass(frozen=True)
class Mse:
    """The range of least mean squared error between the values and their round trip."""

    name: ClassVar[str] = "mse"
    reads_histogram: ClassVar[bool] = True

    def choose(self, measured: TensorStatistics, stored: Format) -> Range:
        """See Calibrator."""
        counts = measured.magnitudes()
        merged = np.add.reduceat(counts, np.arange(0, len(counts), MERGED))
        occupied = np.flatnonzero(merged)
        middles = (occupied + 0.5) * MERGED  # in bins of the statistics
        step = HALF // CANDIDATES
        edges = np.arange(step, len(counts) + step, step, dtype=np.float64)[:, None]
        errors = (stored.round_trip(middles, edges / stored.high) - middles) ** 2 @ merged[occupied]
        return measured.clipped(float(edges[int(np.argmin(errors)), 0]) * measured.width)
