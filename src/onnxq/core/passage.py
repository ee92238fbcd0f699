"""A walk through a model, quantized and in float side by side, from layer to layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from onnxq.core.batch import Tensors
from onnxq.core.fix import Case
from onnxq.core.format import Format
from onnxq.core.front import Front, few_enough
from onnxq.core.graph import GraphView
from onnxq.core.layer import Layer, Tail, stored
from onnxq.core.linear import Floats
from onnxq.core.moments import Moments

CHUNK = 8192
"""Places whose patches are in memory at a time."""


@dataclass(frozen=True)
class Seen:
    """One batch as a layer sees it.

    Attributes:
        input: what it reads in the quantized model.
        wanted: what is to come of it.
        added: what its tail adds to that in the quantized model, in the same shape.
        places: of the output that are looked at, as flat numbers.
    """

    input: Floats
    wanted: Floats
    added: Floats
    places: NDArray[np.intp]

    def at(self, layer: Layer, places: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Patches (groups, places, columns) at some places, and what is to come of them (groups, places, rows)."""
        return layer.linear.patches(self.input, places), layer.linear.rows(self.wanted, places)


class Passage:
    """Stops in front of one layer after the other."""

    def __init__(self, case: Case, formats: Mapping[str, Format], places: int) -> None:
        """Starts at the inputs.

        Args:
            case: the model.
            formats: by name.
            places: of a layer's outputs that are looked at, about.
        """
        feeds = few_enough(case.samples, case.view)
        self._case, self._formats, self._places = case, formats, places
        self._numbers = {node.name: number for number, node in enumerate(case.view.nodes)}
        self._ahead = {node.name: number for number, node in enumerate(case.reference.nodes)}
        self._quantized = Front(case.run, feeds)
        self._float = Front(case.run, feeds)

    def stop(self, layer: Layer, view: GraphView) -> tuple[Seen, ...]:
        """What `layer` sees in `view`, batch by batch.

        What is wanted is its output in float, less the errors of what is added to it: of a shortcut, and of constants
        that were worked out for other weights.
        """
        self._quantized.advance(view, self._case.scales, self._numbers[layer.node.name])
        self._float.advance(self._case.reference, None, self._ahead[layer.node.name] + 1)
        return tuple(self._batches(layer))

    def _batches(self, layer: Layer) -> Iterator[Seen]:
        several, case = len(self._float.values), self._case
        constants = _sum(case.view, layer.tail), _sum(case.reference, Tail.of(case.reference, layer.node))
        pairs = zip(self._quantized.values, self._float.values, strict=True)
        for number, (here, there) in enumerate(pairs):
            read, wanted = here[layer.node.inputs[0]], there[layer.node.outputs[0]]
            added = np.broadcast_to(constants[0], wanted.shape)
            wanted, added = self._joined(layer, wanted + constants[1] - constants[0], added, here, there)
            if layer.input:
                read = layer.input.seen(read)
            draw = np.random.default_rng((self._case.seed, self._numbers[layer.node.name], number))
            total, most = layer.linear.places(wanted), max(1, self._places // several)
            places = np.arange(total) if total <= most else np.sort(draw.choice(total, most, replace=False))
            yield Seen(read, wanted, added, places)

    def _joined(
        self, layer: Layer, wanted: Floats, added: Floats, here: Tensors, there: Tensors
    ) -> tuple[Floats, Floats]:
        """What is wanted less the error of the shortcut; and all that is added behind."""
        shortcut = layer.tail.shortcut
        if shortcut is None or not (shortcut.tensor in here and shortcut.tensor in there):
            return wanted, added
        kept = stored(self._case, shortcut, self._formats)
        brought = here[shortcut.tensor]
        brought = kept.seen(brought) if kept else brought
        return wanted + (there[shortcut.tensor] - brought), added + brought


def _sum(view: GraphView, tail: Tail) -> Floats:
    """The sum of the constants that a tail adds, as far as their shapes go."""
    return sum((view.constants[name] for name in tail.constants), np.zeros((), np.float32))


def moved(layer: Layer, view: GraphView, batches: Sequence[Seen]) -> NDArray[np.float64]:
    """How much the mean of each output of a layer lacks: (outputs,)."""
    patch, target, count = 0.0, 0.0, 0
    for batch in batches:
        patches, wanted = batch.at(layer, batch.places)
        patch, target = patch + patches.sum(axis=1, dtype=np.float64), target + wanted.sum(axis=1, dtype=np.float64)
        count += len(batch.places)
    made = np.einsum("gmk,gk->gm", layer.rounded(view), patch)
    return np.asarray((target - made) / count).reshape(-1) - layer.offset(view)


def moments(layer: Layer, batches: Sequence[Seen]) -> Moments:
    """The sums over the places of some batches, at least one."""
    sums: list[Moments] = []
    held: list[tuple[Floats, Floats]] = []
    for batch in batches:
        for start in range(0, len(batch.places), CHUNK):
            held.append(batch.at(layer, batch.places[start : start + CHUNK]))
            if sum(patches.shape[1] for patches, _ in held) >= CHUNK:
                sums.append(_summed(held))
                held = []
    return reduce(add, [*sums, _summed(held)] if held else sums)


def _summed(held: Sequence[tuple[Floats, Floats]]) -> Moments:
    """In one go, as products of small matrices are slow."""
    patches, wanted = (np.concatenate(parts, axis=1) for parts in zip(*held, strict=True))
    return Moments.of(patches, wanted)
