"""What a calibrator is: from what was measured to the range worth storing."""

from __future__ import annotations

from typing import Protocol

from onnxq.core.format import Format, Range
from onnxq.core.statistics import TensorStatistics


class Calibrator(Protocol):
    """Chooses the range of a tensor. Implementations are frozen: their fields are their parameters."""

    @property
    def name(self) -> str:
        """As recipes spell it."""

    @property
    def reads_histogram(self) -> bool:
        """Whether it needs more than the count and the extremes."""

    def choose(self, measured: TensorStatistics, stored: Format) -> Range:
        """The range of a tensor with statistics `measured` when it is stored in the format `stored`."""
