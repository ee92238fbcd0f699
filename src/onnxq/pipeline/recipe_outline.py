"""A recipe to begin with for one model: what is done by default, and what often needs a decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from onnxq import recipes
from onnxq.core.plan import Plan
from onnxq.core.recipe import Recipe
from onnxq.core.rule import Rule
from onnxq.errors import RecipeError
from onnxq.pipeline.recipe_file import resolved
from onnxq.pipeline.subject import Model, Subject, load, matches_of, plan_of, read
from onnxq.stages.plan import layers

SHOWN = 12
"""Candidates of one kind; the rest is counted."""

LAST = "position:last_before_output"


def commented_recipe(model: Model, recipe: Recipe = Recipe()) -> str:
    """The text of a recipe for a model, with comments: all keys, the operators, and candidates for rules.

    Raises:
        ModelError: the model cannot be read, or is quantized already.
        RecipeError: a selector of the recipe matches nothing.
    """
    subject = read(load(model), recipe)
    made = plan_of(subject, recipe)
    name = f"'{model}'" if isinstance(model, str | Path) else "a model"
    outline = recipes.Outline(name, tuple(_operators(subject, made)), _candidates(subject, made))
    return recipes.commented_text(resolved(recipe, subject), outline)


def _operators(subject: Subject, made: Plan) -> Iterator[str]:
    readers = {decision.site.node for decision in made.quantized if decision.computes_integers}
    every = Counter(node.op for node in subject.view.nodes)
    done = Counter(node.op for node in subject.view.nodes if node.name in readers)
    return (f"{op}: {done[op]} of {count} read INT8" for op, count in every.most_common())


def _candidates(subject: Subject, made: Plan) -> Mapping[str, tuple[str, ...]]:
    """Key of a recipe -> lines that show what could stand there."""
    view, quantized = subject.view, {decision.site.node for decision in made.quantized}
    last = [(name, str(view.by_name[name].op)) for name in _last(subject)]
    refused = [
        (name, made.first_refusals[name].reason)
        for name in view.by_name
        if name in layers(view, subject.target) - quantized and name in made.first_refusals
    ]
    joins = [
        ({d.site.node: d.site.index}, f"it adds '{d.site.tensor}' in INT8")
        for d in made.quantized
        if d.site.node in made.residuals
    ]
    return {
        "skip": _listed("Often sensitive: the last layers, together or one by one.", [(LAST, "all of them"), *last]),
        "include": _listed("Layers that stay in float:", refused),
        "residuals": _listed("Joins of which one operand is read as INT8:", joins),
    }


def _last(subject: Subject) -> tuple[str, ...]:
    """The last layers before an output, if there are layers."""
    try:
        (match,) = matches_of(subject, Recipe(rules=[Rule(LAST, skip=True)]))
    except RecipeError:
        return ()
    return match.nodes


def _listed(heading: str, rows: Iterable[tuple[object, str]]) -> tuple[str, ...]:
    """Lines that count if their comment sign is taken away, each with a remark."""
    shown = [f"{'  ' if isinstance(what, dict) else ''}{_yaml(what)}  # {remark}" for what, remark in rows]
    more = [f"... and {len(shown) - SHOWN} more; `onnxq plan` lists them"] if len(shown) > SHOWN else []
    return (heading, *shown[:SHOWN], *more) if shown else ()


def _yaml(what: object) -> str:
    """One line of a mapping or of a list."""
    return recipes.yaml_text(what if isinstance(what, dict) else [what]).rstrip()
