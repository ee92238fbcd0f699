"""Where samples are, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from onnxq.core.batch import Tensors
from onnxq.core.preprocess import Preprocess
from onnxq.errors import RecipeError

Data = str | Path | Tensors | Iterable[Tensors] | Callable[[], Iterable[Tensors]]
"""A path, arrays by input name with samples on the first axis, feed dicts, or a function that returns feed dicts."""


@dataclass(frozen=True)
class Samples:
    """Data with what there is to say about reading them.

    Attributes:
        data: where they are.
        preprocess: what images go through.
        first: how many of the samples are used, None for all.
    """

    data: Data
    preprocess: Preprocess | None = None
    first: int | None = None

    def __post_init__(self) -> None:
        if self.first is not None and (not isinstance(self.first, int) or self.first < 1):
            raise RecipeError(f"The number of samples must be at least 1. Got {self.first!r}.")

    @staticmethod
    def of(data: Data | Samples) -> Samples:
        """The data themselves, if there is nothing to say."""
        return data if isinstance(data, Samples) else Samples(data)
