"""A few of the samples that pass by, always the same ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from onnxq.core.batch import Batch, InputSpec, Source, Tensors, hashed
from onnxq.data.arrays import ArraySource
from onnxq.data.feeds import FeedSource


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
        self._found: dict[str, Tensors] = {}
        self._are_rows = False

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """See Source."""
        for batch in self._source.batches(start):
            self._look_at(batch)
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
        feeds = [self._found[digest] for digest in sorted(self._found)[: self._size]]
        if not self._are_rows:
            return FeedSource(feeds, self._inputs)
        joined = {
            name: np.concatenate([feed[name] for feed in feeds]) if array.ndim else array
            for name, array in feeds[0].items()
        }
        return ArraySource(joined, self._inputs)

    def _look_at(self, batch: Batch) -> None:
        self._are_rows = self._are_rows or len(batch.names) > 1 or batch.padded > 0
        for feed in batch.split():
            digest = hashed(feed)
            if digest not in self._found:
                self._found[digest] = {name: array.copy() for name, array in feed.items()}
        for digest in sorted(self._found)[self._size :]:
            del self._found[digest]
