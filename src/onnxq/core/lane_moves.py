"""How lanes run through what only moves numbers: the same operator, applied to the lanes."""

from __future__ import annotations

import math

import numpy as np

from onnxq.core.classes import Ids
from onnxq.core.graph import Node, Shape
from onnxq.core.lanes import Survey

FAR = np.iinfo(np.int64).max // 2


def handed_on(survey: Survey, node: Node) -> str | None:
    """Identity, MaxPool, Resize: what comes out of a lane is of that lane; other axes are all the same."""
    if node.op == "Resize" and node.attributes.get("mode", b"nearest") in (b"cubic", "cubic"):
        return "a cubic Resize may cut at 0"
    if node.op == "Resize" and "crop" in str(node.attributes.get("coordinate_transformation_mode", "")):
        return "a Resize that crops fills in numbers of its own"
    ids = survey.lanes(node.inputs[0])
    if node.op != "Identity" and any(size > 1 for axis, size in enumerate(ids.shape) if axis != 1):
        return "its places are lanes of their own"
    if node.op == "Resize" and ids.shape[1:2] > (1,) and (survey.shape(node.outputs[0]) or ())[1:2] != ids.shape[1:2]:
        return "it resizes the channels"
    for tensor in survey.view.variable_inputs(node)[1:]:
        survey.fix(survey.lanes(tensor))
    survey.of[node.outputs[0]] = ids
    return None


def reshaped(survey: Survey, node: Node) -> str | None:
    """Reshape, Flatten, Squeeze, Unsqueeze."""
    before, after = survey.shape(node.inputs[0]), survey.shape(node.outputs[0])
    if before is None or after is None:
        return "its shape is not known"
    ids = survey.lanes(node.inputs[0])
    if ids.size == 1:
        survey.of[node.outputs[0]] = ids.reshape((1,) * len(after))
        return None
    if not _keeps_batch(before, after):
        return "its shape is known at run time only"
    moved = compressed(np.broadcast_to(ids, _sizes(before)).reshape(_sizes(after)))
    if any(size > 1 and known is None for size, known in zip(moved.shape, after, strict=True)):
        return "its shape is known at run time only"
    survey.of[node.outputs[0]] = moved
    return None


def transposed(survey: Survey, node: Node) -> str | None:
    """Transpose."""
    ids = survey.lanes(node.inputs[0])
    survey.of[node.outputs[0]] = np.transpose(ids, node.integers("perm") or None)
    return None


def concatenated(survey: Survey, node: Node) -> str | None:
    """Concat."""
    axis = node.integer("axis", 0)
    parts = []
    for tensor in node.inputs:
        shape, ids = survey.shape(tensor), survey.lanes(tensor)
        if shape is None or shape[axis] is None:
            return "its shape is known at run time only"
        if survey.view.is_constant(tensor):
            ids = np.zeros((1,) * len(shape), np.int64)
        wide = list(ids.shape)
        wide[axis] = shape[axis] or 0
        parts.append(np.broadcast_to(ids, wide))
    sizes = [max(part.shape[at] for part in parts) for at in range(parts[0].ndim)]
    for index, part in enumerate(parts):
        parts[index] = np.broadcast_to(
            part, [part.shape[at] if at == axis % part.ndim else n for at, n in enumerate(sizes)]
        )
    survey.of[node.outputs[0]] = compressed(np.concatenate(parts, axis))
    return None


def split(survey: Survey, node: Node) -> str | None:
    """Split."""
    axis, ids = node.integer("axis", 0), survey.lanes(node.inputs[0])
    shapes = [survey.shape(tensor) for tensor in node.outputs]
    sizes = [shape[axis] if shape is not None else None for shape in shapes]
    if ids.shape[axis] > 1 and None in sizes:
        return "its shape is known at run time only"
    start = 0
    for tensor, size in zip(node.outputs, sizes, strict=True):
        part = np.arange(start, start + (size or 0)) if ids.shape[axis] > 1 else np.zeros(1, np.int64)
        survey.of[tensor] = compressed(np.take(ids, part, axis))
        start += size or 0
    return None


def sliced(survey: Survey, node: Node) -> str | None:
    """Slice."""
    ids = survey.lanes(node.inputs[0])
    given = [survey.view.constants.get(tensor) if tensor else None for tensor in node.inputs[1:]]
    if any(value is None and tensor for value, tensor in zip(given, node.inputs[1:], strict=True)):
        return "where it cuts is known at run time only"
    starts, ends, axes, steps = (*given, None, None)[:4]
    if starts is None or ends is None:
        return "where it cuts is not said"
    places = np.arange(starts.size) if axes is None else axes
    cut = [slice(None)] * ids.ndim
    for at, (start, end, axis) in enumerate(zip(starts.tolist(), ends.tolist(), places.tolist(), strict=True)):
        step = int(steps[at]) if steps is not None else 1
        if ids.shape[axis] > 1:
            size = ids.shape[axis]
            last = None if step < 0 and end < -size else min(end, FAR)
            cut[axis] = slice(max(start, -size), last, step)
    survey.of[node.outputs[0]] = compressed(ids[tuple(cut)])
    return None


def gathered(survey: Survey, node: Node) -> str | None:
    """Gather."""
    axis, ids = node.integer("axis", 0), survey.lanes(node.inputs[0])
    indices = survey.view.constants.get(node.inputs[1])
    if indices is None:
        return "where it reads is known at run time only"
    indices = indices if ids.shape[axis] > 1 else np.zeros((1,) * indices.ndim, np.int64)
    survey.of[node.outputs[0]] = compressed(np.take(ids, indices, axis))
    return None


def padded(survey: Survey, node: Node) -> str | None:
    """Pad: zeros among the channels are lanes that any scale suits; zeros anywhere must be shifted like the rest."""
    ids, mode = survey.lanes(node.inputs[0]), node.attributes.get("mode", b"constant")
    pads = survey.view.constants.get(node.inputs[1]) if node.inputs[1:] else None
    axes = survey.view.constants.get(node.inputs[3]) if node.inputs[3:] and node.inputs[3] else np.arange(ids.ndim)
    if pads is None or axes is None or mode not in (b"constant", "constant") or not _pads_zeros(survey, node):
        return "it does not pad with zeros, or what it pads is known at run time only"
    widths = np.zeros((ids.ndim, 2), np.int64)
    widths[axes] = pads.reshape(2, -1).T
    if (pads < 0).any():
        return "it cuts"
    made = np.pad(ids, np.where(np.array(ids.shape)[:, None] > 1, widths, 0), constant_values=-1)
    made[made < 0] = survey.new((int((made < 0).sum()),))
    survey.shifts.unite(made)
    survey.of[node.outputs[0]] = made
    return None


def compressed(ids: Ids) -> Ids:
    """The same lanes, with size 1 for each axis along which they are the same."""
    for axis, size in enumerate(ids.shape):
        first = np.take(ids, [0], axis) if size else ids
        if size > 1 and (ids == first).all():
            ids = first
    return np.ascontiguousarray(ids)


def _pads_zeros(survey: Survey, node: Node) -> bool:
    value = node.inputs[2] if node.inputs[2:] else ""
    return not value or (survey.view.is_constant(value) and not survey.view.constants[value].any())


def _keeps_batch(before: Shape, after: Shape) -> bool:
    """Whether all that is unknown is the size of the first axis, before and after."""
    unknown = [axis for shape in (before, after) for axis, size in enumerate(shape) if size is None]
    return unknown in ([], [0, 0]) and math.prod(_sizes(before)) == math.prod(_sizes(after))


def _sizes(shape: Shape) -> tuple[int, ...]:
    return tuple(1 if size is None else size for size in shape)
