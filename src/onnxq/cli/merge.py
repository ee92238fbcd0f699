"""`onnxq merge`: statistics of several runs in, those of one run over all their samples out."""

from __future__ import annotations

import argparse
from functools import reduce
from pathlib import Path
from typing import Any

from onnxq import files
from onnxq.cli.options import add_debug
from onnxq.core.statistics import Statistics
from onnxq.pipeline import load_statistics, save_statistics

EXAMPLE = "example: onnxq merge monday.npz tuesday.npz -o both.npz"


def add_command(commands: Any) -> None:
    """Adds the command and its options."""
    text = "put statistics of several calibrations together, as if all had been one"
    command = commands.add_parser("merge", help=text, description=text, epilog=EXAMPLE, allow_abbrev=False)
    command.add_argument("statistics", nargs="+", metavar="STATS", type=Path, help="files that `onnxq calibrate` wrote")
    command.add_argument("-o", "--output", required=True, metavar="OUT", type=Path, help="where the sum goes")
    command.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    add_debug(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Merges statistics."""
    for given in options.statistics:
        files.check_output(given, options.output)
    merged = reduce(Statistics.merge, [load_statistics(path) for path in options.statistics])
    save_statistics(merged, options.output)
    if not options.quiet:
        print(f"{merged.samples} samples, {len(merged.tensors)} tensors: {options.output}")
