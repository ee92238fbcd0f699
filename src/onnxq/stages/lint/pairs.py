"""Pairs: two halves, one scale per tensor, and a reader that they are there for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from onnxq.catalog.conditions import destinations
from onnxq.core.graph import Node
from onnxq.stages.lint.bare import DEQUANTIZE, QUANTIZE
from onnxq.stages.lint.reading import Reading
from onnxq.stages.lint.refusals import is_integer_operator
from onnxq.stages.lint.rule import Place, Rule


def _unequal_pairs(reading: Reading) -> Iterator[Place]:
    for node in reading.dequantizers:
        maker = reading.view.producers.get(node.inputs[0])
        if maker is None or maker.op != QUANTIZE:
            continue
        written, read = reading.scale(maker), reading.scale(node)
        if written is not None and read is not None and not np.array_equal(written, read):
            yield node.name, f"{maker} has {_first(written)} and {node} {_first(read)}"


def _repeated(reading: Reading) -> Iterator[Place]:
    first: dict[str, Node] = {}
    for node in reading.quantizers:
        other = first.setdefault(reading.origins[node.outputs[0]], node)
        one, two = reading.scale(other), reading.scale(node)
        if other is not node and one is not None and two is not None and not np.array_equal(one, two):
            tensor = reading.origins[node.outputs[0]]
            yield node.name, f"'{tensor}' has one from {other} and another from {node}"


def _idle(reading: Reading) -> Iterator[Place]:
    for node in reading.dequantizers:
        if node.inputs[0] not in reading.integers or node.inputs[0] in reading.built:
            continue
        readers = list(_readers(reading, node.outputs[0]))
        if not any(_uses(reading, reader) for reader in readers):
            who = ", ".join(str(reader) for reader in readers[:3]) or "nobody but the caller"
            yield node.name, f"what {node} returns is read by {who}"


def _readers(reading: Reading, tensor: str) -> Iterator[Node]:
    """Who reads `tensor`, through copies."""
    for copy in destinations(reading.written, tensor):
        yield from (reader for reader in reading.view.consumers(copy) if not reading.copies(reader))


def _uses(reading: Reading, node: Node) -> bool:
    """Whether `node` gains from INT8, or another rule would say that it does not."""
    rule = reading.target.rule(node)
    if node.op == QUANTIZE or rule or node.name in reading.placement.joins or node.name in reading.placement.heads:
        return True
    return node.op in reading.target.pointwise and not reading.stored.isdisjoint(node.outputs)


def _unpaired(reading: Reading) -> Iterator[Place]:
    outside = {*reading.view.inputs, *reading.view.outputs}
    for node in reading.quantizers:
        readers = list(_readers(reading, node.outputs[0]))
        returned = not outside.isdisjoint(destinations(reading.written, node.outputs[0]))
        if not returned and not any(map(_takes_integers, readers)):
            yield node.name, f"{node} is read by {', '.join(map(str, readers)) or 'nobody'}"
    for node in reading.dequantizers:
        tensor = node.inputs[0]
        maker = reading.view.producers.get(tensor)
        if tensor not in reading.integers | reading.built | outside and not (maker and is_integer_operator(maker)):
            yield node.name, f"{node} reads '{tensor}', which no QuantizeLinear wrote"


def _takes_integers(node: Node) -> bool:
    return node.op == DEQUANTIZE or is_integer_operator(node)


def _first(scale: np.ndarray) -> str:
    return f"{float(scale.flat[0]):g}" if scale.size else "none"


PAIRS: tuple[Rule, ...] = (
    Rule(
        "pair-scales",
        "warning",
        "QuantizeLinear and its DequantizeLinear have one scale",
        "Let both read the same initializer.",
        "TensorRT guide, explicit quantization",
        _unequal_pairs,
    ),
    Rule(
        "two-scales",
        "warning",
        "A tensor is quantized once",
        "Let all its readers share one Q/DQ pair.",
        "TensorRT guide, limitations",
        _repeated,
    ),
    Rule(
        "idle-pair",
        "warning",
        "A Q/DQ pair has a reader that runs in INT8",
        "Remove the pair: it costs accuracy and brings nothing.",
        "TensorRT guide, placement of Q/DQ",
        _idle,
    ),
    Rule(
        "unpaired",
        "warning",
        "QuantizeLinear and DequantizeLinear come in pairs",
        "Add the missing half, or remove the other.",
        "TensorRT guide, explicit quantization",
        _unpaired,
    ),
)
