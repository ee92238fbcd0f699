"""Folders as the tests of ONNX have them: ``test_data_set_0/input_0.pb``, one set of inputs in each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from onnx.checker import ValidationError

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
    return [path] if _numbered(path, _INPUT) else [found for found in _numbered(path, _SET).values() if found.is_dir()]


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
        own, array = _read_tensor(path)
        if own not in known and number >= len(inputs):
            raise DataError(f"'{path}' belongs to no input: the model has only {len(inputs)}.")
        name = own if own in known else inputs[number].name
        if name in feed:
            raise DataError(f"'{path}' is a second tensor for the input '{name}'.")
        feed[name] = array
    return feed


def _read_tensor(path: Path) -> tuple[str, Array]:
    """The name and the numbers in a file; numbers in a file of their own are looked for in the same folder."""
    tensor = onnx.TensorProto()
    try:
        tensor.ParseFromString(path.read_bytes())
        if tensor.HasField("segment"):  # no tensor has segments, but sequences and optional values read as one look so
            raise ValueError("it is a sequence or an optional value")
        return tensor.name, numpy_helper.to_array(tensor, str(path.parent))
    except (OSError, DecodeError, ValueError, TypeError, KeyError, ValidationError) as cause:
        raise DataError(
            f"'{path}' holds no tensor that can be read: {cause}. It must be a serialized onnx.TensorProto."
        ) from cause


TENSOR_FOLDER = Kind("ONNX test data (test_data_set_*/input_*.pb)", _recognizes, _open)
