"""Everything in INT8, calibrated in one way: what hybrid and selective quantization are measured against."""

from onnxq.core.recipe import Recipe, RecipePreset

NAIVE = RecipePreset(
    "naive",
    "all that can run in INT8, whether it helps or not; max, one scale per tensor",
    Recipe(calibrator="max", weight_calibrator="max", weight_granularity="per_tensor", include=("*",)),
    "Deci, The Ultimate Guide to Deep Learning Model Quantization: all operators, the same calibration method",
)
