"""Rounds weights so that the error of one is made good by others, and fits them to what the layer really reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np

from onnxq.catalog.formats import FORMATS_BY_NAME
from onnxq.core.batch import Tensors
from onnxq.core.fix import Case, Fixed
from onnxq.core.graph import GraphView
from onnxq.core.layer import Layer, layers
from onnxq.core.moments import Matrices, Moments
from onnxq.core.passage import Passage, Seen, moments
from onnxq.core.rounding import damped, second_order


@dataclass(frozen=True)
class SecondOrder:
    """Layer by layer, in the order of the graph, so that each sees what was done in front of it.

    What a layer reads in the quantized model is not what it reads in float. Least squares tell which weight makes the
    most of it; that is taken where it does so on samples that it was not found with. Then it is rounded by
    second-order information, and the mean of each channel is put right by the bias.

    Attributes:
        places: of a layer's outputs that are looked at.
        cautions: what a change of the weight costs, from most to least.
        lead: the share of the noise that a weight with less caution has to save on samples that it was not found with.
    """

    name: str = "second-order"
    doc: str = "rounds weights together rather than each to its nearest (GPTQ), and fits them to quantized inputs"
    preserves: bool = False
    places: int = 1 << 15
    cautions: tuple[float, ...] = (1.0, 0.1, 0.01, 0.001)
    lead: float = 0.02

    def __call__(self, case: Case) -> Fixed:
        """See Fix."""
        found, left = layers(case, FORMATS_BY_NAME)
        passage = Passage(case, FORMATS_BY_NAME, self.places)
        view = case.view
        for number, layer in enumerate(found):
            case.observer.advance(number, len(found))
            view = self._rounded(case, view, layer, passage.stop(layer, view))
        case.observer.advance(len(found), len(found))
        return Fixed(view, case.scales, (f"{len(found)} weights are rounded together.", *left))

    def _rounded(self, case: Case, view: GraphView, layer: Layer, batches: Sequence[Seen]) -> GraphView:
        task = (self, layer, layer.held(view), batches)
        found = case.memory.recall(task, lambda: self._found(view, layer, batches))
        return layer.with_codes(layer.shifted(view, found["shift"]), found["codes"])

    def _found(self, view: GraphView, layer: Layer, batches: Sequence[Seen]) -> Tensors:
        aside = batches[3::4]
        sums = [moments(layer, [batch for number, batch in enumerate(batches) if number % 4 != 3])]
        sums += [moments(layer, aside)] if aside else []
        if layer.bias(view) is None:
            sums = [one.about_zero for one in sums]
        whole = reduce(add, sums)
        weight = self._fitted(layer.matrices(view), sums, whole)
        codes = second_order(weight, damped(whole.moment), layer.steps, layer.weight.format.high)
        shift = whole.bias(codes * layer.steps).reshape(-1) - layer.offset(view)
        return {"codes": layer.weight.format.stored(codes), "shift": shift}

    def _fitted(self, weight: Matrices, sums: Sequence[Moments], whole: Moments) -> Matrices:
        """The weight that fits, judged by every fourth batch; less caution has to pay, as it costs rare inputs."""
        if len(sums) == 1:
            return weight
        seen, unseen = sums

        def noise(candidate: Matrices) -> float:
            return float(np.sum(unseen.noise(candidate, seen.bias(candidate))))

        taken, least = None, noise(weight)
        for caution in self.cautions:
            if (found := noise(seen.refitted(weight, caution))) < (1 - self.lead) * least:
                taken, least = caution, found
        return weight if taken is None else whole.refitted(weight, taken)
