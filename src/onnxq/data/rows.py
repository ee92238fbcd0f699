"""Samples on the first axis of something that looks like an array, read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from onnxq.core.batch import Array


class Rows(Protocol):
    """What an array of samples must be able to do; arrays are such things, and so are files that are not loaded."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(samples, ...), or () for a value that is the same for all samples."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the numbers."""

    @property
    def ndim(self) -> int:
        """How many axes."""

    def __getitem__(self, numbers: NDArray[np.intp], /) -> Array:
        """The samples of these numbers, which rise and may then repeat, on the first axis."""


def whole(rows: Rows) -> Array:
    """All samples."""
    return rows[np.arange(rows.shape[0])] if rows.ndim else np.asarray(rows)


Namer = Callable[[int], str]
"""What a message calls the sample, or the feed, of a number."""


def by_number(what: str, where: str = "") -> Namer:
    """Names such as "sample 3 of 'calib.npz'"."""
    return lambda number: f"{what} {number}" + (f" of '{where}'" if where else "")


SAMPLE, FEED = by_number("sample"), by_number("feed")
