"""Detectors: the layers that regress boxes and score classes stay in float."""

from onnxq.core.recipe import Recipe, RecipePreset

DETECTION = RecipePreset(
    "detection",
    "detectors: the last layers, which regress boxes and score classes, stay in float",
    Recipe(skip=("position:last_before_output",)),
    "Deci, The Ultimate Guide to Deep Learning Model Quantization: the last layers of single-stage detectors",
)
