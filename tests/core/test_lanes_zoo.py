"""All models of the zoo compute the same on real inputs, whatever the units and zeros of their lanes."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import onnx
import pytest
from tests.conftest import ZOO
from tests.moved import drawn, error, moved
from tests.zoo import preprocess

from onnxq import onnx_io
from onnxq.core.affine import Affine
from onnxq.core.lane_rules import lanes_of
from onnxq.core.lanes import FIXED
from onnxq.runtimes import onnxruntime
from onnxq.stages.prepare import prepare
from onnxq.stages.rewrite import edited

NAMES = sorted(path.stem for path in (ZOO / "models").glob("*.onnx"))

pytestmark = [pytest.mark.zoo, pytest.mark.skipif(not NAMES, reason="ONNXQ_ZOO names no model zoo")]


def widths(model, lanes, feed):
    """For each shift class a quarter of the range of what it is a class of, the smallest if there are several."""
    found = {}
    tensors = [tensor for tensor, ids in lanes.of.items() if tensor and (lanes.shifts[ids] != FIXED).any()]
    for tensor, values in onnxruntime.Session(model, tensors)(feed).items() if tensors else ():
        for member in np.unique(lanes.shifts[lanes.of[tensor]]).tolist():
            found[member] = min(found.get(member, np.inf), float(np.ptp(values)) / 4)
    return found


def rounded(model, rng):
    """The model with all its weights replaced by a neighbour of theirs in FP32."""
    view = onnx_io.view(model)
    near = {
        name: np.nextafter(array, rng.choice(np.array([-np.inf, np.inf], np.float32), array.shape))
        for name, array in view.constants.items()
        if array.dtype == np.float32 and array.ndim > 1
    }
    return edited(model, view, replace(view, constants={**view.constants, **near}))


@pytest.mark.parametrize("name", NAMES)
def test_a_zoo_model_computes_the_same_in_other_lanes(name):
    """Up to 1e-5 of its largest output; or, where rounding its weights to FP32 does that alone, some times as much."""
    model = prepare(onnx.load(ZOO / "models" / f"{name}.onnx"), onnxruntime.evaluate).model
    rng = np.random.default_rng(0)
    lanes, feeds = lanes_of(onnx_io.view(model)), list(islice(preprocess().feeds(name, "calib", limit=4, batch=1), 4))
    after, near = moved(model, drawn(lanes, rng, widths(model, lanes, feeds[0]))), rounded(model, rng)
    errors = [max(error(model, other, feed) for feed in feeds) for other in (after, near)]
    assert errors[0] <= max(1e-5, 4 * errors[1])


@pytest.mark.parametrize("name", NAMES)
def test_units_that_are_powers_of_two_cost_no_rounding(name):
    model = prepare(onnx.load(ZOO / "models" / f"{name}.onnx"), onnxruntime.evaluate).model
    lanes, feed = lanes_of(onnx_io.view(model)), next(iter(preprocess().feeds(name, "calib", limit=1, batch=1)))
    scales = np.exp2(np.random.default_rng(0).integers(-1, 2, lanes.scales.size))
    scales[FIXED] = 1.0
    assert error(model, moved(model, Affine.of(lanes, scales)), feed) <= 1e-6
