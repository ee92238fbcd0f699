"""The shelves: a file per choice, all of them in an explicit tuple, found by name."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace

import pytest

from onnxq import catalog
from onnxq.catalog import pick
from onnxq.catalog.calibrators import CALIBRATORS
from onnxq.catalog.fixes import FIXES
from onnxq.catalog.floats import FLOATS
from onnxq.catalog.formats import FORMATS
from onnxq.catalog.metrics import METRICS
from onnxq.catalog.presets import PRESETS
from onnxq.catalog.recipes import RECIPES
from onnxq.catalog.targets import TARGETS
from onnxq.core.recipe import Recipe
from onnxq.core.target import OpRule
from onnxq.errors import RecipeError

SHELVES = {
    "calibrators": CALIBRATORS,
    "fixes": FIXES,
    "floats": FLOATS,
    "formats": FORMATS,
    "metrics": METRICS,
    "presets": PRESETS,
    "recipes": RECIPES,
    "targets": TARGETS,
}
every_shelf = pytest.mark.parametrize(("name", "shelf"), SHELVES.items(), ids=list(SHELVES))
every_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


def test_every_folder_of_the_catalog_is_a_shelf():
    assert {module.name for module in pkgutil.iter_modules(catalog.__path__) if module.ispkg} == set(SHELVES)


@every_shelf
def test_every_file_on_a_shelf_is_in_its_tuple(name, shelf):
    package = importlib.import_module(f"onnxq.catalog.{name}")
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    assert modules == {choice.name.replace("-", "_") for choice in shelf}


@every_shelf
def test_names_are_unique_and_can_be_picked(name, shelf):
    assert len({choice.name for choice in shelf}) == len(shelf)
    assert [pick(shelf, choice.name, name) for choice in shelf] == list(shelf)


def test_an_unknown_name_is_answered_with_the_choices_and_near_misses():
    with pytest.raises(
        RecipeError,
        match=r"^Unknown calibrator 'entropi'\. Choose one of: auto, max, percentile, entropy, mse\. Did you mean",
    ):
        pick(CALIBRATORS, "entropi", "calibrator")


def test_a_name_that_resembles_nothing_is_answered_with_the_choices():
    known = "sqnr, cosine, kl, max_error, mean_error, top1, agreement"
    with pytest.raises(RecipeError, match=rf"^Unknown metric 'zzz'\. Choose one of: {known}\.$"):
        pick(METRICS, "zzz", "metric")


def test_what_a_recipe_takes_by_default_is_on_the_shelves():
    recipe = Recipe()
    assert pick(TARGETS, recipe.target, "target")
    assert pick(CALIBRATORS, recipe.calibrator, "calibrator")
    assert pick(CALIBRATORS, recipe.weight_calibrator, "calibrator")


@every_target
def test_every_row_of_a_target_has_its_reason_and_source(target):
    assert target.doc
    assert target.source
    for row in (*target.rules, *target.residuals, *target.ties):
        assert row.why, row
        assert row.source, row
    assert all(target.float_ops.values())


@every_target
def test_the_formats_of_a_target_are_on_the_shelf(target):
    names = {stored.name for stored in FORMATS}
    assert {target.activations, target.weights} <= names


@every_target
def test_an_operator_is_either_quantized_or_left_in_float(target):
    assert not {rule.op for rule in target.rules} & set(target.float_ops)


@every_target
def test_every_condition_says_what_it_is_for(target):
    """A refusal is a sentence, and so is the reason for asking."""
    for rule in target.rules:
        for condition in (*rule.without_weight, *rule.unless, *rule.unless_edge):
            assert condition.__doc__, condition.__name__


@every_target
def test_what_a_target_merely_advises_against_is_among_its_conditions(target):
    used = {c for rule in target.rules for c in (*rule.without_weight, *rule.unless, *rule.unless_edge)}
    assert target.advice <= used


@every_target
def test_a_target_refuses_two_rules_for_one_operator(target):
    again = OpRule("Conv", inputs=(0,), why="because", source="here")
    with pytest.raises(ValueError, match=f"^Target '{target.name}' has two rules for one operator: .*'Conv', 'Conv'"):
        replace(target, rules=(*target.rules, again))


@every_target
@pytest.mark.parametrize("missing", ["why", "source"])
@pytest.mark.parametrize("field", ["rules", "residuals", "ties"])
def test_a_target_refuses_a_row_without_reason_or_source(target, field, missing):
    if not getattr(target, field):
        pytest.skip("there is no such row")
    first, *others = getattr(target, field)
    with pytest.raises(ValueError, match=f"^Target '{target.name}' has rows without reason or source: "):
        replace(target, **{field: (replace(first, **{missing: ""}), *others)})
