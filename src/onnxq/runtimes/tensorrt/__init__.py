"""Edge to TensorRT and TensorRT for RTX: builds engines, and says which kernels they are made of."""

from onnxq.core.layer_plan import Layer, LayerPlan, Tensor, compute_nodes, int8_nodes
from onnxq.runtimes.tensorrt.compile import Engine, build, compile_ahead_of_time
from onnxq.runtimes.tensorrt.layers import layers_from_json, layers_from_log, operators_from_model
from onnxq.runtimes.tensorrt.opened import inspect_engine
from onnxq.runtimes.tensorrt.package import PACKAGES, find_backend

__all__ = [
    "PACKAGES",
    "Engine",
    "Layer",
    "LayerPlan",
    "Tensor",
    "build",
    "compile_ahead_of_time",
    "compute_nodes",
    "find_backend",
    "inspect_engine",
    "int8_nodes",
    "layers_from_json",
    "layers_from_log",
    "operators_from_model",
]
