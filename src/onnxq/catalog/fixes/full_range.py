"""Moves activations to the middle of their range, so that symmetric codes cover no numbers that never occur."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from onnxq.catalog.formats import FORMATS
from onnxq.core.affine import Affine, reparametrized
from onnxq.core.equations import Equations
from onnxq.core.fix import Case, Fixed
from onnxq.core.graph import GraphView
from onnxq.core.lane_rules import lanes_of
from onnxq.core.lanes import FIXED, Lanes
from onnxq.core.scales import Scales
from onnxq.core.span import span

CODES = 254
"""Steps between the codes -127 and 127."""


@dataclass(frozen=True)
class FullRange:
    """A tensor x with numbers from 0 to a becomes x - a / 2: Relu becomes Clip, biases and maps take the rest up."""

    name: ClassVar[str] = "full-range"
    doc: ClassVar[str] = "activations are shifted to the middle of their range, so that all codes are used"
    preserves: ClassVar[bool] = False

    def __call__(self, case: Case) -> Fixed:
        """See Fix."""
        lanes = lanes_of(case.view)
        view = on_grid(case.view, case.scales)
        lows, highs = ranges(case, lanes)
        scales, shifts = {}, {m: (lows[m] + highs[m]) / 2 for m in lows}
        shifts = solved(lanes, shifts)
        scales = dict(case.scales.activations)
        for group in dict.fromkeys(case.plan.sharing.values()):
            half = 0.0
            for tensor in group:
                ids = lanes.vector(tensor)
                if ids is None:
                    half = np.inf
                    break
                members = lanes.shifts[ids]
                for m in set(members.tolist()):
                    if m == FIXED or m not in lows:
                        half = np.inf
                        break
                    half = max(half, abs(lows[m] - shifts[m]), abs(highs[m] - shifts[m]))
            old = float(case.scales.activations[group[0]].scale)
            new = half / 127
            if new < old:
                for tensor in group:
                    s = np.float32(
                        float(np.float16(new))
                        if float(np.float16(new)) >= new
                        else float(np.nextafter(np.float16(new), np.float16(np.inf)))
                    )
                    scales[tensor] = replace(scales[tensor], scale=s)
        for tensor in case.plan.activations:
            ids = lanes.vector(tensor)
            s = float(scales[tensor].scale)
            if ids is not None:
                for m in set(lanes.shifts[ids].tolist()):
                    if lows.get(m) == 0.0:
                        shifts[m] = round(shifts[m] / s) * s
        shifts = solved(lanes, {m: shifts[m] for m in lows})
        return Fixed(reparametrized(view, Affine.of(lanes, shifts=shifts)), Scales(scales, case.scales.weights))


def on_grid(view: GraphView, scales: Scales) -> GraphView:
    """The graph with quantized weights as they are when they are dequantized."""
    formats = {stored.name: stored for stored in FORMATS}
    rounded = {
        site.tensor: formats[params.spec.format]
        .round_trip(view.constants[site.tensor], params.broadcastable(view.constants[site.tensor].ndim))
        .astype(np.float32)
        for site, params in scales.weights.items()
        if len(view.sites[site.tensor]) == 1
    }
    return replace(view, constants={**view.constants, **rounded})


def ranges(case: Case, lanes: Lanes) -> tuple[dict[int, float], dict[int, float]]:
    """For each shift class that quantized tensors have lanes of, the smallest and the largest number worth keeping."""
    lows: dict[int, float] = {}
    highs: dict[int, float] = {}
    for tensor in case.plan.activations:
        ids, measured = lanes.vector(tensor), case.statistics.tensors.get(tensor)
        if ids is None or measured is None or not measured.is_binned:
            continue
        kept = span(measured, CODES)
        members = lanes.shifts[ids]
        extremes = np.array([[measured.low], [measured.high]])
        if len(set(members.tolist())) > 1:
            if measured.channels.shape[1] != members.size:
                continue
            extremes = measured.channels
        for member, low, high in np.broadcast(members, *np.clip(extremes, kept.low, kept.high)):
            if member != FIXED:
                lows[int(member)] = min(lows.get(int(member), np.inf), float(low))
                highs[int(member)] = max(highs.get(int(member), -np.inf), float(high))
    return lows, highs


def solved(lanes: Lanes, wished: Mapping[int, float]) -> np.ndarray:
    """(lanes,) the shift of each class, at the place of who speaks for it."""
    equations = Equations(lanes.sums)
    sizes = np.bincount(lanes.shifts)
    for member in sorted(wished, key=lambda member: (-sizes[member], member)):
        equations.wish(member, wished[member])
    shifts = np.zeros(lanes.shifts.size)
    if equations.settle():
        shifts[list(equations.values)] = list(equations.values.values())
    return shifts
