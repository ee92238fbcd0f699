"""What an input goes through before a layer reads it: preprocessing that is part of the graph."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxq.core.graph import GraphView, Node
from onnxq.core.names import Names

MOVING = frozenset(("Transpose", "Reshape", "Squeeze", "Unsqueeze"))

KEPT = frozenset(("Identity", "Cast")) | MOVING
"""Operators that change no number."""

COUNTING = frozenset(("Add", "Sub", "Mul", "Div"))

Real = NDArray[np.float64]

ONE, ZERO = np.ones(1), np.zeros(1)


@dataclass(frozen=True)
class Chain:
    """Operators one behind the other that make factor * start + offset in each channel; maybe none.

    Attributes:
        start: the tensor that the first one reads; all tensors from there on are FP32.
        end: the tensor that the last one makes.
        axis: of that, along which its channels lie.
        nodes: all of them.
        factor: (1,) or (channels,).
        offset: (1,) or (channels,).
    """

    start: str
    end: str
    axis: int
    nodes: tuple[Node, ...]
    factor: Real
    offset: Real

    @staticmethod
    def of(view: GraphView, tensor: str, axis: int) -> Chain:
        """The longest one that ends in a tensor and begins with an operator that counts.

        Args:
            view: the graph.
            tensor: of a known rank.
            axis: along which its channels lie.
        """
        axis %= len(view.shapes[tensor])
        links = list(_links(view, tensor, axis))
        while links and links[-1].node.op in KEPT:
            links.pop()
        factor, offset = ONE, ZERO
        for link in reversed(links):
            factor, offset = factor * link.factor, offset * link.factor + link.offset
        nodes = tuple(link.node for link in reversed(links))
        start = view.variable_inputs(nodes[0])[0] if nodes else tensor
        return Chain(start, tensor, axis, nodes, factor, offset)

    @property
    def moving(self) -> tuple[Node, ...]:
        """Those that only move numbers to other places."""
        return tuple(node for node in self.nodes if node.op in MOVING)

    def copied(self, names: Names) -> tuple[Node, ...]:
        """Those that only move numbers, put behind the start."""
        tensor, made = self.start, []
        for node in self.moving:
            output = names.fresh(f"{node.outputs[0]}_moved")
            made.append(
                replace(
                    node, name=names.fresh(f"{node.name}_moved"), inputs=(tensor, *node.inputs[1:]), outputs=(output,)
                )
            )
            tensor = output
        return tuple(made)


@dataclass(frozen=True)
class _Link:
    """An operator that makes factor * x + offset."""

    node: Node
    factor: Real
    offset: Real


def _links(view: GraphView, tensor: str, axis: int) -> Iterator[_Link]:
    """What makes a tensor, from its end on."""
    while (node := view.producers.get(tensor)) is not None and not node.domain:
        before = _carried(view, node, axis) if node.op in KEPT else axis
        read = view.variable_inputs(node)
        link = None if before is None or len(read) != 1 else _link(view, node, before)
        if before is None or link is None or not view.dtype(read[0]) == view.dtype(tensor) == "float32":
            return
        yield link
        tensor, axis = read[0], before


def _link(view: GraphView, node: Node, axis: int) -> _Link | None:
    if node.op in KEPT:
        return _Link(node, ONE, ZERO)
    place = 0 if view.is_constant(node.inputs[0]) else 1
    number = _number(view, node, place, axis) if node.op in COUNTING else None
    if number is None or (node.op == "Div" and not (place and number.all())):
        return None
    sign = ONE if place else -ONE
    return {
        "Add": lambda: _Link(node, ONE, number),
        "Sub": lambda: _Link(node, sign, -sign * number),
        "Mul": lambda: _Link(node, number, ZERO),
        "Div": lambda: _Link(node, 1.0 / number, ZERO),
    }[node.op]()


def _number(view: GraphView, node: Node, place: int, axis: int) -> Real | None:
    """(1,) or (channels,) the constant that a node reads; None if it is another for other places of a channel."""
    given, shape = view.constants[node.inputs[place]], view.shapes.get(node.inputs[1 - place])
    if shape is None or given.ndim > len(shape) or not np.isfinite(given).all():
        return None
    along = ((1,) * (len(shape) - given.ndim) + given.shape)[axis]
    return given.ravel().astype(np.float64) if given.size == along in (1, shape[axis]) else None


def _carried(view: GraphView, node: Node, axis: int) -> int | None:
    """Along which axis channels lie in what a node reads, if it changes no number; None if that is not known."""
    if node.op in ("Identity", "Cast"):
        return axis
    before, after = view.shapes.get(node.inputs[0]), view.shapes.get(node.outputs[0])
    if before is None or after is None:
        return None
    if node.op == "Transpose":
        return (node.integers("perm") or tuple(reversed(range(len(before)))))[axis]
    within = _within(after, axis)
    return next(
        (place for place in range(len(before)) if None not in within and _within(before, place) == within), None
    )


def _within(shape: tuple[int | None, ...], axis: int) -> tuple[int | None, int | None]:
    """How many places an axis has, and how many numbers lie in each."""
    known = [size for size in shape[axis + 1 :] if size is not None]
    return shape[axis], math.prod(known) if len(known) == len(shape) - axis - 1 else None
