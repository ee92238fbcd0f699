"""Recipes: checked when they are made."""

from __future__ import annotations

import pytest

from onnxq.core.recipe import Recipe
from onnxq.core.rule import Rule
from onnxq.core.selector import Selector
from onnxq.errors import RecipeError


@pytest.mark.parametrize("percentile", [0.0, -1.0, 100.1, float("nan")])
def test_a_percentile_outside_its_range_is_refused(percentile):
    with pytest.raises(RecipeError, match=rf"^The percentile must lie in \(0, 100\]\. Got {percentile}\.$"):
        Recipe(percentile=percentile)


def test_the_ends_of_the_ranges_are_fine():
    assert Recipe(percentile=100.0) != Recipe()


@pytest.mark.parametrize("key", ["skip", "include"])
def test_a_list_of_selectors_is_no_text(key):
    with pytest.raises(RecipeError, match=rf"^{key} is a list of selectors\. Got 'op:Add': write \('op:Add',\)\.$"):
        Recipe(**{key: "op:Add"})


def test_a_granularity_is_per_channel_or_per_tensor():
    with pytest.raises(
        RecipeError, match=r"^Unknown weight_granularity 'per_row'\. Choose one of: per_channel, per_tensor\.$"
    ):
        Recipe(weight_granularity="per_row")


@pytest.mark.parametrize("shortcut", [2, -1, "left"])
def test_the_shortcut_of_a_join_is_one_of_its_two_operands_or_neither(shortcut):
    message = rf"^The shortcut of a residual join is 0, 1 or none\. Got {shortcut!r} for 'join'\.$"
    with pytest.raises(RecipeError, match=message):
        Recipe(residuals={"join": shortcut})


def test_lists_count_as_rules_behind_all_others_and_skip_comes_last():
    recipe = Recipe(skip=["a"], include=[Selector.named("b")], rules=[Rule("c", calibrator="max")])
    assert recipe.statements == (
        Rule("c", calibrator="max"),
        Rule(Selector.named("b"), include=True),
        Rule("a", skip=True),
    )


def test_the_granularity_of_all_weights_is_the_weakest_rule():
    assert Recipe(weight_granularity="per_tensor").statements == (Rule("*", weight_granularity="per_tensor"),)
    assert Recipe().statements == ()


def test_statements_say_the_parameters_of_their_calibrators():
    bare = Rule("a", calibrator="percentile", weight_calibrator="max")
    own = Rule("b", weight_calibrator="percentile", percentile=98)
    spelled = Rule("c", calibrator="percentile 97.5")
    assert Recipe(percentile=99.9, rules=[bare, own, spelled]).statements == (
        Rule("a", calibrator="percentile 99.9", weight_calibrator="max"),
        Rule("b", weight_calibrator="percentile 98"),
        spelled,
    )
