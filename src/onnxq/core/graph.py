"""A read-only picture of an ONNX graph: nodes, edges, constants, shapes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from onnxq.core.names import Names
from onnxq.core.normal import Normal

Shape = tuple[int | None, ...]
"""Dimensions of a tensor; None where the size is known at run time only."""


_WITH_BODIES = frozenset(("If", "Loop", "Scan"))


@dataclass(frozen=True)
class Node:
    """One operator call. An omitted optional input is an empty string."""

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, object] = field(default_factory=dict, hash=False)
    domain: str = ""

    def __str__(self) -> str:
        return f"{self.op} '{self.name}'"

    def integer(self, attribute: str, default: int) -> int:
        """The value of an integer attribute."""
        value = self.attributes.get(attribute, default)
        return value if isinstance(value, int) else default

    def integers(self, attribute: str) -> tuple[int, ...]:
        """The value of a list-of-integers attribute, empty if it is absent."""
        value = self.attributes.get(attribute, ())
        return tuple(int(v) for v in value) if isinstance(value, list | tuple) else ()


@dataclass(frozen=True, order=True)
class Site:
    """An edge: `tensor` read by the node named `node` as its input number `index`."""

    tensor: str
    node: str
    index: int

    def __str__(self) -> str:
        return f"input {self.index} of '{self.node}' (tensor '{self.tensor}')"


@dataclass(frozen=True)
class GraphView:
    """The main graph of a prepared model.

    Attributes:
        nodes: in topological order, each with a unique name.
        inputs: names of the graph inputs that are no initializers.
        outputs: names of the graph outputs.
        constants: initializers by name.
        shapes: by tensor name; absent where the rank is unknown.
        dtypes: numpy dtype names by tensor name; absent where unknown.
        captured: tensors that an If, Loop or Scan body reads from this graph.
        normals: by tensor how its numbers are distributed, channel by channel along the second axis; known of what a
            BatchNormalization made, folded or not.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, np.ndarray]
    shapes: Mapping[str, Shape]
    dtypes: Mapping[str, str]
    captured: frozenset[str] = frozenset()
    normals: Mapping[str, Normal] = field(default_factory=dict)

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """Nodes by name."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def producers(self) -> Mapping[str, Node]:
        """The node that computes each tensor."""
        return {tensor: node for node in self.nodes for tensor in node.outputs if tensor}

    @property
    def names(self) -> Names:
        """Gives out names that nothing in the graph has."""
        of_nodes = (name for node in self.nodes for name in (node.name, *node.inputs, *node.outputs))
        return Names((*of_nodes, *self.inputs, *self.outputs, *self.constants, *self.captured))

    @cached_property
    def sites(self) -> Mapping[str, tuple[Site, ...]]:
        """The edges that leave each tensor, in node order."""
        found: dict[str, list[Site]] = {}
        for node in self.nodes:
            for index, tensor in enumerate(node.inputs):
                if tensor:
                    found.setdefault(tensor, []).append(Site(tensor, node.name, index))
        return {tensor: tuple(sites) for tensor, sites in found.items()}

    def consumers(self, tensor: str) -> Iterator[Node]:
        """The nodes that read `tensor`, once per edge."""
        return (self.by_name[site.node] for site in self.sites.get(tensor, ()))

    def is_constant(self, tensor: str) -> bool:
        """Whether `tensor` is an initializer."""
        return tensor in self.constants

    def dtype(self, tensor: str) -> str | None:
        """The numpy dtype name of `tensor`, None where unknown."""
        return self.constants[tensor].dtype.name if tensor in self.constants else self.dtypes.get(tensor)

    def variable_inputs(self, node: Node) -> tuple[str, ...]:
        """The inputs of `node` that are computed at run time."""
        return tuple(tensor for tensor in node.inputs if tensor and not self.is_constant(tensor))

    def behind(self, tensor: str, nodes: Iterable[Node]) -> GraphView:
        """The graph with more nodes right behind the one that makes `tensor`; in front of all if none does."""
        place = 1 + max((number for number, node in enumerate(self.nodes) if tensor in node.outputs), default=-1)
        return replace(self, nodes=(*self.nodes[:place], *nodes, *self.nodes[place:]))

    def without_idle(self, nodes: Iterable[Node]) -> GraphView:
        """The graph without those of some nodes that nobody needs any more, and without constants of theirs alone."""
        asked = {node.name for node in nodes}
        needed, kept = {*self.outputs, *self.captured}, []
        for node in reversed(self.nodes):
            if node.name not in asked or not needed.isdisjoint(node.outputs):
                kept.append(node)
                needed.update(node.inputs)
        read = {tensor for node in self.nodes for tensor in node.inputs}
        constants = {name: array for name, array in self.constants.items() if name in needed or name not in read}
        return replace(self, nodes=tuple(reversed(kept)), constants=constants)

    def read_from(self, place: int) -> frozenset[str]:
        """The tensors that are needed behind node number `place` - 1: read there, or outputs of the graph."""
        nodes = self.nodes[place:]
        inner = self.captured if any(node.op in _WITH_BODIES for node in nodes) else frozenset()
        return frozenset((*self.outputs, *(tensor for node in nodes for tensor in node.inputs))) | inner

    def between(self, given: Iterable[str], wanted: Iterable[str]) -> GraphView:
        """The piece of the graph that computes the tensors `wanted` from those `given`, which become its inputs."""
        known, needed = frozenset(given), set(wanted)
        kept: list[Node] = []
        for node in reversed(self.nodes):
            if any(tensor in needed and tensor not in known for tensor in node.outputs):
                kept.append(node)
                needed.update(node.inputs)
                needed.update(self.captured if node.op in _WITH_BODIES else ())
        return replace(
            self,
            nodes=tuple(reversed(kept)),
            inputs=tuple(
                t for t in dict.fromkeys((*self.inputs, *given)) if t in needed and (t in known or t in self.inputs)
            ),
            outputs=tuple(wanted),
            constants={name: array for name, array in self.constants.items() if name in needed},
        )

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the structure; two models that differ in weights alone share it."""
        text = "\n".join(f"{n.domain}.{n.op} {n.name} {n.inputs} {n.outputs}" for n in self.nodes)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
