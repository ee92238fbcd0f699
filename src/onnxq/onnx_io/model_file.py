"""ONNX models in and out of files."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, EncodeError

from onnxq import files
from onnxq.errors import ModelError, OutputError

PROTOBUF_LIMIT = 2**31 - 2**20
"""Bytes that one protobuf message may hold, with room for the graph around the weights."""


def load(path: Path) -> onnx.ModelProto:
    """Reads an ONNX model with its external data.

    Raises:
        ModelError: the file is missing, unreadable, truncated, or no ONNX model.
    """
    try:
        model = onnx.load(path, format="protobuf")  # whatever its name ends in
    except FileNotFoundError as cause:
        missing = cause.filename or path
        raise ModelError(f"There is no file '{missing}'.") from cause
    except IsADirectoryError as cause:
        raise ModelError(f"'{path}' is a folder, not an ONNX model.") from cause
    except (DecodeError, ValueError, OSError, onnx.checker.ValidationError) as cause:
        raise ModelError(
            f"'{path}' is no readable ONNX model, or was cut off: {str(cause).splitlines()[0]}."
        ) from cause
    if not model.ir_version or not model.HasField("graph"):
        raise ModelError(f"'{path}' is no ONNX model: it has no IR version or no graph.")
    return model


def save(model: onnx.ModelProto, path: str | Path) -> None:
    """Writes a model in one step; weights beyond protobuf's limit go to `path`.data.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    target = Path(path)
    try:
        content = _serialized(model)
        if content is not None and len(content) <= PROTOBUF_LIMIT:
            files.write(target, content)
        else:
            _save_with_external_data(model, target)
    except OSError as cause:
        raise OutputError(f"The output '{target}' cannot be written: {cause.strerror}.") from cause


def size(model: onnx.ModelProto) -> int:
    """Bytes of a model; of its weights alone if it is beyond protobuf's limit."""
    try:
        return int(model.ByteSize())
    except EncodeError:
        return sum(len(tensor.raw_data) for tensor in model.graph.initializer)


def _serialized(model: onnx.ModelProto) -> bytes | None:
    try:
        content: bytes = model.SerializeToString(deterministic=True)
    except EncodeError:  # beyond 2 GiB
        return None
    return content


def _save_with_external_data(model: onnx.ModelProto, target: Path) -> None:
    weights = f"{target.name}.data"
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as draft:
        copy = onnx.ModelProto()
        copy.CopyFrom(model)  # onnx empties the weights of what it saves
        onnx.save_model(copy, Path(draft, target.name), save_as_external_data=True, location=weights)
        Path(draft, weights).replace(target.with_name(weights))
        Path(draft, target.name).replace(target)
