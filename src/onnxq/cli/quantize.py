"""`onnxq quantize`: an FP32 model in, a Q/DQ model out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from onnxq import onnx_io
from onnxq.catalog.calibrators import CALIBRATORS
from onnxq.cli.options import add_model, selectors
from onnxq.cli.output import NARROW, WIDE, console
from onnxq.cli.progress import Bar
from onnxq.core.recipe import Recipe
from onnxq.errors import PlanError, RecipeError
from onnxq.pipeline import quantize
from onnxq.reports.json import report_json
from onnxq.reports.text import summary

NAMES = ", ".join(calibrator.name for calibrator in CALIBRATORS)
EXAMPLE = "example: onnxq quantize model.onnx model.int8.onnx --calib inputs.npz --eval heldout.npz"


def add_command(commands: Any) -> None:
    """Adds the command and its options."""
    text = "quantize a model"
    command = commands.add_parser("quantize", help=text, description=text, epilog=EXAMPLE, allow_abbrev=False)
    add_model(command)
    command.add_argument("output", metavar="OUT", type=Path, help="where the quantized model goes")
    data = command.add_argument_group("data")
    data.add_argument("--calib", required=True, metavar="NPZ", help="typical inputs, arrays named after the inputs")
    data.add_argument("--eval", metavar="NPZ", help="other inputs to measure fidelity on, perhaps with labels")
    data.add_argument("--labels", metavar="NAME", help="the array of --eval that holds class numbers")
    data.add_argument("--batch-size", type=int, default=Recipe.batch_size, metavar="N", help="default: %(default)s")
    data.add_argument("--seed", type=int, default=Recipe.seed, metavar="N", help="chooses samples if --eval is missing")
    how = command.add_argument_group("quantization")
    how.add_argument("--calibrator", default=Recipe.calibrator, metavar="NAME", help=f"{NAMES}; default: %(default)s")
    how.add_argument(
        "--weight-calibrator", default=Recipe.weight_calibrator, metavar="NAME", help="default: %(default)s"
    )
    how.add_argument("--percentile", type=float, metavar="P", help=f"for that calibrator; default: {Recipe.percentile}")
    how.add_argument("--plan", type=Path, metavar="FILE", help="obey a plan that `onnxq plan --json` wrote")
    output = command.add_argument_group("output")
    talk = output.add_mutually_exclusive_group()
    talk.add_argument("--json", action="store_true", help="print the report as JSON")
    talk.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    talk.add_argument("-v", "--verbose", action="store_true", help="name every node that stays in float")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Quantizes and writes a model."""
    for given in (options.model, options.calib, options.eval, options.plan):
        onnx_io.check_output(Path(given) if given else None, options.output)
    recipe = Recipe(
        target=options.target,
        calibrator=options.calibrator,
        weight_calibrator=options.weight_calibrator,
        percentile=_percentile(options),
        skip=selectors(options),
        batch_size=options.batch_size,
        labels=options.labels,
        seed=options.seed,
    )
    plan = _read_plan(options.plan) if options.plan else None
    with Bar(options.quiet or options.json) as bar:
        result = quantize(options.model, options.calib, recipe, plan=plan, evaluation=options.eval, observer=bar)
        bar.begin("write")
        onnx_io.save(result.model, options.output)
    if options.json:
        print(report_json(result.report))
    elif not options.quiet:
        console(WIDE if options.verbose else NARROW).print(summary(result.report, options.verbose))


def _percentile(options: argparse.Namespace) -> float:
    if options.percentile is None:
        return Recipe.percentile
    if "percentile" not in (options.calibrator, options.weight_calibrator):
        raise RecipeError("--percentile does nothing without --calibrator percentile. Give both.")
    return float(options.percentile)


def _read_plan(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as cause:
        raise PlanError(f"The plan '{path}' cannot be read: {cause}.") from cause
