"""Learns for each weight whether to round it up or down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from onnxq.catalog.formats import FORMATS_BY_NAME
from onnxq.core.batch import Tensors
from onnxq.core.fix import Case, Fixed
from onnxq.core.graph import GraphView
from onnxq.core.layer import Layer, layers
from onnxq.core.passage import Passage, Seen
from onnxq.core.soft_rounding import Problem, rounded


@dataclass(frozen=True)
class AdaRound:
    """Layer by layer, with the layer's Relu and its shortcut in the objective.

    A weight that lies on its grid already has nothing to be rounded, so this changes nothing behind second-order.

    Attributes:
        places: of a layer's outputs that are looked at.
        steps: of gradient descent.
        size: places in a step.
    """

    name: str = "adaround"
    doc: str = "learns for each weight whether to round it up or down (AdaRound)"
    preserves: bool = False
    places: int = 1 << 14
    steps: int = 300
    size: int = 256

    def __call__(self, case: Case) -> Fixed:
        """See Fix."""
        found, left = layers(case, FORMATS_BY_NAME)
        passage = Passage(case, FORMATS_BY_NAME, self.places)
        view, rounded_ = case.view, 0
        for number, layer in enumerate(found):
            case.observer.advance(number, len(found))
            if not _on_grid(view, layer):
                view = self._rounded(case, view, layer, passage.stop(layer, view))
                rounded_ += 1
        case.observer.advance(len(found), len(found))
        return Fixed(view, case.scales, (f"{rounded_} of {len(found)} weights are rounded by what is learned.", *left))

    def _rounded(self, case: Case, view: GraphView, layer: Layer, batches: Sequence[Seen]) -> GraphView:
        def found() -> Tensors:
            codes = rounded(_problem(view, layer, batches), self.steps, self.size, case.seed)
            return {"codes": layer.weight.format.stored(codes)}

        task = (self, case.seed, layer, layer.held(view), batches)
        return layer.with_codes(view, case.memory.recall(task, found)["codes"])


def _problem(view: GraphView, layer: Layer, batches: Sequence[Seen]) -> Problem:
    linear = layer.linear
    patches = np.concatenate([linear.patches(seen.input, seen.places) for seen in batches], axis=1)
    wanted = np.concatenate([linear.rows(seen.wanted + seen.added, seen.places) for seen in batches], axis=1)
    added = np.concatenate([linear.rows(seen.added, seen.places) for seen in batches], axis=1)
    offset = layer.offset(view).reshape(linear.groups, 1, -1).astype(np.float32)
    return Problem(
        weight=layer.matrices(view).astype(np.float32),
        steps=layer.steps.astype(np.float32),
        most=layer.weight.format.high,
        patches=np.ascontiguousarray(patches),
        added=np.ascontiguousarray(added + offset),
        wanted=np.ascontiguousarray(wanted),
        low=layer.tail.low,
        high=layer.tail.high,
    )


def _on_grid(view: GraphView, layer: Layer) -> bool:
    codes = layer.matrices(view) / layer.steps
    return bool(np.all(np.abs(codes - np.rint(codes)) < 1e-3))
