"""`onnxq lint`: what in a Q/DQ model a target refuses, or runs slowly."""

from __future__ import annotations

import argparse

from onnxq.catalog.targets import TARGETS
from onnxq.cli.options import add_talk
from onnxq.cli.output import WIDE, console
from onnxq.pipeline.linting import lint
from onnxq.reports.findings import findings_json, findings_table


def add_options(command: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    command.add_argument("model", metavar="MODEL", help="a Q/DQ ONNX model; it is only read")
    command.add_argument(
        "--target", default="tensorrt", help=f"{', '.join(t.name for t in TARGETS)}; default: %(default)s"
    )
    command.add_argument("--strict", action="store_true", help="warnings count as errors for the exit code")
    add_talk(command, "the findings", "one line for each node instead of each rule")


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
