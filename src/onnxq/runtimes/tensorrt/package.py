"""Which TensorRT there is: the one for data centers, which needs a GPU, or the one for RTX, which compiles without."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from onnxq.errors import RecipeError, RuntimeFailure, near_misses
from onnxq.runtimes.gpu import gpu_answers

PACKAGES = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}
"""Backends, and the modules they are imported as."""

TITLES = {"tensorrt": "TensorRT", "tensorrt-rtx": "TensorRT for RTX"}
EXTRAS = {"tensorrt": "onnxq[tensorrt]", "tensorrt-rtx": "onnxq[rtx]"}


@dataclass(frozen=True)
class Backend:
    """An installed TensorRT; both have the same API."""

    name: str
    trt: Any

    @property
    def title(self) -> str:
        """Its name and version, as people write them."""
        return f"{TITLES[self.name]} {self.trt.__version__}"

    @property
    def needs_gpu(self) -> bool:
        """Whether it cannot build without a GPU."""
        return self.name == "tensorrt"


def find_backend(name: str | None = None) -> Backend:
    """The backend called `name`; else one that is installed: TensorRT where a GPU answers, or TensorRT for RTX.

    Raises:
        RecipeError: there is no such backend.
        RuntimeFailure: it is not installed.
    """
    if name is not None and name not in PACKAGES:
        raise RecipeError(
            f"Unknown backend '{name}'. Choose one of: {', '.join(PACKAGES)}.{near_misses(name, PACKAGES)}"
        )
    preferred = tuple(PACKAGES) if gpu_answers() else tuple(reversed(PACKAGES))
    for candidate in preferred if name is None else (name,):
        if (module := _imported(candidate)) is not None:
            return Backend(candidate, module)
    wanted = name or "tensorrt-rtx"
    raise RuntimeFailure(f"Compiling needs {TITLES[wanted]}: pip install '{EXTRAS[wanted]}'")


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(PACKAGES[name])
    except ImportError:
        return None
