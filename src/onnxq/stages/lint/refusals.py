"""Operators and integer types that TensorRT refuses, or understands in another way."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from onnxq.core.graph import Node
from onnxq.stages.lint.bare import DEQUANTIZE, QUANTIZE, is_linear
from onnxq.stages.lint.reading import Reading
from onnxq.stages.lint.rule import Place, Rule

INTEGER_OPERATORS = frozenset("ConvInteger MatMulInteger DynamicQuantizeLinear".split())
"""Operators on integers, beside those that begin with QLinear."""

ACTIVATION_TYPES = frozenset("int8 float8_e4m3fn".split())
WEIGHT_TYPES = ACTIVATION_TYPES | frozenset("int4 float4_e2m1fn".split())
"""What TensorRT stores, as numpy calls the types."""

BIAS_TYPE = "int32"

SINCE = {"float16": 19, "bfloat16": 19}
"""The ai.onnx opset from which on Q/DQ take scales of a type; float32 since 10, several along an axis since 13."""

FIRST, CHANNELS_SINCE = 10, 13


def is_integer_operator(node: Node) -> bool:
    """Whether `node` computes on integers, which TensorRT does not import."""
    return node.op in INTEGER_OPERATORS or node.op.startswith("QLinear")


def _integer_operators(reading: Reading) -> Iterator[Place]:
    for node in reading.view.nodes:
        if is_integer_operator(node):
            yield node.name, f"{node}"


def _types(reading: Reading) -> Iterator[Place]:
    for node in (*reading.quantizers, *reading.dequantizers):
        if node.op == DEQUANTIZE and (maker := reading.view.producers.get(node.inputs[0])) and is_linear(maker):
            continue  # that is said of the QuantizeLinear
        dtype = reading.stored_type(node)
        is_weight = node.inputs[0] in reading.built
        if dtype != BIAS_TYPE and dtype not in (WEIGHT_TYPES if is_weight else ACTIVATION_TYPES):
            told = "" if len(node.inputs) > 2 and node.inputs[2] else ", as it has no zero point"
            yield node.name, f"{node} {'writes' if node.op == QUANTIZE else 'reads'} {dtype}{told}"


def _integer_biases(reading: Reading) -> Iterator[Place]:
    for node in reading.dequantizers:
        if reading.stored_type(node) == BIAS_TYPE:
            yield node.name, f"{node} reads the int32 tensor '{node.inputs[0]}'"


def _quantized_biases(reading: Reading) -> Iterator[Place]:
    for node in reading.weighted():
        for tensor in node.inputs[max(reading.operands(node), default=0) + 1 :]:
            maker = reading.view.producers.get(tensor)
            if maker and maker.op == DEQUANTIZE and reading.stored_type(maker) != BIAS_TYPE:
                yield node.name, f"{node} reads '{tensor}'"


def _integer_operands(reading: Reading) -> Iterator[Place]:
    """Weighted operators that read integers, and whoever else reads an INT8 weight."""
    weights = {name for name, value in reading.view.constants.items() if value.dtype == np.int8 and value.ndim > 1}
    for node in reading.view.nodes:
        if is_linear(node) or is_integer_operator(node):
            continue
        rule = reading.target.rule(node)
        refused = weights | reading.integers if rule and rule.weights else weights
        if read := [tensor for tensor in node.inputs if tensor in refused]:
            yield node.name, f"{node} reads '{read[0]}' as it is"


def _scalars(reading: Reading) -> Iterator[Place]:
    for node in reading.quantizers:
        if reading.view.shapes.get(node.inputs[0]) == ():
            yield node.name, f"{node} reads the scalar '{node.inputs[0]}'"


def _opsets(reading: Reading) -> Iterator[Place]:
    opset = reading.opset
    for node in (*reading.quantizers, *reading.dequantizers):
        scale = reading.scale(node)
        name = reading.view.dtype(node.inputs[1]) or ""
        needed = SINCE.get(name, CHANNELS_SINCE if scale is not None and scale.size > 1 else FIRST)
        if not node.domain and opset < needed:
            what = f"{'several' if needed == CHANNELS_SINCE else name} scales"
            yield node.name, f"{node} has {what}, which needs opset {needed}, and the model has {opset}"


REFUSALS: tuple[Rule, ...] = (
    Rule(
        "integer-operator",
        "error",
        "Floats are quantized by Q/DQ, not by operators on integers",
        "Write the model in the Q/DQ format: in onnxruntime, QuantFormat.QDQ.",
        "onnx-tensorrt, operators.md; TensorRT guide, explicit quantization",
        _integer_operators,
    ),
    Rule(
        "integer-type",
        "error",
        "Q/DQ store INT8: signed, with a zero point that says so",
        "Quantize to int8 (in onnxruntime, QuantType.QInt8) and write int8 zero points.",
        "NvInfer.h, IQuantizeLayer; layer plans of TensorRT for RTX 1.7: uint8 activations are cut at 127",
        _types,
    ),
    Rule(
        "integer-bias",
        "error",
        "A bias is float",
        "Leave biases in float: in onnxruntime, the extra option QuantizeBias=False.",
        "onnx-tensorrt#850; onnxruntime#14229",
        _integer_biases,
    ),
    Rule(
        "quantized-bias",
        "warning",
        "A bias has no Q/DQ",
        "Remove the Q/DQ pair; the bias is added to the 32-bit sum.",
        "TensorRT guide, placement of Q/DQ",
        _quantized_biases,
    ),
    Rule(
        "integer-operand",
        "error",
        "Integers are read by DequantizeLinear",
        "Put a DequantizeLinear between the integers and their reader.",
        "TensorRT guide, quantized weights; NvInfer.h, IDequantizeLayer",
        _integer_operands,
    ),
    Rule(
        "scalar",
        "warning",
        "What is quantized has at least one dimension",
        "Remove the Q/DQ pair, or give the tensor a dimension.",
        "NvInfer.h, IQuantizeLayer; TensorRT for RTX 1.7 takes it",
        _scalars,
    ),
    Rule(
        "opset",
        "warning",
        "The opset knows the type of the scales",
        "Raise the model's opset: onnx.version_converter.",
        "ONNX, versions of QuantizeLinear; TensorRT for RTX 1.7 takes it, onnx.checker and onnxruntime do not",
        _opsets,
    ),
)
