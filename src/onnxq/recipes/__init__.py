"""Edge to recipes in YAML files: read with a line for every error, and written."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

from onnxq.core.recipe import Recipe
from onnxq.recipes import supergradients
from onnxq.recipes.document import document
from onnxq.recipes.keys import RECIPE_KEYS, known_key
from onnxq.recipes.text import Outline, commented_text, recipe_text, yaml_text

__all__ = ["Outline", "RecipeFile", "commented_text", "read", "recipe_text", "yaml_text"]

MAY_BE_EMPTY = {field.name for field in fields(Recipe) if not isinstance(field.default, str | int | float)}
"""Fields that may stand there without a value."""


@dataclass(frozen=True)
class RecipeFile:
    """What a file says.

    Attributes:
        recipe: without the calibration cache.
        cache: the file that has it, None without one.
        notes: sentences about what was not carried over from another tool's file.
    """

    recipe: Recipe
    cache: Path | None = None
    notes: tuple[str, ...] = ()


def read(path: Path) -> RecipeFile:
    """Reads a recipe, or quantization parameters of SuperGradients.

    Raises:
        RecipeError: it cannot be read, or something in it is wrong; the message names file and line.
    """
    root = document(path)
    if supergradients.recognizes(root):
        return RecipeFile(*supergradients.translated(root))
    recipe, cache = Recipe(), None
    for key, value in root.entries():
        row = known_key(key, RECIPE_KEYS, "a recipe")
        if value.is_empty and row.field in MAY_BE_EMPTY:
            continue
        found = row.read(value)
        if row.field == "cache":
            cache = path.parent / found
        elif row.field:
            with value.located():
                recipe = replace(recipe, **{row.field: found})
    return RecipeFile(recipe, cache)
