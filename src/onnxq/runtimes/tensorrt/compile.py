"""Builds engines.

TensorRT for RTX compiles ahead of time on a CPU and logs the plan it made. Reading that log answers the question
that a Q/DQ model raises: which convolutions and matrix products read INT8, and which only look quantized.
The plan is made without measuring on a GPU, so kernels that a GPU build fuses may be listed apart: kernel counts and
moved bytes are upper bounds, the types that compute kernels read are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from onnxq.core.build_options import BuildOptions, Profile
from onnxq.core.layer_plan import Layer, LayerPlan
from onnxq.core.observer import Observer, Silent
from onnxq.errors import RecipeError, RuntimeFailure
from onnxq.runtimes.tensorrt.layers import layers_from_json, layers_from_log, operators_from_model
from onnxq.runtimes.tensorrt.log import errors, open_log
from onnxq.runtimes.tensorrt.network import network_of, profile_of
from onnxq.runtimes.tensorrt.package import Backend, find_backend
from onnxq.runtimes.tensorrt.progress import interruptible, monitor_of

ANY_GPU = ("8.9",)
"""What is compiled for where no GPU is there, and nobody says for which."""


@dataclass(frozen=True)
class Engine:
    """A built engine.

    Attributes:
        content: what a runtime loads.
        layers: its kernels, as far as the builder tells of them.
        timing_cache: what this build and those before have measured.
        title: who built it, and for what.
    """

    content: bytes
    layers: tuple[Layer, ...]
    timing_cache: bytes
    title: str


def build(model: bytes | Path, options: BuildOptions, observer: Observer | None = None) -> Engine:
    """Builds an engine.

    Args:
        model: an ONNX model below 2 GiB, or a path to one of any size.
        options: how.
        observer: told of the progress, if there is one.

    Raises:
        RuntimeFailure: the package or the GPU is missing, the parser refuses the model, or the build fails.
        RecipeError: the options do not fit the model, or this version of TensorRT.
    """
    backend = find_backend(options.backend)
    trt = backend.trt
    log, messages = open_log(trt)
    _load_plugins(trt, options)
    builder = trt.Builder(log)
    if builder is None:
        raise RuntimeFailure(f"{backend.title} cannot start: {errors(trt, messages)}")
    network = network_of(backend, builder, log, model)
    config = builder.create_builder_config()
    where = _configure(backend, config, options)
    config.add_optimization_profile(profile_of(builder, network, options.profiles, options.fixed))
    if options.timing_cache is not None:
        _set_timing_cache(backend, config, options.timing_cache)
    monitor = monitor_of(trt, observer or Silent())
    config.progress_monitor = monitor
    with interruptible(monitor):
        content = builder.build_serialized_network(network, config)
    if monitor.stopped:
        raise KeyboardInterrupt
    if content is None:
        raise RuntimeFailure(f"{backend.title} parses the model but cannot build it {where}: {errors(trt, messages)}")
    layers = tuple(layers_from_log(text for _, text in messages))
    cache = bytes(config.get_timing_cache().serialize()) if options.timing_cache is not None else b""
    return Engine(bytes(content), layers, cache, f"{backend.title} {where}")


def compile_ahead_of_time(
    model: bytes | onnx.ModelProto,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    compute_capability: str = ANY_GPU[0],
) -> LayerPlan:
    """Compiles `model` for a GPU that need not be there and returns the plan of its kernels.

    Args:
        model: an ONNX model below 2 GiB, weights included.
        shapes: input name -> shape to optimize for; free dimensions of other inputs become `FREE_DIM`.
        compute_capability: the GPU to compile for: "7.5", "8.0", "8.6", "8.9", "12.0" or "12.1".

    Raises:
        RuntimeFailure: the package is missing, the parser refuses the model, or the build fails.
        RecipeError: `shapes` names no input, or `compute_capability` is none that TensorRT for RTX compiles for.
    """
    content = model if isinstance(model, bytes) else model.SerializeToString()
    profiles = {name: Profile(shape, shape, shape) for name, shape in (shapes or {}).items()}
    engine = build(content, BuildOptions("tensorrt-rtx", (compute_capability,), profiles, fixed=True))
    return LayerPlan(engine.layers, operators_from_model(model))


def inspect_engine(content: bytes) -> LayerPlan:
    """The kernels of a built engine, which only a GPU like the one it was built for can tell.

    Raises:
        RuntimeFailure: there is no TensorRT, no such GPU, or no detail in the engine.
    """
    backend = find_backend()
    log, messages = open_log(backend.trt)
    runtime = backend.trt.Runtime(log)
    engine = runtime.deserialize_cuda_engine(content) if runtime else None
    if engine is None:
        raise RuntimeFailure(
            f"{backend.title} cannot open the engine: {errors(backend.trt, messages)}. It takes a GPU, and the version "
            "that built the engine. Inspect the ONNX model instead: that needs no GPU."
        )
    text = engine.create_engine_inspector().get_engine_information(backend.trt.LayerInformationFormat.JSON)
    layers = tuple(layers_from_json(text))
    return LayerPlan(layers, {name: _guessed(layer) for layer in layers for name in layer.onnx_nodes})


def _guessed(layer: Layer) -> str:
    """An engine does not know ONNX's operators; its convolutions and products are told by their kernels."""
    return "Conv" if layer.kind.lower() in ("convolution", "correlation", "caskconvolution") else "MatMul"


def _configure(backend: Backend, config: Any, options: BuildOptions) -> str:
    """Sets everything but profiles; returns for which GPU is built, as words."""
    trt = backend.trt
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if options.workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace)
    if options.version_compatible:
        config.set_flag(_member(backend, trt.BuilderFlag, "VERSION_COMPATIBLE", "--version-compatible"))
    if options.hardware_compatible:
        levels = getattr(trt, "HardwareCompatibilityLevel", None)
        config.hardware_compatibility_level = _member(backend, levels, "AMPERE_PLUS", "--hardware-compatible")
    if backend.needs_gpu:
        if options.compute_capabilities:
            raise RecipeError(
                f"{backend.title} builds for the GPU in this machine. Leave out --compute-capability, or give "
                "--backend tensorrt-rtx."
            )
        return "for the GPU in this machine"
    wanted = tuple(options.compute_capabilities) or ANY_GPU
    config.num_compute_capabilities = len(wanted)
    for index, capability in enumerate(wanted):
        config.set_compute_capability(_capability(backend, capability), index)
    return f"for compute capability {' and '.join(wanted)}"


def _member(backend: Backend, members: Any, name: str, option: str) -> Any:
    if not hasattr(members, name):
        raise RecipeError(f"{backend.title} does not know {option}. Leave it out.")
    return getattr(members, name)


def _capability(backend: Backend, wanted: str) -> Any:
    members = backend.trt.ComputeCapability.__members__
    if f"SM{wanted.replace('.', '')}" not in members:
        known = ", ".join(f"{name[2:-1]}.{name[-1]}" for name in members if name.startswith("SM"))
        raise RecipeError(
            f"{backend.title} does not compile ahead of time for compute capability '{wanted}'. Choose one of: {known}"
        )
    return members[f"SM{wanted.replace('.', '')}"]


def _load_plugins(trt: Any, options: BuildOptions) -> None:
    for path in options.plugins:
        if not path.exists():
            raise RecipeError(f"The plugin library '{path}' does not exist.")
        try:
            trt.get_plugin_registry().load_library(str(path.resolve()))
        except (OSError, RuntimeError) as cause:
            raise RecipeError(f"The plugin library '{path}' cannot be loaded: {cause}.") from cause


def _set_timing_cache(backend: Backend, config: Any, content: bytes) -> None:
    if not backend.needs_gpu:
        raise RecipeError(f"{backend.title} measures nothing, so it has no timing cache. Leave out --timing-cache.")
    if not config.set_timing_cache(config.create_timing_cache(content), False):
        raise RecipeError("The timing cache is of another GPU or version of TensorRT. Start a new one.")
