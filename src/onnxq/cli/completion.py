"""`onnxq completion`: a script that teaches a shell what can be typed."""

from __future__ import annotations

import argparse

import shtab

from onnxq.catalog.calibrators import CALIBRATORS
from onnxq.catalog.fixes import FIXES
from onnxq.catalog.floats import FLOATS
from onnxq.catalog.metrics import METRICS
from onnxq.catalog.presets import PRESETS
from onnxq.catalog.recipes import RECIPES
from onnxq.catalog.targets import TARGETS
from onnxq.cli.parser import Parser
from onnxq.cli.quantization import NONE
from onnxq.core.recipe import AUTO
from onnxq.runtimes.tensorrt import PACKAGES
from onnxq.sensitivity.inquiry import MODES, SIZES

SHELLS = ("bash", "zsh", "fish")

VALUES = {
    "backend": tuple(PACKAGES),
    "calibrator": tuple(calibrator.name for calibrator in CALIBRATORS),
    "fixes": (NONE, AUTO, *(fix.name for fix in FIXES)),
    "groups": SIZES,
    "metric": tuple(metric.name for metric in METRICS),
    "mode": MODES,
    "preprocess": tuple(preset.name for preset in PRESETS),
    "preset": tuple(recipe.name for recipe in RECIPES),
    "provider": ("cpu", "cuda", "tensorrt"),
    "rest": tuple(low.name for low in FLOATS),
    "target": tuple(target.name for target in TARGETS),
    "weight_calibrator": tuple(calibrator.name for calibrator in CALIBRATORS),
}
"""What an option, by the name of its attribute, is completed with."""

FILES = frozenset(
    "calib engine eval fp32 front init int8 model out output plan plugins recipe report save_inputs save_outputs "
    "save_recipe sensitivity statistics stats tensorrt_cache timing_cache".split()
)
"""The options and arguments that are completed with files."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    command.add_argument("shell", choices=SHELLS, help="the one that will read the script")


def run(options: argparse.Namespace) -> None:
    """Prints the script."""
    print(shtab.complete(completed(), options.shell))


def completed() -> Parser:
    """The parser of everything, with each command's options and what their values are completed with."""
    parser = Parser()
    for command in parser.commands.values():
        command.fill()
        for action in command._actions:  # the only way to the options of a parser
            if action.dest in FILES:
                action.complete = shtab.FILE  # type: ignore[attr-defined] # where shtab looks for it
            elif action.dest in VALUES:
                action.choices = VALUES[action.dest]
    return parser
