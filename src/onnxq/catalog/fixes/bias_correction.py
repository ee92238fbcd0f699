"""Puts the mean of each output channel right, which rounding has moved."""

from __future__ import annotations

from dataclasses import dataclass

from onnxq.catalog.formats import FORMATS_BY_NAME
from onnxq.core.fix import Case, Fixed
from onnxq.core.layer import layers
from onnxq.core.passage import Passage, moved


@dataclass(frozen=True)
class BiasCorrection:
    """Layer by layer, in the order of the graph, so that each sees what was corrected in front of it.

    Nagel et al. 2019, section 4.2, with measured means. Those that BatchNorm knows are gone once it is folded; and
    measured ones hold for any operator in front, and see the error of the layer's input too.

    Attributes:
        places: of a layer's outputs that are looked at.
    """

    name: str = "bias-correction"
    doc: str = "puts the mean of each output channel right, which rounding has moved"
    preserves: bool = False
    places: int = 1 << 17

    def __call__(self, case: Case) -> Fixed:
        """See Fix."""
        found, left = layers(case, FORMATS_BY_NAME)
        passage = Passage(case, FORMATS_BY_NAME, self.places)
        view, without = case.view, []
        for number, layer in enumerate(found):
            case.observer.advance(number, len(found))
            if layer.bias(view) is None:
                without.append(f"{layer.node} has no bias to be corrected.")
            else:
                view = layer.shifted(view, moved(layer, view, passage.stop(layer, view)))
        case.observer.advance(len(found), len(found))
        count = len(found) - len(without)
        return Fixed(view, case.scales, (f"{count} biases are corrected.", *without, *left))
