"""Keeps everything: the largest magnitude seen."""

from dataclasses import dataclass
from typing import ClassVar

from onnxq.core.format import Format, Range
from onnxq.core.statistics import TensorStatistics


@dataclass(frozen=True)
class Max:
    """The range of everything seen: no clipping, but an outlier coarsens all other values."""

    name: ClassVar[str] = "max"
    reads_histogram: ClassVar[bool] = False

    def choose(self, measured: TensorStatistics, stored: Format) -> Range:
        """See Calibrator."""
        return measured.clipped(measured.amplitude)
