"""What the rules of a recipe change in a plan: calibrators, granularities, and what computes in FP32."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from onnxq.core.graph import GraphView
from onnxq.core.plan import Decision, Plan
from onnxq.core.rule import Said, Settings
from onnxq.core.selector import NAME, Selector
from onnxq.core.spec import PerTensor
from onnxq.errors import RecipeError, near_misses

NO_TENSORS: Mapping[str, str] = {}
"""No activation has a calibrator of its own."""


def obey(
    made: Plan, view: GraphView, settings: Mapping[str, Settings], tensors: Mapping[str, str] = NO_TENSORS
) -> Plan:
    """The plan with calibrators and granularities as the rules have them. What it says itself stays.

    Activations that share a scale have one calibrator: that which `tensors` gives to the first of them that it knows,
    else that of the strongest rule for any of their readers.

    Raises:
        RecipeError: `tensors` names what is no tensor of the graph.
    """
    calibrators = {**_calibrators(made, settings), **_of_tensors(made, view, tensors)}
    decisions = (_obeyed(d, settings.get(d.site.node, Settings()), calibrators) for d in made.decisions)
    asked = {name for name, found in settings.items() if found.rest and found.rest.value == "fp32"} | {*made.fp32}
    return replace(made, decisions=tuple(decisions), fp32=tuple(name for name in view.by_name if name in asked))


def check_included(made: Plan, view: GraphView, settings: Mapping[str, Settings]) -> None:
    """Refuses to leave in float what a rule includes.

    Raises:
        RecipeError: the engine cannot run a node in INT8 that a rule includes by its name, or any of those that a
            broader rule includes.
    """
    quantized = {decision.site.node for decision in made.quantized}
    included: dict[str, list[str]] = {}
    for name in view.by_name:
        said = settings.get(name, Settings()).placement
        if said and said.value == "include":
            included.setdefault(str(said.by), []).append(name)
            if said.is_by_name and name not in quantized:
                raise RecipeError(f"{_place(said)}{_refused(made, view, name)}")
    for name in (names[0] for names in included.values() if quantized.isdisjoint(names)):
        said = settings[name].placement
        assert said is not None  # it is among the included
        raise RecipeError(
            f"{_place(said)}'{said.by}' includes nothing that can run in INT8: {_refused(made, view, name)}"
        )


def _place(said: Said[str]) -> str:
    return f"{said.by.origin}: " if said.by.origin else ""


def _refused(made: Plan, view: GraphView, name: str) -> str:
    refusal = made.first_refusals.get(name)
    reason = refusal.reason if refusal else "it reads nothing in float32 that is computed at run time"
    return f"{view.by_name[name]} cannot be included: {reason}."


def _calibrators(made: Plan, settings: Mapping[str, Settings]) -> Mapping[str, Said[str]]:
    """For each quantized activation the strongest rule about its calibrator, unless the plan says something itself."""
    found: dict[tuple[str, ...], Said[str]] = {}
    for decision in made.quantized:
        if decision.site.tensor not in made.sharing:
            continue
        group, said = made.sharing[decision.site.tensor], settings.get(decision.site.node, Settings()).calibrator
        if said and (group not in found or said.strength > found[group].strength):
            found[group] = said
    fixed = {made.sharing[d.site.tensor] for d in made.quantized if d.calibrator and d.site.tensor in made.sharing}
    return {t: said for group, said in found.items() if group not in fixed for t in group}


def _of_tensors(made: Plan, view: GraphView, tensors: Mapping[str, str]) -> Mapping[str, Said[str]]:
    if unknown := [tensor for tensor in tensors if tensor not in view.sites]:
        raise RecipeError(
            f"The recipe calibrates the tensor '{unknown[0]}', which the model lacks."
            f"{near_misses(unknown[0], view.sites)}"
        )
    groups = dict.fromkeys(made.sharing.values())
    chosen = {group: next((tensors[t] for t in group if t in tensors), None) for group in groups}
    return {
        tensor: Said(calibrator, Selector.named(tensor), (NAME, 1, 0))
        for group, calibrator in chosen.items()
        if calibrator
        for tensor in group
    }


def _obeyed(decision: Decision, settings: Settings, calibrators: Mapping[str, Said[str]]) -> Decision:
    spec = decision.spec
    rules = list(_by(settings.placement)) if settings.has("skip") != (spec is not None) else []
    if spec is None:
        return replace(decision, rule=_joined(decision.rule, rules))
    calibrator = calibrators.get(decision.site.tensor) if spec.role == "activation" else settings.weight_calibrator
    if decision.calibrator is None and calibrator:
        decision = replace(decision, calibrator=calibrator.value)
        rules += _by(calibrator)
    cut = settings.weight_granularity
    if spec.role == "weight" and cut and cut.value == "per_tensor":
        decision = replace(decision, spec=replace(spec, granularity=PerTensor()))
        rules += _by(cut)
    return replace(decision, rule=_joined(decision.rule, rules))


def _by(said: Said[str] | None) -> Iterator[str]:
    if said and said.value != "table":
        yield str(said.by)


def _joined(before: str, rules: list[str]) -> str:
    """The selectors of rules, each once."""
    return before or "; ".join(dict.fromkeys(rules))
