"""Edge to the command line: arguments, printing and exit codes live here only."""

from __future__ import annotations

import argparse
import shlex
import sys
import traceback
from collections.abc import Sequence

from onnxq import __version__
from onnxq.cli import build, calibrate, compare, inspect, lint, merge, plan, quantize, recipe, report, sensitivity
from onnxq.errors import OnnxqError

COMMANDS = (quantize, plan, recipe, calibrate, merge, sensitivity, lint, compare, report, inspect, build)

INTERRUPTED = 130
"""The exit code of a shell command that Ctrl-C ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: instead of those of the process.

    Returns:
        0 if it worked, or the code that the command returns; 2 for a mistake of the user, 1 for any other failure.
    """
    given = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(given, argparse.Namespace(command_line=shlex.join(["onnxq", *given])))
    try:
        return int(options.run(options) or 0)
    except OnnxqError as error:
        return _fail(f"error: {error}", options.debug, error.exit_code)
    except KeyboardInterrupt as stop:
        return _fail(f"interrupted; {stop.args[0] if stop.args else 'nothing was written'}", options.debug, INTERRUPTED)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        return _fail(f"error: this is a bug in onnxq, please report it: {text}", options.debug, 1)


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(
        prog="onnxq", description="INT8 quantization of ONNX models for TensorRT.", allow_abbrev=False
    )
    top.add_argument("--version", action="version", version=f"onnxq {__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.add_command(commands)
    return top


def _fail(text: str, debug: bool, code: int) -> int:
    if debug:
        traceback.print_exc()
    print(text, file=sys.stderr)
    return code
