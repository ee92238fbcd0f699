"""Batches made by the caller: feed dicts, each fed as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from onnxq.core.batch import Batch, InputSpec, Tensors
from onnxq.data.fit import as_arrays, check_fed, check_names, check_values
from onnxq.data.rows import FEED, Namer
from onnxq.errors import DataError

Feeds = Iterable[Tensors] | Callable[[], Iterable[Tensors]]


@dataclass
class FeedSource:
    """Feed dicts from the caller.

    An iterator can be read only once: the first batches are remembered, for what is measured besides.

    Attributes:
        feeds: the dicts, or a function that returns them anew.
        inputs: what the model asks for.
        limit: with how many samples to stop, None for never; feeds are not cut.
        namer: what messages call a feed.
    """

    feeds: Feeds
    inputs: Sequence[InputSpec]
    limit: int | None = None
    namer: Namer = FEED
    remembered: list[Batch] = field(default_factory=list)
    keep: int = 64

    @property
    def is_stream(self) -> bool:
        """See Source."""
        return isinstance(self.feeds, Iterator)

    def __len__(self) -> int:
        if not isinstance(self.feeds, Sequence):
            return 0
        return sum(batch.samples for batch in self.batches())

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """See Source."""
        done = 0
        for batch in self._read(self.keep):
            if done >= start:
                yield batch
            done += batch.samples
            if self.limit is not None and done >= self.limit:
                return

    def rebatched(self, size: int) -> FeedSource:  # noqa: ARG002 - feeds are not cut
        """See Source."""
        return self

    def some(self, samples: int, seed: int) -> Iterator[Batch]:  # noqa: ARG002 - a stream has no choice
        """The first samples: a stream cannot be searched."""
        wanted = samples if self.limit is None else min(samples, self.limit)
        count, stream = 0, self._read(max(samples, self.keep))
        while count < wanted and (batch := next(stream, None)):
            count += batch.samples
            yield batch

    def _read(self, keep: int) -> Iterator[Batch]:
        """All batches; of an iterator, those that hold the first `keep` samples are remembered."""
        feeds = self.feeds() if callable(self.feeds) else self.feeds
        if not isinstance(feeds, Iterable):
            raise DataError(
                f"Data are dicts from input names to arrays, one per inference. Got {type(feeds).__name__}."
            )
        once = iter(feeds) is feeds and not callable(self.feeds)
        yield from list(self.remembered) if once else ()
        for number, feed in enumerate(feeds, len(self.remembered) if once else 0):
            batch = self._batch(feed, self.namer(number))
            if once and sum(b.samples for b in self.remembered) < keep:
                own = {name: array.copy() for name, array in batch.feeds.items()}  # the caller may reuse its buffer
                self.remembered.append(replace(batch, feeds=own))
            yield batch

    def _batch(self, feed: Tensors, name: str) -> Batch:
        if not isinstance(feed, Mapping):
            raise DataError(f"What is read as {name} is a {type(feed).__name__}, not a dict of arrays by input name.")
        try:
            feed = as_arrays(feed)
            check_names(feed, self.inputs)
            for spec in self.inputs:
                check_fed(spec, feed[spec.name])
        except DataError as cause:
            raise DataError(f"{cause} This is {name}.") from cause
        return check_values(Batch(feed, _samples(feed, self.inputs), (name,)))


def _samples(feed: Tensors, inputs: Sequence[InputSpec]) -> int:
    """How many samples a feed holds: its size along the first axis that the model leaves free, else 1."""
    for spec in inputs:
        for size, wanted in zip(feed[spec.name].shape, spec.shape or (), strict=False):
            if wanted is None:
                return int(size)
    return 1
