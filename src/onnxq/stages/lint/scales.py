"""Scales and zero points that TensorRT refuses, or understands in another way."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from onnxq.core.graph import Node
from onnxq.stages.lint.bare import DEQUANTIZE, FLOATS
from onnxq.stages.lint.reading import Reading
from onnxq.stages.lint.rule import Place, Rule


def _linear(reading: Reading) -> Iterator[Node]:
    yield from (*reading.quantizers, *reading.dequantizers)


def _zero_points(reading: Reading) -> Iterator[Place]:
    for node in _linear(reading):
        if len(node.inputs) < 3 or not node.inputs[2]:
            continue
        zero, scale = reading.constant(node.inputs[2]), reading.scale(node)
        if node.inputs[2] not in reading.built:
            yield node.name, f"that of {node} is computed at run time"
        elif zero is not None and np.any(zero != 0):
            yield node.name, f"that of {node} is {zero[zero != 0].flat[0]}"
        elif zero is not None and scale is not None and zero.size != scale.size:
            yield node.name, f"{node} has {zero.size} for {scale.size} scales"


def _run_time_scales(reading: Reading) -> Iterator[Place]:
    for node in _linear(reading):
        if node.inputs[1] not in reading.built:
            yield node.name, f"'{node.inputs[1]}' of {node} is computed at run time"


def _scale_values(reading: Reading) -> Iterator[Place]:
    for node in _linear(reading):
        scale = reading.scale(node)
        if scale is None:
            continue
        values = scale.astype(np.float64)
        if (wrong := values[~(np.isfinite(values) & (values > 0))]).size:
            yield node.name, f"{node} has {wrong.flat[0]:g}"


def _channelled_activations(reading: Reading) -> Iterator[Place]:
    for node in reading.quantizers:
        scale = reading.scale(node)
        if (
            node.inputs[0] not in reading.built
            and scale is not None
            and scale.size > 1
            and not reading.is_blocked(node)
        ):
            yield node.name, f"{node} has {scale.size}"


def _vectors_of_one(reading: Reading) -> Iterator[Place]:
    for node in reading.quantizers:
        scale = reading.scale(node)
        if node.inputs[0] not in reading.built and scale is not None and scale.shape == (1,):
            yield node.name, f"that of {node} has shape [1]"


def _types(reading: Reading) -> Iterator[Place]:
    for node in reading.quantizers:  # what DequantizeLinear gives has the type of its own scale
        scale, wanted = reading.view.dtype(node.inputs[1]), reading.view.dtype(reading.origins[node.outputs[0]])
        if scale in FLOATS and wanted in FLOATS and scale != wanted:
            yield node.name, f"that of {node} is {scale} and its tensor {wanted}"


def _operand_types(reading: Reading) -> Iterator[Place]:
    for node in reading.view.nodes:
        rule = reading.target.rule(node)
        if node.domain or (rule is None and node.op not in reading.target.pointwise):
            continue
        indices = rule.operands(node) if rule else range(len(node.inputs))
        types = {node.inputs[i]: dtype for i in indices if (dtype := _float_type(reading, node.inputs[i])) in FLOATS}
        if len(set(types.values())) > 1 and not reading.arriving.isdisjoint(types):
            yield node.name, f"{node} reads {' and '.join(f'{dtype} {tensor!r}' for tensor, dtype in types.items())}"


def _float_type(reading: Reading, tensor: str) -> str | None:
    """The type of a tensor; behind DequantizeLinear, that of its scale."""
    maker = reading.view.producers.get(tensor)
    return reading.view.dtype(maker.inputs[1] if maker and maker.op == DEQUANTIZE else tensor)


SCALES: tuple[Rule, ...] = (
    Rule(
        "zero-point",
        "error",
        "Zero points are constant, 0, and as many as scales",
        "Quantize symmetrically: in onnxruntime, ActivationSymmetric and WeightSymmetric.",
        "NvInfer.h, IQuantizeLayer; onnx-tensorrt, QuantDequantLinearHelper",
        _zero_points,
    ),
    Rule(
        "run-time-scale",
        "error",
        "Scales are constant",
        "Store the scale as an initializer; quantize statically.",
        "onnx-tensorrt, QuantDequantLinearHelper",
        _run_time_scales,
    ),
    Rule(
        "scale-value",
        "error",
        "Scales are positive and finite",
        "Give dead channels a small positive scale.",
        "NvInfer.h, IQuantizeLayer; onnx-tensorrt#764; TRT#2267",
        _scale_values,
    ),
    Rule(
        "activation-scales",
        "error",
        "An activation has one scale",
        "Quantize activations per tensor.",
        "NvInfer.h, IQuantizeLayer; TensorRT for RTX 1.7 runs the convolution in float",
        _channelled_activations,
    ),
    Rule(
        "operand-types",
        "error",
        "All operands of a node have one float type, which behind Q/DQ is that of the scale",
        "Store the scales in the type of the float model.",
        "TensorRT guide, strongly typed networks",
        _operand_types,
    ),
    Rule(
        "scale-type",
        "warning",
        "The scale of QuantizeLinear has the float type of its tensor",
        "Store the scales in the type of the float model.",
        "ONNX, QuantizeLinear; TensorRT guide, strongly typed networks: what follows takes the type of the scale",
        _types,
    ),
    Rule(
        "scale-vector",
        "warning",
        "The scale of an activation is a scalar",
        "Store scale and zero point with shape [].",
        "layer plans of TensorRT for RTX 1.7: a vector of one makes the kernel float",
        _vectors_of_one,
    ),
)
