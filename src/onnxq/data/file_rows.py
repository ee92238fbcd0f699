"""An array that is spread over many files, as rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxq.core.batch import Array
from onnxq.data.rows import Rows, whole

Opener = Callable[[Path], Mapping[str, Rows]]
"""A file -> its arrays by name."""


@dataclass(frozen=True)
class FileRows:
    """An array in many files as one; see Rows.

    Attributes:
        opener: opens a file.
        files: where the array is.
        name: of the array in each of them.
        ends: (files,) how many samples there are up to the end of each file.
        stacked: whether a file holds one sample, without an axis for samples.
        sample: the shape of a sample.
        dtype: of the numbers.
    """

    opener: Opener
    files: Sequence[Path]
    name: str
    ends: NDArray[np.intp]
    stacked: bool
    sample: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """See Rows."""
        return (int(self.ends[-1]), *self.sample)

    @property
    def ndim(self) -> int:
        """See Rows."""
        return len(self.shape)

    def __getitem__(self, numbers: NDArray[np.intp], /) -> Array:
        """See Rows.

        Raises:
            DataError: a file is damaged.
        """
        if not len(numbers):
            return np.empty((0, *self.sample), self.dtype)
        rising, where = np.unique(numbers, return_inverse=True)
        holders = np.searchsorted(self.ends, rising, side="right")
        begins = np.concatenate([[0], self.ends])
        parts = [self._read(int(file), rising[holders == file] - begins[file]) for file in np.unique(holders)]
        joined: Array = np.concatenate(parts)
        return joined[where]

    def _read(self, file: int, numbers: NDArray[np.intp]) -> Array:
        found = self.opener(self.files[file])[self.name]
        return whole(found)[np.newaxis] if self.stacked else found[numbers]
