"""Moves activations to the middle of their range, so that symmetric codes cover no numbers that never occur."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from onnxq.catalog.formats import FORMATS
from onnxq.core.affine import Affine, reparametrized
from onnxq.core.equations import Equations
from onnxq.core.fix import Case, Fixed
from onnxq.core.format import Range
from onnxq.core.graph import GraphView
from onnxq.core.lane_rules import lanes_of
from onnxq.core.lanes import FIXED, Lanes
from onnxq.core.scales import QuantParams, Scales
from onnxq.core.span import span

HALF = 127
"""Codes on each side of 0."""

LEAST = 0.1
"""The part by which a scale must shrink, so that it is worth the constants that shifts leave in the graph."""

Real = NDArray[np.float64]
Ranges = dict[int, Range]
"""For each shift class what its lanes should cover."""


@dataclass(frozen=True)
class FullRange:
    """A tensor x with numbers from 0 to a becomes x - a / 2: half the scale, so half the error of each number.

    The Relu in front becomes Clip(min=-a / 2). Biases take the shift up, of the layer in front and of those behind; where
    these pad with zeros, a constant behind them puts right what is then missing near the borders. Through an Add the
    shifts of both operands add up. 0 stays on the grid. High biases that equalization would absorb (Nagel et al. 2019,
    section 4.1.3) are shifts too, and need no other treatment.
    """

    name: ClassVar[str] = "full-range"
    doc: ClassVar[str] = "shifts activations to the middle of their range, so that all codes are used"
    preserves: ClassVar[bool] = False

    def __call__(self, case: Case) -> Fixed:
        """See Fix."""
        shifted = _Shifted(case, lanes_of(case.view))
        if not shifted.finer:
            return Fixed(case.view, notes=("No activation is shifted: none would be stored any finer.",))
        affine = Affine.of(shifted.lanes, shifts=shifted.on_grid)
        view = reparametrized(_as_stored(case.view, case.scales), affine)
        added = len(view.nodes) - len(case.view.nodes)
        notes = (
            f"{len(shifted.finer)} of {len(case.plan.activations)} activations are shifted.",
            *([f"{added} Adds of constants put right what padding makes of shifted activations."] if added else ()),
        )
        scales = Scales({**case.scales.activations, **shifted.finer}, case.scales.weights)
        return Fixed(view, scales, notes, reparametrized(case.reference, affine))


@dataclass(frozen=True)
class _Shifted:
    """Activations moved to the middle of their ranges, as far as that makes them finer.

    Attributes:
        case: the model.
        lanes: of its graph.
    """

    case: Case
    lanes: Lanes

    @cached_property
    def wanted(self) -> Ranges:
        """What is worth keeping of each class that is quantized."""
        found: Ranges = {}
        for tensor in self.case.plan.activations:
            for member, kept in self._kept(tensor):
                other = found.get(member, kept)
                found[member] = Range(min(kept.low, other.low), max(kept.high, other.high))
        return found

    @cached_property
    def shifts(self) -> Real:
        """(lanes,) the shift of each class, where no code is left over yet."""
        wishes = {member: (kept.low + kept.high) / 2 for member, kept in self.wanted.items()}
        everywhere = self._solved(wishes)
        worth = {
            member for group in self._groups() if self._shrinks(group, everywhere) for member in self._members(group)
        }
        return self._solved({member: wish if member in worth else 0.0 for member, wish in wishes.items()})

    @cached_property
    def finer(self) -> Mapping[str, QuantParams]:
        """The scales of what is stored finer than before, and of what sums move so far that it needs a larger one."""
        found: dict[str, QuantParams] = {}
        for group in dict.fromkeys(self.case.plan.sharing.values()):
            scale = self._scale(group, self.shifts)
            grows = (
                scale > float(self.case.scales.activations[group[0]].scale)
                and self.shifts[[*self._members(group)]].any()
            )
            if grows or (group in self._groups() and self._shrinks(group, self.shifts)):
                found |= {t: replace(self.case.scales.activations[t], scale=np.array(scale, np.float32)) for t in group}
        return found

    @cached_property
    def on_grid(self) -> Real:
        """(lanes,) shifts by whole codes, where 0 is what numbers often are."""
        wishes = {member: float(self.shifts[member]) for member in self.wanted}
        for tensor, params in self.finer.items():
            step = float(params.scale)
            for member in self._members((tensor,)):
                if self.wanted[member].low == 0.0:
                    wishes[member] = round(wishes[member] / step) * step
        return self._solved(wishes)

    def _kept(self, tensor: str) -> Iterator[tuple[int, Range]]:
        """The classes of a tensor, each with the numbers that are worth keeping."""
        ids, measured = self.lanes.vector(tensor), self.case.statistics.tensors.get(tensor)
        if ids is None or measured is None or not measured.is_binned:
            return
        classes = self.lanes.shifts[ids]
        extremes = np.array([[measured.low], [measured.high]])
        if (classes != classes[0]).any():
            if measured.channels.shape[1] != classes.size:
                return
            extremes = measured.channels
        kept = span(measured, 2 * HALF)
        lows, highs = (np.broadcast_to(row, classes.shape) for row in np.clip(extremes, kept.low, kept.high))
        for member, low, high in zip(classes.tolist(), lows.tolist(), highs.tolist(), strict=True):
            if member != FIXED:
                yield member, Range(low, high)

    def _groups(self) -> Iterator[tuple[str, ...]]:
        """Tensors that share a scale, if all their lanes can be shifted."""
        for group in dict.fromkeys(self.case.plan.sharing.values()):
            classes = [self.lanes.vector(tensor) for tensor in group]
            members = {int(m) for ids in classes if ids is not None for m in self.lanes.shifts[ids]}
            if all(ids is not None for ids in classes) and members <= self.wanted.keys():
                yield group

    def _members(self, group: tuple[str, ...]) -> set[int]:
        ids = (self.lanes.of.get(tensor, FIXED) for tensor in group)
        return {int(m) for lanes in ids for m in np.ravel(self.lanes.shifts[lanes])}

    def _scale(self, group: tuple[str, ...], shifts: Real) -> float:
        """The scale that covers all that is wanted of a group, once it is shifted."""
        ranges = ((self.wanted[m], shifts[m]) for m in self._members(group) if m in self.wanted)
        return max((max(shift - kept.low, kept.high - shift) for kept, shift in ranges), default=0.0) / HALF

    def _shrinks(self, group: tuple[str, ...], shifts: Real) -> bool:
        params = self.case.scales.activations[group[0]]
        return not params.known and 0.0 < self._scale(group, shifts) < (1.0 - LEAST) * float(params.scale)

    def _solved(self, wishes: Mapping[int, float]) -> Real:
        """(lanes,) the shift of each class: what most lanes wish for first, as far as sums allow; 0 for the others."""
        equations, sizes = Equations(self.lanes.sums), np.bincount(self.lanes.shifts)
        for member in sorted(wishes, key=lambda member: (-sizes[member], member)):
            equations.wish(member, wishes[member])
        shifts = np.zeros(self.lanes.shifts.size)
        if equations.settle():
            shifts[list(equations.values)] = list(equations.values.values())
        return shifts


def _as_stored(view: GraphView, scales: Scales) -> GraphView:
    """The graph with quantized weights as they are when they are dequantized: shifts are folded into what is computed."""
    formats = {stored.name: stored for stored in FORMATS}
    rounded = {}
    for site, params in scales.weights.items():
        weight = view.constants[site.tensor]
        if len(view.sites[site.tensor]) == 1:
            codes = formats[params.spec.format].round_trip(weight, params.broadcastable(weight.ndim))
            rounded[site.tensor] = codes.astype(np.float32)
    return replace(view, constants={**view.constants, **rounded})
