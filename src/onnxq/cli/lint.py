"""`onnxq lint`: what in a Q/DQ model a target refuses, or runs slowly."""

from __future__ import annotations

import argparse
from typing import Any

from onnxq.catalog.targets import TARGETS
from onnxq.cli.options import add_debug, add_talk
from onnxq.cli.output import WIDE, console
from onnxq.pipeline.linting import lint
from onnxq.reports.findings import findings_json, findings_table

EXAMPLE = "exit code: 1 if there are errors (with --strict, or warnings), 2 if the model cannot be read, else 0"


def add_command(commands: Any) -> None:
    """Adds the command and its options."""
    text = "check a Q/DQ model of any tool for what the target refuses or runs slowly"
    command = commands.add_parser("lint", help=text, description=text, epilog=EXAMPLE, allow_abbrev=False)
    command.add_argument("model", metavar="MODEL", help="a Q/DQ ONNX model; it is only read")
    command.add_argument(
        "--target", default="tensorrt", help=f"{', '.join(t.name for t in TARGETS)}; default: %(default)s"
    )
    command.add_argument("--strict", action="store_true", help="warnings count as errors for the exit code")
    add_talk(command, "the findings", "one line for each node instead of each rule")
    add_debug(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints the findings.

    Returns:
        1 if there is an error, or with --strict a warning; else 0.
    """
    findings = lint(options.model, options.target)
    errors = tuple(finding for finding in findings if finding.severity == "error")
    if options.json:
        print(findings_json(findings), end="")
    elif errors or not options.quiet:
        console(WIDE).print(findings_table(errors if options.quiet else findings, options.verbose))
    return int(bool(findings if options.strict else errors))
