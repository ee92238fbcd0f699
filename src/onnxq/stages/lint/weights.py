"""Weights with a scale for each channel: which channels, and where that is too many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from onnxq.catalog.conditions import splits
from onnxq.core.graph import Node, Shape
from onnxq.stages.lint.bare import DEQUANTIZE, is_linear
from onnxq.stages.lint.reading import Reading
from onnxq.stages.lint.rule import Place, Rule


@dataclass(frozen=True)
class Channels:
    """A weight with several scales.

    Attributes:
        reader: the weighted node.
        maker: its DequantizeLinear.
        shape: of the weight.
        axis: along which the target's table has the scales, None where it has one scale.
        is_split: whether it has one because the product is split behind.
    """

    reader: Node
    maker: Node
    shape: Shape
    axis: int | None
    is_split: bool

    @property
    def given(self) -> int:
        """The axis along which the scales are."""
        return self.maker.integer("axis", 1) % len(self.shape)

    def __str__(self) -> str:
        return f"'{self.maker.inputs[0]}', weight of {self.reader},"


def _channels(reading: Reading) -> Iterator[Channels]:
    for node in reading.weighted():
        rule, bare = reading.target.rule(node), reading.bare.by_name.get(node.name)
        if rule is None or bare is None:
            continue
        for weight in rule.weights:
            tensor = node.inputs[weight.input] if weight.input < len(node.inputs) else ""
            maker = reading.view.producers.get(tensor)
            if maker is None or maker.op != DEQUANTIZE or not reading.bare.is_constant(bare.inputs[weight.input]):
                continue
            scale, shape = reading.scale(maker), reading.bare.constants[bare.inputs[weight.input]].shape
            if shape and scale is not None and scale.size > 1 and not reading.is_blocked(maker):
                axis = weight.axis(reading.scene, bare)
                yield Channels(node, maker, shape, axis, axis is None and splits(reading.scene, bare))


def _counts(reading: Reading) -> Iterator[Place]:
    for node in (*reading.quantizers, *reading.dequantizers):
        maker = reading.view.producers.get(node.inputs[0])
        scale, shape = reading.scale(node), reading.shape(node.inputs[0])
        if node.inputs[0] not in reading.built or (maker and is_linear(maker)) or reading.is_blocked(node):
            continue
        if scale is None or shape is None or scale.size == 1:
            continue
        axis = node.integer("axis", 1)
        if not -len(shape) <= axis < len(shape) or shape[axis] != scale.size:
            yield node.name, f"{node} has {scale.size} for axis {axis} of the shape {list(shape)}"


def _axes(reading: Reading) -> Iterator[Place]:
    for weight in _channels(reading):
        if weight.axis is not None and weight.given != weight.axis:
            yield weight.reader.name, f"{weight} has them along axis {weight.given}, not {weight.axis}"


def _cut_weights(reading: Reading) -> Iterator[Place]:
    for weight in _channels(reading):
        if weight.is_split and weight.maker.inputs[0] in reading.view.constants:
            yield weight.reader.name, f"{weight} has several, and its product is split"


def _single_scales(reading: Reading) -> Iterator[Place]:
    for weight in _channels(reading):
        if weight.axis is None and not weight.is_split:
            yield weight.reader.name, f"{weight} has several"


WEIGHTS: tuple[Rule, ...] = (
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
        "split-weight",
        "warning",
        "An INT8 weight whose product is split has one scale",
        "Quantize this weight per tensor, or store it as floats with Q/DQ behind.",
        "layer plans of TensorRT for RTX 1.7: the product is float",
        _cut_weights,
    ),
    Rule(
        "single-scale",
        "warning",
        "A weight of ConvTranspose, or of a product of more than two dimensions, has one scale",
        "Quantize this weight per tensor: kernels disagree on the axis.",
        "TRT#2380, #1694; TensorRT guide 8.x, 7.1.3",
        _single_scales,
    ),
)
