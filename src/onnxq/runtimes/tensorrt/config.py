"""From BuildOptions to a builder's configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onnxq.core.build_options import BuildOptions
from onnxq.errors import RecipeError
from onnxq.runtimes.gpu import gpu_answers
from onnxq.runtimes.tensorrt.log import Messages, errors
from onnxq.runtimes.tensorrt.package import Backend

ANY_GPU = "8.9"
"""What is compiled for where no GPU answers, and nobody says for which."""

CURRENT = "current"
"""How people name the GPU in this machine."""


def configure(backend: Backend, config: Any, options: BuildOptions) -> str:
    """Sets everything but profiles; returns for which GPU is built, as words.

    Raises:
        RecipeError: this version of TensorRT lacks what an option asks for.
    """
    trt = backend.trt
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if options.workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace)
    if options.timing_cache is not None:
        _set_timing_cache(backend, config, options.timing_cache)
    if options.version_compatible:
        if not backend.needs_gpu:
            raise RecipeError(
                f"{backend.title} cannot build engines for other versions. Leave out --version-compatible, or give "
                "--backend tensorrt."
            )
        config.set_flag(_member(backend, trt.BuilderFlag, "VERSION_COMPATIBLE", "--version-compatible"))
    if options.hardware_compatible:
        if not backend.needs_gpu:
            raise RecipeError(
                f"{backend.title} compiles for the GPUs that it is told. Give them as --compute-capability 8.6 8.9 in "
                "place of --hardware-compatible."
            )
        levels = getattr(trt, "HardwareCompatibilityLevel", None)
        config.hardware_compatibility_level = _member(backend, levels, "AMPERE_PLUS", "--hardware-compatible")
    return _set_gpus(backend, config, options.compute_capabilities)


def load_plugins(trt: Any, paths: Sequence[Path], messages: Messages) -> None:
    """Loads libraries of plugins, which the parser then knows.

    Raises:
        RecipeError: one is missing, or is no library.
    """
    for path in paths:
        if not path.is_file():
            raise RecipeError(f"The plugin library '{path}' does not exist.")
        said = len(messages)
        try:
            handle = trt.get_plugin_registry().load_library(str(path.resolve()))
        except (OSError, RuntimeError) as cause:
            raise RecipeError(f"The plugin library '{path}' cannot be loaded: {cause}.") from cause
        if handle is None:
            reason = errors(trt, messages[said:]) if len(messages) > said else "it is no library for this system"
            raise RecipeError(f"The plugin library '{path}' cannot be loaded: {reason}.")


def timing_cache(config: Any, options: BuildOptions) -> bytes:
    """What the build has measured, if it was asked to keep that."""
    return bytes(config.get_timing_cache().serialize()) if options.timing_cache is not None else b""


def _set_gpus(backend: Backend, config: Any, capabilities: Sequence[str]) -> str:
    if backend.needs_gpu:
        if capabilities:
            raise RecipeError(
                f"{backend.title} builds for the GPU in this machine. Leave out --compute-capability, or give "
                "--backend tensorrt-rtx."
            )
        return "for the GPU in this machine"
    wanted = tuple(capabilities) or (CURRENT if gpu_answers() else ANY_GPU,)
    config.num_compute_capabilities = len(wanted)
    for index, capability in enumerate(wanted):
        config.set_compute_capability(_capability(backend, capability), index)
    return "for the GPU in this machine" if wanted == (CURRENT,) else f"for compute capability {' and '.join(wanted)}"


def _member(backend: Backend, members: Any, name: str, option: str) -> Any:
    if not hasattr(members, name):
        raise RecipeError(f"{backend.title} does not know {option}. Leave it out.")
    return getattr(members, name)


def _capability(backend: Backend, wanted: str) -> Any:
    members = backend.trt.ComputeCapability.__members__
    known = {f"{name[2:-1]}.{name[-1]}": member for name, member in members.items() if name.startswith("SM")}
    known[CURRENT] = members["CURRENT"]
    if wanted not in known:
        raise RecipeError(
            f"{backend.title} does not compile ahead of time for compute capability '{wanted}'. Choose one of: "
            f"{', '.join(known)}"
        )
    return known[wanted]


def _set_timing_cache(backend: Backend, config: Any, content: bytes) -> None:
    if not backend.needs_gpu:
        raise RecipeError(f"{backend.title} measures nothing, so it has no timing cache. Leave out --timing-cache.")
    cache = config.create_timing_cache(content)
    if cache is None or not config.set_timing_cache(cache, False):
        raise RecipeError("The timing cache is of another GPU or version of TensorRT. Start a new one.")
