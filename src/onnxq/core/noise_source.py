"""What makes noise in a quantized model: each scale, with how its noise depends on the units of channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from onnxq.core.amplitude import best_amplitude
from onnxq.core.balance import Shared, Weighted
from onnxq.core.channel_values import Values
from onnxq.core.channels import weight_channels
from onnxq.core.fix import Case
from onnxq.core.gains import Gains
from onnxq.core.graph import Node, Site
from onnxq.core.lanes import FIXED, Lanes
from onnxq.core.scales import Scales
from onnxq.core.spec import PerAxis, Spec

Real = NDArray[np.float64]

FAINTEST = 0.03
"""Channels that are smaller than this share of the largest may be larger for other inputs."""


@dataclass(frozen=True)
class NoiseSource:
    """Something that is rounded.

    Attributes:
        part: how its noise depends on units.
        scales: of it alone.
    """

    part: Shared | Weighted
    scales: Scales


@dataclass(frozen=True)
class NoiseSources:
    """Finds what makes noise.

    Attributes:
        case: the model.
        lanes: of its graph.
        values: of all activations and of what weights multiply.
        gains: of noise in channels.
    """

    case: Case
    lanes: Lanes
    values: Mapping[str, Values]
    gains: Gains

    def __iter__(self) -> Iterator[NoiseSource]:
        """Those that depend on some unit, activations first."""
        sources = (*map(self._activations, dict.fromkeys(self.case.plan.sharing.values())), *self._weights())
        for source in sources:
            makes = source.part.makes if isinstance(source.part, Weighted) else None
            if (source.part.classes != FIXED).any() or (makes is not None and (makes != FIXED).any()):
                yield source

    def _activations(self, group: tuple[str, ...]) -> NoiseSource:
        parts = [self._activation(tensor) for tensor in group]
        classes, *numbers = (np.concatenate(column) for column in zip(*parts, strict=True))
        return NoiseSource(
            Shared(classes.astype(np.int64), *numbers),
            Scales({tensor: self.case.scales.activations[tensor] for tensor in group}, {}),
        )

    def _activation(self, tensor: str) -> tuple[NDArray[np.int64], Real, Real, Real, Real]:
        """Columns of Shared."""
        values = self.values[tensor]
        ids = self.lanes.vector(tensor)
        known = ids is not None and ids.size == len(values)
        classes = self.lanes.scales[ids] if ids is not None and known else np.zeros(len(values), np.int64)
        amplitudes = np.maximum([best_amplitude([row]) for row in values], self._extremes(tensor, len(values)))
        least = FAINTEST * amplitudes.max(initial=0.0)
        gains = np.zeros(len(values))
        for site in self.case.view.sites.get(tensor, ()):
            if site in self._edges:
                gains += np.resize(self.gains.site(site), len(values))
        energies = np.maximum(np.square(values, dtype=np.float64).mean(1), least**2 / 16)
        shares = np.maximum((values != 0).mean(1), 1 / 64)
        return classes, np.maximum(amplitudes, least), gains, shares, energies

    def _extremes(self, tensor: str, channels: int) -> Real:
        """(channels,) the largest magnitudes of all samples: what few samples excite must not be clipped in these."""
        measured = self.case.statistics.tensors.get(tensor)
        if measured is None or measured.channels.shape[1] != channels:
            return np.zeros(channels)
        return np.asarray(np.abs(measured.channels).max(0))

    @cached_property
    def _edges(self) -> frozenset[Site]:
        return frozenset(decision.site for decision in self.case.plan.quantized)

    def _weights(self) -> Iterator[NoiseSource]:
        for site, spec in self.case.plan.weights:
            node = self.case.view.by_name[site.node]
            if site.index == 1 and node.name not in self.lanes.frozen and node.inputs[0] in self.values:
                part = self._weight(node, self.case.view.constants[site.tensor].astype(np.float64), spec)
                yield NoiseSource(part, Scales({}, {site: self.case.scales.weights[site]}))

    def _weight(self, node: Node, weight: Real, spec: Spec) -> Weighted:
        taps = weight.reshape(*weight.shape[:2], -1)
        reads, makes = (
            found.reshape(taps.shape[:2]) for found in np.broadcast_arrays(*weight_channels(node, taps[:, :, :1]))
        )
        inputs, outputs = int(reads.max()) + 1, int(makes.max()) + 1
        order = np.argsort(makes, axis=None, kind="stable").reshape(outputs, -1)
        read = np.broadcast_to(self.lanes.of[node.inputs[0]].ravel(), (inputs,))
        made = np.broadcast_to(self.lanes.of[node.outputs[0]].ravel(), (outputs,))
        powers = np.broadcast_to(np.square(self.values[node.inputs[0]], dtype=np.float64).mean(1), (inputs,))
        powers = np.maximum(powers, FAINTEST**2 / 16 * powers.max(initial=0.0))
        columns = reads.ravel()[order]
        return Weighted(
            self.lanes.scales[read][columns],
            np.abs(taps).max(2).ravel()[order],
            np.square(taps).mean(2).ravel()[order],
            powers[columns] * taps.shape[2],
            np.broadcast_to(self.gains.tensor(node.outputs[0]).ravel(), (outputs,)),
            None if isinstance(spec.granularity, PerAxis) else self.lanes.scales[made],
        )
