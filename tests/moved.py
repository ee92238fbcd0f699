"""Graphs beside the same graphs with their lanes in other units and from other zeros."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from onnxq import onnx_io
from onnxq.core.affine import Affine, reparametrized
from onnxq.core.equations import Equations
from onnxq.core.graph import GraphView
from onnxq.core.lane_rules import lanes_of
from onnxq.core.lanes import FIXED, Lanes
from onnxq.runtimes import onnxruntime
from onnxq.stages.rewrite import edited


def drawn(lanes: Lanes, rng: np.random.Generator, widths: Mapping[int, float] | None = None) -> Affine:
    """Scales from 0.5 to 2 and shifts, at random, for all classes that are free.

    Args:
        lanes: of a graph.
        rng: draws.
        widths: how far shift classes may be moved at most, before scales; those that it lacks are not moved on purpose.
            1 for all if it is None.
    """
    scales = np.exp2(rng.uniform(-1.0, 1.0, lanes.scales.size))
    scales[FIXED] = 1.0
    equations = Equations(lanes.sums)
    for member in np.unique(lanes.shifts).tolist():  # operands come before sums
        width = 1.0 if widths is None else widths.get(member, 0.0)
        equations.wish(member, rng.uniform(-width, width))
    assert equations.settle()
    shifts = np.zeros(lanes.shifts.size)
    shifts[list(equations.values)] = list(equations.values.values())
    return Affine.of(lanes, scales, shifts)


def known(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the shapes of its tensors."""
    return onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)


def moved(model: onnx.ModelProto, affine: Affine) -> onnx.ModelProto:
    """The model that computes the same in other lanes."""
    view = onnx_io.view(model)
    made = edited(model, view, reparametrized(view, affine))
    onnx.checker.check_model(made, full_check=True)
    return made


def feeds(view: GraphView, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Normal numbers for each input; 2 for each unknown size."""
    shapes = {name: [2 if size is None else size for size in view.shapes[name]] for name in view.inputs}
    return {name: np.asarray(rng.normal(size=shape), view.dtypes[name]) for name, shape in shapes.items()}


def error(before: onnx.ModelProto, after: onnx.ModelProto, feed: Mapping[str, np.ndarray]) -> float:
    """The largest difference of an output, by its largest number."""
    was, made = (onnxruntime.run(model, feed) for model in (before, after))
    assert list(was) == list(made)
    found = [0.0]
    for name, array in was.items():
        assert (array.shape, array.dtype) == (made[name].shape, made[name].dtype)
        if array.size:
            wide = array.astype(np.float64)
            found.append(float(np.abs(wide - made[name]).max() / max(np.abs(wide).max(), 1e-30)))
    return max(found)


def random_error(model: onnx.ModelProto, seed: int = 0) -> float:
    """What is lost of a model's outputs by other units and zeros of all that is free."""
    model, rng = known(model), np.random.default_rng(seed)
    view = onnx_io.view(model)
    return error(model, moved(model, drawn(lanes_of(view), rng)), feeds(view, rng))
