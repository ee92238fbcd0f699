"""Edge to the command line: arguments, printing and exit codes live here only."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from onnxq.cli.interruption import INTERRUPTED, NOTHING
from onnxq.errors import OnnxqError

PIPED = 141
"""The exit code of a shell command whose output nobody reads any more."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: instead of those of the process.

    Returns:
        0 if it worked, or the code that the command returns; 2 for a mistake of the user, 1 for any other failure,
        and what shells return where Ctrl-C or the end of a pipe stopped it.
    """
    given = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in given
    try:
        from onnxq.cli.parser import Parser  # noqa: PLC0415 - Ctrl-C must find this `try` while Python imports

        options = Parser().parse_args(given)
        code = int(options.run(options) or 0)
        sys.stdout.flush()
        return code
    except OnnxqError as error:
        return _fail(f"error: {error}", debug, error.exit_code)
    except KeyboardInterrupt as stop:
        return _fail(f"interrupted; {stop.args[0]}" if stop.args else NOTHING, debug, INTERRUPTED)
    except BrokenPipeError:  # whom it was printed for has read enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it ends
        return PIPED
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        return _fail(f"error: this is a bug in onnxq, please report it: {text}", debug, 1)


def _fail(text: str, debug: bool, code: int) -> int:
    if debug:
        sys.excepthook(*sys.exc_info())
    print(text, file=sys.stderr)
    return code
