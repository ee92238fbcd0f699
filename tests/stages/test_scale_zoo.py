"""All models of the zoo: a TensorRT cache has ONNX's names, and preparation keeps those that a plan needs."""

from __future__ import annotations

import struct

import numpy as np
import onnx
import pytest
from tests.conftest import ZOO

from onnxq import onnx_io
from onnxq.catalog.calibrators.max import Max
from onnxq.catalog.formats.int8 import INT8
from onnxq.catalog.targets.tensorrt import TENSORRT
from onnxq.core.calibration_cache import CalibrationCache
from onnxq.core.statistics import Statistics
from onnxq.runtimes import onnxruntime
from onnxq.stages.plan import plan
from onnxq.stages.prepare import prepare
from onnxq.stages.scale import lacking, scale

NAMES = sorted(path.stem for path in (ZOO / "models").glob("*.onnx"))

pytestmark = [pytest.mark.zoo, pytest.mark.skipif(not NAMES, reason="ONNXQ_ZOO names no model zoo")]


def written_by_tensorrt(model, amplitudes):
    """A cache with a line for each tensor of the original model, and for a layer that TensorRT's parser added."""
    tensors = dict.fromkeys([value.name for value in model.graph.input])
    tensors |= dict.fromkeys(tensor for node in model.graph.node for tensor in node.output if tensor)
    tensors |= {"(Unnamed Layer* 3) [Shuffle]_output": None}
    lines = [f"{tensor}: {struct.pack('>f', next(amplitudes) / 127).hex()}" for tensor in tensors]
    return "\n".join(["TRT-8601-EntropyCalibration2", *lines, ""])


@pytest.mark.parametrize("name", NAMES)
def test_the_cache_of_the_original_model_leaves_no_activation_open(name):
    model = onnx.load(ZOO / "models" / f"{name}.onnx")
    amplitudes = (float(number) for number in np.random.default_rng(0).uniform(0.1, 10, 10_000))
    cache = CalibrationCache.from_text(written_by_tensorrt(model, amplitudes), "calib.cache")
    view = onnx_io.view(prepare(model, onnxruntime.evaluate, TENSORRT.opset).model)
    made = plan(view, TENSORRT, ())
    known = cache.known(made.activations)
    assert known.scales.keys() == set(made.activations)
    assert lacking(made, known) == ()
    scales = scale(made, view, Statistics("", {}), {"int8": INT8}, (Max(), Max()), known).activations
    tied = {tensor for group in made.ties for tensor in group}
    assert {tensor: float(params.scale) for tensor, params in scales.items() if tensor not in tied} == {
        tensor: float(number) for tensor, number in known.scales.items() if tensor not in tied
    }
    assert all(params.scale >= known.scales[tensor] for tensor, params in scales.items())
