"""What choices are made of: a prepared model, its statistics, and a recipe that each choice adds to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from onnxq.catalog import pick
from onnxq.catalog.calibrators import calibrator_of
from onnxq.catalog.floats import FLOATS
from onnxq.catalog.formats import FORMATS_BY_NAME
from onnxq.core.batch import Tensors
from onnxq.core.budget import Choice
from onnxq.core.calibrator import spelled
from onnxq.core.execution import Execution
from onnxq.core.group import Group
from onnxq.core.known_scales import KnownScales
from onnxq.core.plan import Plan
from onnxq.core.recipe import Recipe
from onnxq.core.scales import QuantParams, Scales
from onnxq.core.selector import Selector
from onnxq.core.statistics import Statistics
from onnxq.core.variant import Variant
from onnxq.core.work import macs_of
from onnxq.errors import ModelError
from onnxq.pipeline import Scaled
from onnxq.pipeline.measurement import shapes
from onnxq.pipeline.subject import Subject, plan_of
from onnxq.stages.plan.groups import kernels
from onnxq.stages.scale import activation_params, scale

Chosen = dict[tuple[tuple[str, ...], str | None], Mapping[str, QuantParams]]
"""(tensors that share a scale, calibrator) -> their parameters."""


LEFT = "left in float, to keep the budget"
"""The reason for what a search leaves in float."""


@dataclass(frozen=True)
class Material:
    """A model and what was measured of it.

    Attributes:
        planned: the prepared model, for which plans are made.
        subject: the same with fixes that keep what it computes.
        recipe: what was asked for.
        statistics: of all activations that the plan quantizes.
        known: scales from elsewhere, which are not touched.
        plan: full quantization: what the recipe alone asks for.
        groups: what may be left in float.
        macs: the multiply-accumulates of each node for one sample.
        chosen: the scales that were computed so far.
    """

    planned: Subject
    subject: Subject
    recipe: Recipe
    statistics: Statistics
    known: KnownScales
    plan: Plan
    groups: tuple[Group, ...]
    macs: Mapping[str, int]
    chosen: Chosen = field(default_factory=dict)

    @staticmethod
    def of(found: Scaled, recipe: Recipe, sample: Tensors, execution: Execution) -> Material:
        """What choices are made of, once a model is measured.

        Args:
            found: the model, planned as the recipe asks.
            recipe: what was asked for.
            sample: the feeds of one sample.
            execution: how the model is run, if that is the only way to know its shapes.
        """
        ready, subject = found.ready, found.reference
        sizes = shapes(subject, sample, execution)
        return Material(
            ready.subject,
            subject,
            replace(recipe, calibrator=found.calibrator(recipe)),
            found.statistics,
            ready.known,
            ready.plan,
            groups=kernels(ready.plan, subject.view, subject.target, sizes),
            macs={node.name: macs_of(subject.view, node, sizes) for node in subject.view.nodes},
        )

    @cached_property
    def settled(self) -> frozenset[str]:
        """Activations whose scale is not to be chosen: it is known, or the recipe names their calibrator."""
        asked = {d.site.tensor for d in self.plan.quantized if d.calibrator}
        return frozenset(self.known.scales) | asked

    def asked(self, choice: Choice) -> Recipe:
        """The recipe that a choice comes to."""
        return replace(
            self.recipe,
            skip=(*self.recipe.skip, *(Selector.named(name) for name in self._floats(choice))),
            tensors={**self.recipe.tensors, **dict(sorted(choice.calibrators))},
        )

    def plan_of(self, choice: Choice) -> Plan:
        """The plan of a choice, made anew: what lies between groups in float may follow them."""
        try:
            return plan_of(self.planned, self.asked(choice)).skipping(self._floats(choice), LEFT)
        except ModelError:  # nothing is quantized: what is not in float, such as a sum, may be no use without the rest
            return self.plan.only(())

    def _floats(self, choice: Choice) -> Iterable[str]:
        """The nodes that a choice leaves in float."""
        return dict.fromkeys(site.node for group in self.groups if group.name in choice.floats for site in group.sites)

    def variant(self, choice: Choice) -> Variant:
        """What a choice computes."""
        plan = self.plan_of(choice)
        return Variant(", ".join(sorted(choice.floats)), plan, self._scales(plan))

    def share(self, choice: Choice) -> float:
        """The part of all multiply-accumulates that compute in INT8."""
        nodes = {decision.site.node for decision in self.plan_of(choice).quantized}
        return sum(self.macs[name] for name in nodes) / max(1, sum(self.macs.values()))

    def scales_by(self, calibrator: str) -> Scales:
        """The scales of the full plan with one calibrator for all activations; as the recipe asks if it has no name."""
        return self._scales(self.plan.calibrated(calibrator) if calibrator else self.plan)

    @cached_property
    def _weights(self) -> Scales:
        plan = self.plan.only(site for site, _ in self.plan.weights)
        by = calibrator_of(spelled(self.recipe.weight_calibrator, self.recipe.percentile))
        return scale(plan, self.subject.view, self.statistics, FORMATS_BY_NAME, (by, by), self.known)

    def _scales(self, plan: Plan) -> Scales:
        by = {d.site.tensor: d.calibrator for d in plan.quantized if d.site.tensor in plan.sharing}
        wanted = {(group, by[group[0]]) for group in plan.sharing.values()}
        missing = {group for group, _ in wanted - self.chosen.keys()}
        if missing:
            part = plan.only(d.site for d in plan.quantized if plan.sharing.get(d.site.tensor) in missing)
            general = calibrator_of(spelled(self.recipe.calibrator, self.recipe.percentile))
            found = activation_params(
                replace(part, ties=plan.ties), self.statistics, FORMATS_BY_NAME, general, self.known
            )
            for group in missing:
                self.chosen[group, by[group[0]]] = {tensor: found[tensor] for tensor in group}
        activations = {t: self.chosen[plan.sharing[t], by[t]][t] for t in plan.activations}
        rest = pick(FLOATS, self.subject.target.rest, "type of the rest")
        return Scales(activations, self._weights.weights).on_grid(rest).stored_in(self.subject.low)
