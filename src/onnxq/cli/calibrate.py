"""`onnxq calibrate`: an FP32 model and inputs in, statistics of its activations out."""

from __future__ import annotations

import argparse
from pathlib import Path

from onnxq import files
from onnxq.cli import options as shared
from onnxq.cli.output import NARROW, console
from onnxq.cli.progress import Bar
from onnxq.cli.resuming import note_given_up, resumable
from onnxq.core.statistics import Statistics
from onnxq.pipeline import Checkpoint, calibrate, save_statistics
from onnxq.reports.json import statistics_json
from onnxq.reports.text import statistics_table


def add_options(command: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    shared.add_model(command)
    command.add_argument("output", metavar="STATS", type=Path, help="where the statistics go, an npz file")
    data = command.add_argument_group("data")
    shared.add_samples(data, required=True)
    data.add_argument(
        "--resume", action="store_true", help="go on where an interrupted run with the same STATS and data stopped"
    )
    shared.add_plan(data)
    shared.add_rest(data)
    shared.add_execution(command)
    shared.add_talk(command, "what was measured", "show what was measured of each tensor, and name the slowest")


def run(options: argparse.Namespace) -> None:
    """Calibrates and writes statistics."""
    for given in shared.inputs_of(options, ("model", "calib", "plan", "recipe")):
        files.check_output(given, options.output)
    checkpoint = Checkpoint(options.output, options.resume)
    with resumable(checkpoint, "counted"):
        statistics = _calibrated(options, checkpoint)
    if options.json:
        print(statistics_json(statistics))
    elif not options.quiet:
        console(NARROW).print(statistics_table(statistics, options.verbose))


def _calibrated(options: argparse.Namespace, checkpoint: Checkpoint) -> Statistics:
    """The statistics, written."""
    with Bar(options.quiet or options.json, options.verbose) as bar:
        note_given_up(checkpoint, options, bar)
        statistics = calibrate(
            options.model,
            shared.given_samples(options),
            shared.recipe(options, bar),
            plan=shared.plan_text(options),
            execution=shared.execution(options, bar),
            checkpoint=checkpoint,
        )
        bar.begin("write")
        save_statistics(statistics, options.output)
        checkpoint.remove()
    return statistics
