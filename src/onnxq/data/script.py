"""A function in a Python script of the user's."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from onnxq.data.user_code import called
from onnxq.errors import DataError, near_misses

SUFFIX = ".py"


@dataclass(frozen=True)
class Script:
    """A file, and the name of a function in it."""

    path: Path
    function: str

    @staticmethod
    def of(text: str | Path, default: str) -> Script:
        """The script and the function in "metric.py" or "metric.py:function".

        Args:
            text: names both, or the script alone.
            default: the function, if it is not named.
        """
        path, colon, function = str(text).rpartition(":")
        return Script(Path(path), function) if colon and path.endswith(SUFFIX) else Script(Path(text), default)

    def load(self) -> Callable[..., Any]:
        """Runs the script, and takes the function out of it.

        Raises:
            DataError: the script raises anything, or lacks the function.
        """
        module = called(partial(_module, self.path), self.path)
        functions = [known for known, value in vars(module).items() if inspect.isfunction(value)]
        found = getattr(module, self.function, None)
        if not callable(found):
            raise DataError(
                f"'{self.path}' has no function '{self.function}'.{near_misses(self.function, functions)} Functions: "
                f"{', '.join(functions) or 'none'}. Give another one as '{self.path}:NAME'."
            )
        chosen: Callable[..., Any] = found
        return chosen


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
