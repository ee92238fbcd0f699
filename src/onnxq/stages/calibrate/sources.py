"""Where batches come from: arrays with samples on the first axis, or feed dicts made by the caller."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from onnxq.core.batch import Array, Batch, InputSpec, Tensors, is_real
from onnxq.core.observer import Observer
from onnxq.errors import DataError, near_misses


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
        _check_names(self.arrays, self.inputs)
        for spec in self.inputs:
            _check_array(spec, self.arrays[spec.name])
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
        single = fixed == 0
        size = 1 if single else fixed or self.batch_size
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            padding = np.resize(rows, size - len(rows)) if fixed else rows[:0]
            index = int(rows[0]) if single else np.concatenate([rows, padding])
            feeds = {n: np.ascontiguousarray(a[index]) if a.ndim else a for n, a in self.arrays.items()}
            _check_values(feeds, f"samples {rows[0]} to {rows[-1]}")
            yield Batch(feeds, len(rows), len(padding), None if self.labels is None else self.labels[rows])

    def _fixed_size(self) -> int | None:
        """The batch size the model insists on; 0 if its inputs have no batch axis, None if it is free."""
        for spec in self.inputs:
            if spec.shape is not None and self.arrays[spec.name].ndim == len(spec.shape) + 1:
                return 0
            if spec.shape and spec.shape[0] is not None:
                return spec.shape[0]
        return None


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
        return len(self.feeds) if isinstance(self.feeds, Sequence) else 0

    def batches(self) -> Iterator[Batch]:
        """See Source."""
        once = iter(self.feeds) is self.feeds
        yield from list(self.remembered) if once else ()
        for number, feed in enumerate(self.feeds, len(self.remembered) if once else 0):
            batch = self._batch(feed, number)
            if once and sum(b.samples for b in self.remembered) < self.keep:
                self.remembered.append(batch)
            yield batch

    def some(self, samples: int, seed: int) -> Iterator[Batch]:  # noqa: ARG002 - a stream has no choice
        """The first samples: a stream cannot be searched."""
        count = 0
        for batch in self.remembered or self.batches():
            if count >= samples:
                return
            count += batch.samples
            yield batch

    def _batch(self, feed: Tensors, number: int) -> Batch:
        if not isinstance(feed, Mapping):
            raise DataError(f"Feed {number} is a {type(feed).__name__}. Give dicts from input names to arrays.")
        feed = {name: np.asarray(value) for name, value in feed.items()}
        _check_names(feed, self.inputs)
        for spec in self.inputs:
            _check_fed(spec, feed[spec.name])
        _check_values(feed, f"feed {number}")
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
    if not isinstance(data, Mapping):
        return FeedSource(data, inputs)
    arrays, classes = split_labels({name: np.asarray(array) for name, array in data.items()}, labels, inputs)
    return ArraySource(arrays, inputs, batch_size, classes)


def counted(batches: Iterable[Batch], total: int, observer: Observer) -> Iterator[Batch]:
    """The same batches; `observer` is told when each is done."""
    done = 0
    for batch in batches:
        yield batch
        done += batch.samples
        observer.advance(done, total)


def read_npz(path: Path) -> Tensors:
    """The arrays of an npz file.

    Raises:
        DataError: the file is missing, or no npz of plain arrays.
    """
    try:
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise DataError(f"'{path}' holds one array without a name. Save it with np.savez(path, input_name=array).")
        with archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError as cause:
        raise DataError(f"There is no file '{path}'.") from cause
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError) as cause:
        raise DataError(f"'{path}' is no npz file of plain arrays: {cause}.") from cause


def split_labels(arrays: Tensors, name: str | None, inputs: Sequence[InputSpec]) -> tuple[Tensors, Array | None]:
    """The arrays that are inputs, and the labels among the others.

    Args:
        arrays: all arrays of an evaluation file.
        name: which array holds the labels; None to take the only array that is no input, if it holds whole numbers.
        inputs: what the model asks for.

    Raises:
        DataError: there is no array of that name, or it holds no class numbers.
    """
    known = {spec.name for spec in inputs}
    others = {n: a for n, a in arrays.items() if n not in known}
    if name is None:
        whole = [n for n, a in others.items() if a.ndim == 1 and np.issubdtype(a.dtype, np.integer)]
        if len(others) != 1 or not whole:
            return arrays, None
        name = whole[0]
    if name not in arrays:
        raise DataError(
            f"There is no array '{name}' for the labels.{near_misses(name, arrays)} Arrays: {', '.join(arrays)}."
        )
    labels = arrays[name]
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"The labels '{name}' must be whole numbers of shape (samples,). Got {labels.dtype} {labels.shape}."
        )
    return {n: a for n, a in arrays.items() if n != name}, labels


def _check_names(given: Iterable[str], inputs: Sequence[InputSpec]) -> None:
    given, wanted = list(given), [spec.name for spec in inputs]
    for name in wanted:
        if name not in given:
            raise DataError(
                f"There is no array for the model input '{name}'.{near_misses(name, given)} "
                f"Arrays: {', '.join(given) or 'none'}. Inputs: {', '.join(wanted)}."
            )
    for name in given:
        if name not in wanted:
            raise DataError(
                f"The array '{name}' is no input of the model.{near_misses(name, wanted)} Inputs: {', '.join(wanted)}."
            )


def _check_array(spec: InputSpec, array: Array) -> None:
    """Checks an array with samples on its first axis."""
    _check_dtype(spec, array)
    if spec.shape is None or (array.ndim == 0 and not spec.shape):
        return
    sample = array.shape[1:] if array.ndim else ()
    expected = spec.shape if array.ndim == len(spec.shape) + 1 else spec.shape[1:]
    if len(sample) != len(expected) or any(want not in (None, got) for got, want in zip(sample, expected, strict=True)):
        raise DataError(
            f"The array '{spec.name}' has shape {array.shape}, which does not fit the model input of shape "
            f"{_readable(spec.shape)} with samples on the first axis."
        )


def _check_fed(spec: InputSpec, array: Array) -> None:
    """Checks an array that is fed as it is."""
    _check_dtype(spec, array)
    shape = spec.shape
    if shape is not None and (
        len(shape) != array.ndim or any(want not in (None, got) for got, want in zip(array.shape, shape, strict=True))
    ):
        raise DataError(f"The array for '{spec.name}' has shape {array.shape}; the model input has {_readable(shape)}.")


def _check_dtype(spec: InputSpec, array: Array) -> None:
    if spec.dtype and array.dtype.name != spec.dtype:
        raise DataError(
            f"The array '{spec.name}' holds {array.dtype.name}, but the model input is {spec.dtype}. Prepare the data "
            f"as the model was trained (scaled and normalized), then use .astype(np.{spec.dtype})."
        )


def _check_values(feeds: Tensors, where: str) -> None:
    for name, array in feeds.items():
        if is_real(array) and not np.isfinite(array).all():
            kind = "NaN" if np.isnan(array).any() else "Inf"
            raise DataError(f"The array '{name}' holds {kind} in {where}. Remove those samples.")


def _samples(feed: Tensors, inputs: Sequence[InputSpec]) -> int:
    """How many samples a feed holds: its size along the first axis that the model leaves free, else 1."""
    for spec in inputs:
        for size, wanted in zip(feed[spec.name].shape, spec.shape or (), strict=False):
            if wanted is None:
                return int(size)
    return 1


def _readable(shape: Sequence[int | None]) -> str:
    return f"({', '.join('any' if d is None else str(d) for d in shape)})"


def _shapes(arrays: Tensors) -> str:
    return ", ".join(f"'{name}' {array.shape}" for name, array in arrays.items())
