"""`onnxq plan`: where Q/DQ would go, and why."""

from __future__ import annotations

import argparse

from onnxq.cli.options import add_model, recipe
from onnxq.cli.output import WIDE, console
from onnxq.cli.progress import Bar
from onnxq.pipeline import load, matches_of, plan_of, read
from onnxq.reports.text import plan_table


def add_options(command: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    add_model(command)
    command.add_argument("--json", action="store_true", help="print the plan as JSON that `quantize --plan` obeys")


def run(options: argparse.Namespace) -> None:
    """Prints a plan."""
    asked = recipe(options, Bar(quiet=options.json))
    subject = read(load(options.model), asked)
    plan = plan_of(subject, asked)
    if options.json:
        print(plan.to_json(), end="")
        return
    console(WIDE).print(plan_table(plan, matches_of(subject, asked)))
