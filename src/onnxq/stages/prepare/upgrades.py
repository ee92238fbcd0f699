"""What changed between opsets 7 and 23, operator by operator, and the edit that keeps a node's meaning.

A row (operator, version) is the edit that turns a node valid just before that opset into one valid at it. An
operator without a row only gained types, or optional inputs and attributes whose defaults keep the old meaning;
the tests hold the table against every schema in onnx.defs. Source: the operator changelog of ONNX 1.23.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import onnx_ir as ir

from onnxq.stages.prepare.node_editor import NodeEditor
from onnxq.stages.prepare.values import is_used

OLDEST, NEWEST = 7, 23
"""The opsets between which the table is complete."""

Upgrade = Callable[[NodeEditor], None]

_REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")


def _integers_to_inputs(**indices: int) -> Upgrade:
    """The upgrade that moves integer attributes to the inputs of the given indices."""

    def upgrade(editor: NodeEditor) -> None:
        for name, index in indices.items():
            attribute = editor.pop(name)
            if attribute is not None:
                editor.set_input(index, editor.constant(name, np.atleast_1d(np.asarray(attribute.value, np.int64))))

    return upgrade


def _drop_spatial(editor: NodeEditor) -> None:
    spatial = editor.pop("spatial")
    if spatial is not None and not spatial.as_int():
        raise editor.refusal("normalizes each activation by itself (spatial=0), which opset 9 dropped. Export again.")


def _drop_training_outputs(editor: NodeEditor) -> None:
    if any(is_used(output) for output in editor.node.outputs[1:]):
        raise editor.refusal("is in training mode: its running statistics are read. Export the model for inference.")
    editor.node.resize_outputs(1)


def _bounds_to_inputs(editor: NodeEditor) -> None:
    for index, name in enumerate(("min", "max"), start=1):
        bound = editor.pop(name)
        if bound is not None:
            editor.set_input(index, editor.constant_like_input(name, bound.as_float()))


def _padding_to_inputs(editor: NodeEditor) -> None:
    _integers_to_inputs(pads=1)(editor)
    value = editor.pop("value")
    if value is not None and value.as_float() != 0:
        editor.set_input(2, editor.constant_like_input("value", value.as_float()))


def _drop_ratio_and_mask(editor: NodeEditor) -> None:
    """The ratio has no effect at inference, where onnxruntime's mask is false before opset 12 and true from then on."""
    if any(is_used(mask) for mask in editor.node.outputs[1:]):
        raise editor.refusal("has a mask that is read, whose meaning changed. Export with opset 12 or newer.")
    editor.pop("ratio")
    editor.node.resize_outputs(1)


def _axis_to_input(editor: NodeEditor) -> None:
    axis = editor.pop("axis")
    editor.set_input(2, editor.constant("axis", np.asarray(1 if axis is None else axis.as_int(), np.int64)))


def _rename_mode(editor: NodeEditor) -> None:
    mode = editor.pop("mode")
    old = "bilinear" if mode is None else mode.as_string()
    editor.set_string("mode", {"bilinear": "linear", "bicubic": "cubic"}.get(old, old))


def _repeat_group_parameters(editor: NodeEditor) -> None:
    """Scale and bias were one number for each group and are one for each channel now."""
    source, *parameters = editor.node.inputs
    channels = source.shape[1] if source is not None and source.shape is not None else None
    for index, parameter in enumerate(parameters, start=1):
        tensor = ir.convenience.get_const_tensor(parameter) if parameter is not None else None
        if tensor is None or not isinstance(channels, int):
            raise editor.refusal("has computed parameters or an unknown number of channels. Export with opset 21.")
        array = np.asarray(tensor.numpy())
        editor.set_input(index, editor.constant(f"input_{index}", np.repeat(array, channels // array.size)))


def _soften_one_axis(editor: NodeEditor) -> None:
    """Until opset 12 all axes from `axis` on were one; from opset 13 on `axis` is the only one."""
    attribute, source = editor.pop("axis"), editor.node.inputs[0]
    axis = 1 if attribute is None else attribute.as_int()
    if source is not None and source.shape is not None:
        first = axis % max(len(source.shape), 1)
        wide = [i for i in range(first, len(source.shape)) if source.shape[i] != 1]
        if len(wide) <= 1:
            editor.set_integer("axis", wide[0] if wide else first)
            return
    shape = editor.insert_before("Shape", [source])
    editor.set_input(0, editor.insert_before("Flatten", [source], axis=axis))
    editor.set_integer("axis", -1)
    editor.insert_after("Reshape", [shape])


def _resize_asymmetrically(editor: NodeEditor) -> None:
    """Opset 10 took the sample at ``out / scale``; nearest rounded it down when growing and up when shrinking."""
    scales = editor.node.inputs[1]
    editor.set_input(1, None)
    editor.set_input(2, scales)
    editor.set_string("coordinate_transformation_mode", "asymmetric")
    mode = editor.pop("mode")
    if mode is not None and mode.as_string() != "nearest":
        editor.set_string("mode", mode.as_string())
        return
    if "nearest_mode" in editor.node.attributes:  # it was an Upsample
        return
    tensor = ir.convenience.get_const_tensor(scales) if scales is not None else None
    if tensor is None:
        raise editor.refusal(
            "computes its scales at run time, so its rounding is unknown. Export with opset 11 or newer."
        )
    grows, shrinks = (tensor.numpy() > 1).any(), (tensor.numpy() < 1).any()
    if grows and shrinks:
        raise editor.refusal("grows one axis and shrinks another, which opset 11 rounds alike. Export with opset 11.")
    editor.set_string("nearest_mode", "ceil" if shrinks else "floor")


def _keep_output_half_pixel(editor: NodeEditor) -> None:
    editor.set_string("coordinate_transformation_mode", "output_half_pixel")


def _refuse_batched_scan(editor: NodeEditor) -> None:
    raise editor.refusal("has a batch axis, which opset 9 dropped. Export with opset 9 or newer.")


def _count_outputs(editor: NodeEditor) -> None:
    if len(editor.node.inputs) < 2 or editor.node.inputs[1] is None:
        editor.set_integer("num_outputs", len(editor.node.outputs))


def _scales_to_input(editor: NodeEditor) -> None:
    scales = editor.pop("scales")
    if scales is not None:
        editor.set_input(1, editor.constant("scales", np.asarray(scales.value, np.float32)))


def _resize_instead(editor: NodeEditor) -> None:
    """Upsample only grows, so nearest rounds down whatever the scales are."""
    editor.node.op_type = "Resize"
    editor.set_string("nearest_mode", "floor")


def _scatter_elements_instead(editor: NodeEditor) -> None:
    editor.node.op_type = "ScatterElements"


UPGRADES: Mapping[tuple[str, int], Upgrade] = MappingProxyType(
    {
        ("BatchNormalization", 9): _drop_spatial,
        ("BatchNormalization", 14): _drop_training_outputs,
        ("Clip", 11): _bounds_to_inputs,
        ("DFT", 20): _axis_to_input,
        ("Dropout", 12): _drop_ratio_and_mask,
        ("GridSample", 20): _rename_mode,
        ("GroupNormalization", 21): _repeat_group_parameters,
        ("Hardmax", 13): _soften_one_axis,
        ("LogSoftmax", 13): _soften_one_axis,
        ("Pad", 11): _padding_to_inputs,
        ("ReduceSum", 13): _integers_to_inputs(axes=1),
        **{(f"Reduce{kind}", 18): _integers_to_inputs(axes=1) for kind in _REDUCTIONS},
        ("Resize", 11): _resize_asymmetrically,
        ("RoiAlign", 16): _keep_output_half_pixel,
        ("Scan", 9): _refuse_batched_scan,
        ("Scatter", 11): _scatter_elements_instead,
        ("Slice", 10): _integers_to_inputs(starts=1, ends=2, axes=3),
        ("Softmax", 13): _soften_one_axis,
        ("Split", 13): _integers_to_inputs(split=1),
        ("Split", 18): _count_outputs,
        ("Squeeze", 13): _integers_to_inputs(axes=1),
        ("TopK", 10): _integers_to_inputs(k=1),
        ("Unsqueeze", 13): _integers_to_inputs(axes=1),
        ("Upsample", 9): _scales_to_input,
        ("Upsample", 10): _resize_instead,
    }
)
