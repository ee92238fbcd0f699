"""The border to code that users wrote: whatever it raises becomes one error that says where.

The only place below `cli/` that catches every exception, since nobody can know what such code raises.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from onnxq.errors import DataError, OnnxqError

Made = TypeVar("Made")


def called(function: Callable[[], Made], script: Path) -> Made:
    """What `function`, which comes from `script`, returns.

    Raises:
        DataError: it raises anything.
    """
    try:
        return function()
    except OnnxqError:
        raise
    except Exception as cause:
        raise DataError(f"{_place(cause, script)} raises {type(cause).__name__}: {cause}".rstrip(": ")) from cause


def stepped(steps: Iterator[Made], script: Path) -> Iterator[Made]:
    """What `steps`, which come from `script`, yield.

    Raises:
        DataError: they raise anything.
    """
    end = object()
    while (made := called(lambda: next(steps, end), script)) is not end:
        yield made  # type: ignore[misc]  # mypy cannot tell `end` from what the steps yield


def _place(cause: Exception, script: Path) -> str:
    """The deepest line of `script` that had a part in it."""
    own = script.resolve()
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(cause.__traceback__)]
    if isinstance(cause, SyntaxError):
        places.append((cause.filename or "", cause.lineno))
    lines = [line for file, line in places if line and Path(file).resolve() == own]
    return f"'{script}' line {lines[-1]}" if lines else f"'{script}'"
