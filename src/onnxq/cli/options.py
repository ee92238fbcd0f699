"""Options that several commands share."""

from __future__ import annotations

import argparse

from onnxq.catalog.targets import TARGETS
from onnxq.core.recipe import Selector

SKIP_HELP = (
    "(behind IN and OUT) leave nodes in float: a name, a glob such as '/layer1/*', a regular expression "
    "'re:head|neck', or an operator 'op:Gemm'; a pattern that matches nothing is an error"
)


def add_model(command: argparse.ArgumentParser) -> None:
    """Which model, which target, and what to leave out."""
    command.add_argument("model", metavar="IN", help="the FP32 ONNX model; it is only read")
    command.add_argument(
        "--target", default="tensorrt", help=f"{', '.join(t.name for t in TARGETS)}; default: %(default)s"
    )
    command.add_argument("--skip", nargs="+", action="extend", default=[], metavar="PATTERN", help=SKIP_HELP)
    command.add_argument("--debug", action="store_true", help="show the traceback of an error")


def selectors(options: argparse.Namespace) -> tuple[Selector, ...]:
    """What --skip asks for."""
    return tuple(Selector(pattern) for pattern in options.skip)
