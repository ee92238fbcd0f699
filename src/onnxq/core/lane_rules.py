"""How lanes run through each operator, as a table; what is not in it leaves what it reads as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from onnxq.core.channels import channels
from onnxq.core.classes import Ids
from onnxq.core.graph import GraphView, Node
from onnxq.core.lane_moves import concatenated, gathered, handed_on, padded, reshaped, sliced, split, transposed
from onnxq.core.lanes import Lanes, Survey

Rule = Callable[[Survey, Node], str | None]
"""Gives lanes to what a node computes, and returns None; or returns why it cannot."""

NONE: Mapping[str, tuple[int, ...]] = {}


def lanes_of(view: GraphView, free: Mapping[str, tuple[int, ...]] = NONE) -> Lanes:
    """The lanes of a graph.

    Args:
        view: the graph.
        free: tensors that nothing makes, or of whose node nothing is known, with the shape of their lanes.
    """
    survey = Survey(view)
    survey.of.update({tensor: survey.new(shape) for tensor, shape in free.items()})
    for node in view.nodes:
        rule = None if node.domain else RULES.get(node.op)
        refusal = f"nothing is known of {node.op}" if rule is None else _unfit(view, node) or rule(survey, node)
        if refusal:
            survey.frozen[node.name] = refusal
            for tensor in view.variable_inputs(node):
                survey.fix(survey.lanes(tensor))
    return survey.done()


def linear(survey: Survey, node: Node) -> str | None:
    """A weighted sum of what it reads: it reads lanes of any unit, and makes lanes of any unit."""
    found = channels(survey.view, node)
    if refusal := _unusable(survey.view, node, (1, 2)):
        return refusal
    if found is None or (node.op == "MatMul" and survey.view.constants[node.inputs[1]].ndim != 2):
        return "its weight is no matrix"
    if node.op == "Gemm" and (node.integer("transA", 0) or _factors(node) != (1.0, 1.0)):
        return "it turns or scales its operands"
    axis = 1 if node.op.startswith("Conv") else -1
    read = survey.along(node.inputs[0], axis, found[0])
    if read is None or (rank := survey.lanes(node.inputs[0]).ndim) < 2:
        return "its input has lanes of other kinds"
    shape = [1] * rank
    shape[axis] = found[1]
    survey.of[node.outputs[0]] = survey.new(tuple(shape))
    if node.op == "ConvTranspose":
        survey.fix(read, scales=False)
    elif node.op == "Conv" and _pads(node):
        _border(survey, node)
    return None


def product(survey: Survey, node: Node) -> str | None:
    """MatMul: by a constant it is linear; of two activations the right one's columns are handed on."""
    if survey.view.is_constant(node.inputs[1]):
        return linear(survey, node)
    left, right = (survey.lanes(tensor) for tensor in node.inputs)
    shape = survey.shape(node.outputs[0])
    is_product = not survey.view.is_constant(node.inputs[0]) and shape is not None and right.ndim == len(shape) > 1
    if not is_product or right.shape[-2] > 1:
        return "it multiplies lanes by each other"
    survey.fix(left)
    _unshifted(survey, node, right)
    return None


def normalized(survey: Survey, node: Node) -> str | None:
    """LayerNormalization over the last axis: its scale and bias make lanes of any unit."""
    ids = survey.lanes(node.inputs[0])
    if refusal := _unusable(survey.view, node, (1, 2)):
        return refusal
    if node.integer("axis", -1) not in (-1, ids.ndim - 1) or any(node.outputs[1:]):
        return "it normalizes several axes, or its mean is read"
    survey.fix(ids)
    survey.of[node.outputs[0]] = survey.new((*[1] * (ids.ndim - 1), survey.view.constants[node.inputs[1]].size))
    return None


def rectified(survey: Survey, node: Node) -> str | None:
    """Relu: a shift becomes the one bound of a Clip, so it is one for all lanes."""
    ids = survey.lanes(node.inputs[0])
    made = survey.like(ids)
    survey.shifts.join(made, ids)
    survey.shifts.unite(made)
    survey.of[node.outputs[0]] = made
    return None


def clipped(survey: Survey, node: Node) -> str | None:
    """Clip: an upper bound is one number for all lanes, and so is their unit."""
    bounds = [survey.view.constants.get(tensor) for tensor in node.inputs[1:] if tensor]
    if node.attributes:
        return "its bounds are attributes"
    if any(bound is None for bound in bounds):
        return "its bounds are known at run time only"
    if set(_bounds(survey.view, node)) - {0.0, np.inf, -np.inf}:
        survey.scales.unite(survey.lanes(node.inputs[0]))
    return rectified(survey, node)


def multiplied(survey: Survey, node: Node) -> str | None:
    """Mul, Div by a constant: numbers of its own for each channel make lanes of any unit, as in a normalization."""
    place = factors(survey.view, node)
    if place is None:
        return leaky(survey, node)
    ids, given = survey.lanes(node.inputs[1 - place]), survey.view.constants[node.inputs[place]]
    shape = (*[1] * (ids.ndim - given.ndim), *given.shape)
    if given.ndim > ids.ndim or np.broadcast_shapes(ids.shape, shape) != shape:
        return leaky(survey, node)
    survey.of[node.outputs[0]] = survey.new(shape)
    for lanes in (ids, survey.of[node.outputs[0]]):
        survey.fix(lanes, scales=False)
    return None


def leaky(survey: Survey, node: Node) -> str | None:
    """LeakyRelu, PRelu, and multiplication by one constant: any positive unit passes, no shift does."""
    variables = survey.view.variable_inputs(node)
    if len(variables) != 1 or (variables[0] != node.inputs[0] and node.op != "Mul"):
        return "it multiplies lanes by each other"
    ids = survey.lanes(variables[0])
    if len(survey.shape(node.outputs[0]) or ()) > ids.ndim:
        return "it has more axes behind"
    _unshifted(survey, node, ids)
    return None


def added(survey: Survey, node: Node) -> str | None:
    """Add: its operands have one unit, and their shifts add up; a constant takes any shift up."""
    shape = survey.shape(node.outputs[0])
    variables = survey.view.variable_inputs(node)
    if shape is None or any(len(survey.shape(tensor) or ()) != len(shape) for tensor in variables):
        return "its shape is not known, or an operand is repeated along new axes"
    if len(variables) == 1:
        survey.of[node.outputs[0]] = survey.like(survey.lanes(variables[0]))
        return None
    left, right = (survey.lanes(tensor) for tensor in node.inputs)
    made = survey.new(np.broadcast_shapes(left.shape, right.shape))
    survey.scales.join(made, left)
    survey.scales.join(made, right)
    survey.sums.append((made, left, right))
    survey.of[node.outputs[0]] = made
    return None


def averaged(survey: Survey, node: Node) -> str | None:
    """AveragePool, GlobalAveragePool, ReduceMean: a mean has unit and shift of what it is the mean of."""
    ids = survey.lanes(node.inputs[0])
    axes: tuple[int, ...] = tuple(range(2, ids.ndim))
    if node.op == "ReduceMean":
        given = survey.view.constants.get(node.inputs[1]) if node.inputs[1:] and node.inputs[1] else None
        if given is None or not given.size:
            return "what it reduces is not said"
        axes = tuple(int(axis) % max(ids.ndim, 1) for axis in given)
    if any(ids.shape[axis] > 1 for axis in axes):
        return "its places are lanes of their own"
    overhangs = _pads(node) or node.integer("ceil_mode", 0)
    if node.op == "AveragePool" and overhangs and node.integer("count_include_pad", 0):
        survey.fix(ids, scales=False)
    made = survey.like(ids)
    survey.shifts.join(made, ids)
    keeps = node.op != "ReduceMean" or node.integer("keepdims", 1)
    survey.of[node.outputs[0]] = made if keeps else np.squeeze(made, axes)
    return None


def untouched(_: Survey, __: Node) -> str | None:
    """Shape, Size: they do not look at numbers."""
    return None


def factors(view: GraphView, node: Node) -> int | None:
    """Which input of a Mul or Div is a constant of its own, with a number for each channel, that can take units up."""
    for place in (1, 0) if node.op == "Mul" else (1,):
        tensor = node.inputs[place]
        if view.is_constant(tensor) and not _unusable(view, node, (place,)) and is_own(view, tensor):
            shape = view.constants[tensor].shape
            return place if 1 < max(shape, default=1) == view.constants[tensor].size else None
    return None


def is_own(view: GraphView, tensor: str) -> bool:
    """Whether a constant is read in one place only."""
    return len(view.sites.get(tensor, ())) == 1 and tensor not in view.captured and tensor not in view.outputs


def _unshifted(survey: Survey, node: Node, ids: Ids) -> None:
    """A node makes lanes of the units of those that it reads, and neither takes a shift."""
    made = survey.like(ids)
    for lanes in (ids, made):
        survey.fix(lanes, scales=False)
    survey.of[node.outputs[0]] = made


def _unfit(view: GraphView, node: Node) -> str | None:
    """Why what a node reads and makes has no lanes that could be told apart or changed."""
    tensors = (*view.variable_inputs(node), *filter(None, node.outputs))
    for tensor in tensors:
        if tensor not in view.shapes:
            return f"the rank of '{tensor}' is not known"
    if RULES[node.op] is not untouched and view.dtype(node.outputs[0]) != "float32":
        return f"'{node.outputs[0]}' is not FP32"
    return None


def _unusable(view: GraphView, node: Node, indices: tuple[int, ...]) -> str | None:
    """Why the constants that a node reads cannot take up a unit."""
    for index in indices:
        tensor = node.inputs[index] if index < len(node.inputs) else ""
        if tensor and not view.is_constant(tensor):
            return f"'{tensor}' is computed at run time"
        if tensor and (index == 1 and not is_own(view, tensor)):
            return f"other nodes read '{tensor}' too"
        if tensor and (view.constants[tensor].dtype != np.float32 or not np.isfinite(view.constants[tensor]).all()):
            return f"'{tensor}' holds other numbers than finite ones of FP32"
    return None


def _border(survey: Survey, node: Node) -> None:
    """A padded convolution reads shifted lanes if it is known where its borders are."""
    for tensor in (node.inputs[0], node.outputs[0]):
        shape = survey.shape(tensor)
        if shape is None or None in shape[2:]:
            survey.fix(survey.lanes(node.inputs[0]), scales=False)
            return
    survey.bordered.add(node.name)


def _pads(node: Node) -> bool:
    said = node.attributes.get("auto_pad", b"NOTSET")
    return any(node.integers("pads")) or said in (b"SAME_UPPER", b"SAME_LOWER", "SAME_UPPER", "SAME_LOWER")


def _bounds(view: GraphView, node: Node) -> tuple[float, float]:
    """The lowest and the highest number that a Clip lets pass."""
    low, high = (*node.inputs[1:], "", "")[:2]
    return (
        float(view.constants[low]) if low else -np.inf,
        float(view.constants[high]) if high else np.inf,
    )


def _factors(node: Node) -> tuple[float, float]:
    alpha, beta = (node.attributes.get(name, 1.0) for name in ("alpha", "beta"))
    return (float(alpha), float(beta)) if isinstance(alpha, float) and isinstance(beta, float) else (1.0, 1.0)


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm"), linear),
    **dict.fromkeys(("Identity", "MaxPool", "GlobalMaxPool", "Resize"), handed_on),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), reshaped),
    **dict.fromkeys(("AveragePool", "GlobalAveragePool", "ReduceMean"), averaged),
    **dict.fromkeys(("LeakyRelu", "PRelu"), leaky),
    **dict.fromkeys(("Shape", "Size"), untouched),
    "MatMul": product,
    "LayerNormalization": normalized,
    "Relu": rectified,
    "Clip": clipped,
    "Add": added,
    "Mul": multiplied,
    "Div": multiplied,
    "Transpose": transposed,
    "Concat": concatenated,
    "Split": split,
    "Slice": sliced,
    "Gather": gathered,
    "Pad": padded,
}
