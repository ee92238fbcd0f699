"""INT8 where it helps, the rest and the last layers in a floating-point type; calibrated in one way."""

from onnxq.core.recipe import Recipe, RecipePreset

HYBRID = RecipePreset(
    "hybrid",
    "what is slow or sensitive stays in float, the last layers too; residual shortcuts in INT8; max",
    Recipe(calibrator="max", weight_calibrator="max", skip=("position:last_before_output",)),
    "Deci, The Ultimate Guide to Deep Learning Model Quantization: sensitive and unfriendly layers in FP16",
)
