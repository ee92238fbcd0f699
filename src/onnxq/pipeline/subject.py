"""A model on its way to being quantized: read, prepared, planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import onnx

from onnxq import onnx_io
from onnxq.catalog import pick
from onnxq.catalog.calibrators import calibrator_of
from onnxq.catalog.calibrators.auto import Auto
from onnxq.catalog.floats import FLOATS
from onnxq.catalog.floats.fp32 import FP32
from onnxq.catalog.formats import FORMATS, FORMATS_BY_NAME
from onnxq.catalog.targets import TARGETS
from onnxq.core.float_type import FloatType
from onnxq.core.graph import GraphView
from onnxq.core.normal import Normal
from onnxq.core.plan import Plan
from onnxq.core.recipe import Recipe
from onnxq.core.rule import Match, Rule
from onnxq.core.target import Target
from onnxq.errors import ModelError, RecipeError
from onnxq.runtimes import onnxruntime
from onnxq.stages.plan import check_plan, matched, replan
from onnxq.stages.plan import plan as make_plan
from onnxq.stages.prepare import Prepared, prepare

Model = onnx.ModelProto | str | Path


@dataclass(frozen=True)
class Subject:
    """A model that is ready to be planned."""

    prepared: Prepared
    view: GraphView
    target: Target
    low: FloatType

    @property
    def opset(self) -> int:
        """Of ai.onnx."""
        return int(next(entry.version for entry in self.prepared.model.opset_import if not entry.domain))

    def edited(self, model: onnx.ModelProto, normals: Mapping[str, Normal]) -> Subject:
        """The same with what fixes made of the prepared model, and of what BatchNormalization knew."""
        prepared = replace(self.prepared, model=model, normals=normals)
        return replace(self, prepared=prepared, view=_view(prepared))

    @cached_property
    def fingerprint(self) -> str:
        """What tells its prepared graph and its weights from those of other models."""
        return onnx_io.fingerprint(self.prepared.model)


def load(model: Model) -> onnx.ModelProto:
    """The model itself, read if it is a path.

    Raises:
        ModelError: it cannot be read.
    """
    if isinstance(model, onnx.ModelProto):
        return model
    if not isinstance(model, str | Path):
        raise ModelError(f"A model is a path or an onnx.ModelProto. Got {type(model).__name__}.")
    return onnx_io.load(Path(model))


def read(given: onnx.ModelProto, recipe: Recipe) -> Subject:
    """Prepares a model for planning.

    Raises:
        ModelError: it cannot be prepared.
        RecipeError: there is no such target, or no such type for the rest.
    """
    target = pick(TARGETS, recipe.target, "target")
    low = pick(FLOATS, recipe.rest or target.rest, "type of the rest")
    if not recipe.int8 and low == FP32:
        raise RecipeError("Without INT8, and with the rest in FP32, nothing is left to do. Give --rest fp16 or bf16.")
    if recipe.low_io and low == FP32:
        raise RecipeError("With the rest in FP32 there is no lower type for --io-types. Give --rest fp16 or bf16.")
    for what, asked, stored in (
        ("activations", recipe.format, target.activations),
        ("weights", recipe.weight_format, target.weights),
    ):
        if asked not in (None, stored):
            pick(FORMATS, str(asked), "format")
            raise RecipeError(f"The target '{target.name}' stores {what} as {stored}, not as {asked}.")
    prepared = prepare(given, onnxruntime.evaluate, max(target.opset, low.opset))
    return Subject(prepared, _view(prepared), target, low)


def _view(prepared: Prepared) -> GraphView:
    return replace(onnx_io.view(prepared.model), normals=prepared.normals)


def plan_of(subject: Subject, recipe: Recipe, given: Plan | str | None = None) -> Plan:
    """The given plan with what the recipe's rules say beside it, or a new one.

    Raises:
        PlanError: the given plan is none, or belongs to another model.
        RecipeError: a selector matches nothing, or a rule asks for what cannot be.
        ModelError: nothing can be quantized.
    """
    if not recipe.int8 and (given is not None or recipe.statements):
        raise RecipeError(
            "Without INT8 there is nothing to plan or to skip. Leave out --no-int8, or --plan, --skip and rules."
        )
    if not recipe.int8:
        return Plan(subject.target.name, subject.view.fingerprint, ())
    rules = tuple(_checked(rule, subject) for rule in recipe.statements)
    for calibrator in dict.fromkeys(recipe.tensors.values()):
        _check_calibrator(calibrator)
    if given is None:
        return make_plan(subject.view, subject.target, rules, recipe.residuals, recipe.tensors)
    text = given.to_json() if isinstance(given, Plan) else given
    made = Plan.from_json(text, subject.view)  # checks it against the graph
    for calibrator in dict.fromkeys(d.calibrator for d in made.decisions if d.calibrator):
        _check_calibrator(calibrator)
    made = replan(made, subject.view, subject.target, rules, recipe.residuals, recipe.tensors)
    check_plan(made, subject.view, subject.target, FORMATS_BY_NAME)
    return made


def matches_of(subject: Subject, recipe: Recipe) -> tuple[Match, ...]:
    """Each of the recipe's rules with the nodes that it means.

    Raises:
        RecipeError: a selector matches nothing.
    """
    return matched(subject.view, subject.target, recipe.statements)


def _checked(rule: Rule, subject: Subject) -> Rule:
    """The rule, once all that it names is known.

    Raises:
        RecipeError: there is no such calibrator, or the rest of some nodes is to be of a third type.
    """
    try:
        for calibrator in filter(None, (rule.calibrator, rule.weight_calibrator)):
            _check_calibrator(calibrator)
        if rule.rest not in (None, FP32.name, subject.low.name):
            types = " or ".join(dict.fromkeys((FP32.name, subject.low.name)))
            raise RecipeError(
                f"Where the rest is {subject.low.name}, that of a single node is {types}, not {rule.rest}."
            )
    except RecipeError as cause:
        where = f"{rule.selector.origin}: " if rule.selector.origin else ""
        raise RecipeError(f"{where}The rule for '{rule.selector}': {cause}") from cause
    return rule


def _check_calibrator(text: str) -> None:
    if isinstance(calibrator_of(text), Auto):
        raise RecipeError(f"'{text}' compares whole models. Name the calibrator of single nodes.")
