"""A floating-point type: what it can hold, and how finely."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxq.core.format import Floats

Bits = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class FloatType:
    """A floating-point type.

    Attributes:
        name: as recipes spell it.
        storage: the name of ONNX's TensorProto.DataType.
        numpy: the name of its numpy dtype, as a GraphView has it.
        largest: the largest finite number.
        normal: the smallest positive number that has all its digits.
        smallest: the smallest positive number.
        step: the distance from 1 to the next number.
        opset: the lowest ai.onnx opset whose operators, Q/DQ included, take it.
        encode: float32 -> bits, rounded half to even; what is too large becomes Inf.
        decode: bits -> float32.
        doc: one line for people.
    """

    name: str
    storage: str
    numpy: str
    largest: float
    normal: float
    smallest: float
    step: float
    opset: int
    encode: Callable[[Floats], Bits]
    decode: Callable[[Bits], NDArray[np.float32]]
    doc: str

    def round(self, values: Floats) -> NDArray[np.float32]:
        """What is left of `values` after they were stored."""
        return self.decode(self.encode(values))

    def scale(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The smallest numbers of this type that are not below `values`, which are positive: as scales they never clip.

        What is too large stays as it is.
        """
        lifted = np.maximum(values, np.float32(self.smallest))
        bits = self.encode(lifted)
        bits += (self.decode(bits) < lifted).astype(bits.dtype)  # the bits of positive numbers are in their order
        return np.where(values > self.largest, values, self.decode(bits)).astype(np.float32)

    def grid(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same where this type has all its digits; other numbers stay as they are."""
        return np.where(values < self.normal, values, self.scale(values)).astype(np.float32)
