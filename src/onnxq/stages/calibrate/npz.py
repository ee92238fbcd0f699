"""Reads npz files, and tells labels from inputs."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from onnxq.core.batch import Array, InputSpec, Tensors
from onnxq.errors import DataError, near_misses

_UNREADABLE = (ValueError, OSError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
"""What numpy and zipfile raise for a file that is damaged, encoded in unknown ways, or something else."""


def read_npz(path: Path) -> Tensors:
    """The arrays of an npz file.

    Raises:
        DataError: the file is missing, or no npz of plain arrays.
    """
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise DataError(
                    f"'{path}' holds one array without a name. Save it with np.savez(path, input_name=array)."
                )
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError as cause:
        raise DataError(f"There is no file '{path}'.") from cause
    except _UNREADABLE as cause:
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
    if labels.size and labels.min() < 0:
        raise DataError(f"The labels '{name}' are class numbers from 0 on. Got {labels.min()}.")
    return {n: a for n, a in arrays.items() if n != name}, labels
