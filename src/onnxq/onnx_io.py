"""Edge to files: ONNX models in and out, and the read-only view of a model."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError, EncodeError

from onnxq.core.batch import InputSpec
from onnxq.core.graph import GraphView, Node, Shape
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


def check_output(source: Path | None, target: Path) -> None:
    """Refuses an output path before any work is done.

    Raises:
        OutputError: `target` is the input itself, a folder, a device, read-only, or in a folder that cannot be written.
    """
    if source is not None and target.exists() and source.exists() and target.samefile(source):
        raise OutputError(
            f"The output '{target}' is the input '{source}'. Choose another name: inputs are never touched."
        )
    if target.is_dir():
        raise OutputError(f"The output '{target}' is a folder. Give a file name.")
    if target.exists() and not target.is_file():
        raise OutputError(f"The output '{target}' is a device or a pipe. Give the name of a file.")
    if target.exists() and not os.access(target, os.W_OK):
        raise OutputError(f"The output '{target}' is there and must not be written to. Choose another name.")
    if not target.parent.is_dir():
        raise OutputError(f"The folder '{target.parent}' of the output does not exist. Create it first.")
    if not os.access(target.parent, os.W_OK):
        raise OutputError(f"The folder '{target.parent}' of the output cannot be written.")


def save(model: onnx.ModelProto, path: str | Path) -> None:
    """Writes a model in one step; weights beyond protobuf's limit go to `path`.data.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    target = Path(path)
    try:
        content = _serialized(model)
        if content is not None and len(content) <= PROTOBUF_LIMIT:
            write(target, content)
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


def write(target: Path, content: bytes) -> None:
    """Writes a file in one step: whoever looks sees the old file or the new one, never a part, nor anything else.

    On Linux the new file has no name until it is complete, so that not even SIGKILL leaves one behind.
    """
    target = target.resolve()  # what a link points to is replaced, not the link
    named = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        nameless = os.open(target.parent, os.O_TMPFILE | os.O_WRONLY, 0o666)
    except (AttributeError, OSError):  # another system, or a file system without nameless files
        _settle(named, target, lambda draft: _create(draft, content))
        return
    try:
        _fill(nameless, content)
        _settle(named, target, lambda draft: _name(nameless, draft))
    finally:
        os.close(nameless)


def _fill(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)


def _create(name: Path, content: bytes) -> None:
    with name.open("wb", buffering=0) as file:
        _fill(file.fileno(), content)


def _name(descriptor: int, name: Path) -> None:
    name.unlink(missing_ok=True)  # left by a process of the same number that was killed right here
    os.link(f"/proc/self/fd/{descriptor}", name, src_dir_fd=descriptor)  # with a dir_fd, Python follows the link


def _settle(draft: Path, target: Path, fill: Callable[[Path], None]) -> None:
    """Makes `draft` with `fill`, then moves it to `target`."""
    try:
        fill(draft)
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _save_with_external_data(model: onnx.ModelProto, target: Path) -> None:
    weights = f"{target.name}.data"
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as draft:
        copy = onnx.ModelProto()
        copy.CopyFrom(model)  # onnx empties the weights of what it saves
        onnx.save_model(copy, Path(draft, target.name), save_as_external_data=True, location=weights)
        Path(draft, weights).replace(target.with_name(weights))
        Path(draft, target.name).replace(target)


def inputs(model: onnx.ModelProto) -> tuple[InputSpec, ...]:
    """What a model must be fed: its graph inputs without the weights that are listed among them.

    Raises:
        ModelError: an input is no tensor.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    asked = [value for value in model.graph.input if value.name not in weights]
    for value in asked:
        if (kind := value.type.WhichOneof("value") or "nothing") != "tensor_type":
            what = kind.removesuffix("_type").replace("_", " ")
            raise ModelError(f"The input '{value.name}' is no tensor but a {what}, which cannot be calibrated with.")
    tensors = {value.name: value.type.tensor_type for value in asked}
    return tuple(
        InputSpec(name, _dtype(tensor.elem_type) or "", _shape(tensor) if tensor.HasField("shape") else None)
        for name, tensor in tensors.items()
    )


def view(model: onnx.ModelProto) -> GraphView:
    """The main graph of a prepared model; weights are shared with it where numpy can."""
    graph = model.graph
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    values = {
        v.name: v.type.tensor_type
        for v in (*graph.input, *graph.value_info, *graph.output)
        if v.type.HasField("tensor_type")
    }
    return GraphView(
        nodes=tuple(_node(n) for n in graph.node),
        inputs=tuple(v.name for v in graph.input if v.name not in constants),
        outputs=tuple(v.name for v in graph.output),
        constants=constants,
        shapes={name: _shape(v) for name, v in values.items() if v.HasField("shape")},
        dtypes={name: dtype for name, v in values.items() if (dtype := _dtype(v.elem_type))},
        captured=frozenset(_captured(graph)),
    )


def _node(proto: onnx.NodeProto) -> Node:
    return Node(
        name=proto.name,
        op=proto.op_type,
        inputs=tuple(proto.input),
        outputs=tuple(proto.output),
        attributes={a.name: _attribute(a) for a in proto.attribute},
        domain="" if proto.domain == "ai.onnx" else proto.domain,
    )


def _attribute(proto: onnx.AttributeProto) -> Any:
    value = onnx.helper.get_attribute_value(proto) if proto.type not in _BODIES else None
    return list(value) if isinstance(value, list | tuple) else value


_BODIES = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)


def _shape(tensor: onnx.TypeProto.Tensor) -> Shape:
    return tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)


def _dtype(element: int) -> str | None:
    try:
        return str(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(element)).name) if element else None
    except (KeyError, TypeError):
        return None


def _captured(graph: onnx.GraphProto) -> Iterator[str]:
    """Names that the bodies of If, Loop and Scan read; their own names may be among them, which does no harm."""
    for node in graph.node:
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from (name for inner in body.node for name in inner.input)
                yield from (v.name for v in body.output)
                yield from _captured(body)
