"""What a calibrator is: from what was measured to the range worth storing."""

from __future__ import annotations

from typing import Protocol

from onnxq.core.format import Format, Range
from onnxq.core.statistics import TensorStatistics
from onnxq.errors import RecipeError


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


def spelled(name: str, percentile: float) -> str:
    """A calibrator's name with its parameter behind it, if it has one that is not there yet: "percentile 99.9"."""
    return f"percentile {percentile}" if name == "percentile" else name


def check_percentile(value: object) -> None:
    """Refuses what is no share in percent.

    Raises:
        RecipeError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, float | int):
        raise RecipeError(f"percentile must be a number. Got {value!r}.")
    if not 0.0 < value <= 100.0:
        raise RecipeError(f"The percentile must lie in (0, 100]. Got {value}.")
