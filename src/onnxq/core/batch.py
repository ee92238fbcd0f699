"""What is fed to a model in one inference, and where it comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

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
        names: what a message calls each sample; one name alone stands for all.
        padded: how many samples were repeated to fill a fixed batch size; they come last and count for nothing.
        labels: (samples,) class numbers, if there are any.
    """

    feeds: Tensors
    samples: int
    names: tuple[str, ...]
    padded: int = 0
    labels: Array | None = None

    def unpadded(self, tensor: Array) -> Array:
        """`tensor` without the rows of repeated samples; unchanged if its first axis is not that of samples."""
        if self.padded and tensor.ndim and tensor.shape[0] == self.samples + self.padded:
            return tensor[: self.samples]
        return tensor

    def by_sample(self, tensor: Array) -> Array:
        """(samples, numbers) what `tensor` holds of each sample; one row of all if its first axis is not of samples."""
        kept = self.unpadded(tensor)
        return kept.reshape(self.samples if kept.ndim and len(kept) == self.samples else 1, -1)

    def has_scores(self, output: object) -> bool:
        """Whether `output` has the shape (samples, classes)."""
        if not (isinstance(output, np.ndarray) and is_real(output) and output.ndim == 2):
            return False
        return len(output) == self.samples + self.padded and output.shape[1] > 1

    def culprit(self, tensor: Array) -> str:
        """What a message calls the first sample that has NaN or Inf in `tensor`, as closely as that can be told."""
        if len(self.names) > 1 and tensor.ndim and tensor.shape[0] == self.samples + self.padded:
            finite = np.isfinite(tensor).reshape(len(tensor), -1).all(axis=1)
            return self.names[int(np.argmin(finite)) % self.samples]
        return self.names[0] if len(self.names) == 1 else f"{self.names[0]} to {self.names[-1]}"

    def split(self) -> Iterator[Tensors]:
        """The feeds of each sample by itself; those of all samples where they came as one."""
        if len(self.names) < self.samples:
            yield self.feeds
            return
        rows = self.samples + self.padded
        for row in range(self.samples):
            yield {n: a[row : row + 1] if a.ndim and a.shape[0] == rows else a for n, a in self.feeds.items()}


def hashed(feeds: Tensors) -> str:
    """What tells feeds from others."""
    digest = hashlib.sha256()
    for name, array in sorted(feeds.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:32]


class Source(Protocol):
    """Batches that can be asked for more than once."""

    @property
    def is_stream(self) -> bool:
        """Whether most samples are gone once they were given out."""

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """The samples from number `start` on, each once and always in the same order."""

    def rebatched(self, size: int) -> Source:
        """The same samples, `size` to a batch where the model and the data leave that free."""

    def some(self, samples: int, seed: int) -> Iterator[Batch]:
        """About `samples` of the samples, chosen by `seed`; all if there are fewer."""

    def __len__(self) -> int:
        """How many samples there are, 0 if that is not known yet."""


def is_real(array: Array) -> bool:
    """Whether `array` holds floating-point numbers of a size that numpy reduces."""
    return bool(np.issubdtype(array.dtype, np.floating))
