"""Measures channels in units in which they fill their codes, wherever weights around them can take the units up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from onnxq.catalog.formats import FORMATS_BY_NAME
from onnxq.core.affine import Affine, reparametrized
from onnxq.core.amplitude import best_amplitude
from onnxq.core.balance import Shared, Weighted, balanced
from onnxq.core.channel_values import Values, channel_values, looked_at
from onnxq.core.fix import Case, Fixed
from onnxq.core.format import Format, Range
from onnxq.core.gains import Gains
from onnxq.core.graph import GraphView, Site
from onnxq.core.lane_rules import lanes_of
from onnxq.core.lanes import FIXED, Lanes
from onnxq.core.meter import Meter
from onnxq.core.names import without_names
from onnxq.core.noise_source import NoiseSource, NoiseSources
from onnxq.core.scales import QuantParams, Scales
from onnxq.core.spec import PerAxis

STRENGTHS = (0.25, 0.5, 0.75, 1.0)
"""Powers of the units that are compared with leaving all as it is."""

WORTH = 0.97
"""The share of the noise that must be left at the most, for a change to be more than chance."""

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Equalization:
    """Cross-layer equalization: one unit for all that must share it, through residual streams too.

    Nagel et al. 2019, section 4.1, and Meller et al. 2019 make the ranges of pairs of layers equal. Here the units of
    the whole graph are those for which a model of the noise of all activations and weights is smallest; what both add
    is measured. How far to follow the model is then measured at the outputs, for other samples. The biases that Nagel
    et al. absorb (section 4.1.3) are covered by the shifts of full-range.

    Attributes:
        samples: that noise is measured on, about.
        strengths: powers of the units that are compared.
    """

    name: ClassVar[str] = "equalization"
    doc: ClassVar[str] = "channels are measured in units that let them fill their codes, through residual streams too"
    preserves: ClassVar[bool] = True
    samples: int = 64
    strengths: tuple[float, ...] = STRENGTHS

    def __call__(self, case: Case) -> Fixed:
        """See Fix."""
        lanes = lanes_of(case.view)
        free = np.setdiff1d(lanes.scales, [FIXED])
        if not free.size or not case.plan.activations:
            return Fixed(case.view, notes=("No channel can be rescaled.", *_reasons(lanes)))
        start = looked_at(case) if len(case.samples) > 1 else 0
        trial = _Trial(case, lanes, _values(case, lanes), Meter.of(case, self.samples, start))
        parts = trial.parts()
        if not parts:
            return Fixed(case.view, notes=("Nothing that is quantized can be rescaled.", *_reasons(lanes)))
        units = balanced(parts, lanes.scales.size, free)
        strength = trial.best(units, self.strengths)
        if not strength:
            return Fixed(case.view, notes=("No unit is changed: the error would not get smaller.", *_reasons(lanes)))
        count = int((np.abs(np.log(units[free])) > 0.01).sum())
        notes = (f"{count} of {free.size} units are changed, at strength {strength:g}.", *_reasons(lanes))
        return Fixed(trial.changed(units**strength), notes=notes)


@dataclass(frozen=True)
class _Trial:
    """Tries units.

    Attributes:
        case: the model.
        lanes: of its graph.
        values: of activations.
        meter: of noise, on samples that gave no values: scales that just cover those clip others.
    """

    case: Case
    lanes: Lanes
    values: Mapping[str, Values]
    meter: Meter

    def parts(self) -> tuple[Shared | Weighted, ...]:
        """What makes noise, as much as is measured."""
        active = {tensor: (values > 0).mean(1) for tensor, values in self.values.items()}
        gains = Gains(self.case.view, self.lanes, active)
        found = tuple(NoiseSources(self.case, self.lanes, self.values, gains))
        return (*self._measured(found, Shared), *self._measured(found, Weighted))

    def _measured(
        self, found: Sequence[NoiseSource], kind: type[Shared] | type[Weighted]
    ) -> tuple[Shared | Weighted, ...]:
        """Those of a kind, with as much noise as all of them make together."""
        chosen = [source for source in found if isinstance(source.part, kind)]
        ones = np.ones(self.lanes.scales.size)
        told = sum(source.part.noise(ones, np.zeros(ones.size)) for source in chosen)
        if not told:
            return tuple(source.part for source in chosen)
        activations = {tensor: params for source in chosen for tensor, params in source.scales.activations.items()}
        weights = {site: params for source in chosen for site, params in source.scales.weights.items()}
        factor = self.meter.noise(self.case.view, Scales(activations, weights)) / told
        return tuple(replace(source.part, gains=source.part.gains * factor) for source in chosen)

    def changed(self, units: Real) -> GraphView:
        """The graph in other units."""
        return reparametrized(self.case.view, Affine.of(self.lanes, scales=units))

    def best(self, units: Real, strengths: tuple[float, ...]) -> float:
        """The power of the units that makes the least noise, 0 if none is better than nothing."""
        least, best = self._noise(np.ones(units.size)) * WORTH, 0.0
        for number, strength in enumerate(strengths):
            self.case.observer.advance(number, len(strengths))
            noise = self._noise(units**strength)
            if noise < least:
                least, best = noise, strength
        self.case.observer.advance(len(strengths), len(strengths))
        return best

    def _noise(self, units: Real) -> float:
        view = self.changed(units)
        return self.meter.noise(view, Scales(self._activations(units), self._weights(view)))

    def _activations(self, units: Real) -> Mapping[str, QuantParams]:
        found = {}
        for group in dict.fromkeys(self.case.plan.sharing.values()):
            covered = best_amplitude([self._inside(tensor, units) for tensor in group])
            for tensor in group:
                params = self.case.scales.activations[tensor]
                scale = _stored(params).scale(Range(-covered, covered))
                found[tensor] = replace(params, scale=np.array(scale or params.scale, np.float32))
        return found

    def _inside(self, tensor: str, units: Real) -> Values:
        values, ids = self.values[tensor], self.lanes.vector(tensor)
        if ids is None or ids.size != len(values):
            return values
        return np.asarray(values / units[self.lanes.scales[ids]][:, None], np.float32)

    def _weights(self, view: GraphView) -> Mapping[Site, QuantParams]:
        found = {}
        for site, params in self.case.scales.weights.items():
            weight, cut = np.abs(view.constants[site.tensor]), params.spec.granularity
            axis = cut.axis % weight.ndim if isinstance(cut, PerAxis) else None
            tops = weight.max() if axis is None else np.moveaxis(weight, axis, 0).reshape(len(params.scale), -1).max(1)
            scale = (tops / _stored(params).high).astype(np.float32)
            found[site] = replace(params, scale=np.where(scale > 0, scale, params.scale))
        return found


def _stored(params: QuantParams) -> Format:
    """The format behind a scale."""
    return FORMATS_BY_NAME[params.spec.format]


def _values(case: Case, lanes: Lanes) -> Mapping[str, Values]:
    """Of all quantized activations, and of what quantized weights multiply."""
    nodes = (case.view.by_name[site.node] for site, _ in case.plan.weights)
    read = (node.inputs[0] for node in nodes if not case.view.is_constant(node.inputs[0]))
    return channel_values(case, lanes, tuple(dict.fromkeys((*case.plan.activations, *read))))


def _reasons(lanes: Lanes) -> tuple[str, ...]:
    """Sentences on what is left as it is."""
    nodes: dict[str, list[str]] = defaultdict(list)
    for node, reason in lanes.frozen.items():
        nodes[without_names(reason)].append(f"'{node}'")
    return tuple(f"Left as they are, since {why}: {', '.join(found)}." for why, found in nodes.items())
