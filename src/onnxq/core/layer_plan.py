"""The kernels that an engine runs, as its builder lists them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

COMPUTE_KINDS = frozenset({"correlation", "deconv", "gemm", "runtime_fusion"})
"""Layer types that multiply and accumulate; "runtime_fusion" is one of the others with its pointwise tail.

Source: layer plans of TensorRT for RTX 1.7; "kgen" is generated pointwise code, whatever nodes it names."""

COMPUTE_OPERATORS = frozenset({"Conv", "ConvTranspose", "Einsum", "Gemm", "MatMul"})
"""ONNX operators that become kernels of `COMPUTE_KINDS`."""

FUSED_ATTENTION = "_gemm_mha"
"""How the names of kernels begin that compute both products of attention; they are listed as "kgen"."""

FLOATS = frozenset({"BFloat16", "Float", "Half"})
"""Floating-point types, in TensorRT's words."""

BYTES = {"Bool": 1, "FP8": 1, "Int8": 1, "UInt8": 1, "BFloat16": 2, "Half": 2, "Float": 4, "Int32": 4, "Int64": 8}
"""Bytes per element of the types that layer plans name."""


@dataclass(frozen=True)
class Tensor:
    """What a kernel reads or writes; `dtype` in TensorRT's words: "Int8", "Float", "Half" ..."""

    name: str
    dims: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Bytes, free dimensions (-1) counted once; a type that is not in `BYTES` counts one byte per element."""
        return math.prod(abs(dim) for dim in self.dims) * BYTES.get(self.dtype, 1)


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
    def is_copy(self) -> bool:
        """Whether it only changes the type or the layout of what it reads."""
        return self.kind.lower() in ("reformat", "noop") or not (self.onnx_nodes or self.is_compute)

    @property
    def reads_int8(self) -> bool:
        """Whether all factors arrive as Int8: two activations, activation and weight, or attention's three."""
        factors = 3 if self.is_attention else 2
        return sum(tensor.dtype == "Int8" for tensor in (*self.inputs, *self.constants)) >= factors

    @property
    def float_bytes(self) -> int:
        """Bytes of floating-point activations that it reads and writes."""
        return sum(tensor.size for tensor in (*self.inputs, *self.outputs) if tensor.dtype in FLOATS)


@dataclass(frozen=True)
class LayerPlan:
    """The kernels of a compiled model, and `operators`: ONNX node name -> operator, as the parser names nodes.

    An engine that was opened again no longer knows the operators.
    """

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

    def to_json(self) -> dict[str, object]:
        """The plan as plain data, with the counts that it is judged by."""
        computes, integers = compute_nodes(self), int8_nodes(self)
        return {
            "kernels": len(self.layers),
            "compute_kernels": len(self.computes),
            "int8_kernels": len(self.int8_computes),
            "compute_nodes": len(computes),
            "int8_nodes": len(integers),
            "float_nodes": sorted(computes - integers),
            "float_shortcuts": [layer.name for layer in float_shortcuts(self)],
            "copies": sum(layer.is_copy for layer in self.layers),
            "moved_bytes": self.moved_bytes,
            "layers": [_row(layer) for layer in self.layers],
        }


def compute_nodes(plan: LayerPlan) -> frozenset[str]:
    """Names of the ONNX nodes that a convolution or matrix product kernel computes."""
    return _compute_nodes(plan, plan.computes)


def int8_nodes(plan: LayerPlan) -> frozenset[str]:
    """Names of the ONNX nodes whose kernel reads Int8 activations and Int8 weights (or two Int8 activations).

    A node without a name is called `node_of_<its first output>`, as TensorRT's parser does.
    """
    return _compute_nodes(plan, plan.int8_computes)


def unkept(plan: LayerPlan, planned: Iterable[str]) -> tuple[str, ...]:
    """Those of the nodes `planned` to compute in INT8 that a kernel of `plan` computes in float."""
    floats = compute_nodes(plan) - int8_nodes(plan)
    return tuple(name for name in planned if name in floats)


def float_shortcuts(plan: LayerPlan) -> tuple[Layer, ...]:
    """The kernels that add a floating-point tensor, which another kernel wrote, to what an INT8 kernel computes."""
    writers = {tensor.name: layer for layer in plan.layers for tensor in layer.outputs}
    found: list[Layer] = []
    for layer in plan.layers:
        made = [tensor for tensor in layer.inputs if tensor.name in writers]
        sums = [tensor for tensor in made if writers[tensor.name].is_compute and writers[tensor.name].reads_int8]
        others = [tensor for tensor in made if tensor not in sums and tensor.dtype in FLOATS]
        adds = any(plan.operators.get(name) == "Add" for name in layer.onnx_nodes)
        if adds and others and (sums or layer.reads_int8):
            found.append(layer)
    return tuple(found)


def _compute_nodes(plan: LayerPlan, layers: Sequence[Layer]) -> frozenset[str]:
    named = (name for layer in layers for name in layer.onnx_nodes)
    return frozenset(name for name in named if plan.operators.get(name) in COMPUTE_OPERATORS)


def _row(layer: Layer) -> dict[str, object]:
    return {
        "name": layer.name,
        "kind": layer.kind,
        "reads": [{"tensor": t.name, "dims": t.dims, "type": t.dtype, "bytes": t.size} for t in layer.inputs],
        "writes": [{"tensor": t.name, "dims": t.dims, "type": t.dtype, "bytes": t.size} for t in layer.outputs],
        "constants": [t.dtype for t in layer.constants],
        "tactic": layer.tactic,
        "onnx_nodes": layer.onnx_nodes,
    }
