"""Recipes: checked when they are made."""

from __future__ import annotations

import pytest

from onnxq.core.graph import Node
from onnxq.core.recipe import Recipe, Selector
from onnxq.errors import RecipeError

NODES = (
    Node("/a/Conv", "Conv", (), (), {"group": 1}),
    Node("/a/Relu", "Relu", (), ()),
    Node("/b/Conv[1]", "Conv", (), (), {"group": 16}),
)


@pytest.mark.parametrize(
    ("pattern", "chosen"),
    [
        ("/a/Conv", {"/a/Conv"}),
        ("/a/*", {"/a/Conv", "/a/Relu"}),
        ("*", {"/a/Conv", "/a/Relu", "/b/Conv[1]"}),
        ("/b/Conv[1]", {"/b/Conv[1]"}),  # a name, although it could be a glob
        ("/?/Conv*", {"/a/Conv", "/b/Conv[1]"}),
        ("op:Conv", {"/a/Conv", "/b/Conv[1]"}),
        ("re:Conv$", {"/a/Conv"}),
        ("re:[ab]/R", {"/a/Relu"}),
        ("is:grouped", {"/b/Conv[1]"}),
    ],
)
def test_a_selector_names_nodes_by_name_glob_operator_regular_expression_or_what_they_are(pattern, chosen):
    assert Selector(pattern).select(NODES) == chosen


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("/a/Cnv", r"^The selector '/a/Cnv' matches no node\. Did you mean '/a/Conv'"),
        ("op:Conf", r"^The selector 'op:Conf' matches no node\. Did you mean 'Conv'\?$"),
        ("op:conv", r"^The selector 'op:conv' matches no node\. Did you mean 'Conv'\?$"),
        ("re:zzzzz", r"^The selector 're:zzzzz' matches no node\. `onnxq plan` lists the names of all nodes\.$"),
        ("", r"^The selector '' matches no node\. `onnxq plan` lists"),
    ],
)
def test_a_selector_that_matches_nothing_is_refused_with_near_misses(pattern, message):
    with pytest.raises(RecipeError, match=message):
        Selector(pattern).select(NODES)


def test_what_nodes_can_be_is_told():
    with pytest.raises(RecipeError, match=r"^The selector 'is:deep' is unknown\. Choose one of: is:grouped\.$"):
        Selector("is:deep")


def test_a_regular_expression_that_is_none_is_refused():
    with pytest.raises(RecipeError, match=r"^The selector 're:\(' is no valid regular expression: .+\.$"):
        Selector("re:(")


@pytest.mark.parametrize("percentile", [0.0, -1.0, 100.1, float("nan")])
def test_a_percentile_outside_its_range_is_refused(percentile):
    with pytest.raises(RecipeError, match=rf"^The percentile must lie in \(0, 100\]\. Got {percentile}\.$"):
        Recipe(percentile=percentile)


def test_the_ends_of_the_ranges_are_fine():
    assert Recipe(percentile=100.0) != Recipe()
