"""What choices are made of: a prepared model, its statistics, and a recipe that each choice adds to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from onnxq.catalog import pick
from onnxq.catalog.calibrators import CALIBRATORS
from onnxq.catalog.floats import FLOATS
from onnxq.core.budget import Choice
from onnxq.core.calibrator import Calibrator
from onnxq.core.format import Format, Range
from onnxq.core.group import Group
from onnxq.core.known_scales import KnownScales
from onnxq.core.plan import Plan
from onnxq.core.recipe import Recipe
from onnxq.core.scales import QuantParams, Scales
from onnxq.core.statistics import Statistics, TensorStatistics
from onnxq.core.variant import Variant
from onnxq.pipeline.subject import FORMATS_BY_NAME, Subject, plan_of
from onnxq.stages.scale import activation_params, scale


@dataclass(frozen=True)
class Material:
    """A model and what was measured of it.

    Attributes:
        subject: the prepared model.
        recipe: what was asked for.
        statistics: of all activations that the plan quantizes.
        known: scales from elsewhere, which are not touched.
        plan: full quantization: what the recipe alone asks for.
        groups: what may be left in float.
        ranges: what calibrators chose so far.
    """

    subject: Subject
    recipe: Recipe
    statistics: Statistics
    known: KnownScales
    plan: Plan
    groups: tuple[Group, ...]
    ranges: dict[Any, Range] = field(default_factory=dict)

    @cached_property
    def settled(self) -> frozenset[str]:
        """Activations whose scale is not to be chosen."""
        return frozenset(self.known.scales)

    def asked(self, choice: Choice) -> Recipe:
        """The recipe that a choice comes to."""
        nodes = [site.node for group in self.groups if group.name in choice.floats for site in group.sites]
        return replace(self.recipe, skip=(*self.recipe.skip, *dict.fromkeys(nodes)))

    def variant(self, choice: Choice) -> Variant:
        """What a choice comes to, planned anew: what lies between groups in float may follow them."""
        if len(choice.floats) == len(self.groups):
            plan = replace(self.plan, decisions=(), ties=(), residuals=())
        else:
            plan = plan_of(self.subject, self.asked(choice))
        return Variant(", ".join(sorted(choice.floats)), plan, self._scales(plan, dict(choice.calibrators)))

    def scales_by(self, calibrator: str) -> Scales:
        """The scales of the full plan with another calibrator for all activations; the recipe's if it has no name."""
        return self._final(replace(self._own, activations=self._activations(self.plan, calibrator)))

    @cached_property
    def _own(self) -> Scales:
        calibrators = self._calibrator(""), self._calibrator(self.recipe.weight_calibrator)
        return scale(self.plan, self.subject.view, self.statistics, FORMATS_BY_NAME, calibrators, self.known)

    def _scales(self, plan: Plan, calibrators: Mapping[str, str]) -> Scales:
        found = dict(self._activations(plan, ""))
        for name in sorted(set(calibrators.values())):
            others = self._activations(plan, name)
            found |= {tensor: others[tensor] for tensor in found if calibrators.get(tensor) == name}
        return self._final(replace(self._own, activations=found))

    def _activations(self, plan: Plan, calibrator: str) -> Mapping[str, QuantParams]:
        return activation_params(plan, self.statistics, FORMATS_BY_NAME, self._calibrator(calibrator), self.known)

    def _final(self, scales: Scales) -> Scales:
        rest = pick(FLOATS, self.subject.target.rest, "type of the rest")
        return scales.on_grid(rest).stored_in(self.subject.low)

    def _calibrator(self, spelled: str) -> Calibrator:
        name, _, percentile = (spelled or self.recipe.calibrator).partition(" ")
        chosen: Any = pick(CALIBRATORS, name, "calibrator")
        if name == "percentile":
            chosen = replace(chosen, percentile=float(percentile or self.recipe.percentile))
        return _Remembering(chosen, self.ranges)


@dataclass(frozen=True)
class _Remembering:
    """A calibrator that chooses the range of a tensor once, however many choices quantize it."""

    calibrator: Any
    ranges: dict[Any, Range]

    @property
    def name(self) -> str:
        """See Calibrator."""
        return str(self.calibrator.name)

    @property
    def reads_histogram(self) -> bool:
        """See Calibrator."""
        return bool(self.calibrator.reads_histogram)

    def choose(self, measured: TensorStatistics, stored: Format) -> Range:
        """See Calibrator."""
        key = self.calibrator, stored.name, measured.low, measured.high, hash(measured.histogram.tobytes())
        if key not in self.ranges:
            self.ranges[key] = self.calibrator.choose(measured, stored)
        return self.ranges[key]
