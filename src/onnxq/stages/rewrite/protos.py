"""What all of this stage does with protobufs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import onnx


def names_in(graph: onnx.GraphProto) -> Iterator[str]:
    """All names of nodes and values, those in bodies included."""
    yield from (t.name for t in (*graph.input, *graph.output, *graph.initializer, *graph.value_info))
    for node in graph.node:
        yield from (node.name, *node.input, *node.output)
        for body in bodies(node):
            yield from names_in(body)


def bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs that If, Loop and Scan run."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def read_by_bodies(graph: onnx.GraphProto) -> frozenset[str]:
    """Names that bodies read; their own names may be among them, which does no harm."""
    return frozenset(name for node in graph.node for body in bodies(node) for name in names_in(body))


def replace_all(field: Any, items: Iterable[Any]) -> None:
    """Sets a repeated protobuf field to `items`, which may come from it."""
    copies = list(items)
    for index, item in enumerate(copies):
        copies[index] = type(item)()
        copies[index].CopyFrom(item)
    del field[:]
    field.extend(copies)
