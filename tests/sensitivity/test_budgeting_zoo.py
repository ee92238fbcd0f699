"""Budgets on real models: kept, and the same model from the recipe alone."""

from __future__ import annotations

import pytest
from tests.conftest import ZOO
from tests.zoo import preprocess

import onnxq
from onnxq import Budget, quantize_within


@pytest.mark.zoo
@pytest.mark.slow
@pytest.mark.parametrize(("name", "floor"), [("cifar10_resnet20", 30.0), ("yunet_n_320", 22.0), ("cifar10_cct", 35.0)])
def test_a_budget_is_kept_and_its_recipe_makes_the_same_model(name, floor):
    model = ZOO / "models" / f"{name}.onnx"
    calib, evaluation = (preprocess().load(name, split, 16)[0] for split in ("calib", "eval"))
    result, outcome = quantize_within(Budget("sqnr", floor=floor), model, calib, evaluation=evaluation)
    assert outcome.plain.figure < floor <= outcome.reached.figure
    assert outcome.reached.share > 0.3
    again = onnxq.quantize(model, calib, result.recipe)
    assert again.model.SerializeToString() == result.model.SerializeToString()
