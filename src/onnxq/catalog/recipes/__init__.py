"""Recipes for many models, by name."""

from onnxq.catalog.recipes.detection import DETECTION
from onnxq.catalog.recipes.hybrid import HYBRID
from onnxq.catalog.recipes.naive import NAIVE
from onnxq.catalog.recipes.selective import SELECTIVE
from onnxq.core.recipe import RecipePreset

RECIPES: tuple[RecipePreset, ...] = (NAIVE, HYBRID, SELECTIVE, DETECTION)
