"""Recipes in files: read with their calibration cache, and written as what was done."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from onnxq import files, recipes
from onnxq.core.observer import Observer
from onnxq.core.recipe import Recipe
from onnxq.errors import RecipeError
from onnxq.pipeline.statistics_file import load_calibration_cache
from onnxq.pipeline.subject import Subject


def load_recipe(path: str | Path, observer: Observer | None = None) -> Recipe:
    """The recipe in a YAML file, or what the quantization parameters of SuperGradients there say.

    Args:
        path: of the file.
        observer: is told what could not be carried over.

    Raises:
        RecipeError: it cannot be read, or something in it is wrong; the message names file and line.
        DataError: the calibration cache that it names is missing, or none.
    """
    found = recipes.read(Path(path))
    if observer is not None:
        for note in found.notes:
            observer.note(note)
    return found.recipe if found.cache is None else replace(found.recipe, cache=load_calibration_cache(found.cache))


def save_recipe(recipe: Recipe, path: str | Path) -> None:
    """Writes a recipe in one step: `load_recipe` reads it back.

    Raises:
        RecipeError: it holds something that has no name in a file.
        OutputError: the folder cannot be written, or the disk is full.
    """
    cache = None
    if recipe.cache is not None:
        if recipe.cache.path is None:
            raise RecipeError("The calibration cache of the recipe is in no file, which a recipe could name. Save it.")
        cache = os.path.relpath(recipe.cache.path, Path(path).resolve().parent)
    files.write(Path(path), recipes.recipe_text(recipe, cache).encode())


def resolved(recipe: Recipe, subject: Subject) -> Recipe:
    """The recipe with what it leaves to the target filled in."""
    target = subject.target
    return replace(recipe, rest=subject.low.name, format=target.activations, weight_format=target.weights)
