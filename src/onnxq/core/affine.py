"""Channels measured in other units and from other zeros, x' = x / scale - shift, in a graph that computes the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from onnxq.core.border import border
from onnxq.core.channels import weight_channels
from onnxq.core.graph import GraphView, Node
from onnxq.core.lane_rules import factors, is_own
from onnxq.core.lanes import Lanes
from onnxq.core.normal import Normal

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Affine:
    """What becomes of each lane of a graph.

    Attributes:
        lanes: of the graph.
        scale: (lanes,) positive; one for each scale class, and 1 for what is fixed.
        shift: (lanes,) in the new unit; one for each shift class, 0 for what is fixed; sums hold.
    """

    lanes: Lanes
    scale: Real
    shift: Real

    @staticmethod
    def of(lanes: Lanes, scales: Real | None = None, shifts: Real | None = None) -> Affine:
        """What becomes of lanes if it is said of classes.

        Args:
            lanes: of a graph.
            scales: (lanes,) of each scale class, at the place of who speaks for it; 1 without.
            shifts: (lanes,) of each shift class, at the place of who speaks for it, such that sums hold; 0 without.
        """
        scale = np.ones(lanes.scales.size) if scales is None else scales[lanes.scales]
        shift = np.zeros(lanes.shifts.size) if shifts is None else shifts[lanes.shifts]
        return Affine(lanes, scale, shift)


def reparametrized(view: GraphView, affine: Affine) -> GraphView:
    """The graph with lanes scaled and shifted: weights, biases and bounds take it up.

    A Relu of shifted lanes is a Clip. What a padded convolution makes of shifted lanes lacks a constant near the
    borders, which an Add behind it puts there. What a MatMul makes is left with any shift where an Add behind it takes
    it up. Nodes keep their names, and constants that others read as well are left to them.

    Args:
        view: the graph.
        affine: of its lanes.

    Returns:
        a graph with the same inputs and outputs.
    """
    work = _Work(view, affine.lanes, affine.scale, affine.shift.copy())
    for node in view.nodes:
        change = None if node.domain or node.name in affine.lanes.frozen else CHANGES.get(node.op)
        if change is None:
            work.nodes.append(node)
        else:
            change(work, node)
    return replace(
        view,
        nodes=tuple(work.nodes),
        constants=work.constants,
        shapes=work.shapes,
        dtypes=work.dtypes,
        normals={tensor: work.normal(tensor) for tensor in view.normals},
    )


@dataclass
class _Work:
    """A graph in the making."""

    view: GraphView
    lanes: Lanes
    scales: Real
    shifts: Real
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        view = self.view
        self.names = view.names
        self.constants, self.shapes, self.dtypes = dict(view.constants), dict(view.shapes), dict(view.dtypes)

    def scale(self, tensor: str) -> Real:
        """In as many axes as the tensor has."""
        return self.scales[self.lanes.of[tensor]]

    def shift(self, tensor: str) -> Real:
        """In as many axes as the tensor has."""
        return self.shifts[self.lanes.of[tensor]]

    def normal(self, tensor: str) -> Normal:
        """How the numbers of a tensor are distributed now; what has no lanes has not moved."""
        known = self.view.normals[tensor]
        return known.moved(self.scale(tensor).ravel(), self.shift(tensor).ravel()) if tensor in self.lanes.of else known

    def stored(self, node: Node, index: int, value: Real, stem: str) -> Node:
        """The node with another constant as its input number `index`; the same node if that is what it reads."""
        before = node.inputs[index] if index < len(node.inputs) else ""
        array = np.asarray(value, np.float32)
        if before and np.array_equal(self.constants[before], array):
            return node
        name = before if before and is_own(self.view, before) else self.names.fresh(f"{node.name}_{stem}")
        self.constants[name] = array
        inputs = [*node.inputs, *[""] * (index + 1 - len(node.inputs))]
        inputs[index] = name
        return replace(node, inputs=tuple(inputs))

    def add(self, node: Node, constant: Real | None, stem: str) -> None:
        """Puts a node into the graph, with a constant added behind it if there is one."""
        if constant is None or not constant.any():
            self.nodes.append(node)
            return
        (made,) = node.outputs
        raw, name = self.names.fresh(f"{made}_{stem}"), self.names.fresh(f"{node.name}_{stem}")
        self.constants[name] = constant.astype(np.float32)
        self.shapes[raw], self.dtypes[raw] = self.shapes[made], self.dtypes[made]
        self.nodes.append(replace(node, outputs=(raw,)))
        self.nodes.append(Node(self.names.fresh(f"{node.name}_{stem}_Add"), "Add", (raw, name), (made,)))


def _linear(work: _Work, node: Node) -> None:
    if not work.view.is_constant(node.inputs[1]):
        work.nodes.append(node)
        return
    before = work.view.constants[node.inputs[1]].astype(np.float64)
    reads, makes = weight_channels(node, before)
    counts = int(reads.max()) + 1, int(makes.max()) + 1
    scale, shift = (
        np.broadcast_to(found.ravel(), counts[:1]) for found in (work.scale(node.inputs[0]), work.shift(node.inputs[0]))
    )
    ids = np.broadcast_to(work.lanes.of[node.outputs[0]].ravel(), counts[1:])
    weight = before * scale[reads] / work.scales[ids][makes]
    moved = weight * shift[reads]
    constant = np.bincount(np.broadcast_to(makes, weight.shape).ravel(), moved.ravel(), counts[1])
    node = work.stored(node, 1, weight, "weight")
    if node.op == "MatMul":
        if _only_added_to(work, node.outputs[0]):
            work.shifts[ids] = constant
        work.add(node, constant - work.shifts[ids], "shift")
        return
    bias = work.view.constants[node.inputs[2]].astype(np.float64) if node.inputs[2:] and node.inputs[2] else np.zeros(1)
    after = bias / work.scales[ids] + constant - work.shifts[ids]
    if not np.array_equal(np.broadcast_to(bias, after.shape), after):
        node = work.stored(node, 2, after, "bias")
    spread = border(work.view, node, moved) if node.name in work.lanes.bordered and shift.any() else None
    work.add(node, spread, "border")


def _normalized(work: _Work, node: Node) -> None:
    scale, shift = (found.ravel() for found in (work.scale(node.outputs[0]), work.shift(node.outputs[0])))
    given = work.view.constants.get(node.inputs[2]) if node.inputs[2:] else None
    node = work.stored(node, 1, work.view.constants[node.inputs[1]] / scale, "scale")
    after = (0.0 if given is None else given) / scale - shift
    work.nodes.append(work.stored(node, 2, after, "bias") if after.any() or given is not None else node)


def _clipped(work: _Work, node: Node) -> None:
    scale, shift = (float(found.flat[0]) for found in (work.scale(node.outputs[0]), work.shift(node.outputs[0])))
    if node.op == "Relu" and not shift:
        work.nodes.append(node)
        return
    if node.op == "Relu":
        node = replace(node, op="Clip")
        work.nodes.append(work.stored(node, 1, np.array(-shift), "low"))
        return
    for index, tensor in enumerate(node.inputs[1:], 1):
        if tensor:
            bound = float(work.view.constants[tensor])
            node = work.stored(
                node, index, np.array(bound / (scale if bound else 1.0) - shift), ("", "low", "high")[index]
            )
    work.nodes.append(node)


def _added(work: _Work, node: Node) -> None:
    index = next((index for index, tensor in enumerate(node.inputs) if work.view.is_constant(tensor)), None)
    if index is not None:
        made, read = node.outputs[0], node.inputs[1 - index]
        before = work.view.constants[node.inputs[index]].astype(np.float64)
        after = before / work.scale(made) + work.shift(read) - work.shift(made)
        same = np.array_equal(np.broadcast_to(before, after.shape), after)
        node = node if same else work.stored(node, index, after, "constant")
    work.nodes.append(node)


def _multiplied(work: _Work, node: Node) -> None:
    """Where what is made has units of its own, the constant takes them up; elsewhere they are those of what is read."""
    place = factors(work.view, node)
    if place is not None:
        ratio = work.scale(node.inputs[1 - place]) / work.scale(node.outputs[0])
        given = work.view.constants[node.inputs[place]]
        after = given * (ratio if node.op == "Mul" else 1.0 / ratio)
        node = node if (ratio == 1.0).all() else work.stored(node, place, after.reshape(given.shape), "factor")
    work.nodes.append(node)


def _padded(work: _Work, node: Node) -> None:
    shift = float(work.shift(node.outputs[0]).flat[0])
    work.nodes.append(work.stored(node, 2, np.array(-shift), "value") if shift else node)


def _only_added_to(work: _Work, tensor: str) -> bool:
    """Whether all readers of a tensor add a constant to it, which can take a shift up."""
    view, readers = work.view, tuple(work.view.consumers(tensor))
    adds = (
        node.op == "Add" and node.name not in work.lanes.frozen and len(view.variable_inputs(node)) == 1
        for node in readers
    )
    return bool(readers) and all(adds) and tensor not in view.outputs and tensor not in view.captured


CHANGES: Mapping[str, Callable[[_Work, Node], None]] = {
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm", "MatMul"), _linear),
    **dict.fromkeys(("Relu", "Clip"), _clipped),
    "LayerNormalization": _normalized,
    "Mul": _multiplied,
    "Div": _multiplied,
    "Add": _added,
    "Pad": _padded,
}
