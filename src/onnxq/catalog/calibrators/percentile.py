"""Keeps a share of the magnitudes and clips the rest."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from onnxq.core.calibrator import check_percentile
from onnxq.core.format import Format, Range
from onnxq.core.statistics import TensorStatistics


@dataclass(frozen=True)
class Percentile:
    """The smallest bin edge below which lie `percentile` percent of the magnitudes (Wu et al. 2020, section 3.3)."""

    name: ClassVar[str] = "percentile"
    reads_histogram: ClassVar[bool] = True
    percentile: float = 99.99

    def __post_init__(self) -> None:
        check_percentile(self.percentile)

    def choose(self, measured: TensorStatistics, stored: Format) -> Range:
        """See Calibrator."""
        covered = np.cumsum(measured.magnitudes())
        edge = int(np.searchsorted(covered, covered[-1] * (self.percentile / 100))) + 1
        return measured.clipped(edge * measured.width)
