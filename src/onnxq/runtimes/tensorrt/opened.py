"""Engines that are opened again, which takes a GPU like the one they were built for."""

from __future__ import annotations

from onnxq.core.build_options import BuildOptions
from onnxq.core.layer_plan import Layer, LayerPlan
from onnxq.errors import RuntimeFailure
from onnxq.runtimes.gpu import gpu_answers
from onnxq.runtimes.tensorrt.config import load_plugins
from onnxq.runtimes.tensorrt.layers import layers_from_json
from onnxq.runtimes.tensorrt.log import errors, open_log
from onnxq.runtimes.tensorrt.package import Backend, find_backend


def inspect_engine(content: bytes, options: BuildOptions) -> LayerPlan:
    """The kernels of a built engine. It does not know the operators of the ONNX model that it was built from.

    Args:
        content: the engine.
        options: of these, the backend and the plugins.

    Raises:
        RuntimeFailure: there is no TensorRT, no such GPU, or no detail in the engine.
        RecipeError: a library of plugins cannot be loaded.
    """
    backend = find_backend(options.backend)
    if not gpu_answers():
        raise RuntimeFailure(
            "This is no ONNX model, and an engine can only be opened on a GPU like the one it was built for: none "
            "answers here. Inspect the ONNX model that the engine was built from: that needs no GPU."
        )
    _, messages = open_log(backend.trt)
    load_plugins(backend.trt, options.plugins, messages)
    return LayerPlan(layers_of_engine(backend, content), {})


def layers_of_engine(backend: Backend, content: bytes) -> tuple[Layer, ...]:
    """The kernels of a built engine, as TensorRT's engine inspector lists them.

    Raises:
        RuntimeFailure: it is no engine of this version and GPU, or holds no details.
    """
    log, messages = open_log(backend.trt)
    runtime = backend.trt.Runtime(log)
    engine = runtime.deserialize_cuda_engine(content) if runtime else None
    if engine is None:
        raise RuntimeFailure(
            f"{backend.title} cannot open the engine: {errors(backend.trt, messages)}. It takes the version that built "
            "the engine, and a GPU like the one it was built for. Inspect the ONNX model instead: that needs neither."
        )
    text = engine.create_engine_inspector().get_engine_information(backend.trt.LayerInformationFormat.JSON)
    return tuple(layers_from_json(text))
