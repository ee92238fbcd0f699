"""Keeps the range that loses the least: clipping against rounding."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from onnxq.core.format import Format, Range
from onnxq.core.statistics import TensorStatistics

COARSE = 40
"""Candidates of the first search, evenly spaced up to the largest magnitude."""


@dataclass(frozen=True)
class Mse:
    """The range of least mean squared error between the values and their round trip, searched over bin edges."""

    name: ClassVar[str] = "mse"

    def choose(self, measured: TensorStatistics, stored: Format) -> Range:
        """See Calibrator."""
        counts = measured.magnitudes()
        occupied = np.flatnonzero(counts)
        middles, weights = occupied + 0.5, counts[occupied].astype(np.float64)
        edges = np.unique(np.linspace(0, len(counts), COARSE + 1).round().astype(int))[1:]
        best = _best(edges, middles, weights, stored)
        step = -(-len(counts) // COARSE)
        while step > 1:  # halve the spacing around the best edge
            step = -(-step // 2)
            near = np.unique(np.clip([best - step, best, best + step], 1, len(counts)))
            best = _best(near, middles, weights, stored)
            if step == 1:
                break
        return measured.clipped(best * measured.width)


def _best(
    edges: NDArray[np.int_], middles: NDArray[np.float64], weights: NDArray[np.float64], stored: Format
) -> int:
    costs = [
        weights @ (stored.round_trip(middles, np.float64(edge / stored.high)) - middles) ** 2 for edge in edges
    ]
    return int(edges[int(np.argmin(costs))])
