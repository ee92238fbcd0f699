"""What makes a node unsafe in a shorter type: a table of conditions on measured ranges.

A condition is a function that returns None, or the reason to stay in FP32 as a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from onnxq.core.float_type import FloatType
from onnxq.core.graph import GraphView, Node, Site
from onnxq.stages.lower.span import UNKNOWN, Span
from onnxq.stages.lower.sums import summands

MARGIN = 4.0
"""How much larger than everything measured the numbers of other samples may become."""

BLURRED = 1 / 8
"""The coarsest step of an exponent: exp(x) is then off by at most 6 %."""

LOST = 0.01
"""The largest share of a constant, by its norm, that rounding may take away."""


@dataclass(frozen=True)
class Facts:
    """What conditions look at."""

    view: GraphView
    spans: Mapping[str, Span]
    low: FloatType
    quantized: frozenset[Site]

    @property
    def name(self) -> str:
        """The short type, as people write it."""
        return self.low.name.upper()

    def span(self, tensor: str) -> Span:
        """The range of `tensor`."""
        return self.spans.get(tensor, UNKNOWN)

    def overflows(self, magnitude: float) -> bool:
        """Whether numbers of that size are too large, with margin."""
        return not magnitude * MARGIN <= self.low.largest

    def floats(self, node: Node) -> Iterator[str]:
        """The float32 tensors that `node` reads and writes and that are computed at run time."""
        tensors = (t for t in (*node.inputs, *node.outputs) if t and not self.view.is_constant(t))
        return (t for t in tensors if self.view.dtype(t) == "float32")

    def constants(self, node: Node) -> Iterator[tuple[int, str]]:
        """The float32 constants that `node` reads as such, with their position."""
        for index, tensor in enumerate(node.inputs):
            stays = Site(tensor, node.name, index) not in self.quantized
            if stays and tensor in self.view.constants and self.view.constants[tensor].dtype == np.float32:
                yield index, tensor


@dataclass(frozen=True)
class Hazard:
    """A row: which operators (None for all), the condition, and where it is documented."""

    ops: frozenset[str] | None
    found: Callable[[Facts, Node], str | None]
    source: str


def _wide(facts: Facts, node: Node) -> str | None:
    for tensor in facts.floats(node):
        amplitude = facts.span(tensor).amplitude
        if math.isinf(amplitude):
            return f"the range of '{tensor}' is not known"
        if facts.overflows(amplitude):
            return f"'{tensor}' reaches {amplitude:.3g}, too close to the {facts.low.largest:g} where {facts.name} ends"
    return None


def _tiny(facts: Facts, node: Node) -> str | None:
    for tensor in facts.floats(node):
        amplitude = facts.span(tensor).amplitude
        if 0.0 < amplitude < facts.low.normal:
            return f"'{tensor}' stays below {amplitude:.3g}, where {facts.name} loses digits"
    return None


def _constant(facts: Facts, node: Node) -> str | None:
    for _, tensor in facts.constants(node):
        values = facts.view.constants[tensor].astype(np.float64)
        largest = float(np.abs(values).max(initial=0.0))
        if largest > facts.low.largest:
            return f"its constant '{tensor}' holds {largest:.3g}, more than {facts.name} can"
        loss = np.linalg.norm(values - facts.low.round(values))
        if loss > LOST * np.linalg.norm(values):
            return f"its constant '{tensor}' holds {largest:.3g}, of which {facts.name} keeps too little"
    return None


def _scales(facts: Facts, node: Node) -> str | None:
    for index, tensor in enumerate(node.inputs):
        if Site(tensor, node.name, index) in facts.quantized and tensor in facts.view.constants:
            largest = float(np.abs(facts.view.constants[tensor]).max(initial=0.0))
            if 0.0 < largest / 127 < facts.low.normal:
                return f"the scales of its weight '{tensor}' are so small that {facts.name} loses their digits"
    return None


def _small_variance(facts: Facts, node: Node) -> str | None:
    variance = facts.view.constants.get(node.inputs[4])
    if variance is None:
        return "its variance is computed at run time"
    smallest = float(variance.min(initial=1.0))
    return f"it divides by a variance of {smallest:.3g}" if smallest < facts.low.normal else None


def _divisor(facts: Facts, node: Node) -> str | None:
    divisor = node.inputs[1] if node.op == "Div" else node.inputs[0]
    span = facts.span(divisor)
    if span.low <= 0.0 <= span.high:
        return f"'{divisor}' may be close to 0, where {facts.name} loses digits"
    nearest = min(abs(span.low), abs(span.high))
    if nearest < facts.low.normal * MARGIN:
        return f"'{divisor}' comes as close to 0 as {nearest:.3g}, where {facts.name} loses digits"
    return None


def _exponent(facts: Facts, node: Node) -> str | None:
    amplitude = facts.span(node.inputs[0]).amplitude
    if (step := amplitude * facts.low.step) > BLURRED:
        digit = 2.0 ** math.floor(math.log2(step))
        return f"its exponents reach {amplitude:.3g}, where {facts.name} has steps of {digit:g}"
    return None


MEANS = frozenset({"AveragePool", "GlobalAveragePool", "ReduceMean"})
"""Operators that divide their sums by the number of summands."""


def _sum(facts: Facts, node: Node) -> str | None:
    count = summands(facts.view, node)
    if count is None:
        return "it sums over an axis of unknown length"
    span = facts.span(node.inputs[0])
    if node.op == "ReduceL1" or span.low >= 0.0 or span.high <= 0.0:  # no part of the sum is larger than the whole
        largest = (count if node.op in MEANS else 1) * facts.span(node.outputs[0]).amplitude
    else:
        largest = count * span.amplitude
    return f"its sums of {count} numbers may reach {largest:.3g}" if facts.overflows(largest) else None


def _squares(facts: Facts, node: Node) -> str | None:
    count = summands(facts.view, node)
    largest = (count or math.inf) * facts.span(node.inputs[0]).amplitude ** 2
    return f"its sums of squares may reach {largest:.3g}" if facts.overflows(largest) else None


def _short_stash(facts: Facts, node: Node) -> str | None:
    return None if node.integer("stash_type", 1) == 1 else "it does not keep its sums in FP32"


UNSAFE: Mapping[str, str] = {
    "CumSum": "it sums without bound",
    "DFT": "it sums over long axes",
    "Det": "it multiplies many numbers",
    "GridSample": "its coordinates need more digits",
    "MaxRoiPool": "its coordinates need more digits",
    "Multinomial": "it draws random numbers",
    "NonMaxSuppression": "it compares boxes",
    "Range": "it counts",
    "ReduceLogSum": "it sums exponentials",
    "ReduceLogSumExp": "it sums exponentials",
    "RoiAlign": "its coordinates need more digits",
    "STFT": "it sums over long axes",
    "TopK": "it ranks numbers, and rounding makes ties",
}


def _unsafe(facts: Facts, node: Node) -> str | None:
    return UNSAFE[node.op]


def _ops(text: str) -> frozenset[str]:
    return frozenset(text.split())


IEEE = "IEEE 754, binary16"
TRT_NORM = "TensorRT guide, accuracy considerations of normalizations in FP16"

HAZARDS: tuple[Hazard, ...] = (
    Hazard(frozenset(UNSAFE), _unsafe, "onnxq"),
    Hazard(None, _wide, IEEE),
    Hazard(None, _constant, IEEE),
    Hazard(None, _tiny, IEEE),
    Hazard(None, _scales, IEEE),
    Hazard(_ops("BatchNormalization"), _small_variance, TRT_NORM),
    Hazard(_ops("Div Log Reciprocal Sqrt"), _divisor, IEEE),
    Hazard(_ops("Exp LogSoftmax Softmax"), _exponent, IEEE),
    Hazard(_ops("AveragePool GlobalAveragePool ReduceL1 ReduceMean ReduceSum"), _sum, TRT_NORM),
    Hazard(
        _ops(
            "GlobalLpPool GroupNormalization InstanceNormalization LRN LpNormalization LpPool "
            "MeanVarianceNormalization ReduceL2 ReduceSumSquare"
        ),
        _squares,
        TRT_NORM,
    ),
    Hazard(_ops("LayerNormalization RMSNormalization"), _short_stash, "ONNX operators, LayerNormalization, stash_type"),
)
"""In the order in which they are asked; the first that speaks is the reason."""
