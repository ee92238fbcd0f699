"""How a number is stored: the grid of a low-precision type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Range:
    """The real numbers that a tensor's codes must cover, `low` <= 0 <= `high`."""

    low: float
    high: float

    @property
    def amplitude(self) -> float:
        """The half width of the smallest symmetric range around this one."""
        return max(-self.low, self.high)


@dataclass(frozen=True)
class Format:
    """A number format.

    Attributes:
        name: as recipes and plans spell it.
        storage: the name of ONNX's TensorProto.DataType that holds it.
        low: the lowest code.
        high: the highest code.
        snap: rounds real numbers to the grid of codes, without limits.
        doc: one line for people.
        symmetric: whether 0.0 always has the code 0; otherwise the codes spread over the range, wherever it lies.
    """

    name: str
    storage: str
    low: float
    high: float
    snap: Callable[[Floats], Floats]
    doc: str
    symmetric: bool = True

    def stored(self, codes: Floats) -> NDArray[Any]:
        """Codes in the type that holds them."""
        return codes.astype(self.storage.lower())

    def scale(self, covered: Range) -> float:
        """The distance between codes that cover a range; a symmetric format's highest code stands for its amplitude."""
        if self.symmetric:
            return covered.amplitude / self.high
        return (covered.high - covered.low) / (self.high - self.low)

    def zero_point(self, covered: Range) -> int:
        """The code of 0.0 in a quantization that covers a range."""
        scale = self.scale(covered)
        if self.symmetric or not scale:
            return 0
        return int(np.clip(np.rint(self.low - covered.low / scale), self.low, self.high))

    def encode(self, values: Floats, scale: Floats, zero_point: float = 0.0) -> Floats:
        """Codes of `values`: divided, snapped to the grid and saturated in one step, so that no caller can forget one.

        Args:
            values: real numbers of any shape.
            scale: positive, of a shape that broadcasts against `values`.
            zero_point: the code of 0.0.
        """
        codes: Floats = np.clip(self.snap(values / scale) + zero_point, self.low, self.high)
        return codes

    def round_trip(self, values: Floats, scale: Floats, zero_point: float = 0.0) -> Floats:
        """What is left of `values` after quantization and dequantization."""
        return (self.encode(values, scale, zero_point) - zero_point) * scale
