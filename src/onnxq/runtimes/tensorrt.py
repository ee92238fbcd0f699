"""TensorRT for RTX as a compiler: which kernels it would run, learned without a GPU.

TensorRT for RTX compiles ahead of time on a CPU and logs the plan it made. Reading that log answers the question
that a Q/DQ model raises: which convolutions and matrix products read INT8, and which only look quantized.
The plan is made without measuring on a GPU, so kernels that a GPU build fuses may be listed apart: kernel counts and
moved bytes are upper bounds, the types that compute kernels read are not.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx

from onnxq.errors import RecipeError, RuntimeFailure, near_misses

FREE_DIM = 8
"""The size given to an input dimension that the model leaves free."""

COMPUTE_KINDS = frozenset({"correlation", "deconv", "gemm", "runtime_fusion"})
"""Layer types that multiply and accumulate; "runtime_fusion" is one of the others with its pointwise tail.

Source: layer plans of TensorRT for RTX 1.7.1; "kgen" is generated pointwise code, whatever nodes it names."""

COMPUTE_OPERATORS = frozenset({"Conv", "ConvTranspose", "Einsum", "Gemm", "MatMul"})
"""ONNX operators that become kernels of `COMPUTE_KINDS`."""

FUSED_ATTENTION = "_gemm_mha"
"""How the names of kernels begin that compute both products of attention; they are listed as "kgen"."""

STREAM_EVENTS = frozenset({"signal", "wait"})
"""Layer types that only order kernels among streams."""

BYTES = {"Bool": 1, "FP8": 1, "Int8": 1, "UInt8": 1, "BFloat16": 2, "Half": 2, "Float": 4, "Int32": 4, "Int64": 8}
"""Bytes per element of the types that layer plans name."""

_LAYER = re.compile(
    r"^Name: (?P<name>.*?), LayerType: (?P<kind>\w+), Inputs: \[(?P<inputs>.*?)\], Constants: \[(?P<constants>.*?)\], "
    r"Outputs: \[(?P<outputs>.*?)\], TacticName: (?P<tactic>.*?), StreamId: .*?Metadata: ?(?P<metadata>.*)$"
)
_TENSOR = re.compile(r"\{ Name: (?P<name>.*?), Dimensions: \[(?P<dims>[-\d,]*)\].*?, Datatype: (?P<dtype>\w+)")
_ONNX_NODE = re.compile(r"\[ONNX Layer: (.*?)\](?=[\x1e\x1f]|$)")  # joined by ASCII's separators


@dataclass(frozen=True)
class Tensor:
    """What a kernel reads or writes; `dtype` in TensorRT's words: "Int8", "Float", "Half" ..."""

    name: str
    dims: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Bytes; a type that is not in `BYTES` counts one byte per element."""
        return math.prod(self.dims) * BYTES.get(self.dtype, 1)


@dataclass(frozen=True)
class Layer:
    """One kernel of the plan; `constants` are its weights, scales and biases, `onnx_nodes` what was fused into it."""

    name: str
    kind: str
    inputs: tuple[Tensor, ...]
    constants: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    tactic: str
    onnx_nodes: tuple[str, ...]

    @property
    def is_compute(self) -> bool:
        """Whether it is a convolution, a matrix product, or attention as a whole."""
        return self.kind in COMPUTE_KINDS or self.is_attention

    @property
    def is_attention(self) -> bool:
        """Whether it multiplies queries, keys and values in one kernel."""
        return self.name.startswith(FUSED_ATTENTION)

    @property
    def reads_int8(self) -> bool:
        """Whether all factors arrive as Int8: two activations, activation and weight, or attention's three."""
        factors = 3 if self.is_attention else 2
        return sum(tensor.dtype == "Int8" for tensor in (*self.inputs, *self.constants)) >= factors


@dataclass(frozen=True)
class LayerPlan:
    """The kernels of a compiled model, and `operators`: ONNX node name -> operator, as the parser names nodes."""

    layers: tuple[Layer, ...]
    operators: Mapping[str, str]

    @property
    def computes(self) -> tuple[Layer, ...]:
        """Convolutions and matrix products."""
        return tuple(layer for layer in self.layers if layer.is_compute)

    @property
    def int8_computes(self) -> tuple[Layer, ...]:
        """Those of `computes` that multiply INT8 by INT8."""
        return tuple(layer for layer in self.computes if layer.reads_int8)

    @property
    def moved_bytes(self) -> dict[str, int]:
        """Bytes of activations that kernels read and write, by dtype, largest first."""
        moved: dict[str, int] = {}
        for layer in self.layers:
            for tensor in (*layer.inputs, *layer.outputs):
                moved[tensor.dtype] = moved.get(tensor.dtype, 0) + tensor.size
        return dict(sorted(moved.items(), key=lambda item: -item[1]))


def compute_nodes(plan: LayerPlan) -> frozenset[str]:
    """Names of the ONNX nodes that a convolution or matrix product kernel computes."""
    return _compute_nodes(plan, plan.computes)


def int8_nodes(plan: LayerPlan) -> frozenset[str]:
    """Names of the ONNX nodes whose kernel reads Int8 activations and Int8 weights (or two Int8 activations).

    A node without a name is called `node_of_<its first output>`, as TensorRT's parser does.
    """
    return _compute_nodes(plan, plan.int8_computes)


def compile_ahead_of_time(
    model: bytes | onnx.ModelProto,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    compute_capability: str = "8.9",
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
    trt = _load_package()
    log, messages = _open_log(trt)
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    _parse(trt, network, log, model if isinstance(model, bytes) else model.SerializeToString())
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    config.num_compute_capabilities = 1
    config.set_compute_capability(_find_capability(trt, compute_capability), 0)
    config.add_optimization_profile(_optimization_profile(builder, network, shapes or {}))
    if builder.build_serialized_network(network, config) is None:
        errors = [text for severity, text in messages if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR)]
        raise RuntimeFailure(
            f"TensorRT for RTX {trt.__version__} parses the model but cannot build it for compute capability "
            f"{compute_capability}: {_join(errors)}"
        )
    return LayerPlan(tuple(layers_from_log(text for _, text in messages)), operators_from_model(model))


def layers_from_log(messages: Iterable[str]) -> Iterator[Layer]:
    """The kernels in the message that starts with "Layers:", in the order they run."""
    for message in messages:
        if message.startswith("Layers:"):
            for match in filter(None, map(_LAYER.match, message.split("\n"))):
                if match["kind"] not in STREAM_EVENTS:
                    yield _layer_from_match(match)


def operators_from_model(model: bytes | onnx.ModelProto) -> dict[str, str]:
    """ONNX node name -> operator, for branches and bodies too; nameless nodes as TensorRT's parser calls them."""
    proto = onnx.ModelProto.FromString(model) if isinstance(model, bytes) else model
    return {node.name or f"node_of_{node.output[0]}": node.op_type for node in _nodes(proto.graph)}


def _layer_from_match(match: re.Match[str]) -> Layer:
    return Layer(
        name=match["name"],
        kind=match["kind"],
        inputs=_tensors_from_text(match["inputs"]),
        constants=_tensors_from_text(match["constants"]),
        outputs=_tensors_from_text(match["outputs"]),
        tactic=match["tactic"],
        onnx_nodes=tuple(_ONNX_NODE.findall(match["metadata"])),
    )


def _tensors_from_text(text: str) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(found["name"], tuple(int(dim) for dim in found["dims"].split(",") if dim), found["dtype"])
        for found in _TENSOR.finditer(text)
    )


def _compute_nodes(plan: LayerPlan, layers: Sequence[Layer]) -> frozenset[str]:
    named = (name for layer in layers for name in layer.onnx_nodes)
    return frozenset(name for name in named if plan.operators.get(name) in COMPUTE_OPERATORS)


def _load_package() -> Any:
    try:
        return importlib.import_module("tensorrt_rtx")
    except ImportError as error:
        raise RuntimeFailure("Compiling needs TensorRT for RTX: pip install 'onnxq[rtx]'") from error


def _open_log(trt: Any) -> tuple[Any, list[tuple[Any, str]]]:
    """A logger that keeps every message, and the list of (severity, text) it fills."""
    messages: list[tuple[Any, str]] = []

    class Log(trt.ILogger):  # type: ignore[misc]  # the package ships no types
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, text: str) -> None:
            messages.append((severity, text))

    return Log(), messages


def _parse(trt: Any, network: Any, log: Any, model: bytes) -> None:
    parser = trt.OnnxParser(network, log)
    if not parser.parse(model):
        refusals = [_refusal(parser.get_error(index)) for index in range(parser.num_errors)]
        raise RuntimeFailure(f"TensorRT for RTX {trt.__version__} refuses the model: {_join(refusals)}")


def _refusal(error: Any) -> str:
    where = f"{error.node_operator()} '{error.node_name()}': " if error.node_name() else ""
    reason: str = error.desc()
    reason = reason.removeprefix(f"Invalid Node - {error.node_name()}\n").partition("\n[checkMacros")[0]
    return where + reason.replace("\n", " ")  # what is cut off says only the name again, and that no GPU is there


def _join(sentences: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(sentences)) or "it gives no reason"


def _find_capability(trt: Any, compute_capability: str) -> Any:
    members = trt.ComputeCapability.__members__
    if f"SM{compute_capability.replace('.', '')}" not in members:
        known = ", ".join(f"{name[2:-1]}.{name[-1]}" for name in members if name.startswith("SM"))
        raise RecipeError(
            f"TensorRT for RTX {trt.__version__} does not compile ahead of time for compute capability "
            f"'{compute_capability}'. Choose one of: {known}"
        )
    return members[f"SM{compute_capability.replace('.', '')}"]


def _optimization_profile(builder: Any, network: Any, shapes: Mapping[str, tuple[int, ...]]) -> Any:
    inputs = {tensor.name: tensor for tensor in map(network.get_input, range(network.num_inputs))}
    if unknown := set(shapes) - set(inputs):
        name = min(unknown)
        raise RecipeError(
            f"No input is called '{name}'.{near_misses(name, inputs)} The model's inputs are: {', '.join(inputs)}"
        )
    profile = builder.create_optimization_profile()
    for name, tensor in inputs.items():
        if -1 in tuple(tensor.shape):
            shape = shapes.get(name) or tuple(FREE_DIM if dim < 0 else dim for dim in tensor.shape)
            profile.set_shape(name, shape, shape, shape)
    return profile


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes of `graph` and of the branches and bodies in it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from _nodes(body)
