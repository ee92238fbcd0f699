"""The channels of a graph as they run through it: which may be measured in another unit, or from another zero.

Each channel of each tensor is a lane, a number. What only moves numbers (Reshape, Split, MaxPool) hands lanes on. Lanes
of one scale class must be divided by one number, if what the graph computes is to stay the same: those of the operands
of an Add, say. Lanes of one shift class must have one number subtracted. Lane 0 is left as it is, and with it all that
is of its class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from onnxq.core.classes import Classes, Ids
from onnxq.core.graph import GraphView, Shape

FIXED = 0
"""The lane of what is left as it is."""


@dataclass(frozen=True)
class Lanes:
    """The lanes of a graph.

    Attributes:
        of: for each float tensor its lanes, in as many axes as it has; of size 1 where they are the same along one.
        scales: (lanes,) the scale class of each lane.
        shifts: (lanes,) the shift class of each lane.
        sums: (3, equations) shift classes: the first of a column is the sum of the other two.
        bordered: convolutions that pad what they read: if that is shifted, a constant must be added behind.
        frozen: for each node that leaves what it reads as it is, why.
    """

    of: Mapping[str, Ids]
    scales: Ids
    shifts: Ids
    sums: Ids
    bordered: frozenset[str]
    frozen: Mapping[str, str]

    def vector(self, tensor: str) -> Ids | None:
        """(channels,) the lanes of a tensor whose lanes differ along one axis at most; None of any other."""
        ids = self.of.get(tensor)
        return None if ids is None or sum(size > 1 for size in ids.shape) > 1 else ids.ravel()


@dataclass
class Survey:
    """Lanes in the making.

    Attributes:
        view: the graph.
        of: lanes by tensor, so far.
        scales: scale classes, so far.
        shifts: shift classes, so far.
        sums: lanes of results and both operands.
        bordered: convolutions that pad.
        frozen: why nodes carry nothing.
        count: how many lanes there are.
    """

    view: GraphView
    of: dict[str, Ids] = field(default_factory=dict)
    scales: Classes = field(default_factory=Classes)
    shifts: Classes = field(default_factory=Classes)
    sums: list[tuple[Ids, Ids, Ids]] = field(default_factory=list)
    bordered: set[str] = field(default_factory=set)
    frozen: dict[str, str] = field(default_factory=dict)
    count: int = 1

    def lanes(self, tensor: str) -> Ids:
        """The lanes of `tensor`; those of inputs, and of what has no known rank, are fixed."""
        if tensor not in self.of:
            rank = len(self.shape(tensor) or ())
            self.of[tensor] = np.zeros((1,) * rank, np.int64)
        return self.of[tensor]

    def new(self, shape: tuple[int, ...]) -> Ids:
        """Lanes that nothing is known of."""
        first, self.count = self.count, self.count + int(np.prod(shape, dtype=np.int64))
        self.scales.grow(self.count)
        self.shifts.grow(self.count)
        return np.arange(first, self.count, dtype=np.int64).reshape(shape)

    def like(self, ids: Ids) -> Ids:
        """New lanes where others are, of their scales."""
        made = self.new(ids.shape)
        self.scales.join(made, ids)
        return made

    def fix(self, ids: Ids, *, scales: bool = True, shifts: bool = True) -> None:
        """Leaves lanes as they are."""
        if scales:
            self.scales.join(ids, FIXED)
        if shifts:
            self.shifts.join(ids, FIXED)

    def along(self, tensor: str, axis: int, size: int) -> Ids | None:
        """(size,) the lanes of a tensor that has the same ones everywhere but along `axis`; else None."""
        ids = self.lanes(tensor)
        if not -ids.ndim <= axis < ids.ndim or ids.shape[axis] not in (1, size) or ids.size != ids.shape[axis]:
            return None
        return np.broadcast_to(ids.ravel(), (size,))

    def shape(self, tensor: str) -> Shape | None:
        """What is known of a tensor's shape."""
        return self.view.constants[tensor].shape if self.view.is_constant(tensor) else self.view.shapes.get(tensor)

    def done(self) -> Lanes:
        """The lanes, once all nodes were seen; what leaves the graph is left as it is."""
        for tensor in (*self.view.inputs, *self.view.outputs, *self.view.captured):
            if tensor in self.of:
                self.fix(self.of[tensor])
        shifts = self.shifts.roots()
        equations = [np.stack([np.ravel(part) for part in np.broadcast_arrays(*parts)]) for parts in self.sums]
        sums = shifts[np.concatenate([np.zeros((3, 0), np.int64), *equations], axis=1)]
        return Lanes(
            self.of, self.scales.roots(), shifts, np.unique(sums, axis=1), frozenset(self.bordered), self.frozen
        )
