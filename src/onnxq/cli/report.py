"""`onnxq report`: what there is to see of a quantization, as one HTML page, from files that were saved on the way."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from onnxq import files
from onnxq.cli import options as shared
from onnxq.cli.progress import Bar
from onnxq.core.dossier import Dossier
from onnxq.core.recipe import Recipe
from onnxq.core.standings import Standings
from onnxq.errors import DataError, OutputError, RecipeError
from onnxq.pipeline import load_statistics, quantize
from onnxq.pipeline.dossier import dossier_of, planned_dossier
from onnxq.reports.html import check_report, report_html
from onnxq.runtimes.polygraphy import check_package

KINDS = (".html", ".htm")
EXAMPLE = "example: onnxq report model.onnx report.html --stats stats.npz --eval heldout.npz --sensitivity ranking.json"


def add_command(commands: Any) -> None:
    """Adds the command and its options."""
    text = "show a quantization as one HTML page, from saved plan, statistics and ranking"
    command = commands.add_parser("report", help=text, description=text, epilog=EXAMPLE, allow_abbrev=False)
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
    command.set_defaults(run=run)


def add_report(command: argparse.ArgumentParser) -> None:
    """The same page, as an option of a command that quantizes."""
    text = "write all there is to see as one HTML page, with the error of each tensor (pip install 'onnxq[report]')"
    command.add_argument("--report", type=Path, metavar="HTML", help=text)


def check_page(page: Path | None, others: Iterable[Path | None] = (), measures: bool = False) -> None:
    """Refuses a page that cannot be written before any work is done.

    Args:
        page: where it goes, None if there is none.
        others: what else is written.
        measures: whether there are samples, on which the error of each tensor is measured.

    Raises:
        OutputError: it has another kind's name, or is another output too.
        RecipeError: a package is missing.
        RuntimeFailure: Polygraphy is missing, which runs models side by side.
    """
    if page is None:
        return
    if page.suffix not in KINDS:
        raise OutputError(f"The report '{page}' must end in {KINDS[0]}.")
    if page.resolve() in {other.resolve() for other in others if other}:
        raise OutputError(f"The report and another output are both '{page}'. Give each its own name.")
    check_report()
    if measures:
        check_package()


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
