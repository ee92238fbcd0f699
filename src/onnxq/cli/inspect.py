"""`onnxq inspect`: which kernels TensorRT runs, and in which types."""

from __future__ import annotations

import argparse
from pathlib import Path

from onnxq.cli import options as shared
from onnxq.cli.build import add_builder, builder_options, shape_samples
from onnxq.cli.output import WIDE, console
from onnxq.cli.progress import Bar
from onnxq.pipeline.building import layer_plan
from onnxq.reports.layers import layers_json, layers_table, verdict


def add_options(command: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    command.add_argument(
        "model", metavar="MODEL_OR_ENGINE", type=Path, help="an ONNX model, or an engine built for this machine's GPU"
    )
    add_builder(command)
    shared.add_talk(command, "all layers", "show every layer")


def run(options: argparse.Namespace) -> None:
    """Prints the layers."""
    with Bar(options.quiet or options.json) as bar:
        bar.begin("compile")
        plan = layer_plan(options.model, builder_options(options), shape_samples(options), bar)
    if options.json:
        print(layers_json(plan), end="")
    elif options.quiet:
        print(verdict(plan))
    else:
        console(WIDE).print(layers_table(plan, options.verbose))
