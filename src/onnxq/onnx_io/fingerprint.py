"""What tells one model from another."""

from __future__ import annotations

import hashlib

import onnx


def fingerprint(model: onnx.ModelProto) -> str:
    """A hash of all that a model computes: its inputs, nodes and weights, whatever its size and file."""
    digest = hashlib.sha256()
    graph = model.graph
    for part in (*model.opset_import, *model.functions, *graph.input, *graph.node, *graph.output):
        digest.update(part.SerializeToString(deterministic=True))
    for weight in sorted(graph.initializer, key=lambda weight: weight.name):
        digest.update(f"{weight.name} {weight.data_type} {list(weight.dims)}".encode())
        digest.update(memoryview(onnx.numpy_helper.to_array(weight).tobytes()))
    return digest.hexdigest()[:32]
