"""`onnxq report`: what there is to see of a quantization, as one HTML page, from files that were saved on the way."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from onnxq import files
from onnxq.cli import options as shared
from onnxq.cli.page import check_page
from onnxq.cli.progress import Bar
from onnxq.core.dossier import Dossier
from onnxq.core.recipe import Recipe
from onnxq.core.standings import Standings
from onnxq.errors import DataError, RecipeError
from onnxq.pipeline import load_statistics, quantize
from onnxq.pipeline.dossier import dossier_of, planned_dossier
from onnxq.reports.html import report_html


def add_options(command: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    shared.add_model(command)
    command.add_argument("output", metavar="OUT", type=Path, help="where the page goes, .html")
    data = command.add_argument_group("what was saved")
    data.add_argument(
        "--stats", metavar="NPZ", help="statistics from `onnxq calibrate`; without, only the plan is shown"
    )
    shared.add_plan(data)
    data.add_argument("--sensitivity", type=Path, metavar="JSON", help="a ranking from `onnxq sensitivity --out`")
    data.add_argument("--eval", metavar="DATA", help="inputs to measure fidelity and the error of each tensor on")
    data.add_argument("--labels", metavar="NAME", help="the array of --eval that holds class numbers")
    data.add_argument(
        "--preprocess", nargs="+", action="extend", default=[], metavar="HOW", help=shared.PREPROCESS_HELP
    )
    how = command.add_argument_group("quantization, as for `onnxq quantize`")
    how.add_argument("--calibrator", metavar="NAME", help=f"default: {Recipe.calibrator}")
    how.add_argument("--weight-calibrator", metavar="NAME", help=f"default: {Recipe.weight_calibrator}")
    shared.add_rest(how)
    shared.add_execution(command)
    command.add_argument("-q", "--quiet", action="store_true", help="print errors only")


def run(options: argparse.Namespace) -> None:
    """Writes the page."""
    for given in shared.inputs_of(options, ("model", "stats", "plan", "sensitivity", "eval", "recipe")):
        files.check_output(given, options.output)
    check_page(options.output, measures=options.eval is not None)
    if options.eval is not None and options.stats is None:
        raise RecipeError("--eval measures a quantized model, which takes statistics to make. Give --stats too.")
    with Bar(options.quiet, verbose=False) as bar:
        standings = _standings(options.sensitivity)
        found = replace(_dossier(options, bar), standings=standings, command=options.command_line)
        bar.begin("write")
        files.write(options.output, report_html(found))


def _dossier(options: argparse.Namespace, bar: Bar) -> Dossier:
    """What the files come to: the quantization itself, made anew, or the plan alone."""
    recipe, plan = shared.recipe(options, bar), shared.plan_text(options)
    if options.stats is None:
        return planned_dossier(options.model, recipe, plan)
    evaluation, execution = shared.samples(options, options.eval), shared.execution(options, bar)
    statistics = load_statistics(options.stats)
    result = quantize(options.model, statistics, recipe, plan=plan, evaluation=evaluation, execution=execution)
    bar.begin("report")
    return dossier_of(options.model, result, evaluation, execution)


def _standings(path: Path | None) -> Standings | None:
    """The ranking in a file.

    Raises:
        DataError: it cannot be read, or is none.
    """
    if path is None:
        return None
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise DataError(f"The ranking '{path}' cannot be read: {cause}.") from cause
    return Standings.from_json(text, str(path))
