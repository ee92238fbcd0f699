"""A short text that tells a value from all others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass

import numpy as np

from onnxq.core.float_type import FloatType
from onnxq.core.format import Format


def digest(value: object) -> str:
    """The same for the same value, in any process; another for anything else, types and shapes included.

    Args:
        value: arrays, numbers, texts and None; frozen dataclasses, mappings, tuples and lists of such.

    Raises:
        TypeError: it has something else in it, of which nobody knows what it is made of.
    """
    found = hashlib.sha256()
    for piece in _pieces(value):
        found.update(piece)
    return found.hexdigest()[:32]


def _pieces(value: object) -> Iterator[bytes | memoryview]:
    """All that a value is made of. What is of any length says how long it is, so that no two values have the same."""
    match value:
        case None | bool() | int() | float() | str() | bytes():
            yield f"{type(value).__name__} {value!r};".encode()
        case np.ndarray() | np.generic() if not value.dtype.hasobject:
            array = np.ascontiguousarray(value)
            yield f"{array.dtype.str} {np.shape(value)};".encode()
            yield array.reshape(-1).view(np.uint8).data
        case Format() | FloatType():
            yield f"{type(value).__name__} {value.name};".encode()  # no two have one name
        case Mapping():
            yield f"mapping {len(value)};".encode()
            yield from _all(item for pair in value.items() for item in pair)
        case tuple() | list():
            yield f"sequence {len(value)};".encode()
            yield from _all(value)
        case _ if is_dataclass(value):
            yield f"{type(value).__qualname__};".encode()
            yield from _all(getattr(value, field.name) for field in fields(value))
        case _:
            raise TypeError(f"A {type(value).__name__} has no digest.")


def _all(values: Iterable[object]) -> Iterator[bytes | memoryview]:
    for value in values:
        yield from _pieces(value)
