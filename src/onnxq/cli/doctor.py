"""`onnxq doctor`: what is installed, which engines answer, and whether all of it works."""

from __future__ import annotations

import argparse

from onnxq.reports.checkup import checkup_json, checkup_text
from onnxq.runtimes.checkup import checkup


def add_options(command: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    command.add_argument("--json", action="store_true", help="print what was found as JSON")


def run(options: argparse.Namespace) -> int:
    """Prints what was found.

    Returns:
        0 if it works, 1 if something that is installed does not, or something that is needed is missing.
    """
    found = checkup()
    print(checkup_json(found) if options.json else checkup_text(found))
    return int(not found.works)
