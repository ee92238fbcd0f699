"""Scales and zero points that TensorRT refuses, or understands in another way."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from onnxq.core.graph import Node
from onnxq.stages.lint.bare import DEQUANTIZE, FLOATS, QUANTIZE
from onnxq.stages.lint.reading import Reading
from onnxq.stages.lint.rule import Place, Rule

BLOCKED = "block_size"
"""The attribute of Q/DQ whose scales belong to blocks rather than to channels."""


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
        if node.inputs[0] not in reading.built and scale is not None and scale.size > 1 and not _is_blocked(node):
            yield node.name, f"{node} has {scale.size}"


def _vectors_of_one(reading: Reading) -> Iterator[Place]:
    for node in reading.quantizers:
        scale = reading.scale(node)
        if node.inputs[0] not in reading.built and scale is not None and scale.shape == (1,):
            yield node.name, f"that of {node} has shape [1]"


def _counts(reading: Reading) -> Iterator[Place]:
    for node in _linear(reading):
        scale = reading.scale(node)
        shape = _shape(reading, node)
        if node.inputs[0] not in reading.built or scale is None or shape is None or _is_blocked(node):
            continue
        axis = node.integer("axis", 1)
        size = shape[axis] if -len(shape) <= axis < len(shape) else None
        if scale.size > 1 and size != scale.size:
            yield node.name, f"{node} has {scale.size} for axis {axis} of a weight of shape {list(shape)}"


def _axes(reading: Reading) -> Iterator[Place]:
    for node, maker, axis in _channelled_weights(reading):
        shape = _shape(reading, maker)
        given = maker.integer("axis", 1)
        if axis is not None and shape is not None and given % len(shape) != axis:
            yield (
                node.name,
                f"'{node.inputs[_index(node, maker)]}', weight of {node}, has them along axis {given}, not {axis}",
            )


def _single_scales(reading: Reading) -> Iterator[Place]:
    for node, maker, axis in _channelled_weights(reading):
        if axis is None:
            yield node.name, f"'{maker.outputs[0]}', weight of {node}, has one for each channel"


def _channelled_weights(reading: Reading) -> Iterator[tuple[Node, Node, int | None]]:
    """(reader, DequantizeLinear, axis of the target's table) for each weight with several scales."""
    for node in reading.weighted():
        rule = reading.target.rule(node)
        bare = reading.bare.by_name.get(node.name)
        for weight in rule.weights if rule and bare else ():
            tensor = node.inputs[weight.input] if weight.input < len(node.inputs) else ""
            maker = reading.view.producers.get(tensor)
            if maker is None or maker.op != DEQUANTIZE or tensor not in reading.built or bare is None:
                continue
            scale = reading.scale(maker)
            if scale is not None and scale.size > 1 and not _is_blocked(maker):
                yield node, maker, weight.axis(reading.scene, bare)


def _unequal_pairs(reading: Reading) -> Iterator[Place]:
    for node in reading.dequantizers:
        maker = reading.view.producers.get(node.inputs[0])
        if maker is None or maker.op != QUANTIZE:
            continue
        written, read = reading.scale(maker), reading.scale(node)
        if written is not None and read is not None and not np.array_equal(written, read):
            yield node.name, f"{maker} has {_first(written)} and {node} {_first(read)}"


def _types(reading: Reading) -> Iterator[Place]:
    for node in _linear(reading):
        scale = reading.view.dtype(node.inputs[1])
        wanted = _float_type(reading, node)
        if scale in FLOATS and wanted in FLOATS and scale != wanted:
            yield node.name, f"that of {node} is {scale} and its tensor {wanted}"


def _float_type(reading: Reading, node: Node) -> str | None:
    """The type of the floats around a Q/DQ node: of the tensor that is quantized, or of a weight's fellow operand."""
    tensor = reading.origins[node.outputs[0]]
    if (dtype := reading.view.dtype(tensor)) in FLOATS and (tensor not in reading.built or node.op == QUANTIZE):
        return dtype
    fellows = (
        reading.origins.get(other, other)
        for reader in reading.view.consumers(node.outputs[0])
        if (rule := reading.target.rule(reader)) and rule.weights
        for other in reader.inputs
        if other and other != node.outputs[0]
    )
    return next((dtype for other in fellows if (dtype := reading.view.dtype(other)) in FLOATS), None)


def _is_blocked(node: Node) -> bool:
    return node.integer(BLOCKED, 0) > 0


def _shape(reading: Reading, node: Node) -> tuple[int | None, ...] | None:
    tensor = node.inputs[0]
    return reading.view.constants[tensor].shape if tensor in reading.view.constants else reading.view.shapes.get(tensor)


def _index(node: Node, maker: Node) -> int:
    return node.inputs.index(maker.outputs[0])


def _first(scale: np.ndarray) -> str:
    return f"{float(scale.flat[0]):g}" if scale.size else "none"


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
        "scale-count",
        "error",
        "A weight has one scale, or one for each place along its axis",
        "Give as many scales as the weight has channels.",
        "onnx-tensorrt, QuantDequantLinearHelper",
        _counts,
    ),
    Rule(
        "channel-axis",
        "error",
        "The scales of a weight belong to its output channels",
        "Quantize Conv along axis 0, MatMul along axis 1, Gemm along axis 1, or 0 with transB=1.",
        "TensorRT guide, quantized weights; TensorRT for RTX 1.7 runs the convolution in float",
        _axes,
    ),
    Rule(
        "scale-type",
        "error",
        "A scale has the float type of its tensor",
        "Store the scales in the type of the float model.",
        "onnx-tensorrt, QuantDequantLinearHelper; TensorRT guide, strongly typed networks",
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
    Rule(
        "pair-scales",
        "warning",
        "QuantizeLinear and its DequantizeLinear have one scale",
        "Let both read the same initializer.",
        "TensorRT guide, explicit quantization",
        _unequal_pairs,
    ),
    Rule(
        "single-scale",
        "warning",
        "A weight that the engine cuts up or transposes has one scale",
        "Quantize this weight per tensor.",
        "layer plans of TensorRT for RTX 1.7: the kernel is float; TRT#2380; TensorRT guide 8.x, 7.1.3",
        _single_scales,
    ),
)
