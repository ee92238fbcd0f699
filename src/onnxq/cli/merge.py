"""`onnxq merge`: statistics of several runs in, those of one run over all their samples out."""

from __future__ import annotations

import argparse
from functools import reduce
from pathlib import Path

from onnxq import files
from onnxq.core.statistics import Statistics
from onnxq.pipeline import load_statistics, save_statistics
from onnxq.reports.number import counted


def add_options(command: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    command.add_argument("statistics", nargs="+", metavar="STATS", type=Path, help="files that `onnxq calibrate` wrote")
    command.add_argument("-o", "--output", required=True, metavar="OUT", type=Path, help="where the sum goes")
    command.add_argument("-q", "--quiet", action="store_true", help="print errors only")


def run(options: argparse.Namespace) -> None:
    """Merges statistics."""
    for given in options.statistics:
        files.check_output(given, options.output)
    merged = reduce(Statistics.merge, [load_statistics(path) for path in options.statistics])
    save_statistics(merged, options.output)
    if not options.quiet:
        print(f"{counted(merged.samples, 'sample')}, {counted(len(merged.tensors), 'tensor')}: {options.output}")
