"""The engines that latency is measured on: each opens a model for fixed inputs, and tells what it left unfused."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

Feed = Mapping[str, np.ndarray]
OPENVINO_SETUP = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1"}


class AbsentError(Exception):
    """An engine is not installed, or there is no GPU for it; the text says which."""


@dataclass(frozen=True)
class Kernels:
    """Convolutions and matrix products (`computes`), those of them in INT8, and by name what is left beside them."""

    int8: int
    computes: int
    left: Mapping[str, int]


@dataclass(frozen=True)
class Opened:
    """A model ready to run: `infer` runs it once and returns when the outputs are there."""

    infer: Callable[[], object]
    kernels: Kernels


class Engine(Protocol):
    title: str

    def open(self, model: Path, feed: Feed) -> Opened: ...


class OpenVino:
    """OpenVINO on the CPU; its floats are FP32, and it is asked for low latency."""

    def __init__(self, threads: int) -> None:
        try:
            import openvino  # noqa: PLC0415 - not a dependency of onnxq
        except ImportError as error:
            raise AbsentError("OpenVINO is not installed: pip install openvino") from error
        self.api, self.core = openvino, openvino.Core()
        self.setup = OPENVINO_SETUP | {"INFERENCE_NUM_THREADS": str(threads)}
        self.title = f"OpenVINO {openvino.__version__.partition('-')[0]}"

    def open(self, model: Path, feed: Feed) -> Opened:
        network = self.core.read_model(model)
        network.reshape({name: list(array.shape) for name, array in feed.items()})
        compiled = self.core.compile_model(network, "CPU", self.setup)
        request = compiled.create_infer_request()
        for name, array in feed.items():
            request.set_tensor(name, self.api.Tensor(np.ascontiguousarray(array)))

        def infer() -> None:
            request.start_async()
            request.wait()

        return Opened(infer, openvino_kernels(map(_runtime_info, compiled.get_runtime_model().get_ordered_ops())))


class OnnxRuntime:
    """ONNX Runtime on the CPU with all graph optimizations, its free dimensions set to the inputs'."""

    def __init__(self, threads: int) -> None:
        import onnxruntime  # noqa: PLC0415 - only in the process that measures it

        self.api, self.threads = onnxruntime, threads
        self.title = f"ONNX Runtime {onnxruntime.__version__}"

    def open(self, model: Path, feed: Feed) -> Opened:
        import onnx  # noqa: PLC0415 - OpenVINO and TensorRT read files themselves

        options = self.api.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3
        options.add_session_config_entry("session.force_spinning_stop", "1")  # else others' threads spin in our turn
        for dim, size in free_dims(onnx.load(model).graph, feed).items():
            options.add_free_dimension_override_by_name(dim, size)
        with tempfile.TemporaryDirectory() as folder:
            options.optimized_model_filepath = str(Path(folder, "optimized.onnx"))
            session = self.api.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
            optimized = onnx.load(options.optimized_model_filepath).graph
        inputs = dict(feed)
        return Opened(lambda: session.run(None, inputs), onnxruntime_kernels(optimized))


class TensorRt:
    """NVIDIA TensorRT on the first GPU, strongly typed; inputs and outputs stay in its memory."""

    def __init__(self, threads: int) -> None:  # noqa: ARG002 - a GPU has its own
        try:
            import tensorrt  # noqa: PLC0415 - not a dependency of onnxq
            from cuda.bindings import runtime  # noqa: PLC0415 - the same
        except ImportError as error:
            raise AbsentError(f"TensorRT is not installed ({error}): pip install tensorrt cuda-python") from error
        self.api, self.cuda = tensorrt, runtime
        status, count = runtime.cudaGetDeviceCount()
        if status != runtime.cudaError_t.cudaSuccess or count == 0:
            raise AbsentError(f"TensorRT needs a GPU, and there is none here ({status.name})")
        self.title = f"TensorRT {tensorrt.__version__}"
        self.log = tensorrt.Logger(tensorrt.Logger.ERROR)

    def open(self, model: Path, feed: Feed) -> Opened:
        engine = self.api.Runtime(self.log).deserialize_cuda_engine(self._build(model, feed))
        context, stream = engine.create_execution_context(), self._checked(self.cuda.cudaStreamCreate())
        for name, array in feed.items():
            context.set_input_shape(name, array.shape)
        for name in map(engine.get_tensor_name, range(engine.num_io_tensors)):
            host = np.zeros(tuple(context.get_tensor_shape(name)), self.api.nptype(engine.get_tensor_dtype(name)))
            host = np.ascontiguousarray(feed.get(name, host), host.dtype)
            device = self._checked(self.cuda.cudaMalloc(max(host.nbytes, 1)))
            copy = self.cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
            self._checked(self.cuda.cudaMemcpy(device, host.ctypes.data, host.nbytes, copy))
            context.set_tensor_address(name, device)

        def infer() -> None:
            if not context.execute_async_v3(stream):
                raise RuntimeError("TensorRT cannot run the model")
            self._checked(self.cuda.cudaStreamSynchronize(stream))

        return Opened(infer, Kernels(0, 0, {"layers": engine.num_layers}))

    def _build(self, model: Path, feed: Feed) -> Any:
        trt = self.api
        typed = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)  # always so from TensorRT 11 on
        builder = trt.Builder(self.log)
        network = builder.create_network(0 if typed is None else 1 << int(typed))
        parser = trt.OnnxParser(network, self.log)
        if not parser.parse(model.read_bytes()):
            raise RuntimeError(f"TensorRT refuses the model: {parser.get_error(0).desc()}")
        config, profile = builder.create_builder_config(), builder.create_optimization_profile()
        for name, array in feed.items():
            profile.set_shape(name, array.shape, array.shape, array.shape)
        config.add_optimization_profile(profile)
        built = builder.build_serialized_network(network, config)
        if built is None:
            raise RuntimeError("TensorRT cannot build the model")
        return built

    def _checked(self, answer: tuple[Any, ...]) -> Any:
        """What a CUDA function returns behind its status."""
        status, *values = answer
        if status != self.cuda.cudaError_t.cudaSuccess:
            raise RuntimeError(f"CUDA says {status.name}")
        return values[0] if values else None


ENGINES: dict[str, Callable[[int], Engine]] = {"openvino": OpenVino, "onnxruntime": OnnxRuntime, "tensorrt": TensorRt}

OPENVINO_COMPUTES = frozenset({"Convolution", "Deconvolution", "FullyConnected", "MatMul"})
OPENVINO_FREE = frozenset({"Const", "Input", "Output", "Reshape"})
"""Layers of a runtime model that compute nothing when it runs."""

ORT_INT8 = frozenset("QLinearConv QLinearMatMul QGemm MatMulInteger MatMulIntegerToFloat ConvInteger".split())
ORT_FLOAT = frozenset(
    "Attention Conv ConvTranspose FusedConv FusedGemm FusedMatMul Gemm MatMul MatMulNBits MultiHeadAttention "
    "NhwcFusedConv".split()
)


def openvino_kernels(layers: Iterable[Mapping[str, str]]) -> Kernels:
    """Counts of a runtime model's layers, each with layerType, runtimePrecision and outputPrecisions.

    Left: INT8 computes that write floats, Reorder (another layout or type), Eltwise and Subgraph (pointwise kernels, of
    any type), and all layers that read floats but are no computes.
    """
    counts, int8, computes = Counter[str](), 0, 0
    for layer in layers:
        kind, reads_float = layer["layerType"], layer["runtimePrecision"].startswith("f")
        if kind in OPENVINO_COMPUTES:
            computes, int8 = computes + 1, int8 + (not reads_float)
            counts["write float"] += not reads_float and "f32" in layer["outputPrecisions"]
        elif kind not in OPENVINO_FREE:
            counts["Reorder"] += kind == "Reorder"
            counts["pointwise"] += kind in ("Eltwise", "Subgraph")
            counts["read float"] += reads_float
    return Kernels(int8, computes, +counts)


def onnxruntime_kernels(graph: Any) -> Kernels:
    """Counts of an optimized graph's nodes. Left: Q/DQ, and nodes that neither read nor write integers of a Q."""
    counts = Counter(node.op_type for node in graph.node)
    int8 = sum(count for name, count in counts.items() if name in ORT_INT8)
    pairs = counts["QuantizeLinear"] + counts["DequantizeLinear"]
    floats = sum(node.op_type not in ORT_FLOAT for node in _float_nodes(graph))
    computes = int8 + sum(count for name, count in counts.items() if name in ORT_FLOAT)
    return Kernels(int8, computes, +Counter({"Q/DQ": pairs, "float": floats}))


def _float_nodes(graph: Any) -> Iterator[Any]:
    """Nodes outside of what a QuantizeLinear opens and a DequantizeLinear closes."""
    integers: set[str] = set()
    for node in graph.node:
        if node.op_type == "DequantizeLinear":
            continue
        if node.op_type.startswith("Q") or (node.input and node.input[0] in integers):
            integers.update(node.output)
        elif node.op_type not in ORT_INT8:
            yield node


def free_dims(graph: Any, feed: Feed) -> dict[str, int]:
    """Named free dimensions of the inputs -> their sizes in `feed`."""
    sizes = {}
    for value in graph.input:
        if value.name in feed:
            dims = value.type.tensor_type.shape.dim
            sizes |= {
                dim.dim_param: size for dim, size in zip(dims, feed[value.name].shape, strict=True) if dim.dim_param
            }
    return sizes


def _runtime_info(layer: Any) -> dict[str, str]:
    info = layer.get_rt_info()
    return {key: info[key].astype(str) for key in ("layerType", "runtimePrecision", "outputPrecisions")}
