"""`onnxq sensitivity`: which groups of nodes suffer most from being quantized."""

from __future__ import annotations

import argparse
from pathlib import Path

from onnxq import files
from onnxq.catalog.metrics import METRICS
from onnxq.cli import options as shared
from onnxq.cli.output import NARROW, WIDE, console
from onnxq.cli.progress import Bar
from onnxq.cli.quantization import FILES, add_calibrators, add_data, calibration, check_percentile
from onnxq.cli.resuming import note_given_up, resumable
from onnxq.core.ranking import Ranking
from onnxq.errors import OutputError, RecipeError
from onnxq.pipeline import Checkpoint
from onnxq.reports.chart import check_plots, ranking_chart
from onnxq.reports.json import report_json
from onnxq.reports.ranking import ranking_csv, ranking_table
from onnxq.sensitivity import Inquiry, rank
from onnxq.sensitivity.inquiry import MODES, SHOWN, SIZES

KINDS = (".json", ".csv", ".svg", ".png")
NAMES = ", ".join(metric.name for metric in METRICS)


def add_options(command: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    shared.add_model(command)
    data = command.add_argument_group("data")
    add_data(data)
    data.add_argument("--eval-samples", type=int, metavar="N", help="use the first N samples of --eval only")
    _add_inquiry(command)
    how = command.add_argument_group("quantization")
    add_calibrators(how)
    shared.add_execution(command)
    _add_outputs(command)
    shared.add_talk(command, "the ranking", "show all groups, and rankings on the way")


def _add_inquiry(command: argparse.ArgumentParser) -> None:
    """What is varied, and what is computed."""
    what = command.add_argument_group("what is measured")
    what.add_argument(
        "--mode",
        default="alone",
        metavar="MODE",
        help=f"{', '.join(MODES)}; alone: quantize one group, and nothing else; without: leave one group in float, and "
        "quantize all else; default: %(default)s",
    )
    what.add_argument(
        "--groups",
        default="kernels",
        metavar="SIZE",
        help=f"{', '.join(SIZES)}; kernels: what the engine computes at once; blocks: such as residual blocks; "
        "default: %(default)s",
    )
    what.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="NAME",
        help=f"{NAMES}, or FILE.py:FUNCTION for one of your own; may be repeated, and the first one ranks; "
        f"default: {', '.join(SHOWN)}",
    )


def _add_outputs(command: argparse.ArgumentParser) -> None:
    """Where the ranking goes, and how it gets there."""
    command.add_argument(
        "--jobs", type=int, metavar="N", help="batches that are run side by side; default: one for each core"
    )
    command.add_argument(
        "--out",
        nargs="+",
        action="extend",
        default=[],
        type=Path,
        metavar="FILE",
        help="where the ranking goes: .json, .csv, and as a bar chart .svg or .png",
    )
    command.add_argument(
        "--resume", action="store_true", help="go on where an interrupted run with the same --out and data stopped"
    )


def run(options: argparse.Namespace) -> None:
    """Ranks groups, and writes the ranking."""
    _check_outputs(options)
    checkpoint = Checkpoint(options.out[0], options.resume) if options.out else None
    with resumable(checkpoint, "measured"):
        found = _ranked(options, checkpoint)
    if options.json:
        print(report_json(found))
    elif not options.quiet:
        console(WIDE if options.verbose else NARROW).print(ranking_table(found, options.verbose))


def _check_outputs(options: argparse.Namespace) -> None:
    """Refuses what cannot be written before any work is done."""
    scripts = [metric for metric in options.metric if ".py" in metric]
    given = (
        *shared.inputs_of(options, FILES),
        *map(shared.script_path, scripts),
    )
    for target in options.out:
        if target.suffix not in KINDS:
            raise OutputError(f"The output '{target}' must end in {', '.join(KINDS[:-1])} or {KINDS[-1]}.")
        for source in given:
            files.check_output(source, target)
    if len({target.resolve() for target in options.out}) < len(options.out):
        raise OutputError("Two of --out are the same file. Give each its own name.")
    if any(target.suffix in KINDS[2:] for target in options.out):
        check_plots()
    if options.resume and not options.out:
        raise RecipeError("--resume goes on from a file beside --out. Give both.")
    if options.eval_samples is not None and options.eval is None:
        raise RecipeError("--eval-samples does nothing without --eval. Give both, or --num-samples.")


def _ranked(options: argparse.Namespace, checkpoint: Checkpoint | None) -> Ranking:
    """The ranking, written where that was asked for."""
    with Bar(options.quiet or options.json, options.verbose) as bar:
        note_given_up(checkpoint, options, bar)
        recipe = shared.recipe(options, bar)
        check_percentile(options, recipe)
        found = rank(
            options.model,
            calibration(options),
            recipe,
            Inquiry(options.mode, options.groups, options.metric, shared.plan_text(options), checkpoint),
            evaluation=shared.samples(options, options.eval, options.eval_samples),
            execution=shared.execution(options, bar),
        )
        for target in options.out:
            files.write(target, _content(found, target.suffix, Path(options.model).stem))
        if checkpoint:
            checkpoint.remove()
    return found


def _content(found: Ranking, suffix: str, model: str) -> bytes:
    if suffix == ".json":
        return f"{report_json(found)}\n".encode()
    if suffix == ".csv":
        return ranking_csv(found).encode()
    return ranking_chart(found, suffix[1:], model)
