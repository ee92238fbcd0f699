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
from onnxq.errors import RuntimeFailure
from onnxq.runtimes.tensorrt.advice import advised
from onnxq.runtimes.tensorrt.config import ANY_GPU, configure, load_plugins, timing_cache
from onnxq.runtimes.tensorrt.layers import layers_from_log, operators_from_model
from onnxq.runtimes.tensorrt.log import Messages, errors, open_log
from onnxq.runtimes.tensorrt.network import network_of, profile_of
from onnxq.runtimes.tensorrt.opened import layers_of_engine
from onnxq.runtimes.tensorrt.package import Backend, find_backend
from onnxq.runtimes.tensorrt.progress import interruptible, monitor_of
from onnxq.runtimes.tensorrt.silence import silenced


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
        KeyboardInterrupt: Ctrl-C stopped the build.
    """
    backend = find_backend(options.backend)
    trt = backend.trt
    log, messages = open_log(trt)
    load_plugins(trt, options.plugins, messages)
    monitor = monitor_of(trt, observer or Silent())
    with interruptible(monitor), silenced():
        builder = _builder(backend, log, messages)
        network = network_of(backend, builder, log, model)
        config = builder.create_builder_config()
        config.progress_monitor = monitor
        where = configure(backend, config, options)
        config.add_optimization_profile(profile_of(builder, network, options.profiles, options.fixed))
        content = None if monitor.stopped else builder.build_serialized_network(network, config)
    if content is None:
        said = errors(trt, messages)
        raise RuntimeFailure(advised(f"{backend.title} parses the model but cannot build it {where}: {said}"))
    layers = _layers(backend, bytes(content), messages)
    return Engine(bytes(content), layers, timing_cache(config, options), f"{backend.title} {where}")


def compile_ahead_of_time(
    model: bytes | onnx.ModelProto,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    compute_capability: str = ANY_GPU,
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


def _builder(backend: Backend, log: Any, messages: Messages) -> Any:
    try:
        builder = backend.trt.Builder(log)
    except TypeError:  # how pybind11 says that TensorRT returned nothing
        builder = None
    if builder is not None:
        return builder
    advice = " It takes a GPU; `--backend tensorrt-rtx` compiles without one." if backend.needs_gpu else ""
    raise RuntimeFailure(f"{backend.title} cannot start: {errors(backend.trt, messages)}.{advice}")


def _layers(backend: Backend, content: bytes, messages: Messages) -> tuple[Layer, ...]:
    """What the builder logged, or what the engine tells of itself on the GPU that it was built on."""
    logged = tuple(layers_from_log(text for _, text in messages))
    return layers_of_engine(backend, content) if backend.needs_gpu and not logged else logged
