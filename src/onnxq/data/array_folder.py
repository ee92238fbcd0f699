"""A folder of npz or npy files, one for each sample or for several.

All such files in the folder itself count, in the order of their names; hidden ones do not. Where all samples have the
same shapes they are put together in batches. Otherwise each file is fed as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from onnxq.core.batch import InputSpec, Source, Tensors
from onnxq.data.arrays import ArraySource
from onnxq.data.feeds import FeedSource
from onnxq.data.file_rows import FileRows, Opener
from onnxq.data.fit import check_names
from onnxq.data.kind import Kind, Request
from onnxq.data.labels import split_labels
from onnxq.data.npy_rows import readable, rows
from onnxq.data.npz import open_npz
from onnxq.data.rows import Rows, whole
from onnxq.errors import DataError


@dataclass(frozen=True)
class Header:
    """What is known of an array without reading it."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


Headers = Sequence[Mapping[str, Header]]
"""Of each file, by the names of its arrays."""


def _files(folder: Path, suffix: str) -> list[Path]:
    return sorted(path for path in folder.glob(f"*{suffix}") if not path.name.startswith(".") and path.is_file())


def _recognizes(path: Path) -> bool:
    return path.is_dir() and bool(_files(path, ".npz") or _files(path, ".npy"))


def _open(path: Path, request: Request) -> Source:
    named, nameless = _files(path, ".npz"), _files(path, ".npy")
    if named and nameless:
        raise DataError(f"'{path}' holds npz files such as '{named[0].name}' and npy files. Keep one kind in a folder.")
    if nameless and len(request.inputs) != 1:
        raise DataError(
            f"The npy files in '{path}' are for models with one input. This one has {len(request.inputs)}. Save npz "
            "files of arrays named after the inputs."
        )
    files, open_file = (named, open_npz) if named else (nameless, partial(_open_npy, request.inputs[0].name))
    opener = lru_cache(maxsize=1)(open_file)  # the next samples are mostly in the same file; a compressed one reads on
    headers = [_headers(opener(file)) for file in files]
    _check_alike(files, headers)
    if not {spec.name for spec in request.inputs} <= headers[0].keys():
        check_names(headers[0], request.inputs)
    stacked = _are_samples(headers, request.inputs)
    if not (stacked or _are_batches(headers, request.inputs)):
        feeds = partial(_feeds, opener, files, request.inputs)
        return FeedSource(feeds, request.inputs, request.limit, lambda number: f"'{files[number]}'")
    _check_joinable(files, headers, stacked)
    arrays = {name: _joined(opener, files, name, [header[name] for header in headers], stacked) for name in headers[0]}
    inputs, labels = split_labels(arrays, request.labels, request.inputs)
    ends = next(iter(arrays.values())).ends

    def name(number: int) -> str:
        file = int(np.searchsorted(ends, number, side="right"))
        return (
            f"'{files[file]}'" if stacked else f"sample {number - (ends[file - 1] if file else 0)} of '{files[file]}'"
        )

    return ArraySource(inputs, request.inputs, request.batch_size, labels, request.limit, name)


def _open_npy(name: str, path: Path) -> Mapping[str, Rows]:
    with readable(f"'{path}'"):
        size = path.stat().st_size
    return {name: rows(lambda: path.open("rb"), size, f"'{path}'")}


def _headers(arrays: Mapping[str, Rows]) -> Mapping[str, Header]:
    return {name: Header(array.shape, array.dtype) for name, array in arrays.items()}


def _check_alike(files: Sequence[Path], headers: Headers) -> None:
    """Checks that all files have the same arrays of the same types."""
    first, expected = files[0], headers[0]
    for file, header in zip(files, headers, strict=True):
        if header.keys() != expected.keys():
            raise DataError(
                f"'{file}' holds {', '.join(header) or 'nothing'}, but '{first}' holds "
                f"{', '.join(expected) or 'nothing'}. All files need the same arrays."
            )
        for name, array in header.items():
            if array.dtype != expected[name].dtype:
                raise DataError(
                    f"The array '{name}' is {array.dtype} in '{file}', but {expected[name].dtype} in '{first}'. "
                    "All files need the same type."
                )


def _are_samples(headers: Headers, inputs: Sequence[InputSpec]) -> bool:
    """Whether each file is one sample without a batch axis, and all have the same shapes."""
    return all(
        spec.shape is not None
        and len(headers[0][spec.name].shape) == max(len(spec.shape) - 1, 0)
        and all(header[spec.name].shape == headers[0][spec.name].shape for header in headers)
        for spec in inputs
    )


def _are_batches(headers: Headers, inputs: Sequence[InputSpec]) -> bool:
    """Whether each file has samples on the first axis of all arrays, all of the same shapes."""
    return all(
        spec.shape
        and all(len(header[spec.name].shape) == len(spec.shape) for header in headers)
        and all(header[spec.name].shape[1:] == headers[0][spec.name].shape[1:] for header in headers)
        and all(header[spec.name].shape[0] == header[inputs[0].name].shape[0] for header in headers)
        for spec in inputs
    )


def _check_joinable(files: Sequence[Path], headers: Headers, stacked: bool) -> None:
    """Checks that what is no input, such as labels, can be joined as well, and that all in a file is of one length."""
    expected = headers[0]
    for file, header in zip(files, headers, strict=True):
        for name, array in header.items():
            first = expected[name].shape
            if len(array.shape) != len(first) or array.shape[0 if stacked else 1 :] != first[0 if stacked else 1 :]:
                raise DataError(
                    f"The array '{name}' has shape {array.shape} in '{file}', but {first} in '{files[0]}'. "
                    "All files need samples of the same shape."
                )
        lengths = {name: array.shape[0] if array.shape else 1 for name, array in header.items()}
        if not stacked and len(set(lengths.values())) > 1:
            raise DataError(
                f"All arrays in '{file}' need the same number of samples on their first axis. Got {lengths}."
            )


def _joined(opener: Opener, files: Sequence[Path], name: str, headers: Sequence[Header], stacked: bool) -> FileRows:
    first = headers[0]
    stacked = stacked or not first.shape  # among batches: the label of a file with one sample
    ends = np.cumsum([1 if stacked else header.shape[0] for header in headers])
    return FileRows(opener, files, name, ends, stacked, first.shape if stacked else first.shape[1:], first.dtype)


def _feeds(opener: Opener, files: Sequence[Path], inputs: Sequence[InputSpec]) -> Iterator[Tensors]:
    """Each file as a feed; a sample without a batch axis gets one."""
    ranks = {spec.name: len(spec.shape) for spec in inputs if spec.shape}
    for file in files:
        arrays = {name: whole(array) for name, array in opener(file).items()}
        yield {
            name: array[np.newaxis] if array.ndim == ranks.get(name, 0) - 1 else array for name, array in arrays.items()
        }


ARRAY_FOLDER = Kind("a folder of npz or npy files", _recognizes, _open)
