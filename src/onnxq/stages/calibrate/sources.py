"""Where batches come from: arrays with samples on the first axis, or feed dicts made by the caller."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from onnxq.core.batch import Array, Batch, InputSpec, Tensors
from onnxq.core.observer import Observer
from onnxq.errors import DataError
from onnxq.stages.calibrate.fit import as_arrays, check_array, check_fed, check_names, check_values, lacks_batch_axis
from onnxq.stages.calibrate.npz import read_npz, split_labels


class Source(Protocol):
    """Batches that can be asked for more than once."""

    def batches(self) -> Iterator[Batch]:
        """All samples, each once."""

    def some(self, samples: int, seed: int) -> Iterator[Batch]:
        """About `samples` of the samples, chosen by `seed`; all if there are fewer."""

    def __len__(self) -> int:
        """How many samples there are, 0 if that is not known yet."""


@dataclass(frozen=True)
class ArraySource:
    """Samples on the first axis of arrays, one array per input.

    Where the model has a fixed batch size, the last batch is filled up with repeated samples, which count for nothing.
    An array with one axis more than its input holds samples without a batch axis: they are fed one by one. An array
    without axes, for a scalar input, is fed every time.

    Attributes:
        arrays: by input name.
        inputs: what the model asks for.
        batch_size: samples per batch where the model leaves it free.
        labels: (samples,) class numbers, if there are any.
    """

    arrays: Tensors
    inputs: Sequence[InputSpec]
    batch_size: int = 32
    labels: Array | None = None

    def __post_init__(self) -> None:
        check_names(self.arrays, self.inputs)
        for spec in self.inputs:
            check_array(spec, self.arrays[spec.name])
        lengths = {n: len(a) for n, a in self.arrays.items() if a.ndim}
        if self.labels is not None:
            lengths["labels"] = len(self.labels)
        if len(set(lengths.values())) > 1:
            raise DataError(f"All arrays need the same number of samples on their first axis. Got {lengths}.")
        if not len(self):
            raise DataError(f"The arrays hold no samples: {_shapes(self.arrays)}.")

    def __len__(self) -> int:
        return next((len(array) for array in self.arrays.values() if array.ndim), 1)

    def batches(self) -> Iterator[Batch]:
        """See Source."""
        return self._cut(np.arange(len(self)))

    def some(self, samples: int, seed: int) -> Iterator[Batch]:
        """See Source."""
        chosen = np.random.default_rng(seed).permutation(len(self))[:samples]
        return self._cut(np.sort(chosen))

    def _cut(self, order: Array) -> Iterator[Batch]:
        fixed = self._fixed_size()
        size = fixed or self.batch_size
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            padding = np.resize(rows, size - len(rows)) if fixed else rows[:0]
            index = np.concatenate([rows, padding])
            feeds = {spec.name: _cut(spec, self.arrays[spec.name], index) for spec in self.inputs}
            check_values(feeds, f"samples {rows[0]} to {rows[-1]}")
            yield Batch(feeds, len(rows), len(padding), None if self.labels is None else self.labels[rows])

    def _fixed_size(self) -> int | None:
        """The batch size the model insists on: 1 if an input has no batch axis, None if it is free."""
        if any(lacks_batch_axis(spec, self.arrays[spec.name]) for spec in self.inputs):
            return 1
        return next((spec.shape[0] for spec in self.inputs if spec.shape and spec.shape[0] is not None), None)


@dataclass
class FeedSource:
    """Feed dicts from the caller, each fed as it is.

    An iterator can be read only once: the first batches are remembered, for what is measured besides.
    """

    feeds: Iterable[Tensors]
    inputs: Sequence[InputSpec]
    remembered: list[Batch] = field(default_factory=list)
    keep: int = 64

    def __len__(self) -> int:
        if not isinstance(self.feeds, Sequence):
            return 0
        return sum(self._batch(feed, number).samples for number, feed in enumerate(self.feeds))

    def batches(self) -> Iterator[Batch]:
        """See Source."""
        return self._read(self.keep)

    def some(self, samples: int, seed: int) -> Iterator[Batch]:  # noqa: ARG002 - a stream has no choice
        """The first samples: a stream cannot be searched."""
        count, stream = 0, self._read(max(samples, self.keep))
        while count < samples and (batch := next(stream, None)):
            count += batch.samples
            yield batch

    def _read(self, keep: int) -> Iterator[Batch]:
        """All batches; of an iterator, those that hold the first `keep` samples are remembered."""
        once = iter(self.feeds) is self.feeds
        yield from list(self.remembered) if once else ()
        for number, feed in enumerate(self.feeds, len(self.remembered) if once else 0):
            batch = self._batch(feed, number)
            if once and sum(b.samples for b in self.remembered) < keep:
                own = {name: array.copy() for name, array in batch.feeds.items()}  # the caller may reuse its buffer
                self.remembered.append(replace(batch, feeds=own))
            yield batch

    def _batch(self, feed: Tensors, number: int) -> Batch:
        if not isinstance(feed, Mapping):
            raise DataError(f"Feed {number} is a {type(feed).__name__}. Give dicts from input names to arrays.")
        feed = as_arrays(feed)
        check_names(feed, self.inputs)
        for spec in self.inputs:
            check_fed(spec, feed[spec.name])
        check_values(feed, f"feed {number}")
        return Batch(feed, _samples(feed, self.inputs))


def source(
    data: str | Path | Tensors | Iterable[Tensors],
    inputs: Sequence[InputSpec],
    batch_size: int,
    labels: str | None = None,
) -> Source:
    """The source that fits `data`: an npz file, arrays with samples on the first axis, or feed dicts.

    Raises:
        DataError: the data do not fit the inputs.
    """
    if isinstance(data, str | Path):
        data = read_npz(Path(data))
    if not isinstance(data, Iterable):
        raise DataError(f"Data are an npz file, arrays by input name, or feed dicts. Got {type(data).__name__}.")
    if not isinstance(data, Mapping):
        return FeedSource(data, inputs)
    arrays, classes = split_labels(as_arrays(data), labels, inputs)
    return ArraySource(arrays, inputs, batch_size, classes)


def first(batches: Iterator[Batch]) -> Batch:
    """The first batch.

    Raises:
        DataError: there is none.
    """
    for batch in batches:
        return batch
    raise DataError("There are no calibration samples. Give at least one; a few hundred are usual.")


def counted(batches: Iterable[Batch], total: int, observer: Observer) -> Iterator[Batch]:
    """The same batches; `observer` is told when each is done."""
    done = 0
    for batch in batches:
        yield batch
        done += batch.samples
        observer.advance(done, total)


def _cut(spec: InputSpec, array: Array, index: Array) -> Array:
    """What is fed of the samples numbered `index`."""
    if not array.ndim:
        return array
    return np.asarray(array[index[0]] if lacks_batch_axis(spec, array) else array[index], order="C")


def _samples(feed: Tensors, inputs: Sequence[InputSpec]) -> int:
    """How many samples a feed holds: its size along the first axis that the model leaves free, else 1."""
    for spec in inputs:
        for size, wanted in zip(feed[spec.name].shape, spec.shape or (), strict=False):
            if wanted is None:
                return int(size)
    return 1


def _shapes(arrays: Tensors) -> str:
    return ", ".join(f"'{name}' {array.shape}" for name, array in arrays.items())
