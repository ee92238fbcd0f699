"""What is fed to a model in one inference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Tensors = Mapping[str, Array]
Run = Callable[[Tensors], Tensors]
"""A model as a stage sees it: feeds -> outputs."""


@dataclass(frozen=True)
class InputSpec:
    """An input that a model asks for: its name, its numpy dtype name and its shape, None where free."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True)
class Batch:
    """The inputs of one inference.

    Attributes:
        feeds: arrays by input name.
        samples: how many samples they hold.
        padded: how many samples were repeated to fill a fixed batch size; they come last and count for nothing.
        labels: (samples,) class numbers, if there are any.
    """

    feeds: Tensors
    samples: int
    padded: int = 0
    labels: Array | None = None

    def unpadded(self, tensor: Array) -> Array:
        """`tensor` without the rows of repeated samples; unchanged if its first axis is not that of samples."""
        if self.padded and tensor.ndim and tensor.shape[0] == self.samples + self.padded:
            return tensor[: self.samples]
        return tensor


def is_real(array: Array) -> bool:
    """Whether `array` holds floating-point numbers of a size that numpy reduces."""
    return bool(np.issubdtype(array.dtype, np.floating))
