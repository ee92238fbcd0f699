"""Folders as the tests of ONNX have them: ``test_data_set_0/input_0.pb``, one set of inputs in each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from onnxq.core.batch import Array, InputSpec, Source, Tensors
from onnxq.data.feeds import FeedSource
from onnxq.data.kind import Kind, Request
from onnxq.errors import DataError

_SET, _INPUT = re.compile(r"test_data_set_(\d+)"), re.compile(r"input_(\d+)\.pb")


def _numbered(folder: Path, pattern: re.Pattern[str]) -> dict[int, Path]:
    """What lies in `folder` under a name of this pattern, by its number, in rising order."""
    found = {int(match[1]): path for path in folder.iterdir() if (match := pattern.fullmatch(path.name))}
    return dict(sorted(found.items()))


def _sets(path: Path) -> list[Path]:
    return [path] if _numbered(path, _INPUT) else list(_numbered(path, _SET).values())


def _recognizes(path: Path) -> bool:
    return path.is_dir() and bool(_sets(path))


def _open(path: Path, request: Request) -> Source:
    sets = _sets(path)
    feeds = partial(_feeds, sets, request.inputs)
    return FeedSource(feeds, request.inputs, request.limit, lambda number: f"'{sets[number]}'")


def _feeds(sets: Sequence[Path], inputs: Sequence[InputSpec]) -> Iterator[Tensors]:
    for folder in sets:
        yield _read_set(folder, inputs)


def _read_set(folder: Path, inputs: Sequence[InputSpec]) -> Tensors:
    """The inputs in one folder: by their own names if these are inputs of the model, else by number."""
    known = {spec.name for spec in inputs}
    feed: dict[str, Array] = {}
    for number, path in _numbered(folder, _INPUT).items():
        tensor = _read_tensor(path)
        if tensor.name not in known and number >= len(inputs):
            raise DataError(f"'{path}' belongs to no input: the model has only {len(inputs)}.")
        name = tensor.name if tensor.name in known else inputs[number].name
        if name in feed:
            raise DataError(f"'{path}' is a second tensor for the input '{name}'.")
        feed[name] = numpy_helper.to_array(tensor)
    return feed


def _read_tensor(path: Path) -> onnx.TensorProto:
    tensor = onnx.TensorProto()
    try:
        tensor.ParseFromString(path.read_bytes())
        numpy_helper.to_array(tensor)
    except (OSError, DecodeError, ValueError, TypeError, KeyError) as cause:
        raise DataError(
            f"'{path}' holds no tensor that can be read: {cause}. It must be a serialized onnx.TensorProto."
        ) from cause
    return tensor


TENSOR_FOLDER = Kind("ONNX test data (test_data_set_*/input_*.pb)", _recognizes, _open)
