"""The presets: what each leaves in float, and how it calibrates, on a small detector."""

from __future__ import annotations

import pytest
from tests.sketch import sketch

from onnxq.catalog import pick
from onnxq.catalog.recipes import RECIPES
from onnxq.catalog.targets import TENSORRT
from onnxq.core.spec import PerTensor
from onnxq.stages.plan import plan

DETECTOR = sketch("""
    stem = Conv(x, w0[4,3,1,1])
    body = Conv(stem, w1[16,16,3,3])
    more = Conv(body, w2[16,16,3,3])
    boxes = Conv(more, w3[16,16,1,1])
    scores = Conv(more, w4[16,16,1,1])
    p = Sigmoid(scores)
    o = Concat(boxes, p)
""")


def quantized(name: str) -> set[str]:
    recipe = pick(RECIPES, name, "preset").recipe
    return {d.site.node for d in plan(DETECTOR, TENSORRT, recipe.statements).quantized}


@pytest.mark.parametrize(
    ("name", "nodes"),
    [
        ("naive", "stem body more boxes scores"),
        ("hybrid", "body more"),
        ("selective", "body more"),
        ("detection", "body more"),
    ],
)
def test_what_a_preset_quantizes(name, nodes):
    assert quantized(name) == set(nodes.split())


@pytest.mark.parametrize(
    ("name", "calibrators"),
    [
        ("naive", ("max", "max")),
        ("hybrid", ("max", "max")),
        ("selective", ("auto", "max")),
        ("detection", ("mse", "max")),
    ],
)
def test_how_a_preset_calibrates(name, calibrators):
    recipe = pick(RECIPES, name, "preset").recipe
    assert (recipe.calibrator, recipe.weight_calibrator) == calibrators


def test_only_naive_has_one_scale_for_a_weight():
    for preset in RECIPES:
        cuts = [spec.granularity for _, spec in plan(DETECTOR, TENSORRT, preset.recipe.statements).weights]
        assert all((cut == PerTensor()) == (preset.name == "naive") for cut in cuts)


@pytest.mark.parametrize("preset", RECIPES, ids=lambda preset: preset.name)
def test_a_preset_has_its_words_and_its_source(preset):
    assert preset.doc
    assert preset.source
