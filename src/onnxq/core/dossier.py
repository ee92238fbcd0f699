"""Everything there is to show of one quantization, collected for a report that people look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from onnxq.core.budget import Outcome
from onnxq.core.channel_ranges import ChannelRanges
from onnxq.core.comparison import Layer
from onnxq.core.graph import GraphView, Node
from onnxq.core.histogram import Histogram
from onnxq.core.plan import Decision, Plan
from onnxq.core.report import Report
from onnxq.core.standings import Standings

INT8, INSIDE, OTHER = "INT8", "inside INT8", "no floats"
"""Kinds of nodes beside the floating-point types: reads integers; is computed by a kernel that does; moves none."""


@dataclass(frozen=True)
class Dossier:
    """What a report shows. What was not computed is empty or None.

    Attributes:
        model: what the model is called.
        view: its prepared graph.
        plan: what is quantized, and why.
        inside: nodes that do not read integers, but are computed by a kernel that does -> its node that reads them.
        macs: multiply-accumulates by node for one sample; 0 where there are none, empty if shapes are unknown.
        recipe: in YAML.
        command: that made it.
        histograms: of quantized activations, in graph order.
        weights: of quantized weights, in graph order.
        report: what happened; None if the model was only planned.
        layers: the error tensor by tensor, in graph order.
        layer_samples: on how many samples.
        standings: groups by what quantizing them costs.
        outcome: of a search for a budget.
    """

    model: str
    view: GraphView
    plan: Plan
    inside: Mapping[str, str]
    macs: Mapping[str, int]
    recipe: str = ""
    command: str = ""
    histograms: tuple[Histogram, ...] = ()
    weights: tuple[ChannelRanges, ...] = ()
    report: Report | None = None
    layers: tuple[Layer, ...] = ()
    layer_samples: int = 0
    standings: Standings | None = None
    outcome: Outcome | None = None

    @cached_property
    def integers(self) -> frozenset[str]:
        """The nodes that compute with integers."""
        return frozenset(d.site.node for d in self.plan.quantized if d.computes_integers)

    @cached_property
    def share(self) -> float | None:
        """Of all multiply-accumulates, the part that is computed in INT8, 0 to 1; None if it is not known."""
        total = sum(self.macs.values())
        return sum(self.macs.get(name, 0) for name in self.integers) / total if total else None

    @cached_property
    def refusals(self) -> Mapping[str, tuple[Decision, ...]]:
        """Node -> the decisions that leave edges of it in float."""
        found: dict[str, list[Decision]] = {}
        for decision in self.plan.refused:
            found.setdefault(decision.site.node, []).append(decision)
        return {name: tuple(decisions) for name, decisions in found.items()}

    @cached_property
    def floats(self) -> tuple[Node, ...]:
        """Nodes that compute in float."""
        return tuple(node for node in self.view.nodes if self.kind(node) not in (INT8, INSIDE, OTHER))

    @cached_property
    def errors(self) -> Mapping[str, Layer]:
        """Node -> the worst of what it computes, where both models have it."""
        found: dict[str, Layer] = {}
        for layer in self.layers:
            node = self.view.producers.get(layer.tensor)
            if node and layer.figures and _sqnr(layer) < _sqnr(found.get(node.name)):
                found[node.name] = layer
        return found

    def kind(self, node: Node) -> str:
        """What a node computes in: INT8, INSIDE, OTHER, or the name of a floating-point type."""
        if node.name in self.integers:
            return INT8
        if node.name in self.inside:
            return INSIDE
        types = {self.view.dtype(tensor) for tensor in node.outputs if tensor}
        if not types & {"float32", None}:
            return OTHER
        rest = self.report.rest if self.report else None
        return "FP32" if rest is None or node.name in self._kept else rest.type.upper()

    @cached_property
    def _kept(self) -> frozenset[str]:
        """Nodes in FP32 though the rest is not."""
        rest = self.report.rest if self.report else None
        return frozenset(name for names in rest.kept.values() for name in names) if rest else frozenset()


def _sqnr(layer: Layer | None) -> float:
    return float("inf") if layer is None else layer.figures.get("sqnr", float("inf"))
