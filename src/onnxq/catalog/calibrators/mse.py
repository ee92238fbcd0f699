"""Keeps the range that loses the least: clipping against rounding."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from onnxq.core.format import Format, Range
from onnxq.core.statistics import TensorStatistics

STEP, FINE = 32, 2
"""Every 32nd bin edge is tried as the end of the range, then every second one around the best of them."""


@dataclass(frozen=True)
class Mse:
    """The range of least mean squared error between the values and their round trip."""

    name: ClassVar[str] = "mse"
    reads_histogram: ClassVar[bool] = True

    def choose(self, measured: TensorStatistics, stored: Format) -> Range:
        """See Calibrator."""
        if not measured.amplitude:
            return measured.clipped(0.0)  # nothing but zeros, or nothing at all
        counts = measured.magnitudes()
        occupied = np.flatnonzero(counts)
        middles, weights = occupied + 0.5, counts[occupied]  # in bins

        def best(edges: NDArray[np.intp]) -> int:
            covered = [measured.clipped(edge * measured.width) for edge in edges]
            steps = np.array([[stored.scale(kept)] for kept in covered]) / measured.width
            codes = np.minimum(stored.snap(middles / steps), stored.snap(edges[:, None] / steps))
            errors = (codes * steps - middles) ** 2 @ weights
            return int(edges[int(np.argmin(errors))])

        coarse = best(np.arange(STEP, len(counts) + STEP, STEP))
        fine = best(np.arange(coarse - STEP + FINE, coarse + STEP, FINE))
        return measured.clipped(fine * measured.width)
