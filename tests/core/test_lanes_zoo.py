"""All models of the zoo compute the same on real inputs, whatever the units and zeros of their lanes."""

from __future__ import annotations

import importlib.util
from itertools import islice

import numpy as np
import onnx
import pytest
from tests.conftest import ZOO
from tests.moved import drawn, error, moved

from onnxq import onnx_io
from onnxq.core.lane_rules import lanes_of
from onnxq.core.lanes import FIXED
from onnxq.runtimes import onnxruntime
from onnxq.stages.prepare import prepare

NAMES = sorted(path.stem for path in (ZOO / "models").glob("*.onnx"))

pytestmark = [pytest.mark.zoo, pytest.mark.skipif(not NAMES, reason="ONNXQ_ZOO names no model zoo")]


@pytest.fixture(scope="module")
def preprocess():
    spec = importlib.util.spec_from_file_location("zoo_preprocess", ZOO / "preprocess.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def widths(model, lanes, feed):
    """For each shift class a quarter of the range of what it is a class of, the smallest if there are several."""
    found = {}
    tensors = [tensor for tensor, ids in lanes.of.items() if tensor and (lanes.shifts[ids] != FIXED).any()]
    for tensor, values in onnxruntime.Session(model, tensors)(feed).items() if tensors else ():
        for member in np.unique(lanes.shifts[lanes.of[tensor]]).tolist():
            found[member] = min(found.get(member, np.inf), float(np.ptp(values)) / 4)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_zoo_model_computes_the_same_in_other_lanes(name, preprocess):
    model = prepare(onnx.load(ZOO / "models" / f"{name}.onnx"), onnxruntime.evaluate).model
    lanes, feeds = lanes_of(onnx_io.view(model)), list(islice(preprocess.feeds(name, "calib", limit=4, batch=1), 4))
    after = moved(model, drawn(lanes, np.random.default_rng(0), widths(model, lanes, feeds[0])))
    assert max(error(model, after, feed) for feed in feeds) <= 1e-5
