"""Floats by accident: what could run in INT8 and does not."""

from __future__ import annotations

from collections.abc import Iterator

from onnxq.core.graph import Node
from onnxq.stages.lint.bare import DEQUANTIZE
from onnxq.stages.lint.reading import Reading
from onnxq.stages.lint.refusals import ACTIVATION_TYPES, WEIGHT_TYPES
from onnxq.stages.lint.rule import Place, Rule


def _half_quantized(reading: Reading) -> Iterator[Place]:
    for node in reading.weighted():
        indices = reading.operands(node)
        floats = [index for index in indices if node.inputs[index] not in reading.arriving]
        if floats and len(floats) < len(indices) and not _is_weight_only(reading, node):
            yield node.name, f"{node} reads '{node.inputs[floats[0]]}', its input {floats[0]}, in float"


def _is_weight_only(reading: Reading, node: Node) -> bool:
    """Whether the weight is of a type that kernels unpack to floats, such as INT4."""
    makers = [reading.view.producers.get(node.inputs[index]) for index in reading.operands(node)]
    types = {reading.stored_type(maker) for maker in makers if maker and maker.op == DEQUANTIZE}
    return bool(types) and types.isdisjoint(ACTIVATION_TYPES) and types <= WEIGHT_TYPES


def _left_float(reading: Reading) -> Iterator[Place]:
    for node in reading.weighted():
        if reading.plans(node) and not any(node.inputs[index] in reading.arriving for index in reading.operands(node)):
            yield node.name, f"{node} has none"


FLOATS: tuple[Rule, ...] = (
    Rule(
        "half-quantized",
        "warning",
        "A weighted operator has Q/DQ on all its operands",
        "Quantize activation and weight, or neither.",
        "TensorRT guide, placement of Q/DQ; layer plans of TensorRT for RTX 1.7: the kernel is float",
        _half_quantized,
    ),
    Rule(
        "left-float",
        "warning",
        "What has a fast INT8 kernel has Q/DQ",
        "Quantize this node, unless it stays in float for the sake of accuracy.",
        "the target's table, as `onnxq plan` shows it",
        _left_float,
    ),
)
