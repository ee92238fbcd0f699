"""A Python script whose function yields feed dicts, as ``polygraphy run --data-loader-script`` takes it."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType

from onnxq.core.batch import Source, Tensors
from onnxq.data.feeds import FeedSource
from onnxq.data.kind import Kind, Request
from onnxq.data.rows import by_number
from onnxq.data.user_code import called, stepped
from onnxq.errors import DataError, near_misses

FUNCTION = "load_data"
_SUFFIX = ".py"


def _split(path: Path) -> tuple[Path, str]:
    """The script and the function in "calib.py" or "calib.py:function"."""
    script, colon, function = str(path).rpartition(":")
    return (Path(script), function) if colon and script.endswith(_SUFFIX) else (path, FUNCTION)


def _recognizes(path: Path) -> bool:
    script, _ = _split(path)
    return script.suffix == _SUFFIX and script.is_file()


def _open(path: Path, request: Request) -> Source:
    script, name = _split(path)
    function = _function(called(partial(_module, script), script), name, script)
    return FeedSource(partial(_feeds, function, script), request.inputs, request.limit, by_number("feed", str(script)))


def _module(script: Path) -> ModuleType:
    """The script, run. It finds modules that lie beside it."""
    spec = importlib.util.spec_from_file_location(script.stem, script)
    if spec is None or spec.loader is None:
        raise DataError(f"'{script}' is no Python script.")
    module = importlib.util.module_from_spec(spec)
    with _importing_from(script.parent):
        spec.loader.exec_module(module)
    return module


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    entry = str(folder.resolve())
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        sys.path.remove(entry)


def _function(module: ModuleType, name: str, script: Path) -> Callable[[], Iterable[Tensors]]:
    functions = [known for known, value in vars(module).items() if inspect.isfunction(value)]
    found = getattr(module, name, None)
    if not callable(found):
        raise DataError(
            f"'{script}' has no function '{name}'.{near_misses(name, functions)} Functions: "
            f"{', '.join(functions) or 'none'}. Give another one as '{script}:NAME'."
        )
    chosen: Callable[[], Iterable[Tensors]] = found
    return chosen


def _feeds(function: Callable[[], Iterable[Tensors]], script: Path) -> Iterator[Tensors]:
    made = called(function, script)
    if not isinstance(made, Iterable):
        raise DataError(
            f"'{script}' returns {type(made).__name__}. It must return or yield dicts from input names to arrays."
        )
    return stepped(iter(made), script)


LOADER_SCRIPT = Kind("a Polygraphy loader script (FILE.py or FILE.py:FUNCTION)", _recognizes, _open)
