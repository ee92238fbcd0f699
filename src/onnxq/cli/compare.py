"""`onnxq compare`: how close a quantized model is to FP32, and where it departs."""

from __future__ import annotations

import argparse
from pathlib import Path

from onnxq import files
from onnxq.cli import options as shared
from onnxq.cli.output import NARROW, WIDE, console
from onnxq.cli.progress import Bar
from onnxq.errors import OutputError
from onnxq.pipeline.comparison import Models, compare
from onnxq.reports.comparison import comparison_table
from onnxq.reports.json import report_json
from onnxq.runtimes.polygraphy import Record


def add_options(command: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    command.add_argument("fp32", metavar="FP32", help="the FP32 ONNX model")
    command.add_argument("int8", metavar="INT8", help="the Q/DQ model that was made from it")
    command.add_argument("engine", metavar="ENGINE", nargs="?", type=Path, help="a TensorRT engine; it needs a GPU")
    data = command.add_argument_group("data")
    data.add_argument("--data", "--calib", dest="calib", required=True, metavar="DATA", help=shared.CALIB_HELP)
    data.add_argument("--num-samples", type=int, metavar="N", help="use the first N samples only")
    data.add_argument(
        "--preprocess", nargs="+", action="extend", default=[], metavar="HOW", help=shared.PREPROCESS_HELP
    )
    what = command.add_argument_group("comparison")
    what.add_argument(
        "--layers", action="store_true", help="compare every tensor that both models have, in graph order"
    )
    what.add_argument("--save-inputs", metavar="FILE", type=Path, help="for `polygraphy run --load-inputs`, JSON")
    what.add_argument(
        "--save-outputs", metavar="FILE", type=Path, help="of all models, for `polygraphy run --load-outputs`, JSON"
    )
    shared.add_execution(command)
    shared.add_talk(command, "the comparison", "show what Polygraphy logs")


def run(options: argparse.Namespace) -> None:
    """Compares models."""
    targets = [path for path in (options.save_inputs, options.save_outputs) if path]
    for target in targets:
        for given in shared.inputs_of(options, ("fp32", "int8", "engine", "calib")):
            files.check_output(given, target)
    if len({target.resolve() for target in targets}) < len(targets):
        raise OutputError(f"--save-inputs and --save-outputs are both '{targets[0]}'. Give two names.")
    record = Record(options.save_inputs is not None, options.save_outputs is not None)
    with Bar(options.quiet or options.json, options.verbose) as bar:
        found = compare(
            Models(options.fp32, options.int8, options.engine),
            shared.given_samples(options),
            layers=options.layers,
            execution=shared.execution(options, bar),
            record=record,
        )
        if options.save_inputs:
            record.save_inputs(options.save_inputs)
        if options.save_outputs:
            record.save_outputs(options.save_outputs)
    if options.json:
        print(report_json(found))
    elif not options.quiet:
        console(WIDE if options.layers else NARROW).print(comparison_table(found))
