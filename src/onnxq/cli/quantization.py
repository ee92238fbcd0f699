"""Options that say with what a model is calibrated, and how: those of all commands that quantize."""

from __future__ import annotations

import argparse

from onnxq.catalog.calibrators import CALIBRATORS
from onnxq.catalog.fixes import FIXES
from onnxq.cli.options import add_plan, add_samples, samples
from onnxq.core.recipe import AUTO, Recipe
from onnxq.core.samples import Samples
from onnxq.core.statistics import Statistics
from onnxq.errors import RecipeError
from onnxq.pipeline import load_statistics

FILES = ("model", "calib", "stats", "tensorrt_cache", "eval", "plan", "recipe")
"""Options that name what is read."""


NONE = "none"
FIXES_HELP = (
    f"what is done to the model so that it loses less: {AUTO} (what helps, as measured on samples kept aside), {NONE}, "
    f"or names with commas between: {', '.join(fix.name for fix in FIXES)}"
)


def add_data(group: argparse._ActionsContainer) -> None:
    """What a model is calibrated with, and what is measured on."""
    add_samples(group, required=False)
    group.add_argument("--stats", metavar="NPZ", help="statistics from `onnxq calibrate`, in place of --calib")
    group.add_argument(
        "--tensorrt-cache",
        metavar="FILE",
        help="a calibration cache of TensorRT 7 to 10: its scales are used, and what it lacks is calibrated",
    )
    group.add_argument(
        "--eval", metavar="DATA", help="other inputs to measure on, perhaps with labels; default: those of --calib"
    )
    group.add_argument("--labels", metavar="NAME", help="the array of --eval that holds class numbers")


def add_calibrators(group: argparse._ActionsContainer) -> None:
    """How scales are chosen, and where."""
    names = ", ".join(calibrator.name for calibrator in CALIBRATORS)
    group.add_argument("--calibrator", metavar="NAME", help=f"{names}; default: {Recipe.calibrator}")
    group.add_argument("--weight-calibrator", metavar="NAME", help=f"default: {Recipe.weight_calibrator}")
    group.add_argument(
        "--percentile", type=float, metavar="P", help=f"for that calibrator; default: {Recipe.percentile}"
    )
    group.add_argument("--fixes", metavar="NAMES", help=f"{FIXES_HELP}; default: {NONE}")
    add_plan(group)


def calibration(options: argparse.Namespace) -> Samples | Statistics | None:
    """The samples, or what was measured on them.

    Raises:
        RecipeError: both are given.
        DataError: the statistics cannot be read.
    """
    if options.stats is None:
        return samples(options, options.calib, options.num_samples)
    if options.calib is not None or options.num_samples is not None:
        raise RecipeError(
            "--stats takes the place of --calib and --num-samples. Give one of them; --eval has the data to compare on."
        )
    return load_statistics(options.stats)


def check_percentile(options: argparse.Namespace, recipe: Recipe) -> None:
    """Refuses a percentile that does nothing.

    Raises:
        RecipeError: no calibrator takes it.
    """
    used = {rule.calibrator for rule in recipe.rules} | {rule.weight_calibrator for rule in recipe.rules}
    if options.percentile is not None and "percentile" not in {recipe.calibrator, recipe.weight_calibrator, *used}:
        raise RecipeError("--percentile does nothing without --calibrator percentile. Give both.")
