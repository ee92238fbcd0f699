"""The tensors that cross one place of a graph, for all samples: a model run piece by piece."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from onnxq.core.batch import Array, Source, Tensors
from onnxq.core.fix import Lab
from onnxq.core.graph import GraphView
from onnxq.core.scales import Scales

MEMORY = 1 << 29
"""Bytes that a front may take, about: of more samples the first are taken."""


class Front:
    """Moves through a graph, node by node. What lies behind it may be changed: it is run when the front gets there.

    Attributes:
        values: for each batch the tensors that nodes in front read, and what those made that were passed last.
    """

    def __init__(self, run: Lab, feeds: Sequence[Tensors]) -> None:
        """Stands at the inputs.

        Args:
            run: makes models that can be run.
            feeds: the samples.
        """
        self._run, self._place = run, 0
        self.values: list[dict[str, Array]] = [dict(batch) for batch in feeds]

    def advance(self, view: GraphView, scales: Scales | None, place: int) -> None:
        """Moves on, unless it is there already.

        Args:
            view: the graph; in what lies behind the front it is the one that there was.
            scales: of its Q/DQ; None to compute in float.
            place: the number of the node to stop in front of.
        """
        if place <= self._place:
            return
        needed = view.read_from(place)
        passed = (tensor for node in view.nodes[self._place : place] for tensor in node.outputs if tensor)
        made = [tensor for tensor in passed if tensor in needed]
        if made:
            piece = view.between(self.values[0], made)
            run = self._run(piece, scales, made)
            for values in self.values:
                found = run({name: values[name] for name in piece.inputs})
                values.update((name, np.asarray(array)) for name, array in found.items())  # scalars come as numbers
        for values in self.values:
            for name in values.keys() - needed:
                del values[name]
        self._place = place


def few_enough(source: Source, view: GraphView) -> tuple[Tensors, ...]:
    """The first batches of a source, as many as fronts have memory for, at least one."""
    found: list[Tensors] = []
    samples, most = 0, max(1, MEMORY // max(1, _widest(view)))
    for batch in source.batches():
        if found and samples + batch.samples > most:
            break
        found.append(batch.feeds)
        samples += batch.samples
    return tuple(found)


def _widest(view: GraphView) -> int:
    """Bytes that cross the place of a graph where most do, for one sample."""
    last = {tensor: number for number, node in enumerate(view.nodes) for tensor in node.inputs}
    ends: dict[int, int] = {}
    held = most = 0
    for number, node in enumerate(view.nodes):
        held -= ends.pop(number, 0)
        for tensor in node.outputs:
            size = 4 * math.prod(_known(view.shapes.get(tensor, ())))
            held += size
            end = last.get(tensor, number) + 1
            ends[end] = ends.get(end, 0) + size
        most = max(most, held)
    return most


def _known(shape: Iterable[int | None]) -> list[int]:
    return [size or 1 for size in shape]
