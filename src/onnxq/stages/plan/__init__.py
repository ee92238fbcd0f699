"""Decides where Q/DQ pairs go: interprets a target's table over a graph, and names no target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from onnxq.core.graph import GraphView
from onnxq.core.plan import Plan
from onnxq.core.rule import Match, Rule, Settings, matches, resolve
from onnxq.core.target import Target
from onnxq.errors import PlanError
from onnxq.stages.plan.check import check_not_empty, check_plan, refuse_quantized
from onnxq.stages.plan.layers import layers
from onnxq.stages.plan.obey import NO_TENSORS, check_included, obey
from onnxq.stages.plan.place import place
from onnxq.stages.plan.residuals import AS_FOUND, Overrides, residual_joins, said_shortcuts
from onnxq.stages.plan.ties import tie

__all__ = ["check_plan", "layers", "matched", "plan", "replan"]


def plan(
    view: GraphView,
    target: Target,
    rules: Iterable[Rule] = (),
    residuals: Overrides = AS_FOUND,
    tensors: Mapping[str, str] = NO_TENSORS,
) -> Plan:
    """Every decision about `view`, each with its sentence.

    Args:
        view: a prepared graph.
        target: the table to interpret.
        rules: of a recipe, with the parameters of their calibrators written out.
        residuals: which operand of some residual joins is the shortcut.
        tensors: the calibrators of single activations.

    Raises:
        RecipeError: a selector matches no node, or asks for what the engine cannot run; there is no such tensor.
        ModelError: nothing can be quantized, or the model is quantized already.
    """
    refuse_quantized(view)
    settings = resolve(rules, view, layers(view, target))
    included = frozenset(name for name, found in settings.items() if found.has("include"))
    placed = place(view, target, _skipped(settings, residuals), included, residuals)
    check_not_empty(placed)
    check_included(placed, view, settings)
    return _marked(obey(tie(placed, view, target), view, settings, tensors), residuals)


def _skipped(settings: Mapping[str, Settings], residuals: Overrides) -> frozenset[str]:
    """What stays in float on request: joins of which no operand is to be quantized, too."""
    joins = (name for name, shortcut in residuals.items() if shortcut is None)
    return frozenset((*(name for name, found in settings.items() if found.has("skip")), *joins))


def _marked(made: Plan, residuals: Overrides) -> Plan:
    """The plan with a word on each edge into a join that somebody knew better about."""
    decisions = (replace(d, rule=d.rule or "residuals") if d.site.node in residuals else d for d in made.decisions)
    return replace(made, decisions=tuple(decisions))


def replan(
    made: Plan,
    view: GraphView,
    target: Target,
    rules: Iterable[Rule] = (),
    residuals: Overrides = AS_FOUND,
    tensors: Mapping[str, str] = NO_TENSORS,
) -> Plan:
    """A plan that somebody else made, less what the rules skip, and with their settings where it has none itself.

    Raises:
        RecipeError: a selector matches no node, or a rule includes what the plan leaves in float.
        PlanError: another operand of a residual join is quantized than should be.
    """
    residual_joins(view, target, residuals)  # refuses what cannot be
    for name, quantized in said_shortcuts(made).items():
        if residuals.get(name, quantized) not in (quantized, None):
            raise PlanError(
                f"The plan quantizes operand {quantized} of the residual join '{name}', but {residuals[name]} is asked "
                "for. Make the plan anew with the same recipe."
            )
    settings = resolve(rules, view, layers(view, target))
    kept = made.without(_skipped(settings, residuals))
    check_included(kept, view, settings)
    return obey(kept, view, settings, tensors)


def matched(view: GraphView, target: Target, rules: Iterable[Rule]) -> tuple[Match, ...]:
    """Each rule with the nodes that it means.

    Raises:
        RecipeError: a selector matches no node.
    """
    return matches(rules, view, layers(view, target))
