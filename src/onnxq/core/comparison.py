"""How close models are to the FP32 model they were made from: at their outputs, and tensor by tensor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from onnxq.core.graph import GraphView, Node
from onnxq.core.report import Fidelity

CEILING = 20 * math.log10(2**8)
"""Decibels that 8 bits reach at most, where values spread evenly over them. A closer tensor counts as this close."""

WITH_BODIES = frozenset({"If", "Loop", "Scan"})

MARKED, LEAST = 5, 3.0
"""So many drops are marked, if they are as large: with 3 dB, the error doubles."""


@dataclass(frozen=True)
class Layer:
    """A tensor that both models have by name.

    Attributes:
        tensor: its name.
        node: the FP32 node that computes it.
        op: that node's operator.
        figures: metric name -> figure; empty if it was not compared.
        before: SQNR in dB of the worst of the node's inputs, infinite if none has an error. An input that was not
            compared stands for those of the node it comes from.
        uncompared: why it was not compared, else empty.
    """

    tensor: str
    node: str
    op: str
    figures: Mapping[str, float]
    before: float
    uncompared: str = ""

    @property
    def drop(self) -> float:
        """By how many dB the SQNR is below that of the worst input; NaN where there is none."""
        if not math.isfinite(sqnr := min(self.figures.get("sqnr", math.nan), CEILING)):
            return math.nan
        return min(self.before, CEILING) - sqnr


@dataclass(frozen=True)
class Comparison:
    """What `onnxq compare` found.

    Attributes:
        samples: how many samples.
        models: how close the outputs are to those of the FP32 model, by what a report calls the model.
        layers: the tensors that both ONNX models have, in the order of the FP32 graph; empty if not asked for.
    """

    samples: int
    models: Mapping[str, Fidelity]
    layers: tuple[Layer, ...] = ()

    @property
    def marked(self) -> tuple[Layer, ...]:
        """Where the SQNR drops most, the largest drop first."""
        drops = [layer for layer in self.layers if layer.drop >= LEAST]
        return tuple(sorted(drops, key=lambda layer: -layer.drop)[:MARKED])

    def to_json(self) -> dict[str, object]:
        """The comparison as plain data."""
        layers = [{**asdict(layer), "drop": layer.drop} for layer in self.layers]
        models = {name: asdict(found) for name, found in self.models.items()}
        return {"samples": self.samples, "models": models, "layers": layers}


def common_tensors(original: GraphView, quantized: GraphView) -> tuple[str, ...]:
    """Names of what nodes of both graphs compute from their inputs, in the order of the original."""
    both = set(quantized.producers)
    varies = set(original.inputs)
    found = []
    for node in original.nodes:
        if varies.isdisjoint(_read(original, node)):
            continue  # constants, and what is computed from them
        varies.update(filter(None, node.outputs))
        found += [tensor for tensor in node.outputs if tensor in both]
    return tuple(found)


def layers_of(original: GraphView, found: Fidelity) -> tuple[Layer, ...]:
    """The tensors of a comparison in the order of the original graph, each with the worst of what it is computed from.

    Args:
        original: the FP32 graph.
        found: figures by tensor, "sqnr" among them.
    """
    layers = []
    level: dict[str, float] = {}
    for node in original.nodes:
        before = min((level.get(tensor, math.inf) for tensor in _read(original, node)), default=math.inf)
        for tensor in filter(None, node.outputs):
            figures = found.figures.get(tensor, {})
            sqnr = figures.get("sqnr", before)
            level[tensor] = -math.inf if math.isnan(sqnr) else sqnr
            if reason := found.uncompared.get(tensor, ""):
                layers.append(Layer(tensor, node.name, node.op, {}, before, reason))
            elif figures:
                layers.append(Layer(tensor, node.name, node.op, figures, before))
    return tuple(layers)


def _read(view: GraphView, node: Node) -> tuple[str, ...]:
    """What `node` is computed from; to one with bodies belongs what any body of the graph reads."""
    return (*node.inputs, *view.captured) if node.op in WITH_BODIES else node.inputs
