"""`onnxq quantize`: an FP32 model in, a Q/DQ model out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from onnxq import files, onnx_io
from onnxq.catalog.calibrators import CALIBRATORS
from onnxq.cli import options as shared
from onnxq.cli.output import NARROW, WIDE, console
from onnxq.cli.progress import Bar
from onnxq.core.recipe import Recipe
from onnxq.core.samples import Samples
from onnxq.core.statistics import Statistics
from onnxq.errors import RecipeError
from onnxq.pipeline import load_calibration_cache, load_statistics, quantize
from onnxq.pipeline.building import check_is_possible, check_kernels
from onnxq.reports.json import report_json
from onnxq.reports.layers import verdict
from onnxq.reports.text import summary

NAMES = ", ".join(calibrator.name for calibrator in CALIBRATORS)
EXAMPLE = "example: onnxq quantize model.onnx model.int8.onnx --calib inputs.npz --eval heldout.npz"


def add_command(commands: Any) -> None:
    """Adds the command and its options."""
    text = "quantize a model"
    command = commands.add_parser("quantize", help=text, description=text, epilog=EXAMPLE, allow_abbrev=False)
    shared.add_model(command)
    command.add_argument("output", metavar="OUT", type=Path, help="where the quantized model goes")
    data = command.add_argument_group("data")
    shared.add_samples(data, required=False)
    data.add_argument("--stats", metavar="NPZ", help="statistics from `onnxq calibrate`, in place of --calib")
    data.add_argument(
        "--tensorrt-cache",
        metavar="FILE",
        help="a calibration cache of TensorRT 7 to 10: its scales are used, and what it lacks is calibrated",
    )
    data.add_argument("--eval", metavar="DATA", help="other inputs to measure fidelity on, perhaps with labels")
    data.add_argument("--labels", metavar="NAME", help="the array of --eval that holds class numbers")
    data.add_argument("--seed", type=int, default=Recipe.seed, metavar="N", help="chooses samples if --eval is missing")
    how = command.add_argument_group("quantization")
    how.add_argument("--calibrator", default=Recipe.calibrator, metavar="NAME", help=f"{NAMES}; default: %(default)s")
    how.add_argument(
        "--weight-calibrator", default=Recipe.weight_calibrator, metavar="NAME", help="default: %(default)s"
    )
    how.add_argument("--percentile", type=float, metavar="P", help=f"for that calibrator; default: {Recipe.percentile}")
    shared.add_plan(how)
    shared.add_rest(how)
    how.add_argument(
        "--io-types",
        choices=("keep", "low"),
        default="keep",
        help="whether inputs and outputs have the type of the rest",
    )
    how.add_argument("--no-int8", action="store_true", help="quantize nothing: only convert to the type of --rest")
    how.add_argument(
        "--check",
        action="store_true",
        help="compile with TensorRT for RTX, and write nothing if a planned INT8 layer does not become one",
    )
    shared.add_execution(command)
    shared.add_talk(command, "the report", "name every node that stays in float, and the slowest tensors")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Quantizes and writes a model."""
    for given in shared.inputs_of(options, ("model", "calib", "stats", "tensorrt_cache", "eval", "plan")):
        files.check_output(given, options.output)
    recipe = Recipe(
        target=options.target,
        calibrator=options.calibrator,
        weight_calibrator=options.weight_calibrator,
        percentile=_percentile(options),
        cache=load_calibration_cache(options.tensorrt_cache) if options.tensorrt_cache else None,
        skip=shared.selectors(options),
        labels=options.labels,
        rest=options.rest,
        low_io=options.io_types == "low",
        int8=not options.no_int8,
        seed=options.seed,
    )
    plan = shared.plan_text(options)
    if options.check:
        check_is_possible(recipe)
    with Bar(options.quiet or options.json, options.verbose) as bar:
        result = quantize(
            options.model,
            _calibration(options),
            recipe,
            plan=plan,
            evaluation=shared.samples(options, options.eval),
            execution=shared.execution(options, bar),
        )
        if options.check:
            bar.begin("check")
            kernels = check_kernels(result.model, result.plan, shared.samples(options, options.calib))
        bar.begin("write")
        onnx_io.save(result.model, options.output)
    if options.json:
        print(report_json(result.report))
    elif not options.quiet:
        out = console(WIDE if options.verbose else NARROW)
        out.print(summary(result.report, options.verbose))
        if options.check:
            out.print(f"Checked with TensorRT for RTX: {verdict(kernels)}", soft_wrap=True)


def _calibration(options: argparse.Namespace) -> Samples | Statistics | None:
    """The samples, or what was measured on them."""
    if options.stats is None:
        return shared.samples(options, options.calib, options.num_samples)
    if options.calib is not None or options.num_samples is not None:
        raise RecipeError(
            "--stats takes the place of --calib and --num-samples. Give one of them; --eval has the data to compare on."
        )
    return load_statistics(options.stats)


def _percentile(options: argparse.Namespace) -> float:
    if options.percentile is None:
        return Recipe.percentile
    if "percentile" not in (options.calibrator, options.weight_calibrator):
        raise RecipeError("--percentile does nothing without --calibrator percentile. Give both.")
    return float(options.percentile)
