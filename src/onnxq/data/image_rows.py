"""Images in files as rows: each is decoded when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxq.core.batch import Array
from onnxq.core.preprocess import Preprocess
from onnxq.data.image_file import image_size, quiet, read_pixels

THREADS = 4
"""Images that are decoded at a time. Pillow computes without Python's lock."""


@dataclass(frozen=True)
class ImageRows:
    """Images as an array of samples on the first axis; see Rows.

    Attributes:
        folder: where they are.
        names: their paths in it.
        preprocess: what they go through.
        sample: the shape of a sample, the first one's where they differ.
        dtype: of the numbers.
    """

    folder: Path
    names: Sequence[str]
    preprocess: Preprocess
    sample: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """See Rows."""
        return (len(self.names), *self.sample)

    @property
    def ndim(self) -> int:
        """See Rows."""
        return len(self.shape)

    def __getitem__(self, numbers: NDArray[np.intp], /) -> Array:
        """See Rows.

        Raises:
            DataError: an image cannot be decoded.
        """
        with quiet(), ThreadPoolExecutor(THREADS, "onnxq-images") as pool:
            return np.stack(list(pool.map(self._read, numbers)))

    def _read(self, number: int) -> Array:
        pixels = read_pixels(self.folder / self.names[number], self.preprocess)
        return self.preprocess.sample(pixels, self.dtype)


def sample_shapes(folder: Path, names: Sequence[str], preprocess: Preprocess) -> list[tuple[int, ...]]:
    """The shape of each sample. Unless all are alike anyway, the beginning of each file is read.

    Raises:
        DataError: a file is no image.
    """
    if preprocess.size:
        return [preprocess.shape(preprocess.size)] * len(names)
    with quiet():
        return [preprocess.shape(image_size(folder / name)) for name in names]
