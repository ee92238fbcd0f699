"""Hybrid, with the calibrator of activations that serves the model best, and another for weights."""

from onnxq.core.recipe import Recipe, RecipePreset

SELECTIVE = RecipePreset(
    "selective",
    "as hybrid, with the calibrator of activations that comes closest to FP32",
    Recipe(calibrator="auto", weight_calibrator="max", skip=("position:last_before_output",)),
    "Deci, The Ultimate Guide to Deep Learning Model Quantization: other calibrators for activations than for weights",
)
