"""Replaces BatchNormalization(Conv(x)) with Conv(x); likewise for ConvTranspose and Gemm.

The algebra, per output channel c, in float64::

    factor[c]  =  scale[c] / sqrt(var[c] + epsilon)
    BN(W x + b)[c]  =  factor[c] * (W x + b - mean[c]) + B[c]
                    =  (factor[c] * W[c]) x  +  (factor[c] * (b[c] - mean[c]) + B[c])

For Gemm, alpha stays and beta goes into the bias: ``b = beta * C``.

1. BatchNormalization is in inference mode: training_mode is absent or 0 and only the first output is read.
2. Its four parameters, the weight and the bias, if there is one, are constants of the main graph.
3. Nothing else reads the product: it has one reader and is no graph output.
4. A shared weight is not changed: the pair gets weights of its own under derived names.
5. The folded weights are finite in the type of the weight; otherwise the pair stays.
6. The output keeps the name that BatchNormalization gave it.
7. What BatchNormalization knows stays with its output, folded or not: in each channel numbers have the mean B and the
   standard deviation |scale|, and are normally distributed, or taken to be (Nagel et al. 2019, section 4.2).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxq.core.names import Names
from onnxq.core.normal import Normal
from onnxq.stages.prepare.contract import NORMAL, Context
from onnxq.stages.prepare.names import names_from_model
from onnxq.stages.prepare.values import (
    array_from_value,
    initializer_from_tensor,
    is_standard,
    is_used,
    remove_node,
    remove_unused,
    take_name,
)

Array = NDArray[Any]

_PRODUCTS = frozenset({"Conv", "ConvTranspose", "Gemm"})


def fold_batchnorm(model: ir.Model, _: Context) -> int:
    """Returns how many BatchNormalization nodes are gone."""
    names = names_from_model(model)
    norms = [node for node in model.graph if is_standard(node, model, "BatchNormalization")]
    for norm in norms:
        _remember(norm)
    return sum(_fold(norm, names) for norm in norms)


def _remember(norm: ir.Node) -> None:
    """Notes what is known of the output (rule 7)."""
    scale, offset = (array_from_value(value) for value in norm.inputs[1:3])
    if _infers(norm) and scale is not None and offset is not None:
        normal = Normal(offset.astype(np.float64), np.abs(scale.astype(np.float64)))
        norm.outputs[0].meta[NORMAL] = normal


def _fold(norm: ir.Node, names: Names) -> bool:
    product = _sole_product(norm)
    if product is None:
        return False
    with np.errstate(all="ignore"):  # rule 5 judges what comes out
        affine = _factor_and_shift(norm)
        folded = None if affine is None else _fold_parameters(product, *affine)
    if folded is None:
        return False
    graph = product.graph
    assert graph is not None
    stale = [*product.inputs[1:], *norm.inputs[1:]]
    product.resize_inputs(3)
    for index, (kind, array) in enumerate(zip(("weight", "bias"), folded, strict=True), start=1):
        source = product.inputs[index]
        stem = f"{product.name}_{kind}" if source is None else f"{source.name}_folded"
        value = initializer_from_tensor(names.fresh(stem), ir.tensor(array))  # rule 4
        graph.register_initializer(value)
        product.replace_input_with(index, value)
    product.attributes.pop("beta", None)
    remove_node(norm, heir=product.outputs[0])
    take_name(product.outputs[0], norm.outputs[0])  # rule 6
    remove_unused(graph, stale)
    return True


def _sole_product(norm: ir.Node) -> ir.Node | None:
    """The Conv, ConvTranspose or Gemm that only this node reads (rule 3)."""
    source = norm.inputs[0]
    product = source.producer() if source is not None else None
    if source is None or product is None or product.domain != "" or product.op_type not in _PRODUCTS:
        return None
    return product if len(source.uses()) == 1 and not source.is_graph_output() else None


def _infers(norm: ir.Node) -> bool:
    """Whether it is in inference mode (rule 1)."""
    return not norm.attributes.get_int("training_mode", 0) and not any(is_used(output) for output in norm.outputs[1:])


def _factor_and_shift(norm: ir.Node) -> tuple[Array, Array] | None:
    """What the node multiplies each channel by, and then adds."""
    if not _infers(norm):
        return None
    arrays = [array_from_value(value) for value in norm.inputs[1:]]
    doubles = [array.astype(np.float64) for array in arrays if array is not None]
    if len(doubles) < 4:  # rule 2
        return None
    scale, offset, mean, variance = doubles
    factor = scale / np.sqrt(variance + norm.attributes.get_float("epsilon", 1e-5))
    return factor, offset - factor * mean


def _fold_parameters(product: ir.Node, factor: Array, shift: Array) -> tuple[Array, Array] | None:
    """The new weight and bias in the type of the old weight."""
    weight = array_from_value(product.inputs[1])
    bias = product.inputs[2] if len(product.inputs) > 2 else None
    offset = np.zeros(1) if bias is None else array_from_value(bias)
    if weight is None or offset is None:  # rule 2
        return None
    beta = product.attributes.get_float("beta", 1.0) if product.op_type == "Gemm" else 1.0
    new_weight = _scale_channels(product, weight.astype(np.float64), factor).astype(weight.dtype)
    new_bias = (factor * (beta * offset.astype(np.float64)) + shift).astype(weight.dtype)
    finite = np.isfinite(new_weight).all() and np.isfinite(new_bias).all()
    return (new_weight, new_bias) if finite else None  # rule 5


def _scale_channels(product: ir.Node, weight: Array, factor: Array) -> Array:
    """`weight` times `factor` along its output channels.

    Conv (out, in/group, *kernel); ConvTranspose (in, out/group, *kernel); Gemm (in, out), with transB (out, in).
    """
    if product.op_type == "Gemm":
        return weight * (factor[:, None] if product.attributes.get_int("transB", 0) else factor)
    if product.op_type == "Conv":
        return weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
    group = product.attributes.get_int("group", 1)
    grouped = weight.reshape(group, -1, *weight.shape[1:])
    return (grouped * factor.reshape(group, 1, -1, *[1] * (weight.ndim - 2))).reshape(weight.shape)
