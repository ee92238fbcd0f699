"""Moves activations to the middle of their range, so that symmetric codes cover no numbers that never occur."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from onnxq.catalog.floats.fp16 import FP16
from onnxq.catalog.formats import FORMATS_BY_NAME
from onnxq.core.affine import Affine, reparametrized
from onnxq.core.equations import Equations
from onnxq.core.fix import Case, Fixed
from onnxq.core.format import Range
from onnxq.core.graph import GraphView
from onnxq.core.lane_rules import lanes_of
from onnxq.core.lanes import FIXED, Lanes
from onnxq.core.scales import QuantParams, Scales
from onnxq.core.span import span

BELOW, ABOVE = 128, 127
"""Codes on either side of 0. Where no number is negative 0 gets the code -128, whose value short types hold exactly."""

LEAST, MOST = 0.9, 1.2
"""What a scale must shrink to, to be worth the constants that shifts leave; and what that of a sum may grow to."""

Real = NDArray[np.float64]
Ranges = dict[int, Range]
"""For each shift class what its lanes should cover."""


@dataclass(frozen=True)
class FullRange:
    """A tensor x with numbers from 0 to a becomes x - a / 2: half the scale, so half the error of each number.

    The Relu in front becomes Clip(min=-a / 2). Biases take the shift up, of the layer in front and of those behind;
    where these pad with zeros, a constant behind them puts right what is then missing near the borders. Through an Add
    the shifts of both operands add up. 0 stays on the grid. High biases that equalization would absorb (Nagel et al.
    2019, section 4.1.3) are shifts too, and need no other treatment.
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
        stored = _as_stored(case.view, case.scales)
        view = reparametrized(replace(case.view, constants={**case.view.constants, **stored}), affine)
        view = replace(view, constants={**view.constants, **{name: case.view.constants[name] for name in stored}})
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
        """(lanes,) the shift of each class; 0 where no activation gains by it, or one loses."""
        share = BELOW / (BELOW + ABOVE)
        wishes = {member: kept.low + (kept.high - kept.low) * share for member, kept in self.wanted.items()}
        growths = self._growths(wishes)
        worth = self._members_of(group for group, growth in growths.items() if growth <= LEAST)
        wishes = {member: wish if member in worth else 0.0 for member, wish in wishes.items()}
        while lost := [group for group, growth in self._growths(wishes).items() if growth > MOST]:
            wishes = self._without(wishes, self._members_of(lost))
        return self._solved(wishes)

    @cached_property
    def finer(self) -> Mapping[str, QuantParams]:
        """The scales of what is shifted."""
        found: dict[str, QuantParams] = {}
        for group in self._groups:
            if any(self.shifts[member] for member in self._members_of([group])):
                for tensor in group:
                    params = self.case.scales.activations[tensor]
                    scale = FP16.grid(np.array(float(params.scale) * self._growth(group, self.shifts), np.float32))
                    found[tensor] = replace(params, scale=scale)
        return found

    @cached_property
    def on_grid(self) -> Real:
        """(lanes,) shifts by whole codes, where 0 is what numbers often are."""
        wishes = {member: float(self.shifts[member]) for member in self.wanted}
        for tensor, params in self.finer.items():
            step = float(params.scale)
            for member in self._members_of([(tensor,)]):
                if member in self.wanted and self.wanted[member].low == 0.0:
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
        kept = span(measured, BELOW + ABOVE)
        lows, highs = (np.broadcast_to(row, classes.shape) for row in np.clip(extremes, kept.low, kept.high))
        for member, low, high in zip(classes.tolist(), lows.tolist(), highs.tolist(), strict=True):
            if member != FIXED:
                yield member, Range(low, high)

    @cached_property
    def _groups(self) -> tuple[tuple[str, ...], ...]:
        """Tensors that share a scale."""
        return tuple(dict.fromkeys(self.case.plan.sharing.values()))

    def _members_of(self, groups: Iterable[tuple[str, ...]]) -> set[int]:
        """The classes of all tensors in some groups."""
        ids = (self.lanes.of.get(tensor) for group in groups for tensor in group)
        return {int(member) for one in ids if one is not None for member in self.lanes.shifts[one].flat}

    def _without(self, wishes: Mapping[int, float], members: set[int]) -> dict[int, float]:
        """What is wished for, without some classes; if nothing of them is left, without those that they sum up with."""
        while not any(wishes.get(member) for member in members):
            sums = self.lanes.sums
            around = set(sums[:, np.isin(sums, list(members)).any(0)].ravel().tolist()) | members
            members = around if around != members else set(wishes)
        return {member: 0.0 if member in members else wish for member, wish in wishes.items()}

    def _growths(self, wishes: Mapping[int, float]) -> Mapping[tuple[str, ...], float]:
        shifts = self._solved(wishes)
        return {group: self._growth(group, shifts) for group in self._groups}

    def _growth(self, group: tuple[str, ...], shifts: Real) -> float:
        """The scale that a group needs with some shifts, over the one that it has."""
        params = self.case.scales.activations[group[0]]
        now, needed = float(params.scale), 0.0
        for member in self._members_of([group]) or {FIXED}:
            kept, shift = self.wanted.get(member), float(shifts[member])
            ends = ((shift - kept.low) / BELOW, (kept.high - shift) / ABOVE) if kept and shift else (now,)
            needed = max(needed, *ends)
        return needed / now if not params.known or needed > now else 1.0

    def _solved(self, wishes: Mapping[int, float]) -> Real:
        """(lanes,) the shift of each class: what most lanes wish for first, as far as sums allow; 0 for the others."""
        equations, sizes = Equations(self.lanes.sums), np.bincount(self.lanes.shifts)
        for member in sorted(wishes, key=lambda member: (-sizes[member], member)):
            equations.wish(member, wishes[member])
        equations.settle()
        shifts = np.zeros(self.lanes.shifts.size)
        shifts[list(equations.values)] = list(equations.values.values())
        return shifts


def _as_stored(view: GraphView, scales: Scales) -> Mapping[str, NDArray[np.float32]]:
    """Weights as they are when they are dequantized: shifts are folded into what is computed."""
    rounded = {}
    for site, params in scales.weights.items():
        weight = view.constants[site.tensor]
        if len(view.sites[site.tensor]) == 1:
            codes = FORMATS_BY_NAME[params.spec.format].round_trip(weight, params.broadcastable(weight.ndim))
            rounded[site.tensor] = codes.astype(np.float32)
    return rounded
