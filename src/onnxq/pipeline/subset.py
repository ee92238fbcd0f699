"""A few of the samples that pass by, always the same ones."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from onnxq.core.batch import Batch, InputSpec, Source, Tensors, hashed
from onnxq.data.arrays import ArraySource
from onnxq.data.feeds import FeedSource
from onnxq.errors import DataError


def canonical(source: Source, inputs: Sequence[InputSpec], memory: int, most: float = math.inf) -> Source:
    """The samples in the order of their hashes: what is measured on them cannot depend on how they came.

    Args:
        source: of the samples.
        inputs: what they are for.
        memory: bytes that they may take; of more, those with the smallest hashes are taken.
        most: how many are taken at the most.

    Raises:
        DataError: there are none.
    """
    found = _Smallest(inputs, most, memory)
    for batch in source.batches():
        found.look_at(batch, again=True)
    return found.source()


def parted(
    source: Source, inputs: Sequence[InputSpec], memory: int, most: int, aside: int
) -> tuple[Source, Source | None]:
    """The samples in the order of their hashes: those to work with, and those kept aside to judge the work on.

    Args:
        source: of the samples.
        inputs: what they are for.
        memory: bytes that all of them may take; of more, those with the smallest hashes are taken.
        most: how many there are to work with at the most.
        aside: how many are kept aside at the most: of few samples a quarter; None of less than four.

    Raises:
        DataError: there are none.
    """
    found = _Smallest(inputs, most + aside, memory)
    for batch in source.batches():
        found.look_at(batch, again=True)
    kept = min(aside, len(found) // 4)
    return found.source(kept), found.source(0, kept) if kept else None


class Subset:
    """A source that remembers some of the samples it gives out: those with the smallest hashes.

    So the choice depends neither on the order of the samples nor on how they are cut into batches.
    """

    def __init__(self, source: Source, inputs: Sequence[InputSpec], size: int) -> None:
        """Remembers nothing yet.

        Args:
            source: of the samples.
            inputs: what they are for.
            size: how many samples are remembered.
        """
        self._source, self._inputs, self._size = source, inputs, size
        self._found = _Smallest(inputs, size)

    @property
    def is_stream(self) -> bool:
        """See Source."""
        return self._source.is_stream

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """See Source."""
        for batch in self._source.batches(start):
            self._found.look_at(batch)
            yield batch

    def rebatched(self, size: int) -> Subset:
        """See Source."""
        return Subset(self._source.rebatched(size), self._inputs, self._size)

    def some(self, samples: int, seed: int) -> Iterator[Batch]:
        """See Source."""
        return self._source.some(samples, seed)

    def __len__(self) -> int:
        return len(self._source)

    def remembered(self) -> Source:
        """The samples that were chosen."""
        return self._found.source()


@dataclass(frozen=True)
class _Sample:
    feeds: Tensors
    label: int | None

    @property
    def bytes(self) -> int:
        return sum(array.nbytes for array in self.feeds.values())


class _Smallest:
    """Of the samples that it is shown, those with the smallest hashes."""

    def __init__(self, inputs: Sequence[InputSpec], most: float = math.inf, memory: float = math.inf) -> None:
        self._inputs, self._most, self._memory = inputs, most, memory
        self._kept: dict[str, _Sample] = {}
        self._seen: Counter[str] = Counter()
        self._held = 0
        self._are_rows = False

    def look_at(self, batch: Batch, again: bool = False) -> None:
        """Keeps what is to be kept; a sample that was there counts `again`, or was only shown before."""
        self._are_rows = self._are_rows or len(batch.names) > 1 or batch.padded > 0
        labels = [None] * batch.samples if batch.labels is None else [int(label) for label in batch.labels]
        for feed, label in zip(batch.split(), labels, strict=False):
            digest = hashed(feed) + ("" if label is None else f" {label}")
            if again:
                self._seen[digest] += 1
                digest += f" {self._seen[digest]:09}"
            if digest not in self._kept:
                self._kept[digest] = _Sample({name: array.copy() for name, array in feed.items()}, label)
                self._held += self._kept[digest].bytes
        for digest in sorted(self._kept, reverse=True):
            if len(self._kept) == 1 or (len(self._kept) <= self._most and self._held <= self._memory):
                break
            self._held -= self._kept.pop(digest).bytes

    def __len__(self) -> int:
        return len(self._kept)

    def source(self, start: int = 0, stop: int | None = None) -> Source:
        """What was kept, in the order of the hashes; from number `start` on, and before number `stop`."""
        samples = [self._kept[digest] for digest in sorted(self._kept)][start:stop]
        if not samples:
            raise DataError("There are no samples to measure on. Give data with at least one.")
        labels = [sample.label for sample in samples if sample.label is not None]
        if not self._are_rows and not labels:
            return FeedSource([sample.feeds for sample in samples], self._inputs)
        joined = {
            name: np.concatenate([sample.feeds[name] for sample in samples]) if array.ndim else array
            for name, array in samples[0].feeds.items()
        }
        return ArraySource(joined, self._inputs, labels=np.array(labels, np.int64) if labels else None)
