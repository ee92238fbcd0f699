"""A Q/DQ model as the rules look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from onnxq.core.graph import GraphView, Node, Shape
from onnxq.core.plan import Plan
from onnxq.core.target import Scene, Target
from onnxq.stages.lint.bare import DEQUANTIZE, QUANTIZE, bare, built, is_linear, origins

PASSING = ("Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze")
"""Operators that may stand between a constant and its reader without changing its numbers."""


@dataclass(frozen=True)
class Placement:
    """What the target would do with a model that has no Q/DQ yet.

    Attributes:
        plan: where it would put them.
        heads: for each node that a kernel computes, the weighted node the kernel is built around.
        joins: for each residual join, the index of its shortcut operand.
    """

    plan: Plan
    heads: Mapping[str, str]
    joins: Mapping[str, int]


Place = Callable[[GraphView, Target], Placement]


@dataclass(frozen=True)
class Reading:
    """A model beside the table it is held against.

    Attributes:
        view: of the model, with Q/DQ.
        target: the table.
        opset: of ai.onnx, as the model imports it.
        place: interprets the table for a graph without Q/DQ.
    """

    view: GraphView
    target: Target
    opset: int
    place: Place

    @cached_property
    def quantizers(self) -> tuple[Node, ...]:
        """The QuantizeLinear nodes."""
        return tuple(node for node in self.view.nodes if is_linear(node) and node.op == QUANTIZE)

    @cached_property
    def dequantizers(self) -> tuple[Node, ...]:
        """The DequantizeLinear nodes."""
        return tuple(node for node in self.view.nodes if is_linear(node) and node.op == DEQUANTIZE)

    @cached_property
    def built(self) -> frozenset[str]:
        """The tensors that are known when the engine is built."""
        return built(self.view)

    @cached_property
    def origins(self) -> Mapping[str, str]:
        """For each result of Q/DQ, the tensor it stands for."""
        return origins(self.view)

    @cached_property
    def bare(self) -> GraphView:
        """The graph without Q/DQ."""
        return bare(self.view, self.origins, self.built)

    @cached_property
    def placement(self) -> Placement:
        """What the target would do with the graph without Q/DQ."""
        return self.place(self.bare, self.target)

    @cached_property
    def scene(self) -> Scene:
        """The graph without Q/DQ, for conditions of the target's table."""
        return Scene(self.bare, self.target, self.placement.heads, frozenset(self.placement.plan.activations))

    @cached_property
    def written(self) -> Scene:
        """The graph with Q/DQ, to follow copies through it."""
        return Scene(self.view, self.target, {}, frozenset())

    @cached_property
    def arriving(self) -> frozenset[str]:
        """The tensors that a kernel can read as INT8: results of DequantizeLinear, also behind copies."""
        found: set[str] = set()
        for node in self.view.nodes:
            if is_linear(node):
                found.update(node.outputs if node.op == DEQUANTIZE else ())
            elif self.copies(node) and found.issuperset(self._copied(node)):
                found.update(node.outputs)
        return frozenset(found)

    @cached_property
    def stored(self) -> frozenset[str]:
        """The tensors that a kernel can write as INT8: inputs of QuantizeLinear, also before copies."""
        found: set[str] = set()
        for node in reversed(self.view.nodes):
            if is_linear(node):
                found.update(node.inputs[:1] if node.op == QUANTIZE else ())
            elif self.copies(node) and not found.isdisjoint(node.outputs):
                found.update(self._copied(node))
        return frozenset(found)

    @cached_property
    def integers(self) -> frozenset[str]:
        """The results of QuantizeLinear, also behind copies."""
        found: set[str] = set()
        for node in self.view.nodes:
            written = is_linear(node) and node.op == QUANTIZE
            if written or (self.copies(node) and found.issuperset(self._copied(node))):
                found.update(node.outputs)
        return frozenset(found)

    def copies(self, node: Node) -> bool:
        """Whether Q/DQ pass through `node`."""
        return not node.domain and node.op in self.target.commuting

    def weighted(self) -> Iterator[Node]:
        """The nodes that the target multiplies in INT8: convolutions and matrix products."""
        for node in self.view.nodes:
            if (rule := self.target.rule(node)) and rule.weights:
                yield node

    def operands(self, node: Node) -> tuple[int, ...]:
        """The inputs of a weighted node that have to be INT8, all or none."""
        rule = self.target.rule(node)
        return rule.operands(node) if rule else ()

    def reads_int8(self, node: Node) -> bool:
        """Whether all factors of a weighted node arrive as INT8."""
        return all(node.inputs[index] in self.arriving for index in self.operands(node))

    def plans(self, node: Node) -> bool:
        """Whether the target would quantize an input of `node`."""
        return node.name in self._planned

    def constant(self, tensor: str) -> np.ndarray | None:
        """The numbers of a tensor that is known at build time; None where they would have to be computed."""
        while tensor not in self.view.constants:
            maker = self.view.producers.get(tensor)
            if maker is None or maker.op not in PASSING:
                return None
            tensor = maker.inputs[0]
        return self.view.constants[tensor]

    def scale(self, node: Node) -> np.ndarray | None:
        """The scales of a Q/DQ node, None where they are not known."""
        return self.constant(node.inputs[1])

    def stored_type(self, node: Node) -> str:
        """What a Q/DQ node stores, as a numpy dtype name."""
        zero = node.inputs[2] if len(node.inputs) > 2 else ""
        integers = node.outputs[0] if node.op == QUANTIZE else node.inputs[0]
        known = self.view.dtype(zero) if zero else None
        return known or self.view.dtype(integers) or "uint8"

    def shape(self, tensor: str) -> Shape | None:
        """The shape of a tensor, None where unknown."""
        return self.view.constants[tensor].shape if tensor in self.view.constants else self.view.shapes.get(tensor)

    @staticmethod
    def is_blocked(node: Node) -> bool:
        """Whether the scales of a Q/DQ node belong to blocks rather than to channels."""
        return node.integer("block_size", 0) > 0

    @staticmethod
    def _copied(node: Node) -> tuple[str, ...]:
        return node.inputs if node.op == "Concat" else node.inputs[:1]

    @cached_property
    def _planned(self) -> frozenset[str]:
        return frozenset(decision.site.node for decision in self.placement.plan.quantized)
