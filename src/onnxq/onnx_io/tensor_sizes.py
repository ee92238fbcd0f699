"""How large the tensors of a model are for given inputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from onnxq.core.batch import Tensors

_LARGE = 1024  # bytes; axes and shapes, whose values inference reads, are smaller


def tensor_sizes(model: onnx.ModelProto, feeds: Tensors) -> Mapping[str, int]:
    """Bytes by tensor name, as far as shape inference can tell.

    Args:
        model: a prepared one.
        feeds: inputs of the shapes in question.
    """
    sizes = {name: _bytes(tensor) for name, tensor in _inferred(model, feeds).items()}
    return {name: size for name, size in sizes.items() if size is not None}


def tensor_shapes(model: onnx.ModelProto, feeds: Tensors) -> Mapping[str, tuple[int, ...]]:
    """Shapes by tensor name, those of the inputs included, as far as shape inference can tell.

    Args:
        model: a prepared one.
        feeds: inputs of the shapes in question.
    """
    shapes = {name: _shape(tensor) for name, tensor in _inferred(model, feeds).items()}
    known = {name: shape for name, shape in shapes.items() if shape is not None}
    return known | {name: array.shape for name, array in feeds.items()}


def _inferred(model: onnx.ModelProto, feeds: Tensors) -> Mapping[str, onnx.TypeProto.Tensor]:
    try:
        inferred = onnx.shape_inference.infer_shapes(_skeleton(model, feeds), data_prop=True)
    except (onnx.shape_inference.InferenceError, ValueError):
        return {}
    return {value.name: value.type.tensor_type for value in (*inferred.graph.value_info, *inferred.graph.output)}


def _skeleton(model: onnx.ModelProto, feeds: Tensors) -> onnx.ModelProto:
    """The model without large weights or declared shapes, for inputs of the shapes of `feeds`."""
    bare = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions)
    graph = bare.graph
    graph.name = model.graph.name
    graph.node.extend(model.graph.node)
    for name, array in feeds.items():
        kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        graph.input.append(onnx.helper.make_tensor_value_info(name, kind, array.shape))
    for weight in model.graph.initializer:
        if weight.ByteSize() <= _LARGE:
            graph.initializer.append(weight)
        else:
            graph.input.append(onnx.helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims))
    graph.output.extend(onnx.ValueInfoProto(name=value.name) for value in model.graph.output)
    return bare


def _shape(tensor: onnx.TypeProto.Tensor) -> tuple[int, ...] | None:
    if not tensor.HasField("shape") or not all(dim.HasField("dim_value") for dim in tensor.shape.dim):
        return None
    return tuple(dim.dim_value for dim in tensor.shape.dim)


def _bytes(tensor: onnx.TypeProto.Tensor) -> int | None:
    if (shape := _shape(tensor)) is None:
        return None
    item = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).itemsize
    return item * int(np.prod(shape, dtype=np.int64))
