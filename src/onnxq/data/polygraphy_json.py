"""Inputs as ``polygraphy run --save-inputs`` writes them: a JSON list of feed dicts. The document is loaded whole."""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from onnxq.core.batch import Array, Source, Tensors
from onnxq.data.feeds import FeedSource
from onnxq.data.kind import Kind, Request
from onnxq.data.rows import by_number
from onnxq.errors import DataError

_CLASS, _ARRAY = "polygraphy_class", "ndarray"


def _recognizes(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() == ".json"


def _open(path: Path, request: Request) -> Source:
    name = by_number("feed", str(path))
    feeds = [_feed(entry, name(number)) for number, entry in enumerate(_entries(path))]
    return FeedSource(feeds, request.inputs, request.limit, name)


def _entries(path: Path) -> list[Any]:
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as cause:
        raise DataError(f"'{path}' cannot be read as JSON: {cause}.") from cause
    if not isinstance(document, list):
        raise DataError(f"'{path}' holds no list of feed dicts, as `polygraphy run --save-inputs` writes it.")
    return document


def _feed(entry: Any, where: str) -> Tensors:
    if not isinstance(entry, Mapping):
        raise DataError(f"What is read as {where} is no dict of arrays by input name.")
    return {name: _array(value, f"The array '{name}' in {where}") for name, value in entry.items()}


def _array(value: Any, what: str) -> Array:
    """An array: base64 of the bytes of an npy file."""
    kind = value.get(_CLASS, _ARRAY) if isinstance(value, Mapping) else type(value).__name__
    if kind != _ARRAY:
        raise DataError(f"{what} is a {kind}. Save NumPy arrays.")
    try:
        array: Array = np.load(io.BytesIO(base64.b64decode(value["array"], validate=True)), allow_pickle=False)
    except (KeyError, TypeError, ValueError, EOFError, OSError, binascii.Error) as cause:
        raise DataError(f"{what} is damaged: {cause}.") from cause
    return array


POLYGRAPHY_JSON = Kind("a JSON file that `polygraphy run --save-inputs` wrote", _recognizes, _open)
