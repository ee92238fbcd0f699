"""A saved recipe makes the same file, byte for byte, of third-party models too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.conftest import ZOO

import onnxq
from onnxq.core.recipe import Recipe
from onnxq.core.rule import Rule

RULES = (
    Rule("op:Conv & position:first 3", calibrator="entropy", weight_calibrator="mse"),
    Rule("op:Conv & channels:<24", weight_granularity="per_tensor"),
    Rule("position:last_before_output", skip=True),
    Rule("position:last 2", calibrator="percentile", percentile=99.9, rest="fp32"),
)


NAMES = ("cifar10_resnet20", "cifar10_mobilenetv2")


def samples() -> dict[str, np.ndarray]:
    """Images as these models were trained: channels first, in units of their standard deviation."""
    with np.load(ZOO / "data" / "cifar10_calib.npz") as arrays:
        images = arrays["x"][:64].astype(np.float32)
    return {"input": (images.transpose(0, 3, 1, 2) - 120.0) / 63.0}


def shortcuts(model: Path) -> dict[str, int | None]:
    """The other operand of a join where that can be, and neither of the last."""
    found = onnxq.quantize(model, samples()).plan
    swapped: dict[str, int | None] = {}
    for decision in (d for d in found.quantized if d.site.node in found.residuals[:-1]):
        asked = {decision.site.node: 1 - decision.site.index}
        try:
            onnxq.quantize(model, samples(), Recipe(residuals=asked))
        except onnxq.RecipeError:  # no convolution computes what would be left
            continue
        swapped = dict(asked)
        break
    return {**swapped, found.residuals[-1]: None}


@pytest.mark.zoo
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_saved_recipe_makes_the_same_bytes(name, tmp_path):
    model = ZOO / "models" / f"{name}.onnx"
    recipes = [
        Recipe(calibrator="auto"),
        Recipe(calibrator="percentile", percentile=99.5, rules=RULES),
        Recipe(residuals=shortcuts(model), include=["op:Gemm"], rest="fp32"),
    ]
    written = set()
    for recipe in recipes:
        first = onnxq.quantize(model, samples(), recipe)
        onnxq.save(first.model, tmp_path / "first.onnx")
        onnxq.save_recipe(first.recipe, tmp_path / "r.yaml")
        again = onnxq.quantize(model, samples(), onnxq.load_recipe(tmp_path / "r.yaml"))
        onnxq.save(again.model, tmp_path / "again.onnx")
        assert (tmp_path / "first.onnx").read_bytes() == (tmp_path / "again.onnx").read_bytes()
        written.add((tmp_path / "first.onnx").read_bytes())
    assert len(written) == len(recipes)
