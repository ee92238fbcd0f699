"""Batches cut out of arrays with samples on the first axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxq.core.batch import Array, Batch, InputSpec
from onnxq.data.fit import check_array, check_names, check_values, lacks_batch_axis
from onnxq.data.rows import SAMPLE, Namer, Rows
from onnxq.errors import DataError


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
        limit: how many of the samples are used, None for all.
        namer: what messages call a sample.
    """

    arrays: Mapping[str, Rows]
    inputs: Sequence[InputSpec]
    batch_size: int = 32
    labels: Array | None = None
    limit: int | None = None
    namer: Namer = SAMPLE

    def __post_init__(self) -> None:
        check_names(self.arrays, self.inputs)
        for spec in self.inputs:
            check_array(spec, self.arrays[spec.name])
        lengths = {n: a.shape[0] for n, a in self.arrays.items() if a.ndim}
        if self.labels is not None:
            lengths["labels"] = len(self.labels)
        if len(set(lengths.values())) > 1:
            raise DataError(f"All arrays need the same number of samples on their first axis. Got {lengths}.")
        if not len(self):
            raise DataError(f"The arrays hold no samples: {_shapes(self.arrays)}.")

    @property
    def is_stream(self) -> bool:
        """See Source."""
        return False

    def __len__(self) -> int:
        stored = next((array.shape[0] for array in self.arrays.values() if array.ndim), 1)
        return stored if self.limit is None else min(stored, self.limit)

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """See Source."""
        return self._cut(np.arange(start, len(self)))

    def rebatched(self, size: int) -> ArraySource:
        """See Source."""
        return replace(self, batch_size=size)

    def some(self, samples: int, seed: int) -> Iterator[Batch]:
        """See Source."""
        chosen = np.random.default_rng(seed).permutation(len(self))[:samples]
        return self._cut(np.sort(chosen))

    def _cut(self, order: NDArray[np.intp]) -> Iterator[Batch]:
        fixed = self._fixed_size()
        size = fixed or self.batch_size
        for begin in range(0, len(order), size):
            numbers = order[begin : begin + size]
            padding = np.resize(numbers, size - len(numbers)) if fixed else numbers[:0]
            index = np.concatenate([numbers, padding])
            yield check_values(
                Batch(
                    feeds={spec.name: _cut(spec, self.arrays[spec.name], index) for spec in self.inputs},
                    samples=len(numbers),
                    names=tuple(self.namer(int(number)) for number in numbers),
                    padded=len(padding),
                    labels=None if self.labels is None else self.labels[numbers],
                )
            )

    def _fixed_size(self) -> int | None:
        """The batch size the model insists on: 1 if an input has no batch axis, None if it is free."""
        if any(lacks_batch_axis(spec, self.arrays[spec.name]) for spec in self.inputs):
            return 1
        return next((spec.shape[0] for spec in self.inputs if spec.shape and spec.shape[0] is not None), None)


def _cut(spec: InputSpec, rows: Rows, index: NDArray[np.intp]) -> Array:
    """What is fed of the samples numbered `index`."""
    if not rows.ndim:
        return np.asarray(rows)
    read = rows[index]
    return np.asarray(read[0] if lacks_batch_axis(spec, rows) else read, order="C")


def _shapes(arrays: Mapping[str, Rows]) -> str:
    return ", ".join(f"'{name}' {array.shape}" for name, array in arrays.items())
