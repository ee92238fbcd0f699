"""`onnxq quantize`: an FP32 model in, a Q/DQ model out."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from onnxq import files, onnx_io
from onnxq.catalog.calibrators import CALIBRATORS
from onnxq.cli import options as shared
from onnxq.cli.budget import add_budget, budget_of, write_front
from onnxq.cli.output import NARROW, WIDE, console
from onnxq.cli.progress import Bar
from onnxq.cli.report import add_report, check_page
from onnxq.core.budget import Budget, Outcome
from onnxq.core.recipe import Recipe
from onnxq.core.samples import Samples
from onnxq.core.statistics import Statistics
from onnxq.errors import RecipeError
from onnxq.pipeline import Result, load_statistics, quantize, save_recipe
from onnxq.pipeline.building import check_is_possible, check_kernels
from onnxq.pipeline.dossier import dossier_of
from onnxq.reports.front import outcome_table
from onnxq.reports.html import report_html
from onnxq.reports.json import report_json
from onnxq.reports.layers import verdict
from onnxq.reports.text import summary
from onnxq.sensitivity import quantize_within

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
    data.add_argument("--seed", type=int, metavar="N", help="chooses samples if --eval is missing")
    how = command.add_argument_group("quantization")
    how.add_argument("--calibrator", metavar="NAME", help=f"{NAMES}; default: {Recipe.calibrator}")
    how.add_argument("--weight-calibrator", metavar="NAME", help=f"default: {Recipe.weight_calibrator}")
    how.add_argument("--percentile", type=float, metavar="P", help=f"for that calibrator; default: {Recipe.percentile}")
    shared.add_plan(how)
    shared.add_rest(how)
    how.add_argument(
        "--io-types",
        choices=("keep", "low"),
        help="whether inputs and outputs have the type of the rest; default: keep",
    )
    how.add_argument("--no-int8", action="store_true", help="quantize nothing: only convert to the type of --rest")
    how.add_argument(
        "--check",
        action="store_true",
        help="compile with TensorRT for RTX, and write nothing if a planned INT8 layer does not become one",
    )
    how.add_argument("--save-recipe", type=Path, metavar="FILE", help="write what was done as a recipe")
    add_report(command)
    add_budget(command)
    shared.add_execution(command)
    shared.add_talk(command, "the report", "name every node that stays in float, and the slowest tensors")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Quantizes and writes a model."""
    for given in shared.inputs_of(options, ("model", "calib", "stats", "tensorrt_cache", "eval", "plan", "recipe")):
        for output in filter(None, (options.output, options.save_recipe, options.front, options.report)):
            files.check_output(given, output)
    _check_save(options)
    measures = options.eval is not None or options.calib is not None
    check_page(options.report, (options.output, options.save_recipe, options.front), measures)
    budget = budget_of(options)
    with Bar(options.quiet or options.json, options.verbose) as bar:
        result, outcome = _quantized(options, budget, bar)
        if options.check:
            bar.begin("check")
            kernels = check_kernels(result.model, result.plan, shared.samples(options, options.calib))
        page = _page(options, result, outcome, bar) if options.report else None
        bar.begin("write")
        _write(options, result, outcome, page)
    if options.json:
        print(report_json(result.report, outcome))
    elif not options.quiet:
        out = console(WIDE if options.verbose else NARROW)
        out.print(summary(result.report, options.verbose))
        if outcome:
            out.print(outcome_table(outcome, options.verbose))
        if options.check:
            out.print(f"Checked with TensorRT for RTX: {verdict(kernels)}", soft_wrap=True)


def _quantized(options: argparse.Namespace, budget: Budget | None, bar: Bar) -> tuple[Result, Outcome | None]:
    """The model, and what a search for a budget came to."""
    recipe = shared.recipe(options, bar)
    _check_percentile(options, recipe)
    if options.check:
        check_is_possible(recipe)
    calib, evaluation = _calibration(options), shared.samples(options, options.eval)
    execution = shared.execution(options, bar)
    if budget is not None:
        return quantize_within(budget, options.model, calib, recipe, evaluation=evaluation, execution=execution)
    plan = shared.plan_text(options)
    return quantize(options.model, calib, recipe, plan=plan, evaluation=evaluation, execution=execution), None


def _write(options: argparse.Namespace, result: Result, outcome: Outcome | None, page: bytes | None) -> None:
    """Everything that was asked for, the model first."""
    onnx_io.save(result.model, options.output)
    if options.save_recipe:
        save_recipe(result.recipe, options.save_recipe)
    if outcome and options.front:
        write_front(outcome, options.front, Path(options.model).stem)
    if page:
        files.write(options.report, page)


def _page(options: argparse.Namespace, result: Result, outcome: Outcome | None, bar: Bar) -> bytes:
    """The HTML report; the error of each tensor is measured on --eval, else on --calib."""
    bar.begin("report")
    data = shared.samples(options, options.eval) or shared.samples(options, options.calib, options.num_samples)
    dossier = dossier_of(options.model, result, data, shared.execution(options, bar))
    return report_html(replace(dossier, outcome=outcome, command=options.command_line))


def _calibration(options: argparse.Namespace) -> Samples | Statistics | None:
    """The samples, or what was measured on them."""
    if options.stats is None:
        return shared.samples(options, options.calib, options.num_samples)
    if options.calib is not None or options.num_samples is not None:
        raise RecipeError(
            "--stats takes the place of --calib and --num-samples. Give one of them; --eval has the data to compare on."
        )
    return load_statistics(options.stats)


def _check_percentile(options: argparse.Namespace, recipe: Recipe) -> None:
    used = {rule.calibrator for rule in recipe.rules} | {rule.weight_calibrator for rule in recipe.rules}
    if options.percentile is not None and "percentile" not in {recipe.calibrator, recipe.weight_calibrator, *used}:
        raise RecipeError("--percentile does nothing without --calibrator percentile. Give both.")


def _check_save(options: argparse.Namespace) -> None:
    if options.save_recipe is None:
        return
    if options.plan is not None:
        raise RecipeError(
            "--plan decides edge by edge, which no recipe can say. Leave out --save-recipe, and keep the plan."
        )
    if options.save_recipe.resolve() == options.output.resolve():
        raise RecipeError(f"The model and its recipe cannot both be '{options.output}'. Choose another name for one.")
