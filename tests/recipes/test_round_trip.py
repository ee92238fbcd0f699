"""Recipes in YAML: what is written is read back, and a hand-written one says what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxq import recipes
from onnxq.catalog.fixes import FIXES
from onnxq.catalog.recipes import RECIPES
from onnxq.core.recipe import Recipe
from onnxq.core.rule import Rule
from onnxq.core.selector import KEYS, Condition, Selector
from onnxq.errors import RecipeError

CALIBRATORS = st.sampled_from(["max", "mse", "entropy", "percentile", "percentile 99.9", "percentile 1e-05"])
PERCENTILES = st.floats(0, 100, exclude_min=True) | st.integers(1, 100)
GRANULARITIES = st.sampled_from(["per_channel", "per_tensor"])
RESTS = st.sampled_from(["fp32", "fp16", "bf16"])
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "no",
        "123",
        "0x1f",
        "null",
        "~",
        "- a",
        "a: b",
        "#",
        "a & b",
        "op:x",
        "A -> B",
        "*",
        "",
        " ",
        "1e3",
        "on",
        "{}",
        "\x85",
        "a\nb",
    ]
)
VALUES = {
    "position": ["first", "last 3"],
    "channels": ["<8"],
    "is": ["grouped", "depthwise"],
    "pattern": ["A -> B", "A->B"],
}


def conditions(key: str) -> st.SearchStrategy[Condition]:
    values = st.sampled_from(VALUES[key]) if key in VALUES else NAMES.filter(lambda text: key != "re" or text.isalnum())
    return values.map(lambda value: Condition(key, value))


SELECTORS = (
    st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True)
    .flatmap(lambda keys: st.tuples(*(conditions(key) for key in keys)))
    .map(lambda asked: Selector(tuple(asked)))
)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    calibrators = draw(st.none() | CALIBRATORS), draw(st.none() | CALIBRATORS)
    placement = draw(st.sampled_from([(None, None), (True, None), (False, True), (None, False), (False, False)]))
    settings = {
        "calibrator": calibrators[0],
        "weight_calibrator": calibrators[1],
        "percentile": draw(st.none() | PERCENTILES) if "percentile" in calibrators else None,
        "weight_granularity": draw(st.none() | GRANULARITIES),
        "skip": placement[0],
        "include": placement[1],
        "rest": draw(st.none() | RESTS),
    }
    if not any(value is not None for value in settings.values()):
        settings["rest"] = "fp32"
    return Rule(draw(SELECTORS), **settings)


RECIPE = st.builds(
    Recipe,
    target=st.sampled_from(["tensorrt", "tensorrt-rtx", "onnxruntime"]),
    calibrator=CALIBRATORS | st.just("auto"),
    weight_calibrator=CALIBRATORS,
    percentile=PERCENTILES,
    skip=st.lists(SELECTORS, max_size=3).map(tuple),
    include=st.lists(SELECTORS, max_size=3).map(tuple),
    fixes=st.lists(st.sampled_from([fix.name for fix in FIXES]), max_size=3).map(tuple) | st.just("auto"),
    labels=st.none() | NAMES,
    rest=st.none() | RESTS,
    low_io=st.booleans(),
    int8=st.booleans(),
    seed=st.integers(0, 2**40),
    format=st.sampled_from([None, "int8", "uint8"]),
    weight_format=st.sampled_from([None, "int8"]),
    weight_granularity=GRANULARITIES,
    rules=st.lists(rules(), max_size=4).map(tuple),
    tensors=st.dictionaries(NAMES, CALIBRATORS, max_size=3),
    residuals=st.dictionaries(NAMES, st.sampled_from([0, 1, None]), max_size=3),
)


def read(text: str, folder: Path) -> recipes.RecipeFile:
    path = folder / "r.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    return recipes.read(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipes")


@settings(derandomize=True, deadline=None, max_examples=300)
@given(RECIPE)
def test_what_is_written_is_read_back(folder, recipe):
    found = read(recipes.recipe_text(recipe), folder)
    assert found.recipe == recipe
    assert (found.cache, found.notes) == (None, ())


@settings(derandomize=True, deadline=None, max_examples=100)
@given(RECIPE)
def test_comments_change_nothing(folder, recipe):
    outline = recipes.Outline("'model.onnx'", ["Conv: 3 of 4"], {"skip": ["Often sensitive:", "- a  # Conv"]})
    assert read(recipes.commented_text(recipe, outline), folder).recipe == recipe


@pytest.mark.parametrize("preset", RECIPES, ids=lambda preset: preset.name)
def test_a_preset_can_be_written(folder, preset):
    written = replace(preset.recipe, skip=tuple(map(Selector.of, preset.recipe.skip)))
    written = replace(written, include=tuple(map(Selector.of, preset.recipe.include)))
    assert read(recipes.recipe_text(preset.recipe), folder).recipe == written


def test_a_recipe_as_a_person_writes_it(folder):
    text = """
# the whole
target: tensorrt
rest: bf16
io_types: low
calibrator: percentile
percentile: 99.9
weight_granularity: per_tensor
tensorrt_cache: old/calib.cache
labels:
skip: ['re:head|neck', op: Gemm]
include:
rules:
  - select: /layer1/*
    calibrator: entropy
  - select: {op: Conv, channels: <16}   # both must hold
    calibrator: percentile
    percentile: 98
    weight_calibrator: mse
  - {select: {from: a, to: b}, skip: yes}
residuals: {/layer2/Add: 1, /layer3/Add: none, /layer4/Add: }
"""
    found = read(text, folder)
    assert found.cache == folder / "old/calib.cache"
    assert found.recipe == Recipe(
        rest="bf16",
        low_io=True,
        calibrator="percentile",
        percentile=99.9,
        weight_granularity="per_tensor",
        skip=(Selector.of("re:head|neck"), Selector.of("op:Gemm")),
        rules=(
            Rule(Selector.of("/layer1/*"), calibrator="entropy"),
            Rule(
                Selector.of("op:Conv & channels:<16"), calibrator="percentile", percentile=98, weight_calibrator="mse"
            ),
            Rule(Selector.of("from:a & to:b"), skip=True),
        ),
        residuals={"/layer2/Add": 1, "/layer3/Add": None, "/layer4/Add": None},
    )
    assert [rule.selector.origin for rule in found.recipe.rules] == [f"{folder}/r.yaml:{line}" for line in (14, 16, 20)]
    assert found.recipe.skip[0].origin == f"{folder}/r.yaml:11"


def test_the_text_is_short_and_leaves_out_what_is_empty():
    assert recipes.recipe_text(Recipe(rules=[Rule("a & op:Conv", skip=True)], residuals={"j": None}), "c.cache") == (
        "onnxq_recipe: 1\ntarget: tensorrt\nint8: true\nio_types: keep\ngranularity: per_tensor\ncalibrator: mse\n"
        "weight_granularity: per_channel\nweight_calibrator: max\npercentile: 99.99\ntensorrt_cache: c.cache\nseed: 0\n"
        "rules:\n- select: a & op:Conv\n  skip: true\nresiduals:\n  j: none\n"
    )


def test_a_selector_that_no_file_can_spell_is_refused():
    odd = Selector((Condition("name", "a & b"), Condition("name", "*")))
    message = r"^The selector 'a & b & \*' has no spelling in a file: it has ' & ' in a value, and a key twice\.$"
    with pytest.raises(RecipeError, match=message):
        recipes.recipe_text(Recipe(skip=[odd]))
