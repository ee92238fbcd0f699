"""The layer plan, read from a builder's log or from an engine inspector's JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import onnx

from onnxq.core.layer_plan import Layer, Tensor
from onnxq.errors import RuntimeFailure

STREAM_EVENTS = frozenset({"signal", "wait"})
"""Layer types that only order kernels among streams."""

_LAYER = re.compile(
    r"^Name: (?P<name>.*?), LayerType: (?P<kind>\w+), Inputs: \[(?P<inputs>.*?)\], Constants: \[(?P<constants>.*?)\], "
    r"Outputs: \[(?P<outputs>.*?)\], TacticName: (?P<tactic>.*?), StreamId: .*?Metadata: ?(?P<metadata>.*)$"
)
_TENSOR = re.compile(r"\{ Name: (?P<name>.*?), Dimensions: \[(?P<dims>[-\d,]*)\].*?, Datatype: (?P<dtype>\w+)")
_ONNX_NODE = re.compile(r"\[ONNX Layer: (.*?)\](?=[\x1e\x1f]| \[ONNX|$)")  # joined by ASCII's separators

_WORDS = {"FP32": "Float", "FP16": "Half", "BF16": "BFloat16", "INT8": "Int8", "UINT8": "UInt8"}
"""Types as TensorRT's inspector writes them amid formats, such as "Row major Int8 format", in either case."""

_KINDS = {"deconv": "deconv", "conv": "correlation", "gemm": "gemm", "matrixmultiply": "gemm"}
"""What the inspector's layer types hold, such as "CaskGemmConvolution", and what they are in a builder's log."""


def layers_from_log(messages: Iterable[str]) -> Iterator[Layer]:
    """The kernels in the message that starts with "Layers:", in the order they run."""
    for message in messages:
        if message.startswith("Layers:"):
            for match in filter(None, map(_LAYER.match, message.split("\n"))):
                if match["kind"] not in STREAM_EVENTS:
                    yield _layer_from_match(match)


def layers_from_json(text: str) -> Iterator[Layer]:
    """The kernels that `IEngineInspector.get_engine_information` lists in an engine of detailed verbosity.

    Raises:
        RuntimeFailure: the engine was built without details.
    """
    layers = json.loads(text).get("Layers", [])
    if not layers or not all(isinstance(layer, dict) for layer in layers):
        raise RuntimeFailure("The engine tells nothing about its layers. Build it with `onnxq build`.")
    for layer in layers:
        if (kind := str(layer.get("LayerType", ""))) not in STREAM_EVENTS:
            yield Layer(
                name=str(layer.get("Name", "")),
                kind=next((name for part, name in _KINDS.items() if part in kind.lower()), kind),
                inputs=tuple(map(_tensor_from_json, layer.get("Inputs", []))),
                constants=tuple(_constants_from_json(layer)),
                outputs=tuple(map(_tensor_from_json, layer.get("Outputs", []))),
                tactic=str(layer.get("TacticName", layer.get("TacticValue", ""))),
                onnx_nodes=tuple(_ONNX_NODE.findall(str(layer.get("Metadata", "")))),
            )


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


def _tensor_from_json(data: dict[str, Any]) -> Tensor:
    stored = str(data.get("Datatype") or data.get("Format/Datatype", ""))
    dtype = next((word for key, word in _WORDS.items() if re.search(rf"\b{key}\b", stored, re.IGNORECASE)), stored)
    return Tensor(str(data.get("Name", "")), tuple(int(dim) for dim in data.get("Dimensions", [])), dtype)


def _constants_from_json(layer: dict[str, Any]) -> Iterator[Tensor]:
    """Constants, and the weights and biases that convolutions tell in another form: {"Type": "Int8", "Count": 9408}."""
    yield from map(_tensor_from_json, layer.get("Constants", []))
    for name in ("Weights", "Bias"):
        if isinstance(stored := layer.get(name), dict):
            yield Tensor(name, (int(stored.get("Count", 0)),), str(stored.get("Type", "")))


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes of `graph` and of the branches and bodies in it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from _nodes(body)
