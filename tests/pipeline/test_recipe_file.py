"""Recipes in files, from Python."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import onnxq
from onnxq.core.observer import Silent
from onnxq.errors import DataError, RecipeError

MODEL = Path(__file__).parents[2] / "models" / "digits_resnet.onnx"
CACHE = "TRT-8601-EntropyCalibration2\nimage: 3c010a14\n"


@pytest.fixture(scope="module")
def statistics() -> onnxq.Statistics:
    with np.load(MODEL.with_name("digits_calib.npz")) as arrays:
        return onnxq.calibrate(MODEL, dict(arrays))


def test_a_result_has_the_recipe_with_what_it_left_open(statistics):
    rules = (onnxq.Rule("op:Gemm", skip=True),)
    done = onnxq.quantize(MODEL, statistics, onnxq.Recipe(calibrator="auto", rules=rules)).recipe
    assert done == onnxq.Recipe(calibrator="mse", rest="fp16", format="int8", weight_format="int8", rules=rules)
    again = onnxq.quantize(MODEL, statistics, done)
    assert again.recipe == done


def test_statistics_must_cover_what_a_recipe_includes(statistics):
    message = r"Make them anew with the same --recipe, --skip, --include, --plan and --target"
    with pytest.raises(DataError, match=message):
        onnxq.quantize(MODEL, statistics, onnxq.Recipe(include=["op:Gemm"]))


def test_what_is_saved_is_loaded_with_its_cache(tmp_path):
    (tmp_path / "c.cache").write_text(CACHE)
    recipe = onnxq.Recipe(cache=onnxq.load_calibration_cache(tmp_path / "c.cache"), residuals={"a": 1})
    onnxq.save_recipe(recipe, tmp_path / "r.yaml")
    loaded = onnxq.load_recipe(tmp_path / "r.yaml")
    assert loaded.cache is not None
    assert recipe.cache is not None
    assert dict(loaded.cache.scales) == dict(recipe.cache.scales)
    assert replace(loaded, cache=None) == replace(recipe, cache=None)


def test_a_cache_that_is_in_no_file_cannot_be_named(tmp_path):
    recipe = onnxq.Recipe(cache=onnxq.CalibrationCache.from_text(CACHE, "The cache"))
    with pytest.raises(RecipeError, match=r"^The calibration cache of the recipe is in no file, which a recipe could"):
        onnxq.save_recipe(recipe, tmp_path / "r.yaml")
    assert not (tmp_path / "r.yaml").exists()


def test_a_cache_that_is_missing_is_refused(tmp_path):
    (tmp_path / "r.yaml").write_text("tensorrt_cache: c.cache\n")
    with pytest.raises(DataError, match=r"^The calibration cache '.*c\.cache' cannot be read: No such file"):
        onnxq.load_recipe(tmp_path / "r.yaml")


def test_who_watches_is_told_what_was_not_carried_over(tmp_path):
    class Notes(Silent):
        def __init__(self) -> None:
            self.found: list[str] = []

        def note(self, text: str) -> None:
            self.found.append(text)

    notes = Notes()
    (tmp_path / "r.yaml").write_text("calib_params: {num_calib_batches: 4}\n")
    assert onnxq.load_recipe(tmp_path / "r.yaml", notes) == onnxq.load_recipe(tmp_path / "r.yaml")
    assert [note.partition(": ")[2][:36] for note in notes.found] == ["'num_calib_batches' is not carried o"]


def test_nodes_can_be_skipped_and_included_on_top():
    recipe = onnxq.Recipe(skip=["/head/Gemm", "op:Add"], include=["op:Gemm"])
    assert recipe.amended() is recipe
    amended = recipe.amended(include=["/head/Gemm"])
    with np.load(MODEL.with_name("digits_calib.npz")) as arrays:
        readers = {d.site.node for d in onnxq.quantize(MODEL, dict(arrays), amended).plan.quantized}
    assert "/head/Gemm" in readers
    assert not any(name.endswith("Add") for name in readers)
