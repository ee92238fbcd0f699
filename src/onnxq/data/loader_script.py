"""A Python script whose function yields feed dicts, as ``polygraphy run --data-loader-script`` takes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from onnxq.core.batch import Source, Tensors
from onnxq.data.feeds import FeedSource
from onnxq.data.kind import Kind, Request
from onnxq.data.rows import by_number
from onnxq.data.script import SUFFIX, Script
from onnxq.data.user_code import called, stepped
from onnxq.errors import DataError

FUNCTION = "load_data"


def _recognizes(path: Path) -> bool:
    script = Script.of(path, FUNCTION)
    return script.path.suffix == SUFFIX and script.path.is_file()


def _open(path: Path, request: Request) -> Source:
    script = Script.of(path, FUNCTION)
    namer = by_number("feed", str(script.path))
    return FeedSource(partial(_feeds, script.load(), script.path), request.inputs, request.limit, namer)


def _feeds(function: Callable[[], Iterable[Tensors]], script: Path) -> Iterator[Tensors]:
    made = called(function, script)
    if not isinstance(made, Iterable):
        raise DataError(
            f"'{script}' returns {type(made).__name__}. It must return or yield dicts from input names to arrays."
        )
    return stepped(iter(made), script)


LOADER_SCRIPT = Kind("a Polygraphy loader script (FILE.py or FILE.py:FUNCTION)", _recognizes, _open)
