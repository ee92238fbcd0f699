"""npz files: arrays named after the inputs, with samples on the first axis. They are read as they are needed."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import IO

from onnxq.data.arrays import ArraySource
from onnxq.data.kind import Kind, Request
from onnxq.data.labels import split_labels
from onnxq.data.npy_rows import readable, rows
from onnxq.data.rows import Rows, by_number
from onnxq.errors import DataError

_NPY = ".npy"


def open_npz(path: Path) -> Mapping[str, Rows]:
    """The arrays of an npz file, by name.

    Raises:
        DataError: the file is missing or damaged, or no npz of plain arrays.
    """
    with readable(f"'{path}'"), path.open("rb") as file:
        is_array = file.read(6) == b"\x93NUMPY"
    if is_array:
        raise DataError(f"'{path}' holds one array without a name. Save it with np.savez(path, input_name=array).")
    with readable(f"'{path}'"), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if others := [member.filename for member in members if not member.filename.endswith(_NPY)]:
        raise DataError(f"'{path}' is no npz file of plain arrays: '{others[0]}' in it is none.")
    names = {member.filename.removesuffix(_NPY): member for member in members}
    return {
        name: rows(partial(_open_member, path, member.filename), member.file_size, f"The array '{name}' in '{path}'")
        for name, member in names.items()
    }


def _open_member(path: Path, member: str) -> IO[bytes]:
    with zipfile.ZipFile(path) as archive:  # the file stays open as long as the member
        return archive.open(member)


def _open(path: Path, request: Request) -> ArraySource:
    arrays, labels = split_labels(open_npz(path), request.labels, request.inputs)
    namer = by_number("sample", str(path))
    return ArraySource(arrays, request.inputs, request.batch_size, labels, request.limit, namer)


NPZ = Kind("an npz file of arrays named after the inputs, with samples on the first axis", Path.is_file, _open)
