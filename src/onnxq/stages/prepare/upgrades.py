"""What changed between opsets 7 and 25, operator by operator, and the edit that keeps a node's meaning.

A row (operator, version) is the edit that turns a node valid just before that opset into one valid at it. An
operator without a row only gained types, or optional inputs and attributes whose defaults keep the old meaning;
the tests hold the table against every schema in onnx.defs. Source: the operator changelog of ONNX 1.23.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import onnx_ir as ir

from onnxq.stages.prepare.site import Site
from onnxq.stages.prepare.values import is_used

OLDEST, NEWEST = 7, 25
"""The opsets between which the table is complete."""

Upgrade = Callable[[Site], None]

_REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")


def _integers_to_inputs(**indices: int) -> Upgrade:
    """The upgrade that moves integer attributes to the inputs of the given indices."""

    def upgrade(site: Site) -> None:
        for name, index in indices.items():
            attribute = site.pop(name)
            if attribute is not None:
                site.set_input(index, site.constant(name, np.atleast_1d(np.asarray(attribute.value, np.int64))))

    return upgrade


def _drop_spatial(site: Site) -> None:
    spatial = site.pop("spatial")
    if spatial is not None and spatial.as_int() == 0:
        raise site.refusal("normalizes each activation by itself (spatial=0), which opset 9 dropped. Export again.")


def _drop_training_outputs(site: Site) -> None:
    if any(is_used(output) for output in site.node.outputs[1:]):
        raise site.refusal("is in training mode: its running statistics are read. Export the model for inference.")
    site.node.resize_outputs(1)


def _bounds_to_inputs(site: Site) -> None:
    for index, name in enumerate(("min", "max"), start=1):
        bound = site.pop(name)
        if bound is not None:
            site.set_input(index, site.constant_like_input(name, bound.as_float()))


def _padding_to_inputs(site: Site) -> None:
    _integers_to_inputs(pads=1)(site)
    value = site.pop("value")
    if value is not None and value.as_float() != 0:
        site.set_input(2, site.constant_like_input("value", value.as_float()))


def _drop_ratio(site: Site) -> None:
    """The ratio has no effect at inference; the mask was no boolean before opset 10."""
    if any(is_used(mask) for mask in site.node.outputs[1:]):
        raise site.refusal("has a mask that is read, so it is in training mode. Export the model for inference.")
    site.pop("ratio")
    site.node.resize_outputs(1)


def _axis_to_input(site: Site) -> None:
    axis = site.pop("axis")
    site.set_input(2, site.constant("axis", np.asarray(1 if axis is None else axis.as_int(), np.int64)))


def _rename_mode(site: Site) -> None:
    mode = site.pop("mode")
    old = "bilinear" if mode is None else mode.as_string()
    site.node.attributes["mode"] = ir.AttrString("mode", {"bilinear": "linear", "bicubic": "cubic"}.get(old, old))


def _repeat_group_parameters(site: Site) -> None:
    """Scale and bias were one number for each group and are one for each channel now."""
    source, *parameters = site.node.inputs
    channels = source.shape[1] if source is not None and source.shape is not None else None
    for index, parameter in enumerate(parameters, start=1):
        tensor = ir.convenience.get_const_tensor(parameter) if parameter is not None else None
        if tensor is None or not isinstance(channels, int):
            raise site.refusal("has computed parameters or an unknown number of channels. Export with opset 21.")
        array = np.asarray(tensor.numpy())
        site.set_input(index, site.constant(f"input_{index}", np.repeat(array, channels // array.size)))


def _soften_one_axis(site: Site) -> None:
    """Until opset 12 all axes from `axis` on were one; from opset 13 on `axis` is the only one."""
    attribute, source = site.pop("axis"), site.node.inputs[0]
    axis = 1 if attribute is None else attribute.as_int()
    if source is not None and source.shape is not None:
        first = axis % max(len(source.shape), 1)
        wide = [i for i in range(first, len(source.shape)) if source.shape[i] != 1]
        if len(wide) <= 1:
            site.node.attributes["axis"] = ir.AttrInt64("axis", wide[0] if wide else first)
            return
    shape = site.insert_before("Shape", [source], {})
    site.set_input(0, site.insert_before("Flatten", [source], {"axis": axis}))
    site.node.attributes["axis"] = ir.AttrInt64("axis", -1)
    site.insert_after("Reshape", [shape], {})


def _resize_asymmetrically(site: Site) -> None:
    """Opset 10 placed samples at out / scale, rounded down when growing and up when shrinking."""
    scales = site.node.inputs[1]
    site.set_input(1, None)
    site.set_input(2, scales)
    tensor = ir.convenience.get_const_tensor(scales) if scales is not None else None
    factors = np.ones(1) if tensor is None else np.asarray(tensor.numpy())
    shrinks = bool((factors < 1).any())
    nearest = "mode" not in site.node.attributes or site.node.attributes["mode"].as_string() == "nearest"
    if nearest and shrinks and (factors > 1).any():
        raise site.refusal("grows one axis and shrinks another, which opset 11 rounds alike. Export with opset 11.")
    site.node.attributes["coordinate_transformation_mode"] = ir.AttrString(
        "coordinate_transformation_mode", "asymmetric"
    )
    site.node.attributes["nearest_mode"] = ir.AttrString("nearest_mode", "ceil" if shrinks else "floor")


def _keep_output_half_pixel(site: Site) -> None:
    name = "coordinate_transformation_mode"
    site.node.attributes[name] = ir.AttrString(name, "output_half_pixel")


def _refuse_batched_scan(site: Site) -> None:
    raise site.refusal("has a batch axis, which opset 9 dropped. Export with opset 9 or newer.")


def _count_outputs(site: Site) -> None:
    if len(site.node.inputs) < 2 or site.node.inputs[1] is None:
        site.node.attributes["num_outputs"] = ir.AttrInt64("num_outputs", len(site.node.outputs))


def _scales_to_input(site: Site) -> None:
    scales = site.pop("scales")
    if scales is not None:
        site.set_input(1, site.constant("scales", np.asarray(scales.value, np.float32)))


def _rename_to(op_type: str) -> Upgrade:
    def upgrade(site: Site) -> None:
        site.node.op_type = op_type

    return upgrade


UPGRADES: Mapping[tuple[str, int], Upgrade] = MappingProxyType(
    {
        ("BatchNormalization", 9): _drop_spatial,
        ("BatchNormalization", 14): _drop_training_outputs,
        ("Clip", 11): _bounds_to_inputs,
        ("DFT", 20): _axis_to_input,
        ("Dropout", 12): _drop_ratio,
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
        ("Scatter", 11): _rename_to("ScatterElements"),
        ("Slice", 10): _integers_to_inputs(starts=1, ends=2, axes=3),
        ("Softmax", 13): _soften_one_axis,
        ("Split", 13): _integers_to_inputs(split=1),
        ("Split", 18): _count_outputs,
        ("Squeeze", 13): _integers_to_inputs(axes=1),
        ("TopK", 10): _integers_to_inputs(k=1),
        ("Unsqueeze", 13): _integers_to_inputs(axes=1),
        ("Upsample", 9): _scales_to_input,
        ("Upsample", 10): _rename_to("Resize"),
    }
)
