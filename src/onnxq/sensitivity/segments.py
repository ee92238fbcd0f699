"""A model cut into consecutive segments, which can be run one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnx

from onnxq import onnx_io
from onnxq.core.crossing import Crossing, crossing
from onnxq.core.graph import GraphView
from onnxq.core.group import Group

MOST = 64
"""Segments of a model. More save little: a variant computes at most one segment that it shares with others."""


@dataclass(frozen=True)
class Segments:
    """A prepared model, and the places where it is cut.

    Attributes:
        view: of the model.
        parts: cuts it.
        borders: places in front of nodes, from 0 to the number of nodes.
        crossing: the tensors that cross each border, which all have a known type; the last are the outputs.
    """

    view: GraphView
    parts: onnx_io.Parts
    borders: tuple[int, ...]
    crossing: Crossing

    @staticmethod
    def of(model: onnx.ModelProto, view: GraphView, groups: Sequence[Group], sizes: Mapping[str, int]) -> Segments:
        """Cuts a model in front of each group, or of several where there are many; never inside a group.

        Args:
            model: a prepared one.
            view: of that model.
            groups: what variants differ in.
            sizes: bytes of tensors: where there is a choice, the place is taken that the fewest cross.
        """
        places = crossing(view)
        borders = (0, *_borders(view, places, groups, sizes), len(view.nodes))
        return Segments(view, onnx_io.Parts(model), borders, tuple(places[border] for border in borders))

    def __len__(self) -> int:
        return len(self.borders) - 1

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """The number of each node's segment."""
        pairs = zip(self.borders, self.borders[1:], strict=False)
        return {node.name: n for n, (start, stop) in enumerate(pairs) for node in self.view.nodes[start:stop]}

    def piece(self, start: int, stop: int) -> onnx.ModelProto:
        """The segments from number `start` up to `stop` as one model. Its inputs and outputs are what crosses."""
        return self.parts.part(
            self.borders[start], self.borders[stop], before=self.crossing[start], behind=self.crossing[stop]
        )


def pieces(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Cuts the segments from `start` up to `stop` at multiples of large powers of two.

    Whatever the range, the pieces come from a small set, so that variants share their sessions; and there are few of
    them, since each one costs time.
    """
    while start < stop:
        size = start & -start or 1 << stop.bit_length()
        while start + size > stop:
            size //= 2
        yield start, start + size
        start += size


def _borders(view: GraphView, places: Crossing, groups: Sequence[Group], sizes: Mapping[str, int]) -> list[int]:
    """Places in front of groups, at most MOST - 1, without the first."""
    numbers = {node.name: place for place, node in enumerate(view.nodes)}
    spans = [sorted(numbers[name] for name in group.nodes) for group in groups]
    inside = {place for span in spans for place in range(span[0] + 1, span[-1] + 1)}
    possible = [p for p in range(len(view.nodes)) if p not in inside and _can_cross(view, places[p])]
    wanted = {max((p for p in possible if p <= span[0]), default=0) for span in spans} - {0}
    if len(wanted) < MOST:
        return sorted(wanted)
    chunks = np.array_split(sorted(wanted), MOST - 1)
    return [min(map(int, chunk), key=lambda place: sum(sizes.get(t, 0) for t in places[place])) for chunk in chunks]


def _can_cross(view: GraphView, tensors: Sequence[str]) -> bool:
    """Whether the types of all `tensors` are known, and such that numpy holds them."""
    known = (view.dtypes.get(tensor, "") for tensor in tensors)
    return all(name == "bool" or (name.startswith(("float", "int", "uint")) and name[-1].isdigit()) for name in known)
