"""What the numbers of a tensor are on average: told by BatchNormalization, and by what lies behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxq.core.graph import GraphView, Node
from onnxq.core.lane_rules import lanes_of
from onnxq.core.lanes import FIXED, Lanes
from onnxq.core.layer import limits
from onnxq.core.normal import Normal

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Expectation:
    """What is known of a tensor: in as many axes as it has, of size 1 where it is the same along one, NaN if unknown.

    Attributes:
        mean: of its numbers.
        variance: of its numbers.
        is_normal: whether they are normally distributed, or taken to be.
    """

    mean: Real
    variance: Real
    is_normal: bool

    @staticmethod
    def of(normal: Normal, rank: int) -> Expectation:
        """Of a tensor whose channels lie on its second axis."""
        shape = (1, -1, *[1] * (rank - 2))
        return Expectation(normal.mean.reshape(shape), np.square(normal.deviation).reshape(shape), True)

    @property
    def normal(self) -> Normal:
        """The distribution with this mean and variance."""
        return Normal(self.mean, np.sqrt(self.variance))

    def along(self, axis: int, size: int) -> Real:
        """(size,) the mean of each channel along `axis`, over all other axes."""
        others = tuple(at for at in range(self.mean.ndim) if at != axis % self.mean.ndim)
        return np.broadcast_to(self.mean.mean(axis=others), (size,))


def expectations(view: GraphView) -> Mapping[str, Expectation]:
    """What is known of tensors behind BatchNormalization, as long as each node's rule knows how to go on.

    Two assumptions are made (the first one goes beyond Nagel et al. 2019): the operands of an Add are independent, so
    that their variances add up; and their sum is normally distributed.

    Args:
        view: the graph, with the `normals` that it started from.
    """
    ranks = {tensor: len(view.shapes.get(tensor, ())) for tensor in view.normals}
    told = {tensor: Expectation.of(view.normals[tensor], rank) for tensor, rank in ranks.items() if rank > 1}
    work = _Work(view, lanes_of(view, {tensor: one.mean.shape for tensor, one in told.items()}), {})
    for node in view.nodes:
        rule = None if node.domain else RULES.get(node.op)
        for tensor in node.outputs:
            found = told.get(tensor) or (rule and rule(work, node, tensor))
            if found:
                work.known[tensor] = found
    return work.known


@dataclass(frozen=True)
class _Work:
    """What is known so far.

    Attributes:
        view: the graph.
        lanes: of it.
        known: by tensor.
    """

    view: GraphView
    lanes: Lanes
    known: dict[str, Expectation]

    def read(self, node: Node) -> tuple[Expectation | None, NDArray[np.float64] | None]:
        """What is known of the one operand that is computed, and the other, a constant; None twice without."""
        variables = self.view.variable_inputs(node)
        constants = [tensor for tensor in node.inputs if self.view.is_constant(tensor)]
        if len(variables) != 1 or len(constants) != 1:
            return None, None
        return self.known.get(variables[0]), self.view.constants[constants[0]].astype(np.float64)


def _moved(work: _Work, node: Node, tensor: str) -> Expectation | None:
    """What only moves numbers: each lane keeps what is known of it."""
    if node.name in work.lanes.frozen:
        return None
    sources = [source for source in work.view.variable_inputs(node) if source in work.known]
    tables = np.full((2, work.lanes.scales.size), np.nan)
    for source in sources:
        ids, one = work.lanes.of[source], work.known[source]
        if np.broadcast_shapes(ids.shape, one.mean.shape) != ids.shape:
            return None
        tables[:, ids] = np.stack([np.broadcast_to(part, ids.shape) for part in (one.mean, one.variance)])
    tables[:, FIXED] = np.nan
    mean, variance = tables[:, work.lanes.of[tensor]]
    return Expectation(mean, variance, all(work.known[source].is_normal for source in sources))


def _padded(work: _Work, node: Node, _: str) -> Expectation | None:
    """Pad, where it adds channels: these hold one number, and the others stay as they are."""
    one, view = work.known.get(node.inputs[0]), work.view
    plain = node.attributes.get("mode", b"constant") in (b"constant", "constant")
    if one is None or not plain or not all(view.is_constant(tensor) for tensor in node.inputs[1:] if tensor):
        return None
    pads, value, axes = (view.constants.get(tensor) for tensor in (*node.inputs[1:], "", "")[:3])
    widths = np.zeros((one.mean.ndim, 2), np.int64)
    widths[slice(None) if axes is None else axes] = 0 if pads is None else pads.reshape(2, -1).T
    if (widths < 0).any() or widths[np.array(one.mean.shape) == 1].any():
        return None
    filler = 0.0 if value is None else float(value.reshape(()))
    mean = np.pad(one.mean, widths, constant_values=filler)
    return Expectation(mean, np.pad(one.variance, widths), one.is_normal)


def _bent(work: _Work, node: Node, _: str) -> Expectation | None:
    """Relu, Clip, LeakyRelu, PRelu of what is normally distributed."""
    found = work.known.get(node.inputs[0])
    others = [tensor for tensor in node.inputs[1:] if tensor]
    if found is None or not found.is_normal or not all(map(work.view.is_constant, others)):
        return None
    if node.op in ("Relu", "Clip"):
        return Expectation(*found.normal.clipped(*limits(work.view, node)), False)
    slope = work.view.constants[others[0]] if others else np.asarray(node.attributes.get("alpha", 0.01))
    return Expectation(*found.normal.leaky(slope.astype(np.float64)), False)


def _added(work: _Work, node: Node, _: str) -> Expectation | None:
    """Add: means add up, and so do variances of what is independent."""
    one, constant = work.read(node)
    if one and constant is not None:
        return Expectation(one.mean + constant, one.variance + np.zeros_like(constant), one.is_normal)
    left, right = (work.known.get(tensor) for tensor in node.inputs)
    if left is None or right is None or left is right:
        return None
    return Expectation(left.mean + right.mean, left.variance + right.variance, True)


def _multiplied(work: _Work, node: Node, _: str) -> Expectation | None:
    """Mul by a constant."""
    one, factor = work.read(node)
    if one is None or factor is None:
        return None
    return Expectation(one.mean * factor, one.variance * factor**2, one.is_normal)


def _averaged(work: _Work, node: Node, _: str) -> Expectation | None:
    """AveragePool, GlobalAveragePool, ReduceMean: the mean stays; how much it varies depends on what is unknown."""
    found = work.known.get(node.inputs[0])
    if found is None or (node.integer("count_include_pad", 0) and node.op == "AveragePool"):
        return None
    axes: tuple[int, ...] = tuple(range(2, found.mean.ndim))
    if node.op == "ReduceMean":
        given = work.view.constants.get(node.inputs[1]) if node.inputs[1:] else None
        if given is None or not given.size:
            return None
        axes = tuple(int(axis) for axis in given)
    keeps = node.op != "ReduceMean" or bool(node.integer("keepdims", 1))
    mean = found.mean.mean(axis=axes, keepdims=keeps)
    return Expectation(mean, np.full_like(mean, np.nan), False)


RULES: Mapping[str, Callable[[_Work, Node, str], Expectation | None]] = {
    **dict.fromkeys(("Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze"), _moved),
    **dict.fromkeys(("Concat", "Split", "Slice", "Gather"), _moved),
    **dict.fromkeys(("Relu", "Clip", "LeakyRelu", "PRelu"), _bent),
    **dict.fromkeys(("AveragePool", "GlobalAveragePool", "ReduceMean"), _averaged),
    "Pad": _padded,
    "Add": _added,
    "Mul": _multiplied,
}
"""How what is known goes on; behind all other operators nothing is."""
