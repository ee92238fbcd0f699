"""`onnxq recipe`: a recipe to begin with."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from onnxq import files
from onnxq.catalog import pick
from onnxq.catalog.recipes import RECIPES
from onnxq.cli.options import add_target
from onnxq.core.recipe import Recipe
from onnxq.pipeline import commented_recipe


def add_options(command: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    command.add_argument("--init", required=True, metavar="MODEL", help="the FP32 ONNX model; it is only read")
    command.add_argument("output", nargs="?", type=Path, metavar="OUT", help="a YAML file; default: printed")
    add_target(command)
    command.add_argument("--preset", metavar="NAME", help=f"begin with: {', '.join(r.name for r in RECIPES)}")


def run(options: argparse.Namespace) -> None:
    """Writes a recipe, or prints it."""
    if options.output is not None:
        files.check_output(Path(options.init), options.output)
    begun = Recipe() if options.preset is None else pick(RECIPES, options.preset, "preset").recipe
    text = commented_recipe(options.init, replace(begun, target=options.target or begun.target))
    if options.output is None:
        print(text, end="")
    else:
        files.write(options.output, text.encode())
