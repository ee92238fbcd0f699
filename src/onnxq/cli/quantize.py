"""`onnxq quantize`: an FP32 model in, a Q/DQ model out.

What only --check, --report or a budget need is imported there: it would be a tenth of the time of a small model.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from onnxq import files, onnx_io
from onnxq.cli import options as shared
from onnxq.cli.budget import add_budget, budget_of, budget_table, check_time_limit, write_front
from onnxq.cli.output import NARROW, WIDE, console
from onnxq.cli.page import add_report, check_page
from onnxq.cli.progress import Bar
from onnxq.cli.quantization import FILES, add_calibrators, add_data, calibration, check_percentile
from onnxq.cli.resuming import note_given_up, resumable
from onnxq.core.budget import Budget, Outcome
from onnxq.core.execution import Execution
from onnxq.core.recipe import Recipe
from onnxq.errors import RecipeError
from onnxq.pipeline import Checkpoint, Result, quantize, save_recipe
from onnxq.reports.json import report_json
from onnxq.reports.text import summary


def add_options(command: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    shared.add_model(command)
    command.add_argument("output", metavar="OUT", type=Path, help="where the quantized model goes")
    data = command.add_argument_group("data")
    add_data(data)
    data.add_argument("--seed", type=int, metavar="N", help="chooses samples if --eval is missing")
    how = command.add_argument_group("quantization")
    add_calibrators(how)
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
    how.add_argument(
        "--resume", action="store_true", help="take what --fixes of an interrupted run with the same OUT had found"
    )
    how.add_argument("--save-recipe", type=Path, metavar="FILE", help="write what was done as a recipe")
    add_report(command)
    add_budget(command)
    shared.add_execution(command)
    shared.add_talk(command, "the report", "name every node that stays in float, and the slowest tensors")


def run(options: argparse.Namespace) -> None:
    """Quantizes and writes a model."""
    for given in shared.inputs_of(options, FILES):
        for output in filter(None, (options.output, options.save_recipe, options.front, options.report)):
            files.check_output(given, output)
    _check_save(options)
    measures = options.eval is not None or options.calib is not None
    check_page(options.report, (options.output, options.save_recipe, options.front), measures)
    budget, checkpoint = budget_of(options), Checkpoint(options.output, options.resume)
    with resumable(checkpoint, "found"), Bar(options.quiet or options.json, options.verbose) as bar:
        recipe = _recipe(options, bar)
        if recipe.fixes:
            note_given_up(checkpoint, options, bar)
        execution = replace(shared.execution(options, bar), memory=checkpoint.memory)
        result, outcome = _quantized(options, budget, recipe, execution)
        kernels = _checked(result, options, bar) if options.check else None
        page = _page(options, result, outcome, bar) if options.report else None
        bar.begin("write")
        _write(options, result, outcome, page)
        if recipe.fixes:
            checkpoint.remove()
    if options.json:
        print(report_json(result.report, outcome))
    elif not options.quiet:
        out = console(WIDE if options.verbose else NARROW)
        out.print(summary(result.report, options.verbose))
        if outcome:
            out.print(budget_table(outcome, options.verbose))
        if kernels:
            out.print(f"Checked with TensorRT for RTX: {kernels}", soft_wrap=True)


def _recipe(options: argparse.Namespace, bar: Bar) -> Recipe:
    """What was asked for.

    Raises:
        RecipeError: it cannot be, or an option does nothing.
    """
    recipe = shared.recipe(options, bar)
    check_percentile(options, recipe)
    check_time_limit(options, recipe)
    if options.resume and not recipe.fixes:
        raise RecipeError("--resume goes on with fixes, and there are none. Give --fixes, or leave out --resume.")
    if options.check:
        from onnxq.pipeline.building import check_is_possible  # noqa: PLC0415

        check_is_possible(recipe)
    return recipe


def _quantized(
    options: argparse.Namespace, budget: Budget | None, recipe: Recipe, execution: Execution
) -> tuple[Result, Outcome | None]:
    """The model, and what a search for a budget came to."""
    calib, evaluation = calibration(options), shared.samples(options, options.eval)
    if budget is not None:
        from onnxq.sensitivity import quantize_within  # noqa: PLC0415

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
    from onnxq.pipeline.dossier import dossier_of  # noqa: PLC0415
    from onnxq.reports.html import report_html  # noqa: PLC0415

    bar.begin("report")
    data = shared.samples(options, options.eval) or shared.samples(options, options.calib, options.num_samples)
    dossier = dossier_of(options.model, result, data, shared.execution(options, bar))
    return report_html(replace(dossier, outcome=outcome, command=options.command_line))


def _checked(result: Result, options: argparse.Namespace, bar: Bar) -> str:
    """What TensorRT for RTX makes of the model.

    Raises:
        VerifyError: not what was planned.
    """
    from onnxq.pipeline.building import check_kernels  # noqa: PLC0415
    from onnxq.reports.layers import verdict  # noqa: PLC0415

    bar.begin("check")
    return verdict(check_kernels(result.model, result.plan, shared.samples(options, options.calib)))


def _check_save(options: argparse.Namespace) -> None:
    if options.save_recipe is None:
        return
    if options.plan is not None:
        raise RecipeError(
            "--plan decides edge by edge, which no recipe can say. Leave out --save-recipe, and keep the plan."
        )
    if options.save_recipe.resolve() == options.output.resolve():
        raise RecipeError(f"The model and its recipe cannot both be '{options.output}'. Choose another name for one.")
