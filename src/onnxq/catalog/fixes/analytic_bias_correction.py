"""Puts means right that rounding the weights has moved, by what BatchNormalization knows of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from onnxq.catalog.formats import FORMATS_BY_NAME
from onnxq.core.border import shares
from onnxq.core.expectation import Expectation, expectations
from onnxq.core.fix import Case, Fixed
from onnxq.core.graph import GraphView
from onnxq.core.layer import Layer, layers

NAMED = 3
"""So many of the layers that are left are named."""


@dataclass(frozen=True)
class AnalyticBiasCorrection:
    """Biases become b - (W_quantized - W) E[x], with b, W and E[x] of the reference. No sample is run.

    Nagel et al. 2019, section 4.2 and appendix C. E[x] is that behind a BatchNormalization, folded or not, as far as
    Relus and what else is in `core/expectation.py` lets it through. A convolution that pads reads zeros near its
    borders: each tap counts with the share of the places where it reads numbers of the input, so that the mean over all
    places is right; where sizes are known at run time only, as if all places lay inside. Constants behind a layer count
    as parts of b. What other fixes have put into biases is replaced, so it comes behind those that change weights.
    """

    name: ClassVar[str] = "analytic-bias-correction"
    doc: ClassVar[str] = "puts means right by what BatchNormalization knows of them; no sample is run"
    preserves: ClassVar[bool] = False

    def __call__(self, case: Case) -> Fixed:
        """See Fix."""
        if not case.reference.normals:
            return Fixed(case.view, notes=("Nothing is known of means: the file has no BatchNormalization.",))
        found, left = layers(case, FORMATS_BY_NAME)
        known = expectations(case.reference)
        view, unknown, without = case.view, [], []
        for layer in found:
            expected = known.get(layer.node.inputs[0])
            shift = None if expected is None else _shift(case.reference, view, layer, expected)
            if layer.bias(view) is None:
                without.append(layer.node.name)
            elif shift is None:
                unknown.append(layer.node.name)
            else:
                view = layer.shifted(view, shift)
        count = len(found) - len(unknown) - len(without)
        notes = (
            f"{count} biases are corrected.",
            *_named("no BatchNormalization tells the mean of what they read", unknown),
            *_named("they have no bias to be corrected", without),
        )
        return Fixed(view, notes=(*notes, *left))


def _shift(reference: GraphView, view: GraphView, layer: Layer, expected: Expectation) -> NDArray[np.float64] | None:
    """(outputs,) what the bias in `view` lacks, 0 where that is not known; None if it is known of no output."""
    convolves = layer.node.op == "Conv"
    means = expected.along(1, layer.linear.inputs) if convolves else expected.along(-1, layer.linear.inputs)
    patch = layer.linear.patch(means, shares(reference, layer.node, layer.linear.shape[2:]))
    weight = reference.constants[reference.by_name[layer.node.name].inputs[1]]
    error = layer.rounded(view) - layer.linear.matrices(weight)
    lacking = layer.constant(reference) - layer.constant(view) - np.einsum("gmk,gk->gm", error, patch).reshape(-1)
    return None if np.isnan(lacking).all() else np.nan_to_num(lacking)


def _named(why: str, names: Sequence[str]) -> tuple[str, ...]:
    """A note on layers that are left."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (f"Left, since {why}: {', '.join(names[:NAMED])}{more}.",) if names else ()
