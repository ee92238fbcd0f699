"""The zoo's own module, which knows its data."""

from __future__ import annotations

import importlib.util
from functools import cache
from types import ModuleType

from tests.conftest import ZOO


@cache
def preprocess() -> ModuleType:
    """Loaded once, and only where there is a zoo."""
    spec = importlib.util.spec_from_file_location("preprocess", ZOO / "preprocess.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
