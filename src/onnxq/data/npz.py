"""npz files: arrays named after the inputs, with samples on the first axis."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from pathlib import Path

import numpy as np

from onnxq.core.batch import Tensors
from onnxq.data.arrays import ArraySource
from onnxq.data.kind import Kind, Request
from onnxq.data.labels import split_labels
from onnxq.data.rows import by_number
from onnxq.errors import DataError

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


def _open(path: Path, request: Request) -> ArraySource:
    arrays, labels = split_labels(read_npz(path), request.labels, request.inputs)
    namer = by_number("sample", str(path))
    return ArraySource(arrays, request.inputs, request.batch_size, labels, request.limit, namer)


NPZ = Kind("an npz file of arrays named after the inputs, with samples on the first axis", Path.is_file, _open)
