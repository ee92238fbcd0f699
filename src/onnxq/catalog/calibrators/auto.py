"""Lets the model decide which of the others is best."""

from dataclasses import dataclass
from typing import ClassVar

from onnxq.catalog.calibrators.mse import Mse
from onnxq.core.format import Format, Range
from onnxq.core.statistics import TensorStatistics


@dataclass(frozen=True)
class Auto:
    """Each of the others in turn for all activations: the one whose model comes closest to FP32 is taken.

    pipeline/choice.py does so where there are samples. By itself, tensor by tensor, this is the range of least error.
    """

    name: ClassVar[str] = "auto"
    reads_histogram: ClassVar[bool] = True

    def choose(self, measured: TensorStatistics, stored: Format) -> Range:
        """See Calibrator."""
        return Mse().choose(measured, stored)
